import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { Notify } from "../../core/base/notify.ts";
import type { Clock } from "../../core/base/clock.ts";
import {
  type ControlRequest,
  type ControlRequests,
  readControlRequests,
  removeControlRequest,
  watchControlRequests,
  writeControlRequest,
  writeMax,
} from "../../core/state/control.ts";
import { ManualClock } from "../fakes/manual_clock.ts";
import { NOW, StateFolder } from "./support.ts";

/** Elsewhere rights are other ones, and a file that is open cannot be replaced. */
const ON_UNIX = { ignore: Deno.build.os === "windows" };
const WISHES: ControlRequest[] = ["pause", "cancel", "cancel-and-delete"];

async function wishesOf(folder: StateFolder): Promise<Record<string, ControlRequest>> {
  return Object.fromEntries((await readControlRequests(folder.path)).tasks);
}

/** What stands in the folder of the wishes, by file. */
function filesOf(folder: StateFolder): string[] {
  return Array.from(Deno.readDirSync(join(folder.path, "wishes")), ({ name }) => name).sort();
}

function write(folder: StateFolder, name: string, text: string): void {
  const wishes = join(folder.path, "wishes");
  Deno.mkdirSync(wishes, { recursive: true });
  Deno.writeTextFileSync(join(wishes, name), text);
}

Deno.test("readWishes() gives nothing when nobody ever wished anything", async () => {
  using folder = new StateFolder();
  for (const path of [folder.path, `${folder.path}/nowhere`]) {
    assertEquals(await readControlRequests(path), { tasks: new Map(), max: undefined });
  }
});

Deno.test("wish() is read by whoever looks, for each task its own", async () => {
  using folder = new StateFolder();
  for (const [index, each] of WISHES.entries()) {
    await writeControlRequest(folder.path, `task${index}`, each);
  }
  assertEquals(await wishesOf(folder), {
    task0: "pause",
    task1: "cancel",
    task2: "cancel-and-delete",
  });
});

Deno.test("wish() replaces what was wished before, and is no error twice", async () => {
  using folder = new StateFolder();
  for (const each of ["cancel", "pause", "pause"] as const) {
    await writeControlRequest(folder.path, "a", each);
  }
  assertEquals(await wishesOf(folder), { a: "pause" });
  assertEquals(filesOf(folder), ["a"]);
});

Deno.test("wish() lets nobody else look into the folder that it makes", ON_UNIX, async () => {
  using folder = new StateFolder();
  await writeControlRequest(folder.path, "a", "pause");
  assertEquals(Deno.statSync(join(folder.path, "wishes")).mode! & 0o077, 0);
});

Deno.test("wish() is read whole or not at all, and leaves no draft, when many wish at once", async () => {
  using folder = new StateFolder();
  await writeControlRequest(folder.path, "a", "pause");
  const wishing = Promise.all(
    Array.from({ length: 40 }, (_, i) => writeControlRequest(folder.path, "a", WISHES[i % 3]!)),
  );
  let over = false;
  wishing.finally(() => over = true);
  while (!over) assert(WISHES.includes((await wishesOf(folder))["a"]!));
  await wishing;
  assertEquals(filesOf(folder), ["a"]);
});

Deno.test("wish() writes over no wish that somebody is reading", ON_UNIX, async () => {
  using folder = new StateFolder();
  await writeControlRequest(folder.path, "a", "pause");
  using reading = Deno.openSync(join(folder.path, "wishes", "a"));
  await writeControlRequest(folder.path, "a", "cancel");
  const bytes = new Uint8Array(100);
  assertEquals(new TextDecoder().decode(bytes.subarray(0, reading.readSync(bytes)!)), "pause");
  assertEquals(await wishesOf(folder), { a: "cancel" });
});

Deno.test("unwish() takes back the wish of one task, and is no error when there is none", async () => {
  using folder = new StateFolder();
  await removeControlRequest(folder.path, "a");
  await writeControlRequest(folder.path, "a", "pause");
  await writeControlRequest(folder.path, "b", "cancel");
  await removeControlRequest(folder.path, "a");
  await removeControlRequest(folder.path, "a");
  assertEquals(await wishesOf(folder), { b: "cancel" });
});

Deno.test("unwish() throws when the wish cannot be taken back", async () => {
  using folder = new StateFolder();
  Deno.mkdirSync(join(folder.path, "wishes", "a", "full"), { recursive: true });
  let thrown: unknown;
  await removeControlRequest(folder.path, "a").catch((error) => thrown = error);
  assert(thrown instanceof Error && !(thrown instanceof Deno.errors.NotFound), String(thrown));
});

Deno.test("wishMax() says how many and when, the last one counts, and no task has its name", async () => {
  using folder = new StateFolder();
  await writeControlRequest(folder.path, "a", "pause");
  await writeMax(folder.path, 5, NOW);
  await writeMax(folder.path, 2, NOW + 1);
  const { tasks, max } = await readControlRequests(folder.path);
  assertEquals(max, { value: 2, at: NOW + 1 });
  assertEquals(Array.from(tasks.keys()), ["a"]);
});

const nonsense = ["", "{", "null", "7", "[]", '{"value":0,"at":1}', '{"value":1.5,"at":1}'].concat(
  ['{"value":"3","at":1}', '{"value":3}', '{"value":3,"at":"1"}', '{"value":1e99,"at":1}'],
);
for (const text of nonsense) {
  Deno.test(`readWishes() passes over ${JSON.stringify(text)} for a number of downloads`, async () => {
    using folder = new StateFolder();
    write(folder, "max", text);
    write(folder, "a", "pause");
    assertEquals(await readControlRequests(folder.path), {
      tasks: new Map([["a", "pause" as const]]),
      max: undefined,
    });
  });
}

Deno.test("readWishes() passes over what is no wish: drafts, folders, and words that it does not know", async () => {
  using folder = new StateFolder();
  write(folder, ".draft", "pause");
  write(folder, "b", "Pause");
  write(folder, "c", "pause\n");
  write(folder, "d", "cancel-and-delete");
  write(folder, "e", "");
  Deno.mkdirSync(join(folder.path, "wishes", "f"));
  assertEquals(await wishesOf(folder), { d: "cancel-and-delete" });
});

/** What a watch has told, and the watch's end. */
class Watch implements AsyncDisposable {
  readonly told: ControlRequests[] = [];
  readonly clock = new ManualClock();
  readonly #news = new Notify();
  readonly #stop = new AbortController();
  readonly ended: Promise<void>;

  constructor(readonly path: string) {
    const clock: Clock = {
      now: () => this.clock.now(),
      wallTime: () => this.clock.now(),
      after: (ms, run) => this.clock.after(ms, run),
      sleep: (ms, signal) => {
        this.slept.push(ms);
        this.#news.notifyAll();
        return this.clock.sleep(ms, signal);
      },
    };
    const tell = (wishes: ControlRequests) => void this.told.push(wishes);
    this.ended = watchControlRequests(path, tell, clock, this.#stop.signal);
  }

  /** The pauses between its looks, so far. */
  readonly slept: number[] = [];

  /** Resolves when it has looked so often. */
  async looked(times: number): Promise<void> {
    const never = new AbortController().signal;
    while (this.slept.length < times) await this.#news.notified(never);
  }

  /** Lets it look once more. */
  async look(): Promise<void> {
    const times = this.slept.length;
    await this.clock.advance(this.slept.at(-1)!);
    await this.looked(times + 1);
  }

  stop(): void {
    this.#stop.abort(new Error("enough"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop();
    await this.ended;
    if (this.clock.pending > 0) throw new Error("A timer was left behind");
  }
}

Deno.test("watchWishes() looks at once, and tells each time what is wished by then", async () => {
  using folder = new StateFolder();
  await writeControlRequest(folder.path, "a", "pause");
  await using watch = new Watch(folder.path);
  await watch.looked(1);
  await writeControlRequest(folder.path, "a", "cancel");
  await watch.look();
  await removeControlRequest(folder.path, "a");
  await watch.look();
  const told = watch.told.map(({ tasks }) => tasks.get("a"));
  assertEquals(told, ["pause", "cancel", undefined]);
  // Several times a second, and not without a pause.
  for (const ms of watch.slept) assert(ms >= 50 && ms <= 500, `${ms}`);
});

Deno.test("watchWishes() tells nothing of a folder that cannot be read, and goes on looking", async () => {
  using folder = new StateFolder();
  const path = join(folder.path, "wishes");
  Deno.writeTextFileSync(path, "no folder");
  await using watch = new Watch(folder.path);
  await watch.looked(1);
  assertEquals(watch.told, []);
  Deno.removeSync(path);
  await writeControlRequest(folder.path, "a", "pause");
  await watch.look();
  assertEquals(watch.told.map(({ tasks }) => tasks.get("a")), ["pause"]);
});

Deno.test("watchWishes() ends, and throws nothing, when its signal aborts: before, while it looks, while it waits", async () => {
  using folder = new StateFolder();
  const tell = () => {};
  await watchControlRequests(folder.path, tell, new ManualClock(), AbortSignal.abort());
  await using early = new Watch(folder.path);
  early.stop();
  await early.ended;
  await using waiting = new Watch(folder.path);
  await waiting.looked(1);
  waiting.stop();
  await waiting.ended;
  assertEquals(waiting.told.length, 1);
});
