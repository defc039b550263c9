import { assertEquals, assertRejects } from "@std/assert";
import { type Machine, runMachine, type Running } from "../../core/download/run_machine.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { noAbort } from "../source/support.ts";
import { test } from "../support/test.ts";

type Fact = { readonly kind: "say"; readonly word: string };
type Seen = Fact | { readonly kind: "timer" };
type Run = Running<Fact, string>;

/** Writes down what it is reported; what it orders is what `orders` makes of it. */
class RecordingMachine implements Machine<Seen, string> {
  readonly facts: string[] = [];
  constructor(readonly orders: (fact: string) => string[] = () => []) {}

  start(nowMs: number): string[] {
    return this.#note("start", nowMs);
  }

  handle(fact: Seen, nowMs: number): string[] {
    return this.#note(fact.kind === "timer" ? "woken" : fact.word, nowMs);
  }

  #note(word: string, nowMs: number): string[] {
    this.facts.push(`${word}@${nowMs}`);
    return this.orders(word);
  }
}

function run(
  entries: RecordingMachine,
  perform: (order: string, running: Run) => void,
  clock = new ManualClock(),
  signal = noAbort,
): Promise<string> {
  return runMachine<Fact, string, string>(entries, perform, clock, signal);
}

const say = (word: string): Fact => ({ kind: "say", word });

test("runMachine() performs the orders of the start, and resolves with what ends it", async () => {
  const entries = new RecordingMachine(() => ["go"]);
  assertEquals(await run(entries, (order, running) => running.end(`did ${order}`)), "did go");
  assertEquals(entries.facts, ["start@0"]);
});

test("runMachine() handles facts one at a time, in the order in which they are reported", async () => {
  const log: string[] = [];
  const entries = new RecordingMachine((fact) => {
    log.push(`handle ${fact}`);
    return fact === "start" ? ["one", "two"] : fact === "b2" ? ["end"] : [`after ${fact}`];
  });
  await run(entries, (order, running) => {
    log.push(`begin ${order}`);
    if (order === "one") running.send(say("a1"));
    if (order === "two") ["b1", "b2"].forEach((word) => running.send(say(word)));
    if (order === "end") running.end("");
    log.push(`finish ${order}`);
  });
  assertEquals(log, [
    "handle start",
    ...["begin one", "finish one", "begin two", "finish two"],
    ...["handle a1", "begin after a1", "finish after a1"],
    ...["handle b1", "begin after b1", "finish after b1"],
    ...["handle b2", "begin end", "finish end"],
  ]);
});

test("runMachine() wakes the machine at the time that was asked for last", async () => {
  const clock = new ManualClock(1000);
  const entries = new RecordingMachine((fact) => fact === "start" ? ["late", "early"] : ["end"]);
  const running = run(entries, (order, running) => {
    if (order === "late") running.setTimer(5000);
    else if (order === "early") running.setTimer(3000);
    else running.end("");
  }, clock);
  await clock.advance(10_000);
  await running;
  assertEquals(entries.facts, ["start@1000", "woken@3000"]);
  assertEquals(clock.pending, 0);
});

test("runMachine() wakes the machine at once when the time has passed", async () => {
  const clock = new ManualClock(1000);
  const entries = new RecordingMachine((fact) => [fact]);
  const running = run(entries, (order, running) => {
    if (order === "start") running.setTimer(0);
    else running.end(order);
  }, clock);
  await clock.advance(0);
  assertEquals(await running, "woken");
});

test("runMachine() throws what the performer fails with, and leaves no timer", async () => {
  const clock = new ManualClock();
  const entries = new RecordingMachine(() => ["go"]);
  const running = run(entries, (_, running) => {
    running.setTimer(1000);
    running.fail(new Error("no disk"));
  }, clock);
  await assertRejects(() => running, Error, "no disk");
  assertEquals(clock.pending, 0);
});

for (const when of ["start", "later"]) {
  test(`runMachine() throws what the performer throws when that is at ${when}`, async () => {
    const clock = new ManualClock();
    const entries = new RecordingMachine((fact) => [fact]);
    const running = run(entries, (order, running) => {
      if (when === "start" || order === "woken") throw new Error("a bug");
      running.setTimer(1000);
    }, clock);
    const thrown = assertRejects(() => running, Error, "a bug");
    await clock.advance(1000);
    await thrown;
    assertEquals(clock.pending, 0);
  });
}

test("runMachine() throws the signal's reason when it has aborted before, and starts nothing", async () => {
  const entries = new RecordingMachine();
  const running = () =>
    run(entries, () => {}, new ManualClock(), AbortSignal.abort(new Error("no")));
  await assertRejects(running, Error, "no");
  assertEquals(entries.facts, []);
});

/** A machine that wakes itself for ever, and the hands of its performer. */
function endless(clock: ManualClock, signal: AbortSignal) {
  const hands: Run[] = [];
  const entries = new RecordingMachine(() => ["again"]);
  const ended = run(
    entries,
    (_, running) => {
      hands[0] = running;
      running.setTimer(clock.now() + 1000);
    },
    clock,
    signal,
  );
  return { entries, ended, running: () => hands[0]! };
}

const ends: { name: string; end: (running: Run, stop: AbortController) => void }[] = [
  { name: "it was aborted", end: (_, stop) => stop.abort(new Error("enough")) },
  { name: "it has ended", end: (running) => running.end("enough") },
  { name: "it has failed", end: (running) => running.fail(new Error("enough")) },
];

for (const { name, end } of ends) {
  test(`runMachine() is deaf, and sets no timer, when ${name}`, async () => {
    const clock = new ManualClock();
    const stop = new AbortController();
    const { entries, ended, running } = endless(clock, stop.signal);
    await clock.advance(1500);
    end(running(), stop);
    // Others do not know yet.
    running().send(say("at once"));
    assertEquals(await ended.catch(({ message }) => message), "enough");
    running().send(say("too late"));
    running().setTimer(9000);
    await clock.advance(10_000);
    assertEquals(entries.facts, ["start@0", "woken@1000"]);
    assertEquals(clock.pending, 0);
  });
}

test("runMachine() keeps to its first end when there are several", async () => {
  const entries = new RecordingMachine(() => ["go"]);
  const ended = run(entries, (_, running) => {
    running.end("first");
    running.end("second");
    running.fail(new Error("third"));
  });
  assertEquals(await ended, "first");
});
