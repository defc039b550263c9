import { assert, assertEquals, assertLessOrEqual, assertRejects } from "@std/assert";
import { DiskError } from "../../core/base/errors.ts";
import type { TaskResult } from "../../core/events.ts";
import { DiskFullError } from "../../core/store/disk.ts";
import { CancelledError, supervise } from "../../core/download/supervise.ts";
import { Control } from "../../core/download/control.ts";
import { Permit } from "../../core/download/permit.ts";
import { noAbort, test, thrownBy, watch } from "../source/support.ts";
import { Bench } from "./support.ts";

const RESULT: TaskResult = {
  path: "a",
  size: 1,
  sha256: null,
  id: null,
  verified: false,
  elapsedMs: 0,
  bytesBySeed: {},
  how: "downloaded",
};

/** One task under way, whose attempts end when the test says so. */
class Stint implements AsyncDisposable {
  readonly bench: Bench;
  readonly control = new Control();
  readonly place: Permit;
  readonly conducting: Promise<TaskResult>;
  readonly ending: ReturnType<typeof watch<TaskResult>>;
  attempts = 0;
  running = 0;
  readonly #stop = new AbortController();
  readonly #attempt: (signal: AbortSignal) => Promise<TaskResult>;

  static async begin(
    attempt: (signal: AbortSignal) => Promise<TaskResult> = untilAborted,
    giveUpMs = 60_000,
  ): Promise<Stint> {
    const bench = new Bench({}, { giveUpMs });
    const stint = new Stint(bench, await bench.slots.acquire(noAbort), attempt);
    await stint.settle();
    return stint;
  }

  private constructor(
    bench: Bench,
    slot: Disposable,
    attempt: (signal: AbortSignal) => Promise<TaskResult>,
  ) {
    this.bench = bench;
    this.#attempt = attempt;
    this.place = new Permit(bench.slots, slot);
    const parts = { ...bench.parts, permit: this.place };
    this.conducting = supervise(
      (signal) => this.#run(signal),
      this.control,
      parts,
      this.#stop.signal,
    );
    this.ending = watch(this.conducting);
  }

  /** What was told of its state, in order. */
  get states(): string[] {
    return this.bench.news.flatMap((one) => one.kind === "state" ? [one.state] : []);
  }

  async settle(): Promise<void> {
    for (let turn = 0; turn < 3; turn++) await this.bench.clock.advance(0);
  }

  /** What the user says, and what comes of it. */
  async wish(wish: Parameters<Control["set"]>[0]): Promise<void> {
    this.control.set(wish);
    await this.settle();
  }

  abort(reason: Error): void {
    this.#stop.abort(reason);
  }

  async #run(signal: AbortSignal): Promise<TaskResult> {
    this.attempts++;
    this.running++;
    try {
      return await this.#attempt(signal);
    } finally {
      this.running--;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.abort(new Error("the test is over"));
    await this.conducting.catch(() => {});
    this.place.release();
    await this.bench[Symbol.asyncDispose]();
  }
}

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

function errorOf({ ending }: Stint["ending"]): unknown {
  return ending && "error" in ending ? ending.error : undefined;
}

test("conduct() stops what runs and leaves its place when the user pauses, and runs again when he resumes", async () => {
  await using stint = await Stint.begin();
  assertEquals([stint.attempts, stint.running], [1, 1]);
  await stint.wish("pause");
  assertEquals([stint.running, stint.place.held, stint.bench.slots.available], [0, false, 1]);
  assertEquals(stint.states, ["paused"]);
  await stint.wish(undefined);
  assertEquals([stint.attempts, stint.running, stint.place.held], [2, 1, true]);
  assertEquals(stint.states, ["paused", "waiting"]);
});

for (const wish of ["pause", "cancel", "cancel-and-delete"] as const) {
  test(`conduct() obeys "${wish}" at once when the task waits for its place after a resume`, async () => {
    await using stint = await Stint.begin();
    await stint.wish("pause");
    // Another task has the place, and runs long.
    using _other = await stint.bench.slots.acquire(noAbort);
    await stint.wish(undefined);
    assertEquals(stint.states, ["paused", "waiting"]);
    await stint.wish(wish);
    if (wish === "pause") {
      assertEquals(stint.states, ["paused", "waiting", "paused"]);
      await stint.wish(undefined);
      await stint.wish("cancel");
    }
    const error = errorOf(stint.ending);
    assert(error instanceof CancelledError);
    assertEquals(error.wish, wish === "pause" ? "cancel" : wish);
    assertEquals([stint.attempts, stint.bench.slots.available], [1, 0]);
  });
}

test("conduct() hands the place on when the user pauses while the task waits for it", async () => {
  await using stint = await Stint.begin();
  await stint.wish("pause");
  const other = await stint.bench.slots.acquire(noAbort);
  await stint.wish(undefined);
  await stint.wish("pause");
  other[Symbol.dispose]();
  await stint.settle();
  assertEquals([stint.bench.slots.available, stint.attempts], [1, 1]);
  await stint.wish(undefined);
  assertEquals([stint.attempts, stint.running], [2, 1]);
});

test("conduct() throws CancelledError when the user cancels what runs or what is paused", async () => {
  for (const pausedBefore of [false, true]) {
    await using stint = await Stint.begin();
    if (pausedBefore) await stint.wish("pause");
    await stint.wish("cancel-and-delete");
    const error = errorOf(stint.ending);
    assert(error instanceof CancelledError);
    assertEquals([error.wish, stint.running], ["cancel-and-delete", 0]);
  }
});

for (const when of ["it runs", "it is paused", "it waits for its place"]) {
  test(`conduct() throws the signal's reason when it aborts while ${when}`, async () => {
    await using stint = await Stint.begin();
    if (when !== "it runs") await stint.wish("pause");
    using _other = when === "it waits for its place"
      ? await stint.bench.slots.acquire(noAbort)
      : undefined;
    if (when === "it waits for its place") await stint.wish(undefined);
    const reason = new Error("enough");
    stint.abort(reason);
    await stint.settle();
    assertEquals(errorOf(stint.ending), reason);
  });
}

const full = () => Promise.reject(new DiskFullError("Cannot write: the disk is full"));

test("conduct() waits outside the queue when the disk is full, says so, and tries again", async () => {
  let tries = 0;
  await using stint = await Stint.begin(() => tries++ < 2 ? full() : Promise.resolve(RESULT));
  assertEquals([stint.place.held, stint.states], [false, ["waiting"]]);
  const notes = stint.bench.news.flatMap((one) => one.kind === "note" ? [one] : []);
  assertEquals(notes.map(({ level, text }) => [level, text]), [
    ["warn", "Cannot write: the disk is full; waiting for room"],
  ]);
  const { value } = await stint.bench.timed(stint.conducting);
  assertEquals([value, tries], [RESULT, 3]);
});

test("conduct() throws DiskFullError when there is no room for giveUpMs", async () => {
  await using stint = await Stint.begin(full, 10_000);
  const { value, ms } = await stint.bench.timed(thrownBy(stint.conducting));
  assert(value instanceof DiskFullError);
  assertLessOrEqual(ms, 11_000);
});

test("conduct() obeys within a second when the user cancels while the task waits for room", async () => {
  await using stint = await Stint.begin(full);
  await stint.wish("cancel");
  const { value, ms } = await stint.bench.timed(thrownBy(stint.conducting));
  assert(value as unknown instanceof CancelledError, String(value));
  assertLessOrEqual(ms, 1000);
});

test("conduct() throws what an attempt throws when it is nothing that passes", async () => {
  const fault = new DiskError("Cannot open");
  await using stint = await Stint.begin(() => Promise.reject(fault));
  assertEquals(await assertRejects(() => stint.conducting), fault);
});
