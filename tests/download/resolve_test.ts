import {
  assert,
  assertEquals,
  assertLessOrEqual,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import {
  AuthError,
  CorruptError,
  NotFoundError,
  P2pError,
  ProtocolError,
  TimeoutError,
  UnreachableError,
} from "../../core/base/errors.ts";
import { encodeOk } from "../../core/protocol/replies.ts";
import { encodeManifest, makeManifest } from "../../core/protocol/manifest.ts";
import { type Hook, refusing, sendBody } from "../support/scripted_seed.ts";
import { thrownBy } from "../source/support.ts";
import {
  contentOf,
  FILE,
  type Hosts,
  nameOf,
  OTHER,
  Seeds,
  SILENT,
  TaskFixture,
  UNREACHABLE,
} from "./support.ts";
import { test } from "../support/test.ts";

/** What find() waits at most for seeds that keep silent, once one has a manifest; and a little. */
const GRACE_MS = 2000 + 300;
const MANIFEST = contentOf(FILE).manifest!;

/** Begins to send a manifest, and falls silent. */
const stallsInManifest: Hook = async (request, client) => {
  if (request.verb !== "MANIFEST") return undefined;
  await client.send(encodeOk(500));
  await client.send("{");
  await client.untilGone();
  return "answered";
};

test("downloadFile() asks all seeds at once, and names all who hold the content", async () => {
  await using seeds = new Seeds();
  const gate = Promise.withResolvers<void>();
  const three = ["a", "b", "c"].map(() =>
    seeds.add({ a: FILE }, async () => {
      await gate.promise;
      return undefined;
    })
  );
  await using bench = new TaskFixture({ a: three[0]!, b: three[1]!, c: three[2]! });
  const finding = bench.find();
  await bench.clock.advance(0);
  assertEquals(three.map((seed) => seed.asked("MANIFEST").length), [1, 1, 1]);
  gate.resolve();
  const { id, size, holders, others } = await finding;
  assertEquals([id, size], [MANIFEST.id, FILE.length]);
  assertEquals(holders, ["a", "b", "c"].map(nameOf));
  assertEquals(others, []);
});

test("downloadFile() asks nobody again who was asked ahead, whether the answer is there yet or not", async () => {
  for (const early of [true, false]) {
    await using seeds = new Seeds();
    const seed = seeds.add({ a: FILE });
    await using bench = new TaskFixture({ a: seed });
    await bench.foresee("a");
    if (early) await bench.clock.advance(0);
    const { value } = await bench.timed(bench.find());
    assertEquals(value.holders, [nameOf("a")]);
    assertEquals(seed.asked("MANIFEST").length, 1);
  }
});

test("downloadFile() waits for what was asked ahead no longer than its task lives", async () => {
  await using seeds = new Seeds();
  await using bench = new TaskFixture({ a: seeds.add({ a: FILE }, stallsInManifest) });
  await bench.foresee("a");
  const stop = new AbortController();
  const finding = bench.find({}, stop.signal);
  stop.abort(new Error("cancelled"));
  await assertRejects(() => finding, Error, "cancelled");
});

const useless: {
  name: string;
  host: (seeds: Seeds) => Hosts[string];
  ms: number;
  reported: string[];
}[] = [
  { name: "is not there", host: () => UNREACHABLE, ms: 20, reported: ["failing"] },
  { name: "does not answer the connect", host: () => SILENT, ms: GRACE_MS, reported: [] },
  {
    name: "does not have the file",
    host: (seeds) => seeds.add({ b: FILE }),
    ms: 20,
    reported: ["lacks"],
  },
  {
    name: "has other bytes under this name",
    host: (seeds) => seeds.add({ a: OTHER }),
    ms: 20,
    reported: ["dissents"],
  },
  {
    name: "is hashing",
    host: (seeds) => seeds.add({ a: FILE }, refusing("MANIFEST", "ERROR:PENDING 1")),
    ms: GRACE_MS,
    reported: ["busy"],
  },
  {
    name: "stalls in its manifest",
    host: (seeds) => seeds.add({ a: FILE }, stallsInManifest),
    ms: GRACE_MS,
    reported: [],
  },
];

for (const { name, host, ms: maxMs, reported } of useless) {
  test(`downloadFile() needs at most ${maxMs} ms for two good seeds when a third one ${name}`, async () => {
    await using seeds = new Seeds();
    const good = [seeds.add({ a: FILE }), seeds.add({ a: FILE })];
    await using bench = new TaskFixture({ x: host(seeds), a: good[0]!, b: good[1]! });
    const { value: found, ms } = await bench.timed(bench.find());
    assertEquals(found.id, MANIFEST.id);
    assertEquals(found.holders, [nameOf("a"), nameOf("b")]);
    assertLessOrEqual(ms, maxMs);
    assertEquals(Array.from(new Set(bench.reportsOf("x"))), reported);
  });
}

test("downloadFile() waits for a seed that is hashing when no other seed has a manifest", async () => {
  await using seeds = new Seeds();
  await using bench = new TaskFixture({
    a: seeds.add({ a: FILE }, refusing("MANIFEST", "ERROR:PENDING 60", 5)),
  });
  const { value: found } = await bench.timed(bench.find());
  assertEquals(found.holders, [nameOf("a")]);
});

test("downloadFile() takes the content with the id that was asked for, against the majority", async () => {
  await using seeds = new Seeds();
  await using bench = new TaskFixture({
    a: seeds.add({ a: OTHER }),
    b: seeds.add({ a: OTHER }),
    c: seeds.add({ a: FILE }),
  });
  const { value: found } = await bench.timed(bench.find({ id: MANIFEST.id.slice(0, 8) }));
  assertEquals(found.holders, [nameOf("c")]);
});

const hopeless: {
  name: string;
  hosts: (seeds: Seeds) => Hosts;
  error: abstract new (...args: never[]) => P2pError;
  wanted?: { sha256: string };
}[] = [
  {
    name: "no seed has it",
    hosts: (seeds) => ({ a: seeds.add({ b: FILE }), b: UNREACHABLE }),
    error: NotFoundError,
  },
  {
    name: "no seed is there",
    hosts: () => ({ a: UNREACHABLE, b: UNREACHABLE }),
    error: UnreachableError,
  },
  {
    name: "the only seed wants a token",
    hosts: (seeds) => {
      const seed = seeds.add({ a: FILE });
      seed.greeting = { ...seed.greeting, auth: "token" };
      return { a: seed };
    },
    error: AuthError,
  },
  {
    name: "the only seed's manifest is nonsense",
    hosts: (seeds) => ({ a: seeds.add({ a: FILE }, refusing("MANIFEST", "OK 2\n{}")) }),
    error: ProtocolError,
  },
  {
    name: "the digest asked for is another one",
    hosts: (seeds) => ({ a: seeds.add({ a: FILE }) }),
    wanted: { sha256: "0".repeat(64) },
    error: CorruptError,
  },
];

for (const { name, hosts, error, wanted = {} } of hopeless) {
  test(`downloadFile() throws ${error.name} that names the file when ${name}`, async () => {
    await using seeds = new Seeds();
    await using bench = new TaskFixture(hosts(seeds));
    const finding = assertRejects<P2pError>(
      () => bench.find(wanted),
      error as typeof P2pError,
      'Cannot download "a"',
    );
    await bench.timed(finding, 20_000);
  });
}

test("downloadFile() throws what it is, and leaves nothing under way, when an inquiry meets a bug", async () => {
  const bug = new TypeError("a bug");
  await using bench = new TaskFixture({
    a: () => {
      throw bug;
    },
    b: SILENT,
  });
  const { value } = await bench.timed(thrownBy(bench.find()), 1000);
  assertStrictEquals<unknown>(value, bug);
});

test("downloadFile() asks seldom when the only seed is busy and wants to be asked again at once", async () => {
  await using seeds = new Seeds();
  const busy = seeds.add({ a: FILE }, refusing("MANIFEST", "ERROR:BUSY retry-after-ms=0 full"));
  await using bench = new TaskFixture({ busy }, { giveUpMs: 10_000 });
  const { value } = await bench.timed(thrownBy(bench.find()), 20_000);
  assert(value instanceof TimeoutError, String(value));
  assertLessOrEqual(busy.asked("MANIFEST").length, 100);
});

test("downloadFile() takes a seed that reports another digest for the same pieces as a holder", async () => {
  await using seeds = new Seeds();
  const lying: Hook = async (request, client, seed) => {
    if (request.verb !== "MANIFEST") return undefined;
    const { layout, digests } = seed.manifestOf("a");
    const lie = makeManifest(layout.size, "f".repeat(64), digests);
    await sendBody(client, encodeManifest("a", lie));
    return "answered";
  };
  await using bench = new TaskFixture({
    liar: seeds.add({ a: FILE }, lying),
    b: seeds.add({ a: FILE }),
  });
  const { value: found } = await bench.timed(bench.find());
  assertEquals(found.holders, [nameOf("liar"), nameOf("b")]);
});

test("downloadFile() asks a seed that still hashes how large the file is, and waits for its vote", async () => {
  await using seeds = new Seeds();
  const hashing = seeds.add({ a: FILE }, refusing("MANIFEST", "ERROR:PENDING 60", 12));
  const other = seeds.add({ a: FILE }, refusing("MANIFEST", "ERROR:PENDING 60", 12));
  await using bench = new TaskFixture({ stale: seeds.add({ a: OTHER }), hashing, other });
  const { value: found } = await bench.timed(bench.find());
  assertEquals(found.holders, [nameOf("hashing"), nameOf("other")]);
  assertEquals(hashing.asked("FILESIZE").length, 1);
  assert(bench.reportsOf("stale").includes("dissents"));
});

for (const [name, hook] of [["manifest", stallsInManifest], ["reply", silent]] as const) {
  test(`downloadFile() ends within a moment when it is aborted while a seed stalls in its ${name}`, async () => {
    await using seeds = new Seeds();
    await using bench = new TaskFixture({ a: seeds.add({ a: FILE }, hook), b: SILENT });
    const stop = new AbortController();
    const reason = new Error("enough");
    const finding = thrownBy(bench.find({}, stop.signal));
    await bench.clock.advance(100);
    stop.abort(reason);
    const { value, ms } = await bench.timed(finding);
    assert(value === reason as P2pError);
    assertLessOrEqual(ms, 300);
  });
}

async function silent(_: unknown, client: { untilGone(): Promise<void> }): Promise<"answered"> {
  await client.untilGone();
  return "answered";
}
