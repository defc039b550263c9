import { assertEquals, assertRejects } from "@std/assert";
import { listen } from "../../core/source/listen.ts";
import type { ByteStream } from "../../core/source/transport.ts";
import { watch } from "./support.ts";
import { test } from "../support/test.ts";

const HOST = "127.0.0.1";

test("ByteStream.released resolves, after close, only when the other end has read everything or closes", async () => {
  using listening = listen({ host: HOST, port: 0 });
  const clients = listening.clients()[Symbol.asyncIterator]();
  const theirs = await Deno.connect({ hostname: HOST, port: listening.port });
  using ours = (await clients.next()).value!;
  const released = await closedWhileWriting(ours);
  assertEquals(released.ending, undefined);
  theirs.close();
  await ours.released;
});

/** Something that has not happened after a whole exchange over another connection was not merely late by a turn. */
async function roundTrip(): Promise<void> {
  using listener = Deno.listen({ hostname: HOST, port: 0 });
  const [ours, theirs] = await Promise.all([
    Deno.connect({ hostname: HOST, port: listener.addr.port }),
    listener.accept(),
  ]);
  using both = new DisposableStack();
  both.use(ours);
  both.use(theirs);
  await ours.write(new Uint8Array(1));
  await theirs.read(new Uint8Array(1));
  await theirs.write(new Uint8Array(1));
  await ours.read(new Uint8Array(1));
}

/** Closes `stream` while a write is pending; observes `released`. */
async function closedWhileWriting(stream: ByteStream) {
  const bytes = new Uint8Array(64 * 1024 * 1024);
  const writing = assertRejects(() => stream.write(bytes), Deno.errors.Interrupted);
  // The buffers of the system take some of the bytes at once; then the write waits for the reader.
  for (let i = 0; i < 20; i++) await roundTrip();
  stream.close();
  await writing;
  const released = watch(stream.released);
  await roundTrip();
  return released;
}

test("ByteStream.released of a TLS client resolves, after close, only after the handshake or when the client closes", async () => {
  const read = (name: string) =>
    Deno.readTextFileSync(new URL(`../support/tls/${name}.pem`, import.meta.url));
  const tls = { cert: read("seed"), key: read("seed-key") };
  using listening = listen({ host: HOST, port: 0, tls });
  const clients = listening.clients()[Symbol.asyncIterator]();
  const theirs = await Deno.connect({ hostname: HOST, port: listening.port });
  using ours = (await clients.next()).value!;
  ours.close();
  const released = watch(ours.released);
  await roundTrip();
  assertEquals(released.ending, undefined);
  theirs.close();
  await ours.released;
});
