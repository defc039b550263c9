import { assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { NotFoundError } from "../../core/base/errors.ts";
import { comparePlans, finishSync, planSync, type SyncJob } from "../../core/download/sync.ts";
import { readSyncedNames } from "../../core/state/synced_names.ts";
import type { ListedFile } from "../../core/protocol/listing.ts";
import { noAbort } from "../source/support.ts";
import { test } from "../support/test.ts";
import { symlink } from "../support/platform.ts";
import { Seeds, TaskFixture } from "./support.ts";

const TIME = 1_600_000_000_000;
const file = (name: string, size = 5, modified = TIME): ListedFile => ({ name, size, modified });
const local = (size = 5, modified = TIME) => ({ size, modified });

const files = [
  { name: "is missing", local: undefined, fetched: true },
  { name: "has the right size and time", local: local(), fetched: false },
  { name: "has another size", local: local(6), fetched: true },
  { name: "has another time", local: local(5, TIME + 1), fetched: true },
  { name: "has the time 0, which is unknown", offered: 0, local: local(5, 0), fetched: true },
];
for (const { name, offered = TIME, local, fetched } of files) {
  Deno.test(`comparePlans() ${fetched ? "fetches" : "keeps"} a file that ${name}`, () => {
    const plan = comparePlans([file("a", 5, offered)], [], () => local);
    assertEquals(
      [plan.requests.length, plan.bytes, plan.unchanged],
      fetched ? [1, 5, 0] : [0, 0, 1],
    );
  });
}

Deno.test("comparePlans() names as gone only what was seen, is not offered, and is there", () => {
  const there = new Set(["kept", "gone", "mine"]);
  const plan = comparePlans(
    [file("kept")],
    ["kept", "gone", "never-arrived"],
    (name) => there.has(name) ? local() : undefined,
  );
  assertEquals(plan.gone, ["gone"]);
});

class SyncFixture implements AsyncDisposable {
  readonly seeds = new Seeds();
  readonly bench: TaskFixture;
  readonly job: SyncJob;

  constructor(files: Readonly<Record<string, Uint8Array<ArrayBuffer>>>, folder = "photos") {
    this.bench = new TaskFixture({ seed: this.seeds.add(files) });
    const dir = Deno.realPathSync(this.bench.dir);
    this.job = { folder, outDir: join(dir, "out"), stateDir: join(dir, "state") };
  }

  write(name: string, text = "text"): void {
    const path = join(this.job.outDir, name);
    Deno.mkdirSync(join(path, ".."), { recursive: true });
    Deno.writeTextFileSync(path, text);
  }

  has(name: string): boolean {
    try {
      Deno.lstatSync(join(this.job.outDir, name));
      return true;
    } catch {
      return false;
    }
  }

  async plan() {
    const { clock, dial, parts: { settings, store } } = this.bench;
    const planned = planSync(this.job, settings, { clock, dial, store }, noAbort);
    planned.catch(() => {});
    return (await this.bench.timed(planned)).value;
  }

  async finish(offered: readonly string[], remove: readonly string[]): Promise<string[]> {
    const plan = { requests: [], bytes: 0, unchanged: 0, gone: [], silent: [], offered };
    return await finishSync(this.job, plan, remove, { store: this.bench.parts.store });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.bench[Symbol.asyncDispose]();
    await this.seeds[Symbol.asyncDispose]();
  }
}

const SMALL = new Uint8Array([1, 2, 3]);

test("planSync() requests the files of the folder, and makes no folder", async () => {
  await using fixture = new SyncFixture({ "photos/a": SMALL, "photos2/b": SMALL, "c": SMALL });
  const plan = await fixture.plan();
  assertEquals(plan.requests.map(({ name }) => name), ["photos/a"]);
  assertEquals([plan.gone, plan.silent, fixture.has("")], [[], [], false]);
});

test("planSync() throws NotFoundError when the seeds offer nothing in the folder", async () => {
  await using fixture = new SyncFixture({ "c": SMALL });
  await assertRejects(() => fixture.plan(), NotFoundError, 'no file in "photos"');
});

test("finishSync() deletes only what it is told, and empty folders, and remembers what was offered", async () => {
  await using fixture = new SyncFixture({ "photos/a": SMALL });
  for (const name of ["photos/a", "photos/old/gone", "photos/mine"]) fixture.write(name);
  await fixture.finish(["photos/a", "photos/old/gone"], []);
  assertEquals((await fixture.plan()).gone, ["photos/old/gone"]);
  assertEquals(await fixture.finish(["photos/a"], ["photos/old/gone"]), ["photos/old/gone"]);
  assertEquals(["photos/a", "photos/mine", "photos/old"].map((name) => fixture.has(name)), [
    true,
    true,
    false,
  ]);
  const { stateDir, outDir: out, folder } = fixture.job;
  assertEquals([...await readSyncedNames(stateDir, { out, folder })], ["photos/a"]);
});

test("finishSync() deletes nothing through a link that leads out of the folder", async () => {
  await using fixture = new SyncFixture({ "photos/a": SMALL });
  const outside = join(fixture.job.outDir, "..", "outside");
  Deno.mkdirSync(outside);
  Deno.writeTextFileSync(join(outside, "precious"), "text");
  fixture.write("photos/a");
  symlink(outside, join(fixture.job.outDir, "photos/link"));
  symlink(join(outside, "precious"), join(fixture.job.outDir, "photos/file-link"));
  const removed = await fixture.finish([], ["photos/link/precious", "photos/file-link"]);
  assertEquals([removed, Deno.readTextFileSync(join(outside, "precious"))], [[], "text"]);
});

test("a file that an offered name leads to, through a link in the folder, is not gone and not deleted", async () => {
  await using fixture = new SyncFixture({ "photos/new/a": SMALL });
  await fixture.finish(["photos/old/a", "photos/old/b"], []);
  fixture.write("photos/new/a");
  fixture.write("photos/new/b");
  symlink(join(fixture.job.outDir, "photos/new"), join(fixture.job.outDir, "photos/old"));
  assertEquals((await fixture.plan()).gone, ["photos/old/b"]);
  const removed = await fixture.finish(["photos/new/a"], ["photos/old/a", "photos/old/b"]);
  assertEquals([removed, fixture.has("photos/new/a")], [["photos/old/b"], true]);
});

test("planSync() plans the other files when a file has the name of an offered folder", async () => {
  await using fixture = new SyncFixture({ "photos/a": SMALL, "photos/b/c": SMALL });
  fixture.write("photos/b");
  const plan = await fixture.plan();
  assertEquals(plan.requests.map(({ name }) => name), ["photos/a", "photos/b/c"]);
});
