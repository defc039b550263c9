import { assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { RunningDigest, sha256 } from "../../core/base/digest.ts";
import { type Hasher, HasherPool, mainThreadHasher } from "../../core/hash/pool.ts";
import { patternOf } from "../source/support.ts";
import { startHasher } from "./support.ts";

const MIB = 1024 * 1024;

function shared(size: number): Uint8Array {
  const bytes = new Uint8Array(new SharedArrayBuffer(size));
  bytes.set(patternOf(size));
  return bytes;
}

/** A thread that only notes what it is asked for, and answers when told to. */
class IdleWorker extends EventTarget {
  readonly requests: { readonly id: number; readonly bytes: Uint8Array }[] = [];
  ended = false;

  postMessage(request: { id: number; bytes: Uint8Array }): void {
    this.requests.push(request);
  }

  answer(): void {
    const { id, bytes } = this.requests.shift()!;
    const data = { id, digest: sha256(bytes) };
    this.dispatchEvent(new MessageEvent("message", { data }));
  }

  terminate(): void {
    this.ended = true;
  }
}

/** Hashers whose threads are idle ones, made visible. */
function idlePool(most: number, worth = 0): { hashers: HasherPool; threads: IdleWorker[] } {
  const threads: IdleWorker[] = [];
  const start = () => {
    const thread = new IdleWorker();
    threads.push(thread);
    return thread as unknown as Worker;
  };
  return { hashers: new HasherPool(most, start, worth), threads };
}

const kinds: { what: string; make: () => Hasher & Partial<Disposable> }[] = [
  { what: "this thread", make: () => mainThreadHasher },
  { what: "other threads", make: () => new HasherPool(2, startHasher, 0) },
  { what: "threads that may not begin", make: () => new HasherPool(0, startHasher, 0) },
  {
    what: "threads that die at once",
    make: () =>
      new HasherPool(2, () => new Worker("data:text/javascript,throw 1", { type: "module" }), 0),
  },
];

for (const { what, make } of kinds) {
  Deno.test(`Hasher.sha256() gives the right digest of everything when it asks ${what}`, async () => {
    const hashers = make();
    const all = [
      new Uint8Array(),
      patternOf(3 * MIB),
      shared(1),
      shared(MIB).subarray(77),
      ...Array.from({ length: 40 }, () => shared(MIB)),
    ];
    const digests = await Promise.all(all.map((bytes) => hashers.sha256(bytes)));
    assertEquals(
      digests.map((digest) => digest.toHex()),
      all.map((bytes) => sha256(bytes).toHex()),
    );
    hashers[Symbol.dispose]?.();
  });
}

for (const { what, make } of kinds.slice(0, 3)) {
  Deno.test(`Hasher.begin() gives the digest of all parts when it asks ${what}`, async () => {
    const hashers = make();
    using one = hashers.begin(MIB);
    using other = hashers.begin(MIB);
    using empty = hashers.begin(MIB);
    const parts = Array.from({ length: 5 }, (_, i) => shared(MIB + i));
    for (const part of parts) {
      await one.update(part);
      await other.update(part.subarray(1));
    }
    const whole = new RunningDigest();
    for (const part of parts) whole.update(part);
    assertEquals((await one.digest()).toHex(), whole.hex());
    assertEquals((await empty.digest()).toHex(), sha256(new Uint8Array()).toHex());
    assertNotEquals((await other.digest()).toHex(), sha256(new Uint8Array()).toHex());
    hashers[Symbol.dispose]?.();
  });
}

Deno.test("Hasher.begin() tells when the thread that has its state dies", async () => {
  const { hashers, threads } = idlePool(1);
  using running = hashers.begin(MIB);
  const update = running.update(shared(MIB));
  threads[0]!.dispatchEvent(new ErrorEvent("error", { cancelable: true }));
  await assertRejects(() => update, Error, "the worker thread died");
  await assertRejects(() => running.digest(), Error, "the worker thread died");
});

Deno.test("HasherPool start no thread when the job is small", async () => {
  const { hashers, threads } = idlePool(1, 3 * MIB);
  for (let i = 0; i < 3; i++) await hashers.sha256(shared(MIB));
  assertEquals(threads.length, 0);
  const fourth = hashers.sha256(shared(MIB));
  assertEquals(threads.length, 1);
  threads[0]!.answer();
  assertEquals(await fourth, sha256(shared(MIB)));
});

Deno.test("HasherPool hand over nothing that is tiny or lies in this thread's own memory", async () => {
  const { hashers, threads } = idlePool(1);
  await hashers.sha256(shared(1000));
  await hashers.sha256(new Uint8Array(MIB));
  assertEquals(threads.length, 0);
});

Deno.test("HasherPool start another thread when one is behind, and help when all are", async () => {
  const { hashers, threads } = idlePool(2);
  const digests = Array.from({ length: 32 }, () => hashers.sha256(shared(MIB)));
  assertEquals(threads.map(({ requests }) => requests.length), [16, 16]);
  // Nobody answers: it is hashed here.
  await hashers.sha256(shared(MIB));
  threads[1]!.answer();
  digests.push(hashers.sha256(shared(MIB)));
  assertEquals(threads.map(({ requests }) => requests.length), [16, 16]);
  for (const thread of threads) while (thread.requests.length > 0) thread.answer();
  await Promise.all(digests);
});

Deno.test("HasherPool hash here what a thread did not, when it dies", async () => {
  const { hashers, threads } = idlePool(1);
  const bytes = shared(MIB);
  const digest = hashers.sha256(bytes);
  const died = new ErrorEvent("error", { cancelable: true });
  threads[0]!.dispatchEvent(died);
  assertEquals(died.defaultPrevented, true);
  assertEquals(await digest, sha256(bytes));
  // It is not asked again, and nobody takes its place.
  assertEquals(await hashers.sha256(bytes), sha256(bytes));
  assertEquals(threads.length, 1);
});

Deno.test("HasherPool.endWorkers() ends the workers, and another starts with the next large job", async () => {
  const { hashers, threads } = idlePool(1, MIB);
  using running = hashers.begin(2 * MIB);
  hashers.endWorkers();
  await assertRejects(() => running.update(shared(1)), Error, "the worker thread died");
  await hashers.sha256(shared(MIB));
  assertEquals(threads.map(({ ended }) => ended), [true]);
  const large = hashers.sha256(shared(MIB));
  threads[1]!.answer();
  assertEquals(await large, sha256(shared(MIB)));
});

Deno.test("HasherPool end their threads when they are disposed", async () => {
  const { hashers, threads } = idlePool(1);
  const bytes = shared(MIB);
  const digest = hashers.sha256(bytes);
  hashers[Symbol.dispose]();
  assertEquals(threads.map(({ ended }) => ended), [true]);
  assertEquals(await digest, sha256(bytes));
});
