import { assert, assertEquals, assertLessOrEqual, assertRejects } from "@std/assert";
import { DiskError } from "../../core/base/errors.ts";
import type { TaskResult } from "../../core/events.ts";
import { DiskFullError } from "../../core/store/disk.ts";
import { CancelledError, supervise } from "../../core/download/supervise.ts";
import { Control } from "../../core/download/supervise.ts";
import { Permit } from "../../core/download/run_queue.ts";
import { noAbort, thrownBy, watch } from "../source/support.ts";
import { TaskFixture } from "./support.ts";
import { test } from "../support/test.ts";

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
class SuperviseFixture implements AsyncDisposable {
  readonly bench: TaskFixture;
  readonly control = new Control();
  readonly place: Permit;
  readonly result: Promise<TaskResult>;
  readonly ending: ReturnType<typeof watch<TaskResult>>;
  attempts = 0;
  running = 0;
  readonly #stop = new AbortController();
  readonly #attempt: (signal: AbortSignal) => Promise<TaskResult>;

  static async begin(
    attempt: (signal: AbortSignal) => Promise<TaskResult> = untilAborted,
    giveUpMs = 60_000,
  ): Promise<SuperviseFixture> {
    const bench = new TaskFixture({}, { giveUpMs });
    const fixture = new SuperviseFixture(bench, await bench.slots.acquire(noAbort), attempt);
    await fixture.settle();
    return fixture;
  }

  private constructor(
    bench: TaskFixture,
    slot: Disposable,
    attempt: (signal: AbortSignal) => Promise<TaskResult>,
  ) {
    this.bench = bench;
    this.#attempt = attempt;
    this.place = new Permit(bench.slots, slot);
    const parts = { ...bench.parts, permit: this.place };
    this.result = supervise(
      (signal) => this.#run(signal),
      this.control,
      parts,
      this.#stop.signal,
    );
    this.ending = watch(this.result);
  }

  /** What was reported of its state, in order. */
  get states(): string[] {
    return this.bench.news.flatMap((one) => one.kind === "state" ? [one.state] : []);
  }

  async settle(): Promise<void> {
    for (let turn = 0; turn < 3; turn++) await this.bench.clock.advance(0);
  }

  /** What the user says, and what comes of it. */
  async request(request: Parameters<Control["set"]>[0]): Promise<void> {
    this.control.set(request);
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
    await this.result.catch(() => {});
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

function errorOf({ ending }: SuperviseFixture["ending"]): unknown {
  return ending && "error" in ending ? ending.error : undefined;
}

test("supervise() stops what runs and leaves its place when the user pauses, and runs again when he resumes", async () => {
  await using fixture = await SuperviseFixture.begin();
  assertEquals([fixture.attempts, fixture.running], [1, 1]);
  await fixture.request("pause");
  assertEquals([fixture.running, fixture.place.held, fixture.bench.slots.available], [0, false, 1]);
  assertEquals(fixture.states, ["paused"]);
  await fixture.request(undefined);
  assertEquals([fixture.attempts, fixture.running, fixture.place.held], [2, 1, true]);
  assertEquals(fixture.states, ["paused", "waiting"]);
});

for (const request of ["pause", "cancel", "cancel-and-delete"] as const) {
  test(`supervise() carries out "${request}" at once when the task waits for its place after a resume`, async () => {
    await using fixture = await SuperviseFixture.begin();
    await fixture.request("pause");
    // Another task has the place, and runs long.
    using _other = await fixture.bench.slots.acquire(noAbort);
    await fixture.request(undefined);
    assertEquals(fixture.states, ["paused", "waiting"]);
    await fixture.request(request);
    if (request === "pause") {
      assertEquals(fixture.states, ["paused", "waiting", "paused"]);
      await fixture.request(undefined);
      await fixture.request("cancel");
    }
    const error = errorOf(fixture.ending);
    assert(error instanceof CancelledError);
    assertEquals(error.request, request === "pause" ? "cancel" : request);
    assertEquals([fixture.attempts, fixture.bench.slots.available], [1, 0]);
  });
}

test("supervise() hands the place on when the user pauses while the task waits for it", async () => {
  await using fixture = await SuperviseFixture.begin();
  await fixture.request("pause");
  const other = await fixture.bench.slots.acquire(noAbort);
  await fixture.request(undefined);
  await fixture.request("pause");
  other[Symbol.dispose]();
  await fixture.settle();
  assertEquals([fixture.bench.slots.available, fixture.attempts], [1, 1]);
  await fixture.request(undefined);
  assertEquals([fixture.attempts, fixture.running], [2, 1]);
});

test("supervise() throws CancelledError when the user cancels what runs or what is paused", async () => {
  for (const pausedBefore of [false, true]) {
    await using fixture = await SuperviseFixture.begin();
    if (pausedBefore) await fixture.request("pause");
    await fixture.request("cancel-and-delete");
    const error = errorOf(fixture.ending);
    assert(error instanceof CancelledError);
    assertEquals([error.request, fixture.running], ["cancel-and-delete", 0]);
  }
});

for (const when of ["it runs", "it is paused", "it waits for its place"]) {
  test(`supervise() throws the signal's reason when it aborts while ${when}`, async () => {
    await using fixture = await SuperviseFixture.begin();
    if (when !== "it runs") await fixture.request("pause");
    using _other = when === "it waits for its place"
      ? await fixture.bench.slots.acquire(noAbort)
      : undefined;
    if (when === "it waits for its place") await fixture.request(undefined);
    const reason = new Error("enough");
    fixture.abort(reason);
    await fixture.settle();
    assertEquals(errorOf(fixture.ending), reason);
  });
}

const full = () => Promise.reject(new DiskFullError("Cannot write: the disk is full"));

test("supervise() waits outside the queue when the disk is full, says so, and tries again", async () => {
  let tries = 0;
  await using fixture = await SuperviseFixture.begin(() =>
    tries++ < 2 ? full() : Promise.resolve(RESULT)
  );
  assertEquals([fixture.place.held, fixture.states], [false, ["waiting"]]);
  const notes = fixture.bench.news.flatMap((one) => one.kind === "note" ? [one] : []);
  assertEquals(notes.map(({ level, text }) => [level, text]), [
    ["warn", "Cannot write: the disk is full; waiting for room"],
  ]);
  const { value } = await fixture.bench.timed(fixture.result);
  assertEquals([value, tries], [RESULT, 3]);
});

test("supervise() tries less and less often, and says so once, while the disk stays full", async () => {
  let tries = 0;
  await using fixture = await SuperviseFixture.begin(() => {
    tries++;
    return full();
  }, 120_000);
  await fixture.bench.timed(thrownBy(fixture.result));
  // After 1, 2, 4, 8 and then every 16 s.
  assertEquals(tries, 11);
  assertEquals(fixture.bench.news.filter(({ kind }) => kind === "note").length, 1);
});

test("supervise() throws DiskFullError when there is no room for giveUpMs", async () => {
  await using fixture = await SuperviseFixture.begin(full, 10_000);
  const { value, ms } = await fixture.bench.timed(thrownBy(fixture.result));
  assert(value instanceof DiskFullError);
  assertLessOrEqual(ms, 11_000);
});

test("supervise() carries out within a second when the user cancels while the task waits for room", async () => {
  await using fixture = await SuperviseFixture.begin(full);
  await fixture.request("cancel");
  const { value, ms } = await fixture.bench.timed(thrownBy(fixture.result));
  assert(value as unknown instanceof CancelledError, String(value));
  assertLessOrEqual(ms, 1000);
});

test("supervise() throws what an attempt throws when it is nothing that passes", async () => {
  const fault = new DiskError("Cannot open");
  await using fixture = await SuperviseFixture.begin(() => Promise.reject(fault));
  assertEquals(await assertRejects(() => fixture.result), fault);
});
