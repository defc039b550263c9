import {
  assertEquals,
  assertLessOrEqual,
  assertMatch,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { NotFoundError, TimeoutError, UnreachableError } from "../../core/base/errors.ts";
import { attributesOf, list, type Offer, resolveNames } from "../../core/download/list.ts";
import { encodeListing } from "../../core/protocol/listing.ts";
import { type Hook, refusing } from "../support/scripted_seed.ts";
import { noAbort, RawSeed, thrownBy } from "../source/support.ts";
import {
  FILE,
  nameOf,
  oldSeedOf,
  OTHER,
  Seeds,
  SILENT,
  TaskFixture,
  UNREACHABLE,
} from "./support.ts";
import { bytesOf } from "../support/bytes.ts";
import { test } from "../support/test.ts";

const GIVE_UP_MS = 20_000;
const SMALL = bytesOf("content");

function platformOf(bench: TaskFixture) {
  return { clock: bench.clock, dial: bench.dial };
}

async function listed(
  bench: TaskFixture,
  { ids = false } = {},
): Promise<{ value: Offer; ms: number }> {
  const query = { glob: undefined, ids };
  return await bench.timed(list(query, bench.parts.settings, platformOf(bench), noAbort));
}

async function resolved(bench: TaskFixture, patterns: string[], all = false): Promise<string[]> {
  const naming = resolveNames(patterns, all, bench.parts.settings, platformOf(bench), noAbort);
  const { value } = await bench.timed(naming);
  // All of these were listed.
  for (const { size } of value) assertEquals(size, SMALL.length);
  return value.map(({ name }) => name);
}

/** A byte of its list each second, for ever. */
function dribbling(bench: () => TaskFixture): Hook {
  return async (request, client) => {
    if (request.verb !== "LIST") return undefined;
    await client.send("OK 1000000\n");
    for (;;) {
      await client.send(" ");
      await bench().clock.sleep(1000, bench().over);
    }
  };
}

/** A list that never comes to its end, page by page, each in a second. */
function endless(bench: () => TaskFixture): Hook {
  return async (request, client) => {
    if (request.verb !== "LIST") return undefined;
    await bench().clock.sleep(1000, bench().over);
    const name = String(Number(request.after || "1000000") + 1);
    const page = encodeListing([{ name, size: 1, modified: 1 }]);
    await client.send(`OK ${page.length} more=1\n${page}`);
    return "answered";
  };
}

for (const [what, hook] of [["dribbles", dribbling], ["has no end", endless]] as const) {
  test(`list() shows what the others have when the list of one ${what}`, async () => {
    await using seeds = new Seeds();
    const bench: TaskFixture = new TaskFixture({
      slow: seeds.add({ b: SMALL }, hook(() => bench)),
      good: seeds.add({ a: SMALL }),
    }, { giveUpMs: GIVE_UP_MS });
    await using _bench = bench;
    const { value: offer, ms } = await listed(bench);
    assertEquals(offer.files.map(({ name, seeds }) => [name, seeds]), [["a", [nameOf("good")]]]);
    const [slow, good] = offer.seeds;
    assertEquals([slow?.seed, slow?.ok, good?.ok], [nameOf("slow"), false, true]);
    assertMatch(slow!.error!, /slow:7270 sent no complete listing in 20 s/);
    assertLessOrEqual(ms, GIVE_UP_MS + 1000);
  });
}

test("list() says of each seed why it does not answer", async () => {
  await using seeds = new Seeds();
  await using bench = new TaskFixture({
    away: UNREACHABLE,
    silent: SILENT,
    good: seeds.add({ a: SMALL }),
  }, { giveUpMs: 3000 });
  const { value: { files, seeds: reports } } = await listed(bench);
  assertEquals(files.map(({ name }) => name), ["a"]);
  assertEquals(reports.map(({ ok }) => ok), [false, false, true]);
  assertMatch(reports[1]!.error!, /silent:7270/);
});

test("list() asks a seed once that is named twice", async () => {
  await using seeds = new Seeds();
  const seed = seeds.add({ a: SMALL });
  await using bench = new TaskFixture({ seed });
  const twice = [...bench.parts.settings.seeds, ...bench.parts.settings.seeds];
  Object.assign(bench.parts.settings, { seeds: twice });
  const { value: offer } = await listed(bench);
  assertEquals([offer.seeds.length, offer.files[0]?.seeds], [1, [nameOf("seed")]]);
  assertEquals(seed.asked("LIST").length, 1);
});

test("list() reports which contents there are, and waits 2 s for a seed that is hashing", async () => {
  await using seeds = new Seeds();
  const [one, two] = [seeds.add({ a: FILE }), seeds.add({ a: OTHER })];
  const hashing = seeds.add({ a: FILE }, refusing("MANIFEST", "ERROR:PENDING 1"));
  for (const hosts of [{ one, two, hashing }, { two, one, hashing }]) {
    await using bench = new TaskFixture(hosts);
    const { value: offer, ms } = await listed(bench, { ids: true });
    assertEquals(offer.files[0]?.ids, [one, two].map((seed) => seed.manifestOf("a").id).sort());
    assertLessOrEqual(ms, 4000);
  }
});

test("list() waits 2 s for a seed that is hashing, though it makes progress", async () => {
  await using seeds = new Seeds();
  let percent = 0;
  const hashing: Hook = async (request, client) => {
    if (request.verb !== "MANIFEST" || percent >= 99) return undefined;
    await client.send(`ERROR:PENDING ${++percent}\n`);
    return "answered";
  };
  await using bench = new TaskFixture({ hashing: seeds.add({ a: FILE }, hashing) });
  const { value: offer, ms } = await listed(bench, { ids: true });
  assertEquals(offer.files[0]?.ids, []);
  assertLessOrEqual(ms, 4000);
});

test("list() waits 2 s for a seed that is busy, whatever pause that asks for", async () => {
  await using seeds = new Seeds();
  const full = refusing("MANIFEST", "ERROR:BUSY retry-after-ms=60000 full");
  await using bench = new TaskFixture({ busy: seeds.add({ a: FILE }, full) });
  const { value: offer, ms } = await listed(bench, { ids: true });
  assertEquals([offer.files[0]?.ids, offer.files[0]?.idOf], [[], { [nameOf("busy")]: null }]);
  assertLessOrEqual(ms, 4000);
});

test("list() reports the content of a seed that has hashed it in time", async () => {
  await using seeds = new Seeds();
  const seed = seeds.add({ a: FILE }, refusing("MANIFEST", "ERROR:PENDING 50", 2));
  await using bench = new TaskFixture({ seed });
  const { value: offer } = await listed(bench, { ids: true });
  assertEquals(offer.files[0]?.ids, [seed.manifestOf("a").id]);
});

test("list() asks for no content that nobody wants to know", async () => {
  await using seeds = new Seeds();
  const seed = seeds.add({ a: FILE });
  await using bench = new TaskFixture({ seed });
  const { value: offer } = await listed(bench);
  assertEquals([offer.files[0]?.ids, offer.files[0]?.idOf], [[], {}]);
  assertEquals(seed.asked("MANIFEST").length, 0);
});

test("list() reports which seed has which content, and asks only those that have the file", async () => {
  await using seeds = new Seeds();
  const [one, two] = [seeds.add({ a: FILE }), seeds.add({ a: OTHER })];
  const lacking = seeds.add({ b: SMALL });
  await using old = new RawSeed(oldSeedOf({ a: FILE.length }));
  await using bench = new TaskFixture({ one, two, lacking, old: old.dial });
  const { value: offer } = await listed(bench, { ids: true });
  const [a, b] = offer.files;
  assertEquals([a?.name, b?.name], ["a", "b"]);
  assertEquals(a?.seeds, ["one", "two", "old"].map(nameOf));
  assertEquals(a?.idOf, {
    [nameOf("one")]: one.manifestOf("a").id,
    [nameOf("two")]: two.manifestOf("a").id,
    [nameOf("old")]: null,
  });
  assertEquals(b?.idOf, { [nameOf("lacking")]: lacking.manifestOf("b").id });
  assertEquals(lacking.asked("MANIFEST").map(({ name }) => name), ["b"]);
  assertEquals(offer.seeds.map(({ dialect }) => dialect), [
    "session",
    "session",
    "session",
    "one-shot",
  ]);
});

test("list() gives each name once, in their order, with the first seed's size", async () => {
  await using seeds = new Seeds();
  const one = seeds.add({ "b": SMALL, "\u{1f600}": SMALL });
  const two = seeds.add({ "\uffee": SMALL, "b": FILE, "a": SMALL });
  await using bench = new TaskFixture({ one, two });
  const { value: { files } } = await listed(bench);
  assertEquals(files.map(({ name }) => name), ["a", "b", "\uffee", "\u{1f600}"]);
  assertEquals([files[1]?.size, files[1]?.seeds], [SMALL.length, [nameOf("one"), nameOf("two")]]);
});

test("list() shows what fits a glob, and the very name that looks like one", async () => {
  await using seeds = new Seeds();
  const seed = seeds.add({ "a.txt": SMALL, "b.txt": SMALL, "[ab].txt": SMALL, "dir/a.txt": SMALL });
  await using bench = new TaskFixture({ seed });
  const shown = async (glob: string) => {
    const query = { glob, ids: false };
    const { settings } = bench.parts;
    const { value } = await bench.timed(list(query, settings, platformOf(bench), noAbort));
    return value.files.map(({ name }) => name);
  };
  assertEquals(await shown("[ab].txt"), ["[ab].txt", "a.txt", "b.txt"]);
  assertEquals(await shown("*.txt"), ["[ab].txt", "a.txt", "b.txt"]);
  assertEquals(await shown("dir/*"), ["dir/a.txt"]);
  assertEquals(await shown("c*"), []);
});

test("list() throws the signal's reason, and leaves nothing behind, when it aborts", async () => {
  for (const ids of [false, true]) {
    await using seeds = new Seeds();
    const seed = seeds.add({ a: FILE }, refusing("MANIFEST", "ERROR:PENDING 1"));
    await using bench = new TaskFixture(ids ? { seed } : { silent: SILENT, seed });
    const stop = new AbortController();
    const query = { glob: undefined, ids };
    const { settings } = bench.parts;
    const ending = thrownBy(list(query, settings, platformOf(bench), stop.signal));
    await bench.until(() => seed.asked(ids ? "MANIFEST" : "LIST").length > 0);
    // One that a seed could be the cause of.
    const reason = new TimeoutError("enough");
    stop.abort(reason);
    assertStrictEquals<unknown>((await bench.timed(ending)).value, reason);
  }
});

test("list() throws a bug as what it is", async () => {
  const bug = new TypeError("a bug");
  await using bench = new TaskFixture({
    x: () => {
      throw bug;
    },
  });
  assertStrictEquals<unknown>(await thrownBy(listed(bench)), bug);
});

const OFFERED = {
  "a.txt": SMALL,
  "a.txt.p2p-part": SMALL,
  "a.txt.p2p-journal": SMALL,
  "dir/x.P2P-Journal": SMALL,
  "dir/x.txt": SMALL,
};

test("resolveNames() asks no seed, and gives each name once, when none is a glob", async () => {
  await using bench = new TaskFixture({ away: UNREACHABLE });
  const { settings } = bench.parts;
  const names = await resolveNames(["a", "b", "a"], false, settings, platformOf(bench), noAbort);
  assertEquals(names, [{ name: "a" }, { name: "b" }]);
});

test("resolveNames() leaves out what p2p keeps for itself when everything is asked for", async () => {
  await using seeds = new Seeds();
  await using bench = new TaskFixture({ seed: seeds.add(OFFERED) });
  assertEquals(await resolved(bench, [], true), ["a.txt", "dir/x.txt"]);
});

test("resolveNames() leaves out what p2p keeps for itself when a glob fits it", async () => {
  await using seeds = new Seeds();
  await using bench = new TaskFixture({ seed: seeds.add(OFFERED) });
  assertEquals(await resolved(bench, ["a*"]), ["a.txt"]);
  assertEquals(await resolved(bench, ["dir/*"]), ["dir/x.txt"]);
  await assertRejects(() => resolved(bench, ["*.p2p-part"]), NotFoundError);
});

test("resolveNames() does not keep other names from being downloaded when a glob fits nothing", async () => {
  await using seeds = new Seeds();
  await using bench = new TaskFixture({ seed: seeds.add(OFFERED) });
  const { settings } = bench.parts;
  const naming = resolveNames(["zip/*", "a*"], false, settings, platformOf(bench), noAbort);
  const { value } = await bench.timed(naming);
  assertEquals(value, [
    { name: "a.txt", size: SMALL.length, attributes: {} },
    { name: "zip/*", unmatched: true },
  ]);
});

test("resolveNames() throws NotFoundError when nothing else is offered", async () => {
  await using seeds = new Seeds();
  await using bench = new TaskFixture({ seed: seeds.add({ "x.p2p-part": SMALL }) });
  await assertRejects(() => resolved(bench, [], true), NotFoundError, "offer no file");
});

test("resolveNames() throws UnreachableError when no seed reports its list in time", async () => {
  await using bench = new TaskFixture({ silent: SILENT, away: UNREACHABLE }, { giveUpMs: 3000 });
  await assertRejects(() => resolved(bench, ["*"]), UnreachableError, "silent:7270");
});

for (
  const [modified, want] of [
    [1_600_000_000_000.7, 1_600_000_000_000],
    [0, undefined],
    [-1, undefined],
    [1e300, undefined],
    [253_402_300_799_999, 253_402_300_799_999],
    [253_402_300_800_000, undefined],
  ] as const
) {
  Deno.test(`attributesOf() takes the time ${modified} as ${want}`, () => {
    assertEquals(attributesOf({ name: "a", size: 1, modified }).modified, want);
  });
}
