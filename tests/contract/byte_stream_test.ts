/** What every ByteStream promises: the same cases on the one in memory and on a socket. */
import { assert, assertEquals, assertLessOrEqual, assertRejects } from "@std/assert";
import { dialer } from "../../core/source/dial.ts";
import { listen } from "../../core/source/listen.ts";
import { type ByteStream, readOrAbort } from "../../core/source/transport.ts";
import { memoryPair } from "../support/memory_stream.ts";
import { noAbort } from "../source/support.ts";
import { bytesOf, patternOf } from "../support/bytes.ts";
import { test } from "../support/test.ts";

async function socketPair(): Promise<[ByteStream, ByteStream]> {
  using listening = listen({ host: "127.0.0.1", port: 0 });
  const clients = listening.clients()[Symbol.asyncIterator]();
  const address = { host: "127.0.0.1", port: listening.port, tls: false };
  const [client, accepted] = await Promise.all([dialer()(address, noAbort), clients.next()]);
  return [client, accepted.value];
}

const kinds = [
  { kind: "memory", pair: () => Promise.resolve(memoryPair()) },
  { kind: "socket", pair: socketPair },
];

/** Everything up to the end of the stream. */
async function readAll(stream: ByteStream): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (;;) {
    const part = new Uint8Array(10_000);
    const count = await stream.read(part);
    if (count === null) return new Uint8Array(await new Blob(parts as BlobPart[]).arrayBuffer());
    parts.push(part.subarray(0, count));
  }
}

for (const { kind, pair } of kinds) {
  /** Both ends, closed when the test is over. */
  const both = (name: string, fn: (one: ByteStream, other: ByteStream) => Promise<void>) =>
    test(`ByteStream (${kind}) ${name}`, async () => {
      const [one, other] = await pair();
      using _one = one;
      using _other = other;
      await fn(one, other);
    });

  both("knows the address of its peer", (one, other) => {
    assertEquals([one.peer, other.peer], ["127.0.0.1", "127.0.0.1"]);
    return Promise.resolve();
  });

  both("carries bytes both ways", async (one, other) => {
    for (const [from, to] of [[one, other], [other, one]] as const) {
      await from.write(bytesOf("hello"));
      const into = new Uint8Array(10);
      assertEquals(await to.read(into), 5);
      assertEquals(into, bytesOf("hello\0\0\0\0\0"));
    }
  });

  both("carries bytes both ways at once", async (one, other) => {
    const there = patternOf(1_000_000, 1);
    const back = patternOf(1_000_000, 2);
    const [gotThere, gotBack] = await Promise.all([
      readAll(other),
      readAll(one),
      one.write(there).then(() => one.endWriting()),
      other.write(back).then(() => other.endWriting()),
    ]);
    assertEquals([gotThere, gotBack], [there, back]);
  });

  both("never reads more than there is room for, and loses nothing", async (one, other) => {
    const content = patternOf(1000);
    await one.write(content);
    await one.endWriting();
    const got: number[] = [];
    for (;;) {
      const into = new Uint8Array(7);
      const count = await other.read(into);
      if (count === null) break;
      assertLessOrEqual(count, 7);
      assert(count > 0);
      got.push(...into.subarray(0, count));
    }
    assertEquals(Uint8Array.from(got), content);
  });

  both("reads null again and again at the end of the stream", async (one, other) => {
    await one.endWriting();
    for (let i = 0; i < 3; i++) assertEquals(await other.read(new Uint8Array(1)), null);
  });

  both("stays open one way when the other has ended", async (one, other) => {
    await one.write(bytesOf("last"));
    await one.endWriting();
    assertEquals(await readAll(other), bytesOf("last"));
    await other.write(bytesOf("answer"));
    await other.endWriting();
    assertEquals(await readAll(one), bytesOf("answer"));
  });

  both("rejects a write when its own side has ended", async (one) => {
    await one.endWriting();
    await assertRejects(() => one.write(bytesOf("more")));
  });

  both("lets the other side read to the end when it is closed, twice", async (one, other) => {
    await one.write(bytesOf("bye"));
    one.close();
    one.close();
    one[Symbol.dispose]();
    assertEquals(await readAll(other), bytesOf("bye"));
  });

  both("rejects a waiting read when it is closed", async (one) => {
    const reading = assertRejects(() => one.read(new Uint8Array(1)));
    one.close();
    await reading;
  });

  both("rejects reads and writes when it has been closed", async (one) => {
    one.close();
    await assertRejects(() => one.read(new Uint8Array(1)));
    await assertRejects(() => one.write(bytesOf("x")));
  });

  both("rejects a waiting write when the other side is closed", async (one, other) => {
    const writing = assertRejects(() => one.write(new Uint8Array(20_000_000)));
    await other.read(new Uint8Array(1));
    other.close();
    await writing;
  });

  both("rejects a waiting write when it is closed itself", async (one, other) => {
    const writing = assertRejects(() => one.write(new Uint8Array(20_000_000)));
    await other.read(new Uint8Array(1));
    one.close();
    await writing;
  });

  both("is closed by readOrAbort() when the signal aborts during a read", async (one, other) => {
    const stop = new AbortController();
    const reading = assertRejects(
      () => readOrAbort(one, new Uint8Array(1), stop.signal),
      Error,
      "no longer wanted",
    );
    stop.abort(new Error("no longer wanted"));
    await reading;
    assertEquals(await other.read(new Uint8Array(1)), null);
  });

  both(
    "is left alone by readOrAbort() when the signal aborts after the read",
    async (one, other) => {
      const stop = new AbortController();
      await other.write(bytesOf("a"));
      assertEquals(await readOrAbort(one, new Uint8Array(1), stop.signal), 1);
      stop.abort();
      await other.write(bytesOf("b"));
      assertEquals(await one.read(new Uint8Array(1)), 1);
    },
  );
}

test("ByteStream (memory) resets the other side when it is closed with bytes unread", async () => {
  const [one, other] = memoryPair();
  using _other = other;
  await other.write(bytesOf("unread"));
  await one.write(bytesOf("lost"));
  one.close();
  // As a network does at its worst. On the loopback, bytes that have arrived can still be read.
  await assertRejects(() => other.read(new Uint8Array(1)), Deno.errors.ConnectionReset);
});
