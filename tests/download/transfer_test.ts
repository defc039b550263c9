import { assert, assertEquals, assertGreater, assertLessOrEqual } from "@std/assert";
import { systemClock } from "../../core/base/clock.ts";
import { CorruptError, DiskError, TimeoutError } from "../../core/base/errors.ts";
import { lengthOf } from "../../core/base/ranges.ts";
import { dialer } from "../../core/source/dial.ts";
import { realDisk } from "../../core/store/disk.ts";
import { Permit } from "../../core/download/run_queue.ts";
import {
  corrupting,
  cutAfter,
  type Hook,
  onDownload,
  refusing,
  stallAfter,
} from "../support/scripted_seed.ts";
import { noAbort, thrownBy } from "../source/support.ts";
import {
  contentOf,
  FILE,
  type Hosts,
  MIB,
  OTHER,
  Seeds,
  SILENT,
  TaskFixture,
  UNREACHABLE,
} from "./support.ts";
import { patternOf } from "../support/bytes.ts";
import { test } from "../support/test.ts";

const STALL_MS = 5000;

/** As an honest seed, but `hook` has its way with the first so many downloads. */
function first(times: number, hook: Hook): Hook {
  let left = times;
  return (request, client, seed) =>
    request.verb === "DOWNLOAD" && left-- > 0
      ? hook(request, client, seed)
      : Promise.resolve(undefined);
}

function sum(bySeed: Record<string, number>): number {
  return Object.values(bySeed).reduce((total, bytes) => total + bytes, 0);
}

test("downloadFile() asks all seeds at once, and puts the file together from all of them", async () => {
  await using seeds = new Seeds();
  const gate = Promise.withResolvers<void>();
  const held = onDownload(async () => {
    await gate.promise;
    return undefined;
  });
  const three = [1, 2, 3].map(() => seeds.add({ a: FILE }, held));
  await using bench = new TaskFixture({ a: three[0]!, b: three[1]!, c: three[2]! });
  const downloading = bench.download();
  await bench.until(() => three.every((seed) => seed.asked("DOWNLOAD").length > 0), 1000);
  gate.resolve();
  const { value: bySeed } = await bench.timed(downloading);
  assertEquals(bench.written(), FILE);
  assertEquals(Object.keys(bySeed).sort(), ["a", "b", "c"]);
  assertEquals(sum(bySeed), FILE.length);
  const stored = bench.news.flatMap((one) => one.kind === "stored" ? [one.piece] : []);
  assertEquals(stored.sort(), [0, 1, 2, 3, 4, 5]);
});

test("downloadFile() reports how many pieces each seed has in hand, and none in the end", async () => {
  await using seeds = new Seeds();
  await using bench = new TaskFixture({
    a: seeds.add({ a: FILE }),
    b: seeds.add({ a: FILE }, cutAfter(1000)),
  });
  await bench.timed(bench.download());
  const inHand = new Map<string, number[]>();
  for (const one of bench.news) {
    if (one.kind !== "flight") continue;
    inHand.set(one.seed, [...inHand.get(one.seed) ?? [], one.pieces]);
  }
  for (const reported of inHand.values()) {
    assertGreater(Math.max(...reported), 0);
    assertEquals([reported[0], reported.at(-1)], [1, 0]);
  }
  assertEquals(inHand.size, 2);
});

/** Seeds that may cost some time, but not the download. */
const bad: { name: string; host: (seeds: Seeds) => Hosts[string]; maxMs: number }[] = [
  { name: "is not there", host: () => UNREACHABLE, maxMs: 100 },
  { name: "does not answer the connect", host: () => SILENT, maxMs: 2500 },
  { name: "does not have the file", host: (seeds) => seeds.add({}), maxMs: 100 },
  { name: "has other bytes", host: (seeds) => seeds.add({ a: OTHER }), maxMs: 100 },
  {
    name: "sends wrong bytes",
    host: (seeds) => seeds.add({ a: FILE }, corrupting),
    maxMs: 100,
  },
  {
    name: "cuts every body",
    host: (seeds) => seeds.add({ a: FILE }, cutAfter(1000)),
    maxMs: 2000,
  },
  {
    name: "stalls in every body",
    host: (seeds) => seeds.add({ a: FILE }, stallAfter(1000)),
    maxMs: STALL_MS + 500,
  },
  {
    name: "is busy all the time",
    host: (seeds) =>
      seeds.add({ a: FILE }, refusing("DOWNLOAD", "ERROR:BUSY retry-after-ms=50 full")),
    maxMs: 500,
  },
  {
    name: "says that the file has changed",
    host: (seeds) => seeds.add({ a: FILE }, refusing("DOWNLOAD", "ERROR:CHANGED")),
    maxMs: 2000,
  },
  {
    name: "wants a token for the file",
    host: (seeds) => seeds.add({ a: FILE }, refusing("DOWNLOAD", "ERROR:AUTH")),
    maxMs: 500,
  },
];

for (const { name, host, maxMs } of bad) {
  test(`downloadFile() is through in ${maxMs} ms when one seed of two ${name}`, async () => {
    await using seeds = new Seeds();
    await using bench = new TaskFixture({ bad: host(seeds), good: seeds.add({ a: FILE }) });
    const { ms } = await bench.timed(bench.download());
    assertEquals(bench.written(), FILE);
    assertLessOrEqual(ms, maxMs);
  });
}

/** Faults of the only seed that pass. */
const passing: { name: string; hook: () => Hook }[] = [
  { name: "cuts two bodies", hook: () => first(2, cutAfter(500_000)) },
  { name: "stalls once", hook: () => first(1, stallAfter(500_000)) },
  { name: "sends two wrong pieces", hook: () => first(2, corrupting) },
  {
    name: "is busy for a while",
    hook: () => refusing("DOWNLOAD", "ERROR:BUSY retry-after-ms=100 full", 5),
  },
  { name: "is at fault with itself", hook: () => refusing("DOWNLOAD", "ERROR:INTERNAL", 2) },
];

for (const { name, hook } of passing) {
  test(`downloadFile() completes with its only seed when that one ${name}`, async () => {
    await using seeds = new Seeds();
    await using bench = new TaskFixture({ only: seeds.add({ a: FILE }, hook()) });
    await bench.timed(bench.download());
    assertEquals(bench.written(), FILE);
  });
}

for (const bytes of [100_000, 600_000, 1_000_000]) {
  test(`downloadFile() completes, and fetches nothing twice, when every connection breaks after ${bytes} bytes`, async () => {
    await using seeds = new Seeds();
    const only = seeds.add({ a: FILE }, cutAfter(bytes));
    await using bench = new TaskFixture({ only });
    const { value: bySeed, ms } = await bench.timed(bench.download(), 120_000);
    assertEquals(bench.written(), FILE);
    assertEquals(sum(bySeed), FILE.length);
    // A pause of at most half a second for each new connection.
    assertLessOrEqual(ms, (FILE.length / bytes + 6) * 500);
    // Two pieces are asked for before the first connection breaks.
    const lengths = only.asked("DOWNLOAD").slice(2).map(({ range }) => lengthOf(range));
    assertLessOrEqual(lengths[0]!, 256 * 1024);
  });
}

/** Sends wrong bytes and then breaks off, so that other seeds complete its pieces. */
const lyingAndBreaking: Hook = onDownload(async (bytes, client) => {
  await client.send(`OK ${bytes.length}\n`);
  await client.send(bytes.slice(0, 200_000).map((byte) => byte ^ 1));
  client.close();
  return "answered";
});

test("downloadFile() blames the seed that sent wrong bytes, and not the one that completed its pieces", async () => {
  await using seeds = new Seeds();
  const liar = seeds.add({ a: FILE }, lyingAndBreaking);
  const honest = seeds.add({ a: FILE }, cutAfter(900_000));
  await using bench = new TaskFixture({ liar, honest });
  await bench.timed(bench.download(), 120_000);
  assertEquals(bench.written(), FILE);
  assertEquals(bench.reportsOf("honest").includes("corrupt"), false);
  assert(bench.reportsOf("liar").includes("corrupt"));
});

test("downloadFile() drops a seed that keeps sending wrong bytes after three pieces", async () => {
  await using seeds = new Seeds();
  const liar = seeds.add({ a: FILE }, corrupting);
  await using bench = new TaskFixture({ liar });
  const thrown = thrownBy(bench.download());
  const { value: error } = await bench.timed(thrown);
  assert(error instanceof CorruptError);
  assertLessOrEqual(liar.asked("DOWNLOAD").length, 4);
  assertEquals(bench.reportsOf("liar").at(-1), "dropped");
  assertEquals(bench.news.filter(({ kind }) => kind === "stored"), []);
});

/** Puts `next` in the place of the file when so many downloads were answered. */
function changingAfter(times: number, next: Uint8Array): Hook {
  let left = times;
  return (request, _, seed) => {
    if (request.verb === "DOWNLOAD" && left-- === 0) seed.files.set("a", next);
    return Promise.resolve(undefined);
  };
}

test("downloadFile() asks a seed again what it has when its file changes, and goes on without it", async () => {
  await using seeds = new Seeds();
  const changing = seeds.add({ a: FILE }, changingAfter(1, OTHER));
  await using bench = new TaskFixture({
    changing,
    good: seeds.add({ a: FILE }, first(1, cutAfter(9))),
  });
  await bench.timed(bench.download());
  assertEquals(bench.written(), FILE);
  assertEquals(changing.asked("MANIFEST").length, 2);
  const reported = bench.reportsOf("changing");
  assertEquals(reported.slice(reported.indexOf("failing")), ["failing", "dissents", "dropped"]);
});

test("downloadFile() takes a seed back whose file was only touched", async () => {
  await using seeds = new Seeds();
  const touched = seeds.add({ a: FILE }, changingAfter(2, FILE.slice()));
  await using bench = new TaskFixture({ touched });
  await bench.timed(bench.download());
  assertEquals(bench.written(), FILE);
  assertEquals(touched.asked("MANIFEST").length, 2);
  const reported = bench.reportsOf("touched");
  assertEquals(reported.slice(reported.indexOf("failing")), ["failing", "joined", "back"]);
});

test("downloadFile() downloads the new content when the only seed's file changes", async () => {
  await using seeds = new Seeds();
  await using bench = new TaskFixture({ only: seeds.add({ a: FILE }, changingAfter(2, OTHER)) });
  await bench.timed(bench.download());
  assertEquals(bench.written(), OTHER);
  const notes = bench.news.flatMap((event) => event.kind === "note" ? [event.text] : []);
  assert(notes.some((text) => text.includes("is set aside")), notes.join("\n"));
});

test("downloadFile() lets a seed join that has done its hashing meanwhile", async () => {
  await using seeds = new Seeds();
  const late = seeds.add({ a: FILE }, refusing("MANIFEST", "ERROR:PENDING 10", 6));
  // Two, whose choice the late one cannot change.
  const [slow, other] = [seeds.add({ a: FILE }), seeds.add({ a: FILE })];
  await using bench = new TaskFixture({ slow, other, late });
  // Slow enough that there is something left for the late one.
  slow.hook = other.hook = bench.slowly(4000);
  const { value: bySeed } = await bench.timed(bench.download());
  assertEquals(bench.written(), FILE);
  assertGreater(bySeed["late"] ?? 0, 0);
  assertEquals(bench.reportsOf("late").includes("joined"), true);
});

test("downloadFile() asks a fast seed for the last pieces of a slow one", async () => {
  await using seeds = new Seeds();
  const [slow, fast] = [seeds.add({ a: FILE }), seeds.add({ a: FILE })];
  await using bench = new TaskFixture({ slow, fast });
  slow.hook = bench.slowly(60_000);
  fast.hook = bench.slowly(100);
  const { value: bySeed, ms } = await bench.timed(bench.download());
  assertEquals(bench.written(), FILE);
  assertLessOrEqual(ms, 10_000);
  assertEquals(fast.asked("DOWNLOAD").length, 6);
  assertGreater(slow.asked("DOWNLOAD").length, 0);
  assertLessOrEqual(sum(bySeed), FILE.length + 2 * MIB);
});

test("downloadFile() throws TimeoutError when no seed sends anything for as long as the user waits", async () => {
  await using seeds = new Seeds();
  const mute = seeds.add({ a: FILE }, stallAfter(0));
  await using bench = new TaskFixture({ mute }, { giveUpMs: 30_000 });
  const { value: error, ms } = await bench.timed(thrownBy(bench.download()));
  assert(error instanceof TimeoutError);
  assertLessOrEqual(ms, 31_000);
  assertGreater(ms, 29_000);
});

test("downloadFile() leaves its place while all seeds pause, and has it again when it asks", async () => {
  await using seeds = new Seeds();
  const seed = seeds.add({ a: FILE });
  await using bench = new TaskFixture({ seed });
  // As many as a single source is asked for at first.
  const busy = refusing("DOWNLOAD", "ERROR:BUSY retry-after-ms=2000 full", 4);
  const slow = bench.slowly(1000);
  const heldWhenAsked: boolean[] = [];
  seed.hook = async (request, client, seed) => {
    const answered = await busy(request, client, seed);
    if (answered || request.verb !== "DOWNLOAD") return answered;
    await bench.clock.sleep(1, noAbort);
    heldWhenAsked.push(bench.parts.permit.held);
    return await slow(request, client, seed);
  };
  const slot = await bench.slots.acquire(noAbort);
  const place = new Permit(bench.slots, slot);
  Object.assign(bench.parts, { permit: place });
  const downloading = bench.timed(bench.download());
  await bench.until(() => !place.held, 3000);
  // Another task takes it meanwhile.
  const other = await bench.slots.acquire(noAbort);
  await bench.clock.advance(4000);
  assertEquals(heldWhenAsked, []);
  other[Symbol.dispose]();
  await downloading;
  assertEquals(heldWhenAsked, Array(6).fill(true));
  assertEquals(bench.written(), FILE);
  place.release();
  assertEquals(bench.slots.available, 1);
});

/** A task that has its place; others may take it while it pauses. */
async function placed(bench: TaskFixture): Promise<Permit> {
  const place = new Permit(bench.slots, await bench.slots.acquire(noAbort));
  Object.assign(bench.parts, { permit: place });
  return place;
}

test("downloadFile() does not give up when it has to wait for its place for longer than giveUpMs", async () => {
  await using seeds = new Seeds();
  const busy = refusing("DOWNLOAD", "ERROR:BUSY retry-after-ms=2000 full", 4);
  const seed = seeds.add({ a: FILE }, busy);
  const giveUpMs = 10_000;
  await using bench = new TaskFixture({ seed }, { giveUpMs });
  const place = await placed(bench);
  const downloading = bench.timed(bench.download());
  downloading.catch(() => {});
  await bench.until(() => !place.held, 3000);
  // Another task takes it, and runs long.
  const other = await bench.slots.acquire(noAbort);
  await bench.clock.advance(10 * giveUpMs);
  assertEquals(seed.asked("DOWNLOAD").length, 4);
  other[Symbol.dispose]();
  await downloading;
  assertEquals(bench.written(), FILE);
  place.release();
});

test("downloadFile() gives up on a mute seed after giveUpMs although it leaves its place again and again", async () => {
  await using seeds = new Seeds();
  const mute = seeds.add({ a: FILE }, stallAfter(0));
  await using bench = new TaskFixture({ mute }, { giveUpMs: 60_000 });
  const place = await placed(bench);
  const thrown = bench.timed(thrownBy(bench.download()));
  // Others take the place for a while whenever it is free.
  let visits = 0;
  const stop = new AbortController();
  const visiting = (async () => {
    for (;; visits++) {
      using _slot = await bench.slots.acquire(stop.signal);
      await bench.clock.sleep(5000, stop.signal);
    }
  })().catch(() => {});
  const { value: error, ms } = await thrown;
  stop.abort();
  await visiting;
  assert(error instanceof TimeoutError, String(error));
  assertGreater(visits, 1);
  // What it waited for its place does not count.
  assertGreater(ms, 60_000);
  assertLessOrEqual(ms, 60_000 + (visits + 1) * 5000 + 5000);
  place.release();
});

test("downloadFile() asks seldom when the only seed is busy and wants to be asked again at once", async () => {
  await using seeds = new Seeds();
  const busy = seeds.add({ a: FILE }, refusing("DOWNLOAD", "ERROR:BUSY retry-after-ms=0 full"));
  await using bench = new TaskFixture({ busy }, { giveUpMs: 10_000 });
  const { value } = await bench.timed(thrownBy(bench.download()), 20_000);
  assert(value instanceof TimeoutError, String(value));
  // Two pieces at a time and what it holds, at most ten times a second.
  assertLessOrEqual(busy.requests.length, 3 * 100 + 5);
});

test("downloadFile() blames a seed once when it breaks the protocol with several pieces asked for", async () => {
  await using seeds = new Seeds();
  const nonsense = onDownload(async (_, client) => {
    await client.send("hello\n");
    return "answered";
  });
  const rude = seeds.add({ a: FILE }, first(1, nonsense));
  await using bench = new TaskFixture({ rude });
  await bench.timed(bench.download());
  assertEquals(bench.written(), FILE);
  // Three of them, and it would have been dropped.
  assertEquals(bench.reportsOf("rude").filter((what) => what === "corrupt").length, 1);
});

test("downloadFile() throws DiskError at once when the disk fails", async () => {
  await using seeds = new Seeds();
  await using bench = new TaskFixture({ a: seeds.add({ a: FILE }), b: seeds.add({ a: FILE }) });
  const openSync = (path: string, options: Deno.OpenOptions) => {
    const file = Deno.openSync(path, options);
    return Object.assign(file, {
      writeSync: () => {
        throw new Error("Input/output error (os error 5)");
      },
    });
  };
  const failing = { ...realDisk, openSync };
  Object.assign(bench.parts, { store: { ...bench.parts.store, disk: failing } });
  const { value: error } = await bench.timed(thrownBy(bench.download()));
  assert(error instanceof DiskError, String(error));
});

test("downloadFile() fetches only what is missing", async () => {
  await using seeds = new Seeds();
  const seed = seeds.add({ a: FILE });
  await using bench = new TaskFixture({ seed });
  {
    using file = await bench.open(contentOf(FILE));
    for (const piece of [0, 3, 5]) {
      file.write(piece, FILE.subarray(piece * MIB, (piece + 1) * MIB));
    }
  }
  const { value: bySeed } = await bench.timed(bench.download());
  assertEquals(bySeed, { seed: 3 * MIB });
  assertEquals(bench.written(), FILE);
});

for (const afterMs of [0, 10, 50, 150, 1000, 1990]) {
  test(`downloadFile() ends within a moment, with nothing under way, when it is aborted after ${afterMs} ms`, async () => {
    await using seeds = new Seeds();
    const stop = new AbortController();
    const reason = new Error("enough");
    await using bench = new TaskFixture({
      stalling: seeds.add({ a: FILE }, stallAfter(MIB - 500)),
      cutting: seeds.add({ a: FILE }, cutAfter(500)),
      silent: SILENT,
    }, { seedConnections: 1 });
    const thrown = thrownBy(bench.download(stop.signal));
    const abortAt = bench.clock.now() + 2000 + afterMs;
    await bench.until(() => bench.clock.now() >= abortAt);
    stop.abort(reason);
    const { value, ms } = await bench.timed(thrown);
    assertEquals(value as Error, reason);
    assertLessOrEqual(ms, 300);
    const reported = bench.news.length;
    await bench.clock.advance(1000);
    assertEquals(bench.news.length, reported);
  });
}

test("downloadFile() puts the file together over real sockets, from honest and rude seeds alike", async () => {
  const file = patternOf(20 * MIB + 7);
  await using seeds = new Seeds();
  const all = [
    seeds.add({ a: file }),
    seeds.add({ a: file }),
    seeds.add({ a: file }, first(3, cutAfter(300_000))),
    seeds.add({ a: file }, corrupting),
  ];
  const dial = dialer();
  const hosts = all.map((seed, i) => {
    const address = seed.listen();
    return [`seed${i}`, (_: unknown, signal: AbortSignal) => dial(address, signal)] as const;
  });
  await using bench = new TaskFixture(Object.fromEntries(hosts), {}, systemClock);
  const bySeed = await bench.download();
  assertEquals(bench.written(), file);
  assertGreater(bySeed["seed0"] ?? 0, 0);
  assertGreater(bySeed["seed1"] ?? 0, 0);
  for (const seed of all) assertLessOrEqual(seed.mostOpen, 4);
});

test("downloadFile() ends within a moment over real sockets when it is aborted", async () => {
  await using seeds = new Seeds();
  const stalling = [1, 2].map(() => seeds.add({ a: FILE }, stallAfter(MIB - 10)));
  const dial = dialer();
  const hosts = stalling.map((seed, i) => {
    const address = seed.listen();
    return [`seed${i}`, (_: unknown, signal: AbortSignal) => dial(address, signal)] as const;
  });
  await using bench = new TaskFixture(Object.fromEntries(hosts), {}, systemClock);
  const stop = new AbortController();
  const thrown = thrownBy(bench.download(stop.signal));
  const { emit } = bench.parts;
  const begun = Promise.withResolvers<void>();
  Object.assign(bench.parts, {
    emit: (news: Parameters<typeof emit>[0]) => {
      emit(news);
      const bytes = bench.news.map((one) => one.kind === "received" ? one.bytes : 0);
      if (bytes.reduce((total, one) => total + one, 0) >= 2 * (MIB - 10)) begun.resolve();
    },
  });
  await begun.promise;
  const startedAt = performance.now();
  stop.abort(new Error("enough"));
  assertEquals((await thrown).message, "enough");
  assertLessOrEqual(performance.now() - startedAt, 1000);
});
