/** The stream in memory keeps the promises that a socket keeps: one suite for both. */
import { assertEquals, assertRejects } from "@std/assert";
import { type ByteStream, dialer, listen } from "../../core/net/transport.ts";
import { memoryPair } from "../fakes/memory_stream.ts";
import { bytesOf, patternOf, test } from "./support.ts";

async function socketPair(): Promise<[ByteStream, ByteStream]> {
  using listening = listen({ host: "127.0.0.1", port: 0 });
  const clients = listening.clients()[Symbol.asyncIterator]();
  const { signal } = new AbortController();
  const address = { host: "127.0.0.1", port: listening.port, tls: false };
  const [client, accepted] = await Promise.all([
    dialer()(address, signal),
    clients.next(),
  ]);
  return [client, accepted.value];
}

const kinds = [
  { kind: "memory", pair: () => Promise.resolve(memoryPair()) },
  { kind: "socket", pair: socketPair },
];

async function readAll(stream: ByteStream): Promise<Uint8Array> {
  const parts: number[] = [];
  const part = new Uint8Array(10_000);
  for (;;) {
    const count = await stream.read(part);
    if (count === null) return Uint8Array.from(parts);
    parts.push(...part.subarray(0, count));
  }
}

for (const { kind, pair } of kinds) {
  test(`a ${kind} stream carries bytes both ways`, async () => {
    const [one, other] = await pair();
    using _one = one;
    using _other = other;
    for (const [from, to] of [[one, other], [other, one]] as const) {
      await from.write(bytesOf("hello"));
      const into = new Uint8Array(10);
      assertEquals(await to.read(into), 5);
      assertEquals(into.subarray(0, 5), bytesOf("hello"));
    }
  });

  test(`a ${kind} stream carries more than its buffer holds`, async () => {
    const [one, other] = await pair();
    using _one = one;
    using _other = other;
    const content = patternOf(300_000);
    const [got] = await Promise.all([
      readAll(other),
      one.write(content).then(() => one.endWriting()),
    ]);
    assertEquals(got, content);
  });

  test(`a ${kind} stream stays open one way when the other has ended`, async () => {
    const [one, other] = await pair();
    using _one = one;
    using _other = other;
    await one.write(bytesOf("last"));
    await one.endWriting();
    assertEquals(await readAll(other), bytesOf("last"));
    await other.write(bytesOf("answer"));
    await other.endWriting();
    assertEquals(await readAll(one), bytesOf("answer"));
  });

  test(`a ${kind} stream ends for the other side when it is closed`, async () => {
    const [one, other] = await pair();
    using _other = other;
    await one.write(bytesOf("bye"));
    one.close();
    one.close();
    assertEquals(await readAll(other), bytesOf("bye"));
  });

  test(`a ${kind} stream rejects a waiting read when it is closed`, async () => {
    const [one, other] = await pair();
    using _other = other;
    const reading = assertRejects(() => one.read(new Uint8Array(1)));
    one.close();
    await reading;
  });
}

test("a memory stream resets the other side when it is closed with bytes unread", async () => {
  const [one, other] = memoryPair();
  using _other = other;
  await other.write(bytesOf("unread"));
  await one.write(bytesOf("lost"));
  one.close();
  // As a network does at its worst. On the loopback, bytes that have arrived can still be read.
  await assertRejects(() => other.read(new Uint8Array(1)), Deno.errors.ConnectionReset);
});

test("a memory stream rejects a waiting write when it is closed", async () => {
  const [one, other] = memoryPair();
  using _other = other;
  const writing = assertRejects(() => one.write(new Uint8Array(100_000)));
  one.close();
  await writing;
});
