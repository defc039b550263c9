import { assertEquals } from "@std/assert";
import { Prefetch } from "../../core/download/prefetch.ts";
import { type Hook, refusing } from "../support/scripted_seed.ts";
import { noAbort } from "../source/support.ts";
import { addressOf, nameOf, Seeds, TaskFixture, UNREACHABLE } from "./support.ts";
import { patternOf } from "../support/bytes.ts";
import { test } from "../support/test.ts";

const NAMES = Array.from({ length: 40 }, (_, i) => `f${String(i).padStart(2, "0")}`);
const FILES = Object.fromEntries(NAMES.map((name, i) => [name, patternOf(100, i)]));
const SEED = nameOf("seed");

class PrefetchFixture implements AsyncDisposable {
  readonly seeds = new Seeds();
  readonly seed;
  readonly bench: TaskFixture;
  readonly prefetch: Prefetch;

  constructor(hook?: Hook) {
    this.seed = this.seeds.add(FILES, hook);
    this.bench = new TaskFixture({ seed: this.seed, away: UNREACHABLE });
    const { pool } = this.bench;
    const links = ["seed", "away"].map((host) => pool.source(addressOf(host)));
    this.prefetch = new Prefetch(NAMES, links, this.bench.clock, noAbort);
  }

  /** As the first task does: from then on the seed is known to be there. */
  async reach(): Promise<void> {
    await this.bench.timed(this.bench.pool.source(addressOf("seed")).protocol(noAbort));
  }

  async take(name: string, seed = SEED) {
    return (await this.bench.timed(Promise.resolve(this.prefetch.take(seed, name)))).value;
  }

  /** What the seed was asked for. */
  get asked(): string[] {
    return this.seed.asked("MANIFEST").map(({ name }) => name);
  }

  async settle(): Promise<void> {
    for (let turn = 0; turn < 20; turn++) await this.bench.clock.advance(0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.prefetch[Symbol.asyncDispose]();
    await this.bench[Symbol.asyncDispose]();
    await this.seeds[Symbol.asyncDispose]();
  }
}

test("Prefetch.begin() asks for the sixteen names behind, each once", async () => {
  await using fixture = new PrefetchFixture();
  await fixture.reach();
  fixture.prefetch.begin("f00");
  await fixture.settle();
  assertEquals(fixture.asked.toSorted(), NAMES.slice(1, 17));
  for (const name of NAMES.slice(1, 9)) fixture.prefetch.begin(name);
  await fixture.settle();
  assertEquals(fixture.asked.toSorted(), NAMES.slice(1, 17));
  fixture.prefetch.begin("f09");
  await fixture.settle();
  assertEquals(fixture.asked.toSorted(), NAMES.slice(1, 26));
  for (const name of NAMES.slice(10)) fixture.prefetch.begin(name);
  await fixture.settle();
  assertEquals(fixture.asked.toSorted(), NAMES.slice(1));
});

test("Prefetch.take() gives what a seed said, once", async () => {
  await using fixture = new PrefetchFixture();
  await fixture.reach();
  fixture.prefetch.begin("f00");
  const inquiry = await fixture.take("f07");
  const { id } = fixture.seed.manifestOf("f07");
  assertEquals([inquiry?.manifest?.id, inquiry?.answer.kind], [id, "manifest"]);
  assertEquals(await fixture.take("f07"), undefined);
});

test("Prefetch.take() gives nothing of what was not asked for", async () => {
  await using fixture = new PrefetchFixture();
  await fixture.reach();
  fixture.prefetch.begin("f00");
  fixture.prefetch.begin("a name that is not small");
  assertEquals(await fixture.take("f20"), undefined);
  assertEquals(await fixture.take("f00"), undefined);
  assertEquals(await fixture.take("f01", nameOf("away")), undefined);
});

test("Prefetch.begin() asks no seed that never answered", async () => {
  await using fixture = new PrefetchFixture();
  fixture.prefetch.begin("f00");
  await fixture.settle();
  assertEquals(fixture.asked, []);
  await fixture.reach();
  fixture.prefetch.begin("f01");
  await fixture.settle();
  assertEquals(fixture.asked.toSorted(), NAMES.slice(2, 18));
});

test("Prefetch.take() gives nothing when it was said too long ago", async () => {
  await using fixture = new PrefetchFixture();
  await fixture.reach();
  fixture.prefetch.begin("f00");
  await fixture.settle();
  await fixture.bench.clock.advance(5001);
  assertEquals(await fixture.take("f01"), undefined);
});

for (const refusal of ["ERROR:NOT_FOUND", "ERROR:PENDING 1", "ERROR:BUSY retry-after-ms=10"]) {
  test(`Prefetch.take() gives nothing when the seed said ${refusal}`, async () => {
    await using fixture = new PrefetchFixture(refusing("MANIFEST", refusal));
    await fixture.reach();
    fixture.prefetch.begin("f00");
    assertEquals(await fixture.take("f01"), undefined);
  });
}
