import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../core/base/errors.ts";
import { dialer } from "../../core/source/dial.ts";
import {
  accepted,
  listen,
  type Listening,
  listenOn,
  type ListenOptions,
} from "../../core/source/listen.ts";

import { ManualClock } from "../support/manual_clock.ts";
import { noAbort } from "./support.ts";
import { bytesOf } from "../support/bytes.ts";
import { test } from "../support/test.ts";

const HOST = "127.0.0.1";
const FREE_PORT = 4711;

/** A machine where listening on some hosts, or on ports of them, fails. */
function machine(faults: Readonly<Record<string, () => Error>>) {
  const open: string[] = [];
  const listenOnce = ({ host, port }: ListenOptions): Listening => {
    const fault = faults[host] ?? faults[`${host}:${port}`];
    if (fault) throw new UsageError(`Cannot listen on ${host}`, { cause: fault() });
    const at = `${host}:${port || FREE_PORT}`;
    open.push(at);
    const close = () => void open.splice(open.indexOf(at), 1);
    const clients = () => (async function* () {})();
    return { host, port: port || FREE_PORT, clients, close, [Symbol.dispose]: close };
  };
  return { open, listen: (host: string, port = 0) => listenOn({ host, port }, listenOnce) };
}

const inUse = () => new Deno.errors.AddrInUse();
const noAddress = () => new Deno.errors.AddrNotAvailable();
const noFamily = () => new Error("Address family not supported by protocol (os error 97)");

test("listenOn() opens one listener for :: where it also accepts IPv4", () => {
  const linux = machine({ "0.0.0.0": inUse });
  assertEquals(linux.listen("::").map(({ host }) => host), ["::"]);
  const windows = machine({});
  windows.listen("::", 7270);
  assertEquals(windows.open, [":::7270", "0.0.0.0:7270"]);
});

test("listenOn() listens on IPv4 alone where the machine has no IPv6", () => {
  for (const fault of [noFamily, noAddress]) {
    const old = machine({ "::": fault, "::1": fault });
    assertEquals(old.listen("::").map(({ host }) => host), ["0.0.0.0"]);
    assertEquals(old.listen("localhost").map(({ host }) => host), ["127.0.0.1"]);
  }
});

test("listenOn() listens on both loopback addresses for localhost, at the same port", () => {
  const both = machine({});
  both.listen("localhost");
  assertEquals(both.open, [`127.0.0.1:${FREE_PORT}`, `::1:${FREE_PORT}`]);
});

test("listenOn() fails when another program uses one family, and closes what it opened", () => {
  for (const host of ["::", "localhost"]) {
    const taken = machine({ [host === "::" ? "::" : "::1"]: inUse });
    assertThrows(() => taken.listen(host, 7270), UsageError);
    assertThrows(() => taken.listen(host), UsageError);
    assertEquals(taken.open, []);
  }
});

test("listenOn() listens on any other host as given", () => {
  const one = machine({ "10.0.0.1": noAddress });
  assertEquals(one.listen("127.0.0.1").map(({ host }) => host), ["127.0.0.1"]);
  assertThrows(() => one.listen("10.0.0.1"), UsageError);
});

test("listenOn() gives a plain reason, with brackets around IPv6", () => {
  assertThrows(
    () => listenOn({ host: "2001:db8::1", port: 7270 }, listen),
    UsageError,
    "Cannot listen on [2001:db8::1]:7270: this machine has no such address",
  );
  assertThrows(
    () => listenOn({ host: "no-such-host.invalid", port: 7270 }, listen),
    UsageError,
    "Cannot listen on no-such-host.invalid:7270: ",
  );
});

test("listen() throws UsageError when the port is taken", () => {
  using listening = listen({ host: HOST, port: 0 });
  const again = () => listen({ host: HOST, port: listening.port });
  const error = assertThrows(again, UsageError, `Cannot listen on ${HOST}:${listening.port}`);
  assertEquals(error.problem, "listen-address");
});

test("listen() yields clients in order until it is closed", async () => {
  using listening = listen({ host: HOST, port: 0 });
  const address = { host: HOST, port: listening.port, tls: false };
  const clients = listening.clients()[Symbol.asyncIterator]();
  for (const word of ["a", "b", "c"]) {
    using mine = await dialer()(address, noAbort);
    using client = (await clients.next()).value!;
    await mine.write(bytesOf(word));
    const into = new Uint8Array(1);
    await client.read(into);
    assertEquals(into, bytesOf(word));
  }
  listening.close();
  assertEquals((await clients.next()).done, true);
});

test("listen() ends its clients when it is closed twice while it waits for one", async () => {
  const listening = listen({ host: HOST, port: 0 });
  const next = listening.clients()[Symbol.asyncIterator]().next();
  listening.close();
  listening.close();
  assertEquals((await next).done, true);
});

test("listen() yields the next client when one closed before it was accepted", async () => {
  using listening = listen({ host: HOST, port: 0 });
  const address = { host: HOST, port: listening.port, tls: false };
  (await dialer()(address, noAbort)).close();
  using mine = await dialer()(address, noAbort);
  await mine.write(bytesOf("me"));
  for await (using client of listening.clients()) {
    const into = new Uint8Array(2);
    if (await client.read(into) === null) continue;
    assertEquals(into, bytesOf("me"));
    break;
  }
});

test("accepted() does not pause for a client that reset before it was accepted", async () => {
  using listener = Deno.listen({ hostname: HOST, port: 0 });
  using _theirs = await Deno.connect({ hostname: HOST, port: listener.addr.port });
  const { NotConnected, ConnectionReset, ConnectionAborted } = Deno.errors;
  const faults = [new NotConnected(), new ConnectionReset(), new ConnectionAborted()];
  const accept = () => faults.length > 0 ? Promise.reject(faults.pop()) : listener.accept();
  const clock = new ManualClock();
  for await (using _client of accepted({ accept }, false, clock, noAbort)) break;
  assertEquals(clock.pending, 0);
});
