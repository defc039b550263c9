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
import { ManualClock } from "../support/manual_clock.ts";
import { NOW, StateFolder } from "./support.ts";

/** Windows has other permissions, and cannot replace an open file. */
const ON_UNIX = { ignore: Deno.build.os === "windows" };
const REQUESTS: ControlRequest[] = ["pause", "cancel", "cancel-and-delete"];

async function requestsOf(folder: StateFolder): Promise<Record<string, ControlRequest>> {
  return Object.fromEntries((await readControlRequests(folder.path)).tasks);
}

/** The files in the folder of requests. */
function filesOf(folder: StateFolder): string[] {
  return Array.from(Deno.readDirSync(join(folder.path, "wishes")), ({ name }) => name).sort();
}

function write(folder: StateFolder, name: string, text: string): void {
  const wishes = join(folder.path, "wishes");
  Deno.mkdirSync(wishes, { recursive: true });
  Deno.writeTextFileSync(join(wishes, name), text);
}

Deno.test("readControlRequests() returns nothing when there are no requests", async () => {
  using folder = new StateFolder();
  for (const path of [folder.path, `${folder.path}/nowhere`]) {
    assertEquals(await readControlRequests(path), { tasks: new Map(), max: undefined });
  }
});

Deno.test("writeControlRequest() writes one request for each task", async () => {
  using folder = new StateFolder();
  for (const [index, each] of REQUESTS.entries()) {
    await writeControlRequest(folder.path, `task${index}`, each);
  }
  assertEquals(await requestsOf(folder), {
    task0: "pause",
    task1: "cancel",
    task2: "cancel-and-delete",
  });
});

Deno.test("writeControlRequest() replaces an earlier request", async () => {
  using folder = new StateFolder();
  for (const each of ["cancel", "pause", "pause"] as const) {
    await writeControlRequest(folder.path, "a", each);
  }
  assertEquals(await requestsOf(folder), { a: "pause" });
  assertEquals(filesOf(folder), ["a"]);
});

Deno.test(
  "writeControlRequest() creates a folder that only the user can read",
  ON_UNIX,
  async () => {
    using folder = new StateFolder();
    await writeControlRequest(folder.path, "a", "pause");
    assertEquals(Deno.statSync(join(folder.path, "wishes")).mode! & 0o077, 0);
  },
);

Deno.test("writeControlRequest() is atomic and leaves no draft when many write at once", async () => {
  using folder = new StateFolder();
  await writeControlRequest(folder.path, "a", "pause");
  const writing = Promise.all(
    Array.from({ length: 40 }, (_, i) => writeControlRequest(folder.path, "a", REQUESTS[i % 3]!)),
  );
  let over = false;
  writing.finally(() => over = true);
  while (!over) assert(REQUESTS.includes((await requestsOf(folder))["a"]!));
  await writing;
  assertEquals(filesOf(folder), ["a"]);
});

Deno.test("writeControlRequest() does not change a file that is being read", ON_UNIX, async () => {
  using folder = new StateFolder();
  await writeControlRequest(folder.path, "a", "pause");
  using reading = Deno.openSync(join(folder.path, "wishes", "a"));
  await writeControlRequest(folder.path, "a", "cancel");
  const bytes = new Uint8Array(100);
  assertEquals(new TextDecoder().decode(bytes.subarray(0, reading.readSync(bytes)!)), "pause");
  assertEquals(await requestsOf(folder), { a: "cancel" });
});

Deno.test("removeControlRequest() removes the request of one task, if there is one", async () => {
  using folder = new StateFolder();
  await removeControlRequest(folder.path, "a");
  await writeControlRequest(folder.path, "a", "pause");
  await writeControlRequest(folder.path, "b", "cancel");
  await removeControlRequest(folder.path, "a");
  await removeControlRequest(folder.path, "a");
  assertEquals(await requestsOf(folder), { b: "cancel" });
});

Deno.test("removeControlRequest() throws when the request cannot be removed", async () => {
  using folder = new StateFolder();
  Deno.mkdirSync(join(folder.path, "wishes", "a", "full"), { recursive: true });
  let thrown: unknown;
  await removeControlRequest(folder.path, "a").catch((error) => thrown = error);
  assert(thrown instanceof Error && !(thrown instanceof Deno.errors.NotFound), String(thrown));
});

Deno.test("writeMax() writes the number and the time, and replaces an earlier one", async () => {
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
  Deno.test(`readControlRequests() ignores ${JSON.stringify(text)} as the number of downloads`, async () => {
    using folder = new StateFolder();
    write(folder, "max", text);
    write(folder, "a", "pause");
    assertEquals(await readControlRequests(folder.path), {
      tasks: new Map([["a", "pause" as const]]),
      max: undefined,
    });
  });
}

Deno.test("readControlRequests() ignores drafts, folders and unknown words", async () => {
  using folder = new StateFolder();
  write(folder, ".draft", "pause");
  write(folder, "b", "Pause");
  write(folder, "c", "pause\n");
  write(folder, "d", "cancel-and-delete");
  write(folder, "e", "");
  Deno.mkdirSync(join(folder.path, "wishes", "f"));
  assertEquals(await requestsOf(folder), { d: "cancel-and-delete" });
});

/** A running watch, and what it applied. */
class ControlFixture implements AsyncDisposable {
  readonly applied: ControlRequests[] = [];
  readonly clock = new ManualClock();
  readonly #slept = new Notify();
  readonly #stop = new AbortController();
  readonly ended: Promise<void>;

  constructor(readonly path: string) {
    const clock: Clock = {
      now: () => this.clock.now(),
      wallTime: () => this.clock.now(),
      after: (ms, run) => this.clock.after(ms, run),
      sleep: (ms, signal) => {
        this.slept.push(ms);
        this.#slept.notifyAll();
        return this.clock.sleep(ms, signal);
      },
    };
    const apply = (requests: ControlRequests) => void this.applied.push(requests);
    this.ended = watchControlRequests(path, apply, clock, this.#stop.signal);
  }

  /** The waits between its reads, so far. */
  readonly slept: number[] = [];

  /** Resolves when it has read `times` times. */
  async reads(times: number): Promise<void> {
    const never = new AbortController().signal;
    while (this.slept.length < times) await this.#slept.notified(never);
  }

  /** Lets it read once more. */
  async readAgain(): Promise<void> {
    const times = this.slept.length;
    await this.clock.advance(this.slept.at(-1)!);
    await this.reads(times + 1);
  }

  stop(): void {
    this.#stop.abort(new Error("stopped"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop();
    await this.ended;
    if (this.clock.pending > 0) throw new Error("A timer is still pending");
  }
}

Deno.test("watchControlRequests() reads at once and then at each interval", async () => {
  using folder = new StateFolder();
  await writeControlRequest(folder.path, "a", "pause");
  await using watch = new ControlFixture(folder.path);
  await watch.reads(1);
  await writeControlRequest(folder.path, "a", "cancel");
  await watch.readAgain();
  await removeControlRequest(folder.path, "a");
  await watch.readAgain();
  const applied = watch.applied.map(({ tasks }) => tasks.get("a"));
  assertEquals(applied, ["pause", "cancel", undefined]);
  // Several times a second, but not in a busy loop.
  for (const ms of watch.slept) assert(ms >= 50 && ms <= 500, `${ms}`);
});

Deno.test("watchControlRequests() skips a folder that cannot be read, and continues", async () => {
  using folder = new StateFolder();
  const path = join(folder.path, "wishes");
  Deno.writeTextFileSync(path, "no folder");
  await using watch = new ControlFixture(folder.path);
  await watch.reads(1);
  assertEquals(watch.applied, []);
  Deno.removeSync(path);
  await writeControlRequest(folder.path, "a", "pause");
  await watch.readAgain();
  assertEquals(watch.applied.map(({ tasks }) => tasks.get("a")), ["pause"]);
});

Deno.test("watchControlRequests() ends without an error when its signal aborts: before, during a read, during a wait", async () => {
  using folder = new StateFolder();
  const apply = () => {};
  await watchControlRequests(folder.path, apply, new ManualClock(), AbortSignal.abort());
  await using early = new ControlFixture(folder.path);
  early.stop();
  await early.ended;
  await using waiting = new ControlFixture(folder.path);
  await waiting.reads(1);
  waiting.stop();
  await waiting.ended;
  assertEquals(waiting.applied.length, 1);
});
