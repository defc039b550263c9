import { noWorkers } from "../support/hasher.ts";
import { assert, assertEquals, assertMatch, assertStrictEquals } from "@std/assert";
import { join } from "@std/path";
import type { DownloadSettings } from "../../core/config.ts";
import { type Verdict, type Verification, verify } from "../../core/download/verify.ts";
import { type Hook, refusing } from "../support/scripted_seed.ts";
import { noAbort, RawSeed, thrownBy } from "../source/support.ts";
import {
  FILE,
  type Hosts,
  MIB,
  nameOf,
  oldSeedOf,
  Seeds,
  SILENT,
  TaskFixture,
  UNREACHABLE,
} from "./support.ts";
import { patternOf } from "../support/bytes.ts";
import { test } from "../support/test.ts";

const GIVE_UP_MS = 10_000;
const MAX_VIRTUAL_MS = 30_000_000;
/** Bytes of pieces as they are hashed: path, so far, in all. */
type Reported = [string, number, number][];

/** Files in a folder, and seeds to compare them with. */
class VerifyFixture extends TaskFixture {
  readonly reported: Reported = [];

  constructor(hosts: Hosts, settings: Partial<DownloadSettings> = {}) {
    super(hosts, { giveUpMs: GIVE_UP_MS, ...settings });
  }

  write(name: string, bytes: Uint8Array): string {
    const path = join(this.dir, name);
    Deno.writeFileSync(path, bytes);
    return path;
  }

  async verifyAll(
    requests: Parameters<typeof verify>[0],
    signal = noAbort,
  ): Promise<{ value: Verification[]; ms: number }> {
    const progress = (...reported: Reported[number]) => void this.reported.push(reported);
    const platform = { clock: this.clock, dial: this.dial, hasher: noWorkers };
    const verifying = verify(requests, this.parts.settings, platform, progress, signal);
    // The clock runs on while the disk is read, which takes real time.
    return await this.timed(verifying, MAX_VIRTUAL_MS);
  }

  /** What becomes of a file with these bytes that the seeds may have under `names`. */
  async verify(bytes: Uint8Array, ...names: string[]): Promise<Verification & { ms: number }> {
    const path = this.write("file", bytes);
    const { value: [verification], ms } = await this.verifyAll([{ path, names }]);
    return { ...verification!, ms };
  }
}

function spoiled(bytes: Uint8Array, ...at: number[]): Uint8Array<ArrayBuffer> {
  const wrong = bytes.slice();
  for (const place of at) wrong[place]! ^= 1;
  return wrong;
}

/** The code of a verification that came to nothing, and why. */
function failureOf({ verdict }: { readonly verdict: Verdict }): { code: string; reason: string } {
  assert(verdict.kind === "failed", JSON.stringify(verdict));
  return verdict;
}

const PENDING = (percent: number) => `ERROR:PENDING ${percent}`;

test("verify() names all seeds that have the very bytes, and those that have others", async () => {
  await using seeds = new Seeds();
  const [one, three] = [seeds.add({ a: FILE }), seeds.add({ a: FILE })];
  const two = seeds.add({ a: spoiled(FILE, 7) });
  await using fixture = new VerifyFixture({
    one,
    two,
    three,
    lacking: seeds.add({ b: FILE }),
    away: UNREACHABLE,
  });
  const { name, verdict } = await fixture.verify(FILE, "a");
  assertEquals(name, "a");
  assertEquals(verdict, {
    kind: "same",
    size: FILE.length,
    id: one.manifestOf("a").id,
    seeds: [nameOf("one"), nameOf("three")],
    others: [nameOf("two")],
  });
});

test("verify() finds the one seed that has the very bytes against many that have others", async () => {
  await using seeds = new Seeds();
  const others = spoiled(FILE, 9);
  await using fixture = new VerifyFixture({
    x: seeds.add({ a: others }),
    y: seeds.add({ a: others }),
    z: seeds.add({ a: FILE }),
  });
  const { verdict } = await fixture.verify(FILE, "a");
  assertEquals([verdict.kind, verdict.kind === "same" && verdict.seeds], ["same", [nameOf("z")]]);
});

test("verify() says which pieces differ from what most seeds have, neighbours together", async () => {
  await using seeds = new Seeds();
  await using fixture = new VerifyFixture({
    few: seeds.add({ a: spoiled(FILE, 5) }),
    most: seeds.add({ a: FILE }),
    too: seeds.add({ a: FILE }),
  });
  const { verdict } = await fixture.verify(spoiled(FILE, MIB, 3 * MIB - 1, FILE.length - 1), "a");
  assert(verdict.kind === "differs");
  assertEquals(verdict.seeds, [nameOf("most"), nameOf("too")]);
  assertEquals([verdict.pieces, verdict.size, verdict.seedSize], [6, FILE.length, FILE.length]);
  assertEquals(verdict.wrong, [
    { first: 1, last: 2, range: { start: MIB, end: 3 * MIB } },
    { first: 5, last: 5, range: { start: 5 * MIB, end: FILE.length } },
  ]);
});

test("verify() compares with the lowest id when as many seeds have one content as another", async () => {
  for (const turned of [false, true]) {
    await using seeds = new Seeds();
    const [one, two] = [seeds.add({ a: FILE }), seeds.add({ a: spoiled(FILE, 5) })];
    await using fixture = new VerifyFixture(turned ? { two, one } : { one, two });
    const { verdict } = await fixture.verify(spoiled(FILE, 9), "a");
    const ids = [one, two].map((seed) => seed.manifestOf("a").id).sort();
    assertEquals(verdict.kind === "differs" && verdict.id, ids[0]);
  }
});

const cut = [
  { name: "is too short", bytes: FILE.slice(0, 2 * MIB + 1), wrong: [[2, 5]] },
  { name: "has more behind", bytes: patternOf(FILE.length + 1), wrong: [] },
  { name: "is empty", bytes: new Uint8Array(), wrong: [[0, 5]] },
];
for (const { name, bytes, wrong } of cut) {
  test(`verify() names the pieces that differ when the file ${name}`, async () => {
    await using seeds = new Seeds();
    await using fixture = new VerifyFixture({ seed: seeds.add({ a: FILE }) });
    const { verdict } = await fixture.verify(bytes, "a");
    assert(verdict.kind === "differs");
    assertEquals([verdict.size, verdict.seedSize], [bytes.length, FILE.length]);
    assertEquals(verdict.wrong.map(({ first, last }) => [first, last]), wrong);
  });
}

test("verify() compares only with contents of the file's size where there are any", async () => {
  await using seeds = new Seeds();
  const longer = patternOf(FILE.length + MIB, 3);
  await using fixture = new VerifyFixture({
    x: seeds.add({ a: longer }),
    y: seeds.add({ a: longer }),
    z: seeds.add({ a: FILE }),
  });
  const { verdict } = await fixture.verify(spoiled(FILE, 0), "a");
  assertEquals(verdict.kind === "differs" && verdict.seeds, [nameOf("z")]);
});

test("verify() takes an empty file for the same as an empty one", async () => {
  await using seeds = new Seeds();
  await using fixture = new VerifyFixture({ seed: seeds.add({ a: new Uint8Array() }) });
  const { verdict } = await fixture.verify(new Uint8Array(), "a");
  assertEquals(verdict.kind, "same");
});

test("verify() reports what it has hashed, piece by piece", async () => {
  await using seeds = new Seeds();
  await using fixture = new VerifyFixture({ seed: seeds.add({ a: FILE }) });
  const { path } = await fixture.verify(FILE, "a");
  const ends = [1, 2, 3, 4, 5].map((piece) => piece * MIB).concat(FILE.length);
  assertEquals(fixture.reported, ends.map((end) => [path, end, FILE.length]));
});

test("verify() goes by the first name that a seed knows, and asks for no other one then", async () => {
  await using seeds = new Seeds();
  const seed = seeds.add({ second: FILE, third: spoiled(FILE, 1) });
  await using fixture = new VerifyFixture({ seed, away: UNREACHABLE });
  const { name, verdict } = await fixture.verify(FILE, "first", "second", "third");
  assertEquals([name, verdict.kind], ["second", "same"]);
  assertEquals(seed.asked("MANIFEST").map(({ name }) => name), ["first", "second"]);
});

test("verify() waits for a seed that hashes as long as it makes progress", async () => {
  await using seeds = new Seeds();
  let percent = 0;
  const hashing: Hook = async (request, client) => {
    if (request.verb !== "MANIFEST" || percent >= 99) return undefined;
    await client.send(`${PENDING(percent += 1)}\n`);
    return "answered";
  };
  await using fixture = new VerifyFixture({ seed: seeds.add({ a: FILE }, hashing) });
  const { verdict, ms } = await fixture.verify(FILE, "a");
  assertEquals(verdict.kind, "same");
  assert(ms > 2 * GIVE_UP_MS, `${ms} ms`);
});

test("verify() gives up on a seed whose hashing does not get on, and takes no other name for the file", async () => {
  await using seeds = new Seeds();
  const seed = seeds.add({ a: FILE, b: FILE }, refusing("MANIFEST", PENDING(40)));
  seed.hook = async (request, client) => {
    if (request.verb !== "MANIFEST" || request.name === "b") return undefined;
    await client.send(`${PENDING(40)}\n`);
    return "answered";
  };
  await using fixture = new VerifyFixture({ seed });
  const verification = await fixture.verify(FILE, "a", "b");
  assertEquals([verification.name, failureOf(verification).code], ["a", "timeout"]);
  assertMatch(failureOf(verification).reason, /seed:7270/);
  assertEquals(new Set(seed.asked("MANIFEST").map(({ name }) => name)), new Set(["a"]));
  assert(verification.ms >= GIVE_UP_MS && verification.ms < 2 * GIVE_UP_MS, `${verification.ms}`);
});

test("verify() waits for a seed that is busy no longer than for another one", async () => {
  await using seeds = new Seeds();
  const busy = seeds.add({ a: FILE }, refusing("MANIFEST", "ERROR:BUSY retry-after-ms=60000 full"));
  await using fixture = new VerifyFixture({ busy });
  const verification = await fixture.verify(FILE, "a");
  assertEquals(failureOf(verification).code, "timeout");
  assert(verification.ms < 2 * GIVE_UP_MS, `${verification.ms}`);
});

const nobodies: {
  name: string;
  hosts: (seeds: Seeds) => Hosts;
  code: string;
  says: RegExp;
}[] = [
  {
    name: "no seed has it",
    hosts: (seeds) => ({ x: seeds.add({ b: FILE }) }),
    code: "not-found",
    says: /^no seed has it$/,
  },
  {
    name: "one lacks it and another is away",
    hosts: (seeds) => ({ x: seeds.add({ b: FILE }), y: UNREACHABLE }),
    code: "not-found",
    says: /^no seed has it \(.*y:7270.*\)$/,
  },
  {
    name: "no seed is there",
    hosts: () => ({ x: UNREACHABLE, y: UNREACHABLE }),
    code: "unreachable",
    says: /x:7270.*; .*y:7270/,
  },
  {
    name: "no seed answers the connect",
    hosts: () => ({ x: SILENT }),
    code: "timeout",
    says: /x:7270/,
  },
  {
    name: "the seeds fail in different ways",
    hosts: (seeds) => ({
      x: UNREACHABLE,
      y: seeds.add({ a: FILE }, refusing("MANIFEST", "OK 2\n{}")),
    }),
    code: "unreachable",
    says: /x:7270.*; .*y:7270/,
  },
  {
    name: "the only seed's manifest is nonsense",
    hosts: (seeds) => ({ x: seeds.add({ a: FILE }, refusing("MANIFEST", "OK 2\n{}")) }),
    code: "protocol",
    says: /x:7270/,
  },
  {
    name: "one lacks it and another never has it ready",
    hosts: (seeds) => ({
      x: seeds.add({ b: FILE }),
      y: seeds.add({ a: FILE }, refusing("MANIFEST", PENDING(1))),
    }),
    code: "timeout",
    says: /y:7270/,
  },
];
for (const { name, hosts, code, says } of nobodies) {
  test(`verify() fails with ${code} when ${name}`, async () => {
    await using seeds = new Seeds();
    await using fixture = new VerifyFixture(hosts(seeds));
    const verification = await fixture.verify(FILE, "a", "z");
    const failure = failureOf(verification);
    assertEquals([verification.name, failure.code], ["a", code]);
    assertMatch(failure.reason, says);
  });
}

test("verify() reports each seed's reason once, however many names it was asked for", async () => {
  await using fixture = new VerifyFixture({ x: UNREACHABLE });
  const { reason } = failureOf(await fixture.verify(FILE, "a", "b", "c"));
  assertEquals(reason.match(/x:7270/g)?.length, 1, reason);
});

test("verify() fails for what is no file, and goes on with the next one", async () => {
  await using seeds = new Seeds();
  await using fixture = new VerifyFixture({ seed: seeds.add({ a: FILE }) });
  const requests = [join(fixture.dir, "nowhere"), fixture.dir, fixture.write("a", FILE)]
    .map((path) => ({ path, names: ["a"] }));
  const { value } = await fixture.verifyAll(requests);
  assertEquals(value.map(({ path }) => path), requests.map(({ path }) => path));
  assertEquals(value.slice(0, 2).map((each) => failureOf(each).code), ["usage", "usage"]);
  assertEquals(value[2]?.verdict.kind, "same");
});

test("verify() asks no seed about a file that is not here", async () => {
  await using seeds = new Seeds();
  const seed = seeds.add({ a: FILE });
  await using fixture = new VerifyFixture({ seed });
  await fixture.verifyAll([{ path: join(fixture.dir, "nowhere"), names: ["a"] }]);
  assertEquals(seed.connections, 0);
});

test("verify() fails for a file whose name no seed can have, and asks none", async () => {
  await using seeds = new Seeds();
  const seed = seeds.add({ a: FILE });
  await using fixture = new VerifyFixture({ seed });
  const { value } = await fixture.verifyAll([{ path: fixture.write("a", FILE), names: [] }]);
  const { code, reason } = failureOf(value[0]!);
  assertEquals([value[0]?.name, code, seed.connections], ["", "usage", 0]);
  assertMatch(reason, /name/);
});

test("verify() changes nothing of the file", async () => {
  await using seeds = new Seeds();
  await using fixture = new VerifyFixture({ seed: seeds.add({ a: FILE }) });
  const wrong = spoiled(FILE, 3);
  const { path } = await fixture.verify(wrong, "a");
  assertEquals(Deno.readFileSync(path), wrong);
  assertEquals(Array.from(Deno.readDirSync(fixture.dir), ({ name }) => name), ["file"]);
});

test("verify() claims nothing when old seeds only tell the size, and it is the same", async () => {
  await using old = new RawSeed(oldSeedOf({ a: FILE.length }));
  await using fixture = new VerifyFixture({ old: old.dial, away: UNREACHABLE });
  const failure = failureOf(await fixture.verify(FILE, "a"));
  assertEquals(failure.code, "protocol");
  assertMatch(failure.reason, /old:7270 5243880 bytes/);
});

test("verify() knows another file by its size when old seeds tell nothing else", async () => {
  await using one = new RawSeed(oldSeedOf({ a: 7 }));
  await using two = new RawSeed(oldSeedOf({ a: 8 }));
  await using fixture = new VerifyFixture({ one: one.dial, two: two.dial });
  const failure = failureOf(await fixture.verify(FILE, "a"));
  assertEquals(failure.code, "corrupt");
  assertMatch(failure.reason, /5243880 bytes.*one:7270 7 bytes, two:7270 8 bytes/);
});

test("verify() claims nothing when only one of the old seeds reports the size that the file has", async () => {
  await using one = new RawSeed(oldSeedOf({ a: 7 }));
  await using two = new RawSeed(oldSeedOf({ a: FILE.length }));
  await using fixture = new VerifyFixture({ one: one.dial, two: two.dial });
  assertEquals(failureOf(await fixture.verify(FILE, "a")).code, "protocol");
});

test("verify() goes by digests where one seed has them, whatever size an old one reports", async () => {
  await using seeds = new Seeds();
  await using old = new RawSeed(oldSeedOf({ a: 7 }));
  await using fixture = new VerifyFixture({ old: old.dial, seed: seeds.add({ a: FILE }) });
  const { verdict } = await fixture.verify(FILE, "a");
  assertEquals(verdict.kind === "same" && verdict.seeds, [nameOf("seed")]);
});

const moments: { when: string; hook: Hook }[] = [
  { when: "a seed hashes", hook: refusing("MANIFEST", PENDING(1)) },
  {
    when: "a seed keeps silent",
    hook: async (request, client) => {
      if (request.verb !== "MANIFEST") return undefined;
      await client.untilGone();
      return "answered";
    },
  },
];
for (const { when, hook } of moments) {
  test(`verify() throws the signal's reason, and leaves nothing behind, when it aborts while ${when}`, async () => {
    await using seeds = new Seeds();
    const seed = seeds.add({ a: FILE }, hook);
    await using fixture = new VerifyFixture({ seed });
    const stop = new AbortController();
    const requests = [{ path: fixture.write("a", FILE), names: ["a"] }];
    const ending = thrownBy(fixture.verifyAll(requests, stop.signal));
    await fixture.until(() => seed.asked("MANIFEST").length > 0);
    const [reason, abortedAt] = [new Error("enough"), fixture.clock.now()];
    stop.abort(reason);
    assertStrictEquals<unknown>(await ending, reason);
    // It waited for nothing more.
    assertEquals(fixture.clock.now() - abortedAt <= 10, true);
  });
}

test("verify() throws the signal's reason when it aborts while a file is hashed", async () => {
  await using seeds = new Seeds();
  await using fixture = new VerifyFixture({ seed: seeds.add({ a: FILE }) });
  const stop = new AbortController();
  const path = fixture.write("a", FILE);
  const reason = new Error("enough");
  const progress = () => stop.abort(reason);
  const platform = { clock: fixture.clock, dial: fixture.dial, hasher: noWorkers };
  const requests = [{ path, names: ["a"] }];
  const { settings } = fixture.parts;
  const verifying = verify(requests, settings, platform, progress, stop.signal);
  assertStrictEquals<unknown>((await fixture.timed(thrownBy(verifying))).value, reason);
});

test("verify() throws a bug as what it is", async () => {
  const bug = new TypeError("a bug");
  await using fixture = new VerifyFixture({
    x: () => {
      throw bug;
    },
  });
  const requests = [{ path: fixture.write("a", FILE), names: ["a"] }];
  assertStrictEquals<unknown>(await thrownBy(fixture.verifyAll(requests)), bug);
});
