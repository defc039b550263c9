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

/** Closes `stream` while a write is pending; observes `released`. */
async function closedWhileWriting(stream: ByteStream) {
  const bytes = new Uint8Array(64 * 1024 * 1024);
  const writing = assertRejects(() => stream.write(bytes), Deno.errors.Interrupted);
  stream.close();
  await writing;
  const released = watch(stream.released);
  await new Promise((resolve) => setTimeout(resolve));
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
  await new Promise((resolve) => setTimeout(resolve));
  assertEquals(released.ending, undefined);
  theirs.close();
  await ours.released;
});
