import { assert, assertEquals } from "@std/assert";
import { Prefetch } from "../../core/download/prefetch.ts";
import { type Hook, refusing } from "../support/scripted_seed.ts";
import { noAbort } from "../source/support.ts";
import { addressOf, nameOf, Seeds, TaskFixture, UNREACHABLE } from "./support.ts";
import { patternOf } from "../support/bytes.ts";
import { test } from "../support/test.ts";

const NAMES = Array.from({ length: 40 }, (_, i) => `f${String(i).padStart(2, "0")}`);
const FILES = Object.fromEntries(NAMES.map((name, i) => [name, patternOf(100, i)]));
const SEED = nameOf("seed");

interface FixtureOptions {
  readonly hook?: Hook;
  readonly features?: readonly string[];
  readonly mayHaveBytes?: (name: string) => boolean;
  readonly files?: Readonly<Record<string, Uint8Array>>;
  /** Whether the listing says how long the files are. */
  readonly sized?: boolean;
}

class PrefetchFixture implements AsyncDisposable {
  readonly seeds = new Seeds();
  readonly seed;
  readonly bench: TaskFixture;
  readonly prefetch: Prefetch;

  constructor(options: FixtureOptions = {}) {
    const { hook, features = [], mayHaveBytes = () => true, files = FILES } = options;
    this.seed = this.seeds.add(files, hook);
    this.seed.greeting = { ...this.seed.greeting, features, maxInflight: 1000 };
    this.bench = new TaskFixture({ seed: this.seed, away: UNREACHABLE });
    const { clock, pool } = this.bench;
    const sources = ["seed", "away"].map((host) => pool.source(addressOf(host)));
    const listed = Object.entries(files).map(([name, { length }]) => ({
      name,
      size: options.sized === false ? undefined : length,
    }));
    this.prefetch = new Prefetch(listed, { clock, sources, mayHaveBytes }, noAbort);
  }

  /** The first task begins, and its requests are answered. */
  async begin(name = "f00"): Promise<void> {
    this.prefetch.begin(name);
    await this.settle();
  }

  async take(name: string, seed = SEED) {
    return (await this.bench.timed(Promise.resolve(this.prefetch.take(seed, name)))).value;
  }

  asked(verb: "MANIFEST" | "FETCH"): string[] {
    return this.seed.asked(verb).map(({ name }) => name).toSorted();
  }

  async settle(): Promise<void> {
    for (let turn = 0; turn < 60; turn++) await this.bench.clock.advance(0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.prefetch[Symbol.asyncDispose]();
    await this.bench[Symbol.asyncDispose]();
    await this.seeds[Symbol.asyncDispose]();
  }
}

const FETCHES = { features: ["fetch"] };

test("Prefetch asks for manifests of sixteen files at a time, each once", async () => {
  await using fixture = new PrefetchFixture();
  await fixture.begin();
  assertEquals(fixture.asked("MANIFEST"), NAMES.slice(1, 17));
  for (const name of NAMES.slice(1, 9)) await fixture.begin(name);
  assertEquals(fixture.asked("MANIFEST"), NAMES.slice(1, 17));
  for (const name of NAMES.slice(1, 9)) fixture.prefetch.end(name);
  await fixture.settle();
  assertEquals(fixture.asked("MANIFEST"), NAMES.slice(1, 25));
  for (const name of NAMES) fixture.prefetch.end(name);
  await fixture.settle();
  assertEquals(fixture.asked("MANIFEST"), NAMES.slice(1, 40));
});

test("Prefetch asks for the bytes of small files with their manifests", async () => {
  await using fixture = new PrefetchFixture(FETCHES);
  await fixture.begin();
  assertEquals(fixture.asked("FETCH"), NAMES.slice(1));
  assertEquals(fixture.asked("MANIFEST"), []);
  const { bytes, manifest, answer } = (await fixture.take("f07"))!;
  assertEquals(bytes, FILES["f07"]);
  assertEquals([manifest!.id, answer.kind], [fixture.seed.manifestOf("f07").id, "manifest"]);
});

test("Prefetch does not ask for bytes that may be there already", async () => {
  const mayHaveBytes = (name: string) => name !== "f02";
  await using fixture = new PrefetchFixture({ ...FETCHES, mayHaveBytes });
  await fixture.begin();
  assertEquals(fixture.asked("MANIFEST"), ["f02"]);
  assertEquals(fixture.asked("FETCH").length, NAMES.length - 2);
});

test("Prefetch keeps at most four MiB that no task has taken", async () => {
  const files = Object.fromEntries(NAMES.map((name, i) => [name, patternOf(200_000, i)]));
  await using fixture = new PrefetchFixture({ ...FETCHES, files });
  await fixture.begin();
  assertEquals(fixture.asked("FETCH"), NAMES.slice(1, 21));
  // Not for each file that ends: many requests leave in one write.
  for (const name of NAMES.slice(1, 5)) fixture.prefetch.end(name);
  await fixture.settle();
  assertEquals(fixture.asked("FETCH"), NAMES.slice(1, 21));
  fixture.prefetch.end("f05");
  await fixture.settle();
  assertEquals(fixture.asked("FETCH"), NAMES.slice(1, 26));
});

test("Prefetch asks for the bytes of files of unknown size, if they are small", async () => {
  const files = { f00: FILES["f00"]!, f01: patternOf(100), f02: patternOf(300_000) };
  await using fixture = new PrefetchFixture({ ...FETCHES, files, sized: false });
  await fixture.begin();
  assertEquals((await fixture.take("f01"))!.bytes, patternOf(100));
  const large = (await fixture.take("f02"))!;
  assertEquals([large.bytes, large.answer.kind], [undefined, "manifest"]);
});

test("Prefetch asks one seed for the bytes, and all for the manifest", async () => {
  await using seeds = new Seeds();
  const two = ["one", "two"].map(() => {
    const seed = seeds.add(FILES);
    seed.greeting = { ...seed.greeting, ...FETCHES };
    return seed;
  });
  await using bench = new TaskFixture({ one: two[0]!, two: two[1]! });
  const { clock, pool } = bench;
  const sources = ["one", "two"].map((host) => pool.source(addressOf(host)));
  const files = NAMES.map((name) => ({ name, size: 100 }));
  const options = { clock, sources, mayHaveBytes: () => true };
  await using prefetch = new Prefetch(files, options, noAbort);
  for (const source of sources) await bench.timed(source.protocol(noAbort));
  prefetch.begin("f00");
  for (let turn = 0; turn < 60; turn++) await clock.advance(0);
  const fetched = two.flatMap((seed) => seed.asked("FETCH").map(({ name }) => name));
  assertEquals(fetched.toSorted(), NAMES.slice(1));
  for (const seed of two) {
    const asked = [...seed.asked("FETCH"), ...seed.asked("MANIFEST")].map(({ name }) => name);
    assertEquals(asked.toSorted(), NAMES.slice(1));
    // Neither has all the work.
    assert(seed.asked("FETCH").length >= 10, `${seed.asked("FETCH").length} of 39`);
  }
});

test("Prefetch.claim() lets one source of a task send its bytes", async () => {
  await using fixture = new PrefetchFixture(FETCHES);
  await fixture.begin();
  assertEquals(fixture.prefetch.claim("f00"), 100);
  assertEquals(fixture.prefetch.claim("f00"), 0);
  assertEquals(fixture.prefetch.claim("f01"), 0);
  assertEquals(fixture.prefetch.claim("a name that was not requested"), 0);
});

test("Prefetch.take() gives what a seed said, once", async () => {
  await using fixture = new PrefetchFixture();
  await fixture.begin();
  const inquiry = await fixture.take("f07");
  const { id } = fixture.seed.manifestOf("f07");
  assertEquals([inquiry?.manifest?.id, inquiry?.answer.kind], [id, "manifest"]);
  assertEquals(await fixture.take("f07"), undefined);
});

test("Prefetch.take() gives nothing of what was not asked for", async () => {
  await using fixture = new PrefetchFixture();
  await fixture.begin();
  fixture.prefetch.begin("a name that is not small");
  assertEquals(await fixture.take("f20"), undefined);
  assertEquals(await fixture.take("f00"), undefined);
  assertEquals(await fixture.take("f01", nameOf("away")), undefined);
});

test("Prefetch.take() gives nothing when it was said too long ago", async () => {
  await using fixture = new PrefetchFixture(FETCHES);
  await fixture.begin();
  await fixture.bench.clock.advance(5001);
  assertEquals(await fixture.take("f01"), undefined);
});

test("Prefetch asks a seed that fails for no bytes for a second", async () => {
  const hook = refusing("FETCH", "ERROR:BUSY retry-after-ms=100", 1);
  await using fixture = new PrefetchFixture({ ...FETCHES, hook });
  await fixture.begin();
  const asked = fixture.seed.requests.length;
  fixture.prefetch.end("f01");
  await fixture.settle();
  const later = fixture.seed.requests.slice(asked);
  assertEquals(later.filter(({ verb }) => verb === "FETCH"), []);
});

for (const refusal of ["ERROR:NOT_FOUND", "ERROR:PENDING 1", "ERROR:BUSY retry-after-ms=10"]) {
  for (const verb of ["MANIFEST", "FETCH"] as const) {
    test(`Prefetch.take() gives nothing when the seed answered ${verb} with ${refusal}`, async () => {
      const features = verb === "FETCH" ? ["fetch"] : [];
      await using fixture = new PrefetchFixture({ features, hook: refusing(verb, refusal) });
      await fixture.begin();
      assertEquals(await fixture.take("f01"), undefined);
    });
  }
}
