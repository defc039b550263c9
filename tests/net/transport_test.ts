import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { UnreachableError, UsageError } from "../../core/base/errors.ts";
import { dialer, listen } from "../../core/net/transport.ts";
import { bytesOf, calm, test } from "./support.ts";

const HOST = "127.0.0.1";

/** A port on which nobody listens. */
function freePort(): number {
  using listening = listen({ host: HOST, port: 0 });
  return listening.port;
}

test("dialer() throws UnreachableError that names the seed when the connection is refused", async () => {
  const port = freePort();
  const dialing = () => dialer()({ host: HOST, port, tls: false }, calm);
  const error = await assertRejects(dialing, UnreachableError);
  assertEquals(error.message, `Cannot connect to ${HOST}:${port}: connection refused`);
  assert(error.cause instanceof Deno.errors.ConnectionRefused);
});

test("dialer() throws the signal's reason when it has aborted before", async () => {
  using listening = listen({ host: HOST, port: 0 });
  const address = { host: HOST, port: listening.port, tls: false };
  const reason = new Error("no longer wanted");
  await assertRejects(() => dialer()(address, AbortSignal.abort(reason)), Error, "no longer");
});

test("dialer() closes the connection that still comes when the signal aborts meanwhile", async () => {
  using listening = listen({ host: HOST, port: 0 });
  const clients = listening.clients()[Symbol.asyncIterator]();
  const stop = new AbortController();
  const address = { host: HOST, port: listening.port, tls: false };
  const dialing = assertRejects(() => dialer()(address, stop.signal), Error, "no longer wanted");
  stop.abort(new Error("no longer wanted"));
  await dialing;
  // Behind it comes one that is wanted: so the first one, if it came at all, was the one given up.
  using wanted = await dialer()(address, calm);
  await wanted.write(bytesOf("me"));
  for (;;) {
    using client = (await clients.next()).value!;
    const into = new Uint8Array(2);
    const count = await client.read(into).catch(() => null);
    if (count === null) continue;
    assertEquals(into, bytesOf("me"));
    break;
  }
});

test("listen() gives clients in the order in which they came, until it is closed", async () => {
  using listening = listen({ host: HOST, port: 0 });
  const address = { host: HOST, port: listening.port, tls: false };
  const clients = listening.clients()[Symbol.asyncIterator]();
  for (const word of ["a", "b", "c"]) {
    using mine = await dialer()(address, calm);
    using client = (await clients.next()).value!;
    await mine.write(bytesOf(word));
    const into = new Uint8Array(1);
    await client.read(into);
    assertEquals(into, bytesOf(word));
  }
  listening.close();
  assertEquals((await clients.next()).done, true);
});

test("listen() ends its clients when it is closed while it waits for one, twice", async () => {
  const listening = listen({ host: HOST, port: 0 });
  const next = listening.clients()[Symbol.asyncIterator]().next();
  listening.close();
  listening.close();
  assertEquals((await next).done, true);
});

test("listen() gives the next client when one has left before it was accepted", async () => {
  using listening = listen({ host: HOST, port: 0 });
  const address = { host: HOST, port: listening.port, tls: false };
  (await dialer()(address, calm)).close();
  using mine = await dialer()(address, calm);
  await mine.write(bytesOf("me"));
  for await (using client of listening.clients()) {
    const into = new Uint8Array(2);
    if (await client.read(into) === null) continue;
    assertEquals(into, bytesOf("me"));
    break;
  }
});

test("listen() throws UsageError with a way out when the port is taken", () => {
  using listening = listen({ host: HOST, port: 0 });
  const again = () => listen({ host: HOST, port: listening.port });
  const error = assertThrows(again, UsageError, `Cannot listen on ${HOST}:${listening.port}`);
  assert(error.hint?.includes("--port"));
});
