import { clearImmediate, setImmediate } from "node:timers";
import { assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { RunningDigest, sha256 } from "../../core/base/digest.ts";
import { type Hasher, HasherPool, mainThreadHasher } from "../../core/hash/pool.ts";
import type { HashReply, HashRequest } from "../../core/hash/worker.ts";
import { startHasher } from "../support/hasher.ts";
import { patternOf } from "../support/bytes.ts";

const MIB = 1024 * 1024;

function shared(size: number): Uint8Array {
  const bytes = new Uint8Array(new SharedArrayBuffer(size));
  bytes.set(patternOf(size));
  return bytes;
}

/** A worker that keeps its requests until `reply` is called. */
class IdleWorker extends EventTarget {
  readonly requests: Uint8Array[] = [];
  ended = false;

  postMessage({ bytes }: HashRequest): void {
    this.requests.push(bytes);
  }

  reply(): void {
    const data: HashReply = { digest: sha256(this.requests.shift()!) };
    this.dispatchEvent(new MessageEvent("message", { data }));
  }

  terminate(): void {
    this.ended = true;
  }
}

/** A pool of idle workers. */
function idlePool(maxWorkers: number, minBytes = 0): { hasher: HasherPool; workers: IdleWorker[] } {
  const workers: IdleWorker[] = [];
  const start = () => {
    const worker = new IdleWorker();
    workers.push(worker);
    return worker as unknown as Worker;
  };
  return { hasher: new HasherPool(maxWorkers, start, minBytes), workers };
}

const kinds: { what: string; make: () => Hasher & Partial<Disposable> }[] = [
  { what: "this thread", make: () => mainThreadHasher },
  { what: "workers", make: () => new HasherPool(2, startHasher, 0) },
  { what: "no workers", make: () => new HasherPool(0, startHasher, 0) },
  {
    what: "workers that die at once",
    make: () =>
      new HasherPool(2, () => new Worker("data:text/javascript,throw 1", { type: "module" }), 0),
  },
];

for (const { what, make } of kinds) {
  Deno.test(`Hasher.sha256() returns the right digest of everything when it uses ${what}`, async () => {
    const hasher = make();
    const all = [
      new Uint8Array(),
      patternOf(3 * MIB),
      shared(1),
      shared(MIB).subarray(77),
      ...Array.from({ length: 40 }, () => shared(MIB)),
    ];
    const digests = await Promise.all(all.map((bytes) => hasher.sha256(bytes)));
    assertEquals(
      digests.map((digest) => digest.toHex()),
      all.map((bytes) => sha256(bytes).toHex()),
    );
    hasher[Symbol.dispose]?.();
  });
}

for (const { what, make } of kinds.slice(0, 3)) {
  Deno.test(`Hasher.begin() returns the digest of all parts when it uses ${what}`, async () => {
    const hasher = make();
    using one = hasher.begin(MIB);
    using other = hasher.begin(MIB);
    using empty = hasher.begin(MIB);
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
    hasher[Symbol.dispose]?.();
  });
}

Deno.test("mainThreadHasher handles other events after each MiB, and keeps parts in order", async () => {
  using running = mainThreadHasher.begin(6 * MIB);
  let turns = 0;
  let turn = setImmediate(function next() {
    turns++;
    turn = setImmediate(next);
  });
  const parts = [3, 1, 2].map((count) => patternOf(count * MIB));
  await Promise.all(parts.map((part) => running.update(part)));
  clearImmediate(turn);
  assertEquals(turns >= 3, true, `${turns}`);
  const whole = new RunningDigest();
  for (const part of parts) whole.update(part);
  assertEquals((await running.digest()).toHex(), whole.hex());
});

Deno.test("RunningHash throws when the worker that has its state dies", async () => {
  const { hasher, workers } = idlePool(1);
  using running = hasher.begin(MIB);
  const update = running.update(shared(MIB));
  workers[0]!.dispatchEvent(new ErrorEvent("error", { cancelable: true }));
  await assertRejects(() => update, Error, "the worker thread died");
  await assertRejects(() => running.digest(), Error, "the worker thread died");
});

Deno.test("HasherPool starts no worker when the job is small", async () => {
  const { hasher, workers } = idlePool(1, 3 * MIB);
  for (let i = 0; i < 3; i++) await hasher.sha256(shared(MIB));
  assertEquals(workers.length, 0);
  const fourth = hasher.sha256(shared(MIB));
  assertEquals(workers.length, 1);
  workers[0]!.reply();
  assertEquals(await fourth, sha256(shared(MIB)));
});

Deno.test("HasherPool hashes on this thread what is tiny or not in shared memory", async () => {
  const { hasher, workers } = idlePool(1);
  await hasher.sha256(shared(1000));
  await hasher.sha256(new Uint8Array(MIB));
  assertEquals(workers.length, 0);
});

Deno.test("HasherPool starts another worker when one has a backlog, and hashes on this thread when all have", async () => {
  const { hasher, workers } = idlePool(2);
  const digests = Array.from({ length: 32 }, () => hasher.sha256(shared(MIB)));
  assertEquals(workers.map(({ requests }) => requests.length), [16, 16]);
  // Both have a backlog, so it is hashed on this thread.
  await hasher.sha256(shared(MIB));
  workers[1]!.reply();
  digests.push(hasher.sha256(shared(MIB)));
  assertEquals(workers.map(({ requests }) => requests.length), [16, 16]);
  for (const worker of workers) while (worker.requests.length > 0) worker.reply();
  await Promise.all(digests);
});

Deno.test("HasherPool hashes on this thread what a worker did not, when that dies", async () => {
  const { hasher, workers } = idlePool(1);
  const bytes = shared(MIB);
  const digest = hasher.sha256(bytes);
  const died = new ErrorEvent("error", { cancelable: true });
  workers[0]!.dispatchEvent(died);
  assertEquals(died.defaultPrevented, true);
  assertEquals(await digest, sha256(bytes));
  // It is not used again, and no other worker replaces it.
  assertEquals(await hasher.sha256(bytes), sha256(bytes));
  assertEquals(workers.length, 1);
});

Deno.test("HasherPool.endWorkers() ends the workers, and another starts with the next large job", async () => {
  const { hasher, workers } = idlePool(1, MIB);
  using running = hasher.begin(2 * MIB);
  hasher.endWorkers();
  await assertRejects(() => running.update(shared(1)), Error, "the worker thread died");
  await hasher.sha256(shared(MIB));
  assertEquals(workers.map(({ ended }) => ended), [true]);
  const large = hasher.sha256(shared(MIB));
  workers[1]!.reply();
  assertEquals(await large, sha256(shared(MIB)));
});

Deno.test("HasherPool ends its workers when it is disposed", async () => {
  const { hasher, workers } = idlePool(1);
  const bytes = shared(MIB);
  const digest = hasher.sha256(bytes);
  hasher[Symbol.dispose]();
  assertEquals(workers.map(({ ended }) => ended), [true]);
  assertEquals(await digest, sha256(bytes));
});
