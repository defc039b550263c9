import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import {
  AuthError,
  BusyError,
  ChangedError,
  CorruptError,
  DiskError,
  NotFoundError,
  P2pError,
  ProtocolError,
  TimeoutError,
  UnreachableError,
  UsageError,
} from "../../core/base/errors.ts";
import { Notify } from "../../core/base/notify.ts";
import { sha256 } from "../../core/base/digest.ts";
import {
  failureFromError,
  PieceDownloader,
  type PieceDownloaderOptions,
} from "../../core/download/piece_downloader.ts";
import type { PieceEvent } from "../../core/plan/messages.ts";
import { type Hasher, HasherPool, mainThreadHasher } from "../../core/hash/pool.ts";
import type { StoredFile } from "../../core/store/stored_file.ts";
import {
  corrupting,
  type Hook,
  onDownload,
  refusing,
  type ScriptedSeed,
  sendBody,
} from "../support/scripted_seed.ts";
import { noAbort } from "../source/support.ts";
import { startHasher } from "../support/hasher.ts";
import { addressOf, contentOf, FILE, MIB, nameOf, Seeds, TaskFixture } from "./support.ts";
import { test } from "../support/test.ts";

const HOST = "one";
/** An honest seed. */
const OTHER_HOST = "two";

/** Hands on one seed, and everything they tell. */
class DownloaderFixture implements AsyncDisposable {
  readonly bench: TaskFixture;
  readonly downloader: PieceDownloader;
  readonly file: StoredFile;
  readonly events: PieceEvent[] = [];
  readonly errors: unknown[] = [];
  readonly seeds: Seeds;
  readonly seed: ScriptedSeed;
  readonly other: ScriptedSeed;
  readonly #terms: PieceDownloaderOptions;
  readonly #reported = new Notify();
  #orders = 0;

  static async open(
    hook?: Hook,
    signal = noAbort,
    hasher = mainThreadHasher,
  ): Promise<DownloaderFixture> {
    const seeds = new Seeds();
    const seed = seeds.add({ a: FILE }, hook);
    const other = seeds.add({ a: FILE });
    const bench = new TaskFixture({ [HOST]: seed, [OTHER_HOST]: other });
    return new DownloaderFixture(
      bench,
      seeds,
      seed,
      other,
      await bench.open(contentOf(FILE)),
      signal,
      hasher,
    );
  }

  private constructor(
    bench: TaskFixture,
    seeds: Seeds,
    seed: ScriptedSeed,
    other: ScriptedSeed,
    file: StoredFile,
    signal: AbortSignal,
    hasher: Hasher,
  ) {
    this.bench = bench;
    this.seeds = seeds;
    this.seed = seed;
    this.other = other;
    this.file = file;
    const sources = new Map(
      [HOST, OTHER_HOST].map((host) => [nameOf(host), bench.pool.source(addressOf(host))]),
    );
    this.#terms = {
      clock: bench.clock,
      memory: bench.parts.memory,
      hasher,
      name: "a",
      file,
      sources,
      rateLimit: undefined,
      emit: (fact) => {
        this.events.push(fact);
        this.#reported.notifyAll();
      },
      fail: (error) => this.errors.push(error),
    };
    this.downloader = new PieceDownloader(this.#terms, signal);
  }

  /** Hands of a later run. */
  anew(): PieceDownloader {
    return new PieceDownloader(this.#terms, noAbort);
  }

  /** @returns the order's id. */
  fetch(piece: number, host = HOST): number {
    const id = this.#orders++;
    this.downloader.fetch({ id, source: nameOf(host), piece });
    return id;
  }

  /** What was reported, but for the bytes on their way. */
  get ends(): PieceEvent[] {
    return this.events.filter(({ kind }) => kind !== "received");
  }

  /** Resolves when so many orders have come to an end, however long that takes. */
  async ended(count: number): Promise<void> {
    while (this.ends.length < count) await this.#reported.notified(noAbort);
  }

  async settle(): Promise<void> {
    for (let turn = 0; turn < 10; turn++) await this.bench.clock.advance(0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.downloader[Symbol.asyncDispose]();
    this.file[Symbol.dispose]();
    await this.bench[Symbol.asyncDispose]();
    await this.seeds[Symbol.asyncDispose]();
  }
}

test("PieceDownloader.fetch() stores a right piece at its place and reports of all its bytes", async () => {
  await using shop = await DownloaderFixture.open();
  shop.fetch(5);
  shop.fetch(2);
  await shop.settle();
  assertEquals(shop.file.missing, [0, 1, 3, 4]);
  const written = shop.bench.written();
  assertEquals(written.subarray(2 * MIB, 3 * MIB), FILE.subarray(2 * MIB, 3 * MIB));
  assertEquals(written.subarray(5 * MIB), FILE.subarray(5 * MIB));
  const bytes = [0, 0];
  for (const fact of shop.events) if (fact.kind === "received") bytes[fact.request]! += fact.bytes;
  assertEquals(bytes, [1000, MIB]);
  assertEquals(shop.ends.map(({ kind }) => kind), ["stored", "stored"]);
});

test("PieceDownloader.fetch() reports of a failure and stores nothing when a piece has a wrong digest", async () => {
  await using shop = await DownloaderFixture.open(corrupting);
  shop.fetch(0);
  await shop.settle();
  const [end] = shop.ends;
  assert(end?.kind === "failed" && end.failure.kind === "corrupt");
  assertEquals(shop.file.missing.length, 6);
  assertEquals(shop.bench.written().subarray(0, 16), new Uint8Array(16));
});

test("PieceDownloader.cancel() stores nothing, and keeps the memory, when the piece is being hashed", async () => {
  const hashing = Promise.withResolvers<Uint8Array>();
  await using shop = await DownloaderFixture.open(undefined, noAbort, {
    ...mainThreadHasher,
    sha256: () => hashing.promise,
  });
  const order = shop.fetch(0);
  await shop.settle();
  shop.downloader.cancel(order);
  const { memory } = shop.bench.parts;
  // All that there is: it can only be lent when the piece's has come back.
  const all = memory.lend(64 * MIB, noAbort);
  let lent = false;
  all.then(() => lent = true);
  await shop.settle();
  assertEquals(lent, false);
  hashing.resolve(sha256(FILE.subarray(0, MIB)));
  using _all = await all;
  assertEquals(shop.ends, []);
  assertEquals(shop.file.missing.length, 6);
});

for (const [what, hook] of [["right", undefined], ["wrong", corrupting]] as const) {
  test(`PieceDownloader.fetch() reports a ${what} piece as it is when other threads hash`, async () => {
    using hasher = new HasherPool(2, startHasher, 0);
    await using shop = await DownloaderFixture.open(hook, noAbort, hasher);
    for (const piece of [0, 1, 2, 3, 4, 5]) shop.fetch(piece);
    await shop.ended(6);
    const kinds = new Set(shop.ends.map(({ kind }) => kind));
    assertEquals([...kinds], [what === "right" ? "stored" : "failed"]);
    assertEquals(shop.bench.written(), what === "right" ? FILE : new Uint8Array(FILE.length));
  });
}

test("PieceDownloader.fetch() reports of a failure when the seed says that the file has changed", async () => {
  await using shop = await DownloaderFixture.open(refusing("DOWNLOAD", "ERROR:CHANGED"));
  shop.fetch(0);
  await shop.settle();
  const [end] = shop.ends;
  assert(end?.kind === "failed" && end.failure.kind === "changed");
});

test("PieceDownloader.fetch() ends the task, and blames no seed, when the disk fails", async () => {
  await using shop = await DownloaderFixture.open();
  // A file that is closed cannot be written to.
  shop.file[Symbol.dispose]();
  shop.fetch(0);
  await shop.settle();
  assertEquals(shop.ends, []);
  assertEquals(shop.errors.length, 1);
  assertInstanceOf(shop.errors[0], DiskError);
});

for (const when of ["before its reply", "in the middle of its body", "after its last byte"]) {
  test(`PieceDownloader.cancel() stores nothing and reports nothing when an order is taken back ${when}`, async () => {
    const gate = Promise.withResolvers<void>();
    const hook = onDownload(async (bytes, client) => {
      if (when === "before its reply") await gate.promise;
      await client.send(`OK ${bytes.length}\n`);
      await client.send(bytes.subarray(0, bytes.length - 10));
      if (when === "in the middle of its body") await gate.promise;
      await client.send(bytes.subarray(bytes.length - 10));
      return "answered";
    });
    await using shop = await DownloaderFixture.open(hook);
    const order = shop.fetch(1);
    if (when === "after its last byte") {
      // The last bytes are there, and the piece is not stored yet.
      const all = () =>
        shop.events.reduce((sum, fact) => sum + (fact.kind === "received" ? fact.bytes : 0), 0);
      while (all() < MIB) await Promise.resolve();
    } else await shop.settle();
    shop.downloader.cancel(order);
    const reported = shop.events.length;
    gate.resolve();
    await shop.settle();
    assertEquals(shop.events.length, reported);
    assertEquals(shop.ends, []);
    assertEquals(shop.file.missing.length, 6);
    assertEquals(shop.errors, []);
  });
}

/** Stops the first body in its middle until the client leaves. */
function haltingOnce(): Hook {
  let downloads = 0;
  return onDownload(async (bytes, client) => {
    if (downloads++ > 0) return undefined;
    await client.send(`OK ${bytes.length}\n`);
    await client.send(bytes.subarray(0, 300_000));
    await client.untilGone();
    return "answered";
  });
}

test("PieceDownloader.fetch() asks for the rest of a piece only when its order was taken back in the middle", async () => {
  await using shop = await DownloaderFixture.open(haltingOnce());
  const order = shop.fetch(1);
  await shop.settle();
  shop.downloader.cancel(order);
  shop.fetch(1);
  await shop.ended(1);
  const ranges = shop.seed.asked("DOWNLOAD").map(({ range }) => range);
  assertEquals(ranges, [
    { start: MIB, end: 2 * MIB },
    { start: MIB + 300_000, end: 2 * MIB },
  ]);
  assertEquals(shop.ends.map(({ kind }) => kind), ["stored"]);
  assertEquals(shop.bench.written().subarray(MIB, 2 * MIB), FILE.subarray(MIB, 2 * MIB));
});

test("PieceDownloader keep what has come of pieces when they are stopped", async () => {
  const stop = new AbortController();
  await using shop = await DownloaderFixture.open(haltingOnce(), stop.signal);
  shop.fetch(1);
  await shop.settle();
  stop.abort(new Error("enough"));
  await shop.bench.timed(shop.downloader[Symbol.asyncDispose]());
  const kept = new Uint8Array(MIB);
  assertEquals(shop.file.readUnverified(1, kept), 300_000);
  assertEquals(kept.subarray(0, 300_000), FILE.subarray(MIB, MIB + 300_000));
});

test("PieceDownloader.fetch() asks for the rest only when the beginning of a piece was left by an earlier run", async () => {
  await using shop = await DownloaderFixture.open();
  shop.file.keepUnverified(1, FILE.subarray(MIB, MIB + 300_000));
  await using hands = shop.anew();
  hands.fetch({ id: 0, source: nameOf(HOST), piece: 1 });
  await shop.ended(1);
  const ranges = shop.seed.asked("DOWNLOAD").map(({ range }) => range);
  assertEquals(ranges, [{ start: MIB + 300_000, end: 2 * MIB }]);
  assertEquals(shop.ends.map(({ kind }) => kind), ["stored"]);
});

test("PieceDownloader.fetch() keeps a piece that comes slowly while it comes, so that a kill loses little", async () => {
  const gate = Promise.withResolvers<void>();
  const hook = onDownload(async (bytes, client) => {
    await client.send(`OK ${bytes.length}\n`);
    for (let at = 0; at < 600_000; at += 100_000) {
      await client.send(bytes.subarray(at, at + 100_000));
      await shop.bench.clock.sleep(50, shop.bench.over);
    }
    await gate.promise;
    await client.send(bytes.subarray(600_000));
    return "answered";
  });
  await using shop: DownloaderFixture = await DownloaderFixture.open(hook);
  shop.fetch(1);
  await shop.bench.until(() => (shop.file.unverified.get(1) ?? 0) >= 500_000, 1000);
  gate.resolve();
  await shop.bench.timed(shop.ended(1));
  assertEquals(shop.bench.written().subarray(MIB, 2 * MIB), FILE.subarray(MIB, 2 * MIB));
  assertEquals(shop.file.unverified.size, 0);
});

test("PieceDownloader.fetch() asks a second seed for the rest only when the first one is in the middle of the piece", async () => {
  await using shop = await DownloaderFixture.open(haltingOnce());
  shop.fetch(1);
  await shop.settle();
  shop.fetch(1, OTHER_HOST);
  await shop.ended(1);
  const ranges = shop.other.asked("DOWNLOAD").map(({ range }) => range);
  assertEquals(ranges, [{ start: MIB + 300_000, end: 2 * MIB }]);
});

test("PieceDownloader.cancel() of an order that is through does nothing", async () => {
  await using shop = await DownloaderFixture.open();
  const order = shop.fetch(1);
  await shop.settle();
  shop.downloader.cancel(order);
  shop.downloader.cancel(77);
  await shop.settle();
  assertEquals(shop.ends, [{ kind: "stored", request: order, hashMs: 0, diskMs: 0 }]);
});

test("PieceDownloader.fetch() gives a piece's memory to the next only when nothing writes to it", async () => {
  const gate = Promise.withResolvers<void>();
  let downloads = 0;
  const hook = onDownload(async (bytes, client) => {
    if (downloads++ > 0) return undefined;
    // The first one stops short of its end; what is left comes when the next one is through.
    await client.send(`OK ${bytes.length}\n`);
    await client.send(bytes.subarray(0, bytes.length - 100));
    await gate.promise;
    await client.send(bytes.subarray(bytes.length - 100));
    return "answered";
  });
  await using shop = await DownloaderFixture.open(hook);
  const first = shop.fetch(0);
  await shop.settle();
  shop.downloader.cancel(first);
  for (const piece of [1, 2, 3, 4, 5]) shop.fetch(piece);
  await shop.settle();
  gate.resolve();
  await shop.settle();
  assertEquals(shop.file.missing, [0]);
  assertEquals(shop.bench.written().subarray(MIB), FILE.subarray(MIB));
});

test("PieceDownloader.fetch() works with the memory of earlier pieces", async () => {
  await using shop = await DownloaderFixture.open();
  for (const piece of [5, 0, 4, 1, 3, 2]) {
    shop.fetch(piece);
    await shop.settle();
  }
  assertEquals(shop.file.missing, []);
  assertEquals(shop.bench.written(), FILE);
});

test("PieceDownloader end soon, and tell nothing, when the signal aborts in the middle of bodies", async () => {
  const stop = new AbortController();
  const hook = onDownload(async (bytes, client) => {
    await client.send(`OK ${bytes.length}\n`);
    await client.send(bytes.subarray(0, 1000));
    await client.untilGone();
    return "answered";
  });
  await using shop = await DownloaderFixture.open(hook, stop.signal);
  for (const piece of [0, 1, 2, 3, 4]) shop.fetch(piece);
  await shop.settle();
  const reported = shop.events.length;
  stop.abort(new Error("enough"));
  const { ms } = await shop.bench.timed(shop.downloader[Symbol.asyncDispose]());
  assert(ms <= 300, `it took ${ms} ms`);
  assertEquals([shop.events.length, shop.ends.length, shop.errors.length], [reported, 0, 0]);
});

test("PieceDownloader.fetch() does nothing when the hands have been put down", async () => {
  const stop = new AbortController();
  await using shop = await DownloaderFixture.open(undefined, stop.signal);
  stop.abort();
  shop.fetch(0);
  await shop.settle();
  assertEquals(shop.events, []);
});

test("PieceDownloader.fetch() stores nothing when a piece comes from a seed that sends too much", async () => {
  const hook = onDownload(async (bytes, client) => {
    await sendBody(client, new Uint8Array(bytes.length + 1));
    return "answered";
  });
  await using shop = await DownloaderFixture.open(hook);
  shop.fetch(0);
  await shop.settle();
  const [end] = shop.ends;
  assert(end?.kind === "failed" && end.failure.kind === "corrupt");
});

const failures: { error: Error; kind: string | undefined }[] = [
  { error: new BusyError("x", 5), kind: "busy" },
  { error: new TimeoutError("x"), kind: "stalled" },
  { error: new UnreachableError("x"), kind: "lost" },
  { error: new ChangedError("x"), kind: "changed" },
  { error: new CorruptError("x"), kind: "corrupt" },
  { error: new ProtocolError("x"), kind: "corrupt" },
  { error: new AuthError("x"), kind: "refused" },
  { error: new NotFoundError("x"), kind: "refused" },
  { error: new DiskError("x"), kind: undefined },
  { error: new UsageError("x"), kind: undefined },
  { error: new TypeError("x"), kind: undefined },
];

for (const { error, kind } of failures) {
  test(`failureFromError() is ${kind ?? "nobody's"} when the error is a ${error.constructor.name}`, () => {
    const failure = failureFromError(error);
    assertEquals<string | undefined>(failure?.kind, kind);
    if (error instanceof P2pError && failure) assertEquals(failure.reason, "x");
  });
}
