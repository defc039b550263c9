import { noWorkers } from "../support/hasher.ts";
import { listen } from "../../core/source/listen.ts";
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { systemRandom } from "../../core/base/random.ts";
import { Notify } from "../../core/base/notify.ts";
import { type Clock, systemClock } from "../../core/base/clock.ts";
import { descriptorsFor } from "../../core/base/descriptors.ts";
import { DiskError, UsageError } from "../../core/base/errors.ts";
import type { DownloadSettings } from "../../core/config.ts";
import type { TaskEvent } from "../../core/events.ts";
import { readControlRequests, writeControlRequest, writeMax } from "../../core/state/control.ts";
import { partPath } from "../../core/store/paths.ts";
import {
  download,
  type DownloadRequest,
  type FewDescriptors,
  type TaskOutcome,
} from "../../core/download/download.ts";
import { controlTask, tasks } from "../../core/tasks/tasks.ts";
import { holding, onDownload, type ScriptedSeed } from "../support/scripted_seed.ts";
import { FILE, type Hosts, MIB, Seeds, TaskFixture } from "./support.ts";
import { patternOf } from "../support/bytes.ts";
import { test } from "../support/test.ts";
import { symlink } from "../support/platform.ts";

/** How often a run looks at the wishes. */
const LOOK_MS = 200;

/** One command's downloads, with state on the disk as other processes see it; real time. */
class DownloadFixture implements AsyncDisposable {
  readonly bench: TaskFixture;
  /** As the user says it. */
  out: string;
  readonly state: string;
  readonly events: TaskEvent[] = [];
  /** How many descriptors this process can still open. */
  freeDescriptors = Infinity;
  /** As `Deno.build.os` names it. */
  platform: string = Deno.build.os;
  readonly few: FewDescriptors[] = [];
  readonly #news = new Notify();
  /** How often it slept until its next look at what the user wishes. */
  #looks = 0;
  #stop = new AbortController();
  #running: Promise<unknown> | undefined;

  constructor(hosts: Hosts, settings: Partial<DownloadSettings> = {}) {
    this.bench = new TaskFixture(hosts, settings, systemClock);
    const dir = Deno.realPathSync(this.bench.dir);
    this.out = join(dir, "out");
    this.state = join(dir, "state");
    Deno.mkdirSync(this.out);
  }

  run(...names: string[]): Promise<TaskOutcome[]> {
    return this.runAll(names.map((name) => ({ name })));
  }

  runAll(requests: readonly DownloadRequest[]): Promise<TaskOutcome[]> {
    const { settings, store } = this.bench.parts;
    const directories = { config: this.state, state: this.state, cache: this.state };
    const onFewDescriptors = (found: FewDescriptors) => void this.few.push(found);
    const job = { requests, outDir: this.out, settings, directories, onFewDescriptors };
    const platform = {
      clock: this.#clock,
      random: systemRandom,
      dial: this.bench.dial,
      store: { ...store, platform: this.platform },
      hasher: noWorkers,
      listen,
      makeTempDir: (prefix: string) => Deno.makeTempDir({ prefix }),
      freeDescriptors: (atMost: number) => ({
        count: Math.min(atMost, this.freeDescriptors),
        limit: this.freeDescriptors + 20,
      }),
    };
    const running = download(job, platform, (event) => {
      this.events.push(event);
      this.#news.notifyAll();
    }, this.#stop.signal);
    this.#running = running.catch(() => {});
    return running;
  }

  readonly #clock: Clock = {
    ...systemClock,
    sleep: (ms, signal) => {
      if (ms === LOOK_MS) this.#looks++;
      this.#news.notifyAll();
      return systemClock.sleep(ms, signal);
    },
  };

  /** Resolves when what the user wishes by now is known. */
  async looked(): Promise<void> {
    for (const enough = this.#looks + 2; this.#looks < enough;) await this.#next();
  }

  /** The first event that fits, as soon as it is there. */
  async event(fits: (event: TaskEvent) => boolean): Promise<TaskEvent> {
    for (;;) {
      const found = this.events.find(fits);
      if (found) return found;
      await this.#next();
    }
  }

  #next(): Promise<void> {
    return this.#news.notified(AbortSignal.timeout(10_000));
  }

  taskOf(name: string): string {
    return this.events.find((event) => event.kind === "queued" && event.name === name)!.task;
  }

  /** As Ctrl-C does; afterwards another command can run. */
  async interrupt(): Promise<void> {
    this.#stop.abort(new Error("interrupted"));
    await this.#running;
    this.#stop = new AbortController();
    this.events.length = 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error("the test is over"));
    await this.#running;
    await this.bench[Symbol.asyncDispose]();
  }
}

/** Seeds wait before it; a test that fails leaves nobody there. */
class Gate implements Disposable {
  readonly #open = Promise.withResolvers<void>();
  readonly opened = this.#open.promise;

  open(): void {
    this.#open.resolve();
  }

  [Symbol.dispose](): void {
    this.open();
  }
}

function statesOf(outcomes: readonly TaskOutcome[]): string[] {
  return outcomes.map(({ name, state }) => `${name} ${state}`);
}

for (const name of ["x.p2p-part", "dir/x.P2P-Journal", "dir.p2p-part/x"]) {
  test(`download() throws UsageError, and begins nothing, when a name is "${name}"`, async () => {
    await using seeds = new Seeds();
    const seed = seeds.add({ a: FILE, [name]: FILE });
    await using command = new DownloadFixture({ seed });
    const error = await assertRejects(() => command.run("a", name), UsageError);
    assertMatch(error.message, /p2p keeps that name for unfinished downloads/);
    assertEquals([seed.connections, command.events.length], [0, 0]);
  });
}

test("download() fails only the task whose partial file cannot be removed when it is cancelled", async () => {
  await using seeds = new Seeds();
  using gate = new Gate();
  const seed = seeds.add({ a: FILE, b: FILE }, holding("MANIFEST", gate.opened));
  await using command = new DownloadFixture({ seed }, { max: 2, seedConnections: 1 });
  const part = partPath(join(command.out, "a"));
  Deno.mkdirSync(join(part, "not ours"), { recursive: true });
  const running = command.run("a", "b");
  await command.event(({ kind }) => kind === "state");
  await writeControlRequest(command.state, command.taskOf("a"), "cancel-and-delete");
  const failed = await command.event(({ kind }) => kind === "failed");
  gate.open();
  const outcomes = await running;
  assertEquals(statesOf(outcomes), ["a failed", "b done"]);
  assert(failed.kind === "failed" && failed.failure.code === "disk");
  assertMatch(failed.failure.message, /Cannot remove ".*a\.p2p-part"/);
  assertEquals(Deno.readFileSync(join(command.out, "b")), FILE);
});

test("download() runs only as many tasks at a time as there are descriptors for, and says so once", async () => {
  await using seeds = new Seeds();
  using gate = new Gate();
  const names = ["a", "b", "c", "d", "e", "f"];
  const files = Object.fromEntries(names.map((name) => [name, FILE]));
  const seed = seeds.add(files, holding("MANIFEST", gate.opened));
  await using command = new DownloadFixture({ seed }, { max: 5 });
  command.freeDescriptors = descriptorsFor({ tasks: 2, connections: 4 });
  const running = command.run(...names);
  await command.event(({ kind }) => kind === "queued");
  const begun = () =>
    command.events.flatMap((event) =>
      event.kind === "state" && event.state === "finding" ? [event.task] : []
    );
  await command.event((event) => event.kind === "state" && event.task === command.taskOf("b"));
  await command.looked();
  assertEquals(begun(), [command.taskOf("a"), command.taskOf("b")]);
  gate.open();
  assertEquals(statesOf(await running), names.map((name) => `${name} done`));
  const limit = command.freeDescriptors + 20;
  assertEquals(command.few, [{ running: 2, wanted: 5, limit }]);
  assert(seed.mostOpen <= 4, `${seed.mostOpen} connections`);
});

test("download() throws UsageError, and begins nothing, where too few files can be opened", async () => {
  await using seeds = new Seeds();
  const seed = seeds.add({ a: FILE });
  await using command = new DownloadFixture({ seed });
  command.freeDescriptors = 5;
  const error = await assertRejects(() => command.run("a"), UsageError);
  assertMatch(error.message, /only 25 open files/);
  assertEquals([seed.connections, command.events.length], [0, 0]);
});

test("download() raises the number of tasks at the user's wish only as far as there are descriptors", async () => {
  await using seeds = new Seeds();
  using gate = new Gate();
  const names = ["a", "b", "c", "d"];
  const files = Object.fromEntries(names.map((name) => [name, FILE]));
  const seed = seeds.add(files, holding("MANIFEST", gate.opened));
  await using command = new DownloadFixture({ seed }, { max: 1 });
  const running = command.run(...names);
  await command.event(({ kind }) => kind === "state");
  command.freeDescriptors = descriptorsFor({ tasks: 1, connections: 0 });
  await writeMax(command.state, 4, Date.now() + 1);
  await command.event((event) => event.kind === "state" && event.task === command.taskOf("b"));
  await command.looked();
  const begun = command.events.filter((event) => event.kind === "state").map(({ task }) => task);
  gate.open();
  assertEquals(begun, [command.taskOf("a"), command.taskOf("b")]);
  await running;
});

test("download() goes on with what was paused before it began, and says so", async () => {
  await using seeds = new Seeds();
  using gate = new Gate();
  const seed = seeds.add({ a: FILE }, holding("MANIFEST", gate.opened));
  await using command = new DownloadFixture({ seed });
  const first = command.run("a");
  await command.event(({ kind }) => kind === "state");
  await writeControlRequest(command.state, command.taskOf("a"), "pause");
  await command.event((event) => event.kind === "state" && event.state === "paused");
  await command.interrupt();
  assertEquals(statesOf(await first), ["a paused"]);
  gate.open();
  assertEquals(statesOf(await command.run("a")), ["a done"]);
  const notes = command.events.flatMap((event) => event.kind === "note" ? [event.text] : []);
  assertEquals(notes[0], "was paused; continues, because it was requested again");
});

test("download() ignores a cancel whose process ended before it read it", async () => {
  await using seeds = new Seeds();
  using gate = new Gate();
  const seed = seeds.add({ a: FILE }, holding("MANIFEST", gate.opened));
  await using command = new DownloadFixture({ seed });
  const first = command.run("a");
  await command.event(({ kind }) => kind === "state");
  const task = command.taskOf("a");
  await command.interrupt();
  assertEquals(statesOf(await first), ["a paused"]);
  await writeControlRequest(command.state, task, "cancel");
  gate.open();
  assertEquals(statesOf(await command.run("a")), ["a done"]);
  assertEquals((await readControlRequests(command.state)).tasks.get(task), undefined);
});

test("download() cancels a task and removes its partial file, and does the others", async () => {
  await using seeds = new Seeds();
  using gate = new Gate();
  const seed = seeds.add({ a: FILE, b: FILE });
  seed.hook = async (request) => {
    if (request.verb === "DOWNLOAD" && request.name === "a" && request.range.start > 0) {
      await gate.opened;
    }
    return undefined;
  };
  await using command = new DownloadFixture({ seed }, { max: 1 });
  const running = command.run("a", "b");
  await command.event(({ kind }) => kind === "stored");
  await writeControlRequest(command.state, command.taskOf("a"), "cancel-and-delete");
  await command.event((event) => event.kind === "state" && event.state === "cancelled");
  gate.open();
  assertEquals(statesOf(await running), ["a cancelled", "b done"]);
  assertEquals(Array.from(Deno.readDirSync(command.out), ({ name }) => name), ["b"]);
});

test("download() asks for a small file's manifest once, before its turn comes", async () => {
  await using seeds = new Seeds();
  const names = ["a", "b", "c", "d"];
  const small = FILE.subarray(0, 1000);
  const seed = seeds.add(Object.fromEntries(names.map((name) => [name, small])));
  await using command = new DownloadFixture({ seed }, { max: 1 });
  const outcomes = await command.runAll(names.map((name) => ({ name, size: small.length })));
  assertEquals(statesOf(outcomes), names.map((name) => `${name} done`));
  assertEquals(seed.asked("MANIFEST").map(({ name }) => name).toSorted(), names);
  const asked = seed.requests.map((one) => `${one.verb} ${"name" in one ? one.name : ""}`);
  // a is asked for before anything is known of the seed; what b begins is for c and d.
  assert(asked.indexOf("MANIFEST d") < asked.indexOf("DOWNLOAD c"), asked.join());
});

/** One request a connection at a time, so that none waits behind one that is held. */
function oneByOne(seed: ScriptedSeed): ScriptedSeed {
  seed.greeting = { ...seed.greeting, maxInflight: 1 };
  return seed;
}

/** How many pieces of `name` its seeds were asked for. */
function askedFor(name: string, seeds: readonly ScriptedSeed[]): number {
  const asked = seeds.flatMap((seed) => seed.asked("DOWNLOAD"));
  return new Set(asked.filter((one) => one.name === name).map(({ range }) => range.start)).size;
}

test("download() gives a task the memory that others leave, and divides it when they need it", async () => {
  await using seeds = new Seeds();
  using gate = new Gate();
  const held = onDownload(async () => {
    await gate.opened;
    return undefined;
  });
  // Four seeds are asked for two pieces each at first, when there is memory for them.
  const files = { a: patternOf(12 * MIB), b: patternOf(12 * MIB, 1) };
  const four = [1, 2, 3, 4].map(() => oneByOne(seeds.add(files, held)));
  await using command = new DownloadFixture(
    Object.fromEntries(four.map((seed, i) => [`s${i}`, seed])),
    { max: 1, memory: 6 * MIB, seedConnections: 4 },
  );
  const running = command.run("a", "b");
  const downloads = (name: string) => (event: TaskEvent) =>
    event.kind === "state" && event.state === "downloading" && event.task === command.taskOf(name);
  await command.event(downloads("a"));
  assertEquals(await settled(() => askedFor("a", four)), 6);
  await writeMax(command.state, 32, Date.now() + 1);
  await command.event(downloads("b"));
  // The first task has all of it until its pieces have come.
  assertEquals(await settled(() => askedFor("b", four)), 0);
  gate.open();
  assertEquals(statesOf(await running), ["a done", "b done"]);
});

/** A count, when everything that can go on by itself has done so. */
async function settled(count: () => number): Promise<number> {
  for (let seen = -1, turns = 0; turns < 20; turns++) {
    await new Promise((resolve) => setTimeout(resolve));
    if (count() !== seen) turns = 0;
    seen = count();
  }
  return count();
}

test("download() does more at a time when p2p max is raised, and lets what waits wait when it is lowered", async () => {
  await using seeds = new Seeds();
  const names = ["a", "b", "c", "d"];
  using all = new DisposableStack();
  const gates = new Map(names.map((name) => [name, all.use(new Gate())]));
  const files = Object.fromEntries(names.map((name) => [name, FILE]));
  const seed = oneByOne(seeds.add(files, async (request) => {
    if (request.verb === "MANIFEST") await gates.get(request.name)!.opened;
    return undefined;
  }));
  await using command = new DownloadFixture({ seed }, { max: 1, seedConnections: 16 });
  const running = command.run(...names);
  const begun = () =>
    names.filter((name) =>
      command.events.some(({ kind, task }) => kind === "state" && task === command.taskOf(name))
    );
  const done = () => command.events.filter(({ kind }) => kind === "done").length;
  await command.event(() => begun().length === 1);
  await writeMax(command.state, 3, Date.now() + 1);
  await command.event(() => begun().length === 3);
  assertEquals(begun(), ["a", "b", "c"]);
  await writeMax(command.state, 1, Date.now() + 1);
  await command.looked();
  for (const name of ["a", "b"]) gates.get(name)!.open();
  await command.event(() => done() === 2);
  await command.looked();
  assertEquals(begun(), ["a", "b", "c"]);
  gates.get("c")!.open();
  await command.event(() => begun().includes("d"));
  gates.get("d")!.open();
  assertEquals(statesOf(await running), names.map((name) => `${name} done`));
});

/** Downloads `name` until its first piece is stored, and interrupts the run. @returns the target. */
async function interruptAfterOnePiece(
  command: DownloadFixture,
  seed: ScriptedSeed,
  name: string,
): Promise<string> {
  using gate = new Gate();
  seed.hook = async (request) => {
    if (request.verb === "DOWNLOAD" && request.range.start > 0) await gate.opened;
    return undefined;
  };
  const running = command.run(name);
  await command.event(({ kind }) => kind === "stored");
  const queued = command.events.find((event) => event.kind === "queued");
  const ended = command.interrupt();
  gate.open();
  await ended;
  await running;
  seed.hook = () => Promise.resolve(undefined);
  return queued!.target;
}

for (const [first, second] of [["link", "link"], ["link", "real"], ["real", "link"]] as const) {
  test(`download() adopts a part file of the same content when the first run goes through the ${first} path and the second through the ${second} path`, async () => {
    await using seeds = new Seeds();
    const seed = seeds.add({ f: FILE, g: FILE });
    await using command = new DownloadFixture({ seed }, { seedConnections: 1 });
    const real = command.out;
    const paths = { real, link: `${real}-link` };
    symlink(real, paths.link);
    command.out = paths[first];
    const target = await interruptAfterOnePiece(command, seed, "f");
    command.out = paths[second];
    await command.run("g");
    const resumed = await command.event(({ kind }) => kind === "resumed");
    assert(resumed.kind === "resumed" && resumed.pieces > 0);
    assertEquals([target, namesIn(real)], [join(real, "f"), ["g"]]);
  });
}

test("download() completes two names that are one file one after the other, as the conflict policy says", async () => {
  await using seeds = new Seeds();
  const seed = seeds.add({ "real/f": FILE, "link/f": FILE.toReversed() });
  await using command = new DownloadFixture({ seed }, { onConflict: "rename" });
  Deno.mkdirSync(join(command.out, "real"));
  symlink("real", join(command.out, "link"));
  using gate = new Gate();
  seed.hook = async (request) => {
    if (request.verb === "DOWNLOAD") await gate.opened;
    return undefined;
  };
  const running = command.run("real/f", "link/f");
  await command.event(() => command.events.filter(({ kind }) => kind === "found").length === 2);
  gate.open();
  await running;
  const [first, second] = namesIn(join(command.out, "real"));
  assertEquals(first, "f");
  assertMatch(second!, /^f~[0-9a-f]{8}$/);
});

test("download(), tasks() and controlTask() use one path for a name that Windows cannot hold", async () => {
  await using seeds = new Seeds();
  const name = "con/a:b";
  const seed = seeds.add({ [name]: FILE });
  await using command = new DownloadFixture({ seed }, { seedConnections: 1 });
  command.platform = "windows";
  await interruptAfterOnePiece(command, seed, name);
  const known = await tasks(command.state, systemClock.wallTime(), { all: false });
  assertEquals(known.map(({ path }) => path), [join(command.out, "%63on", "a%3Ab")]);
  assertEquals(namesIn(join(command.out, "%63on")).length, 2);
  await controlTask(command.state, known[0]!, "cancel-and-delete", 1, systemClock);
  assertEquals(namesIn(join(command.out, "%63on")), []);
});

function namesIn(folder: string): string[] {
  return Array.from(Deno.readDirSync(folder), ({ name }) => name).sort();
}

test("download() reports a folder that cannot be made once, before any download begins", async () => {
  await using seeds = new Seeds();
  const seed = seeds.add({ a: FILE, b: FILE });
  await using command = new DownloadFixture({ seed });
  Deno.writeTextFileSync(`${command.out}-file`, "");
  command.out = `${command.out}-file/below`;
  await assertRejects(() => command.run("a", "b"), DiskError, "Cannot make folder");
  assertEquals([command.events.length, seed.connections], [0, 0]);
});
