import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import type { Clock } from "../../core/base/clock.ts";
import type { TaskEvent, TaskEventData } from "../../core/events.ts";
import { LOG_DELAY_MS, type LogLine, readLog, TaskLog } from "../../core/state/task_log.ts";
import { ManualClock } from "../support/manual_clock.ts";
import {
  done,
  eventOf,
  failed,
  found,
  header,
  NOW,
  queued,
  state,
  StateFolder,
} from "./support.ts";

const never = new AbortController().signal;

async function linesOf(lines: AsyncIterable<LogLine[]>): Promise<LogLine[]> {
  return (await Array.fromAsync(lines)).flat();
}

function read(folder: StateFolder, follow = false, clock: Clock = new ManualClock()) {
  return linesOf(readLog(folder.path, "a", { follow }, clock, never));
}

function write(folder: StateFolder, ...events: TaskEvent[]): void {
  using log = new TaskLog(folder.path, "a", new ManualClock(), true);
  for (const event of events) log.add(event);
}

const note = (level: "debug" | "info" | "warn", text: string) =>
  eventOf("a", { kind: "note", level, text });
const seedNews = (what: Extract<TaskEventData, { kind: "seed" }>["what"]) =>
  eventOf("a", { kind: "seed", seed: "x", what, reason: "why" });

Deno.test("TaskLog.add() writes an event as a line with time and level", async () => {
  using folder = new StateFolder();
  write(folder, found("a", 10));
  assertEquals(await read(folder), [{
    time: "2023-11-14T22:13:20.000Z",
    level: "info",
    task: "a",
    event: { kind: "found", size: 10, id: "ab", seeds: ["one:1", "two:2"] } as LogLine["event"],
  }]);
});

Deno.test("TaskLog.add() buffers events of pieces for a second, or until another event", async () => {
  using folder = new StateFolder();
  const clock = new ManualClock();
  using log = new TaskLog(folder.path, "a", clock, true);
  const stored = (piece: number) => eventOf("a", { kind: "stored", seed: "x", piece, bytes: 1 });
  const kinds = async () => (await read(folder)).map(({ event }) => event.kind);
  log.add(stored(1));
  log.add(stored(2));
  assertEquals(await kinds(), []);
  log.add(state("a", "verifying"));
  assertEquals(await kinds(), ["stored", "stored", "state"]);
  log.add(stored(3));
  await clock.advance(LOG_DELAY_MS);
  assertEquals((await kinds()).length, 4);
  log.add(stored(4));
  log.add(note("warn", "x"));
  assertEquals((await kinds()).length, 6);
});

const levels: { name: string; event: TaskEvent; want: string | undefined }[] = [
  {
    name: "bytes arrive",
    event: eventOf("a", { kind: "received", seed: "x", bytes: 1 }),
    want: undefined,
  },
  {
    name: "a piece is stored",
    event: eventOf("a", { kind: "stored", seed: "x", piece: 1, bytes: 1 }),
    want: "debug",
  },
  { name: "the state changes", event: state("a", "downloading"), want: "info" },
  { name: "the task fails", event: failed("a"), want: "error" },
  { name: "the task is interrupted", event: failed("a", "interrupted"), want: "info" },
  { name: "a note warns", event: note("warn", "x"), want: "warn" },
  { name: "a note is for debugging", event: note("debug", "x"), want: "debug" },
  { name: "a seed joins", event: seedNews("joined"), want: "info" },
  { name: "a seed is back", event: seedNews("back"), want: "info" },
  { name: "a seed sends corrupt bytes", event: seedNews("corrupt"), want: "warn" },
  { name: "a seed is busy", event: seedNews("busy"), want: "info" },
  { name: "a seed lacks the file", event: seedNews("lacks"), want: "info" },
  { name: "a seed fails", event: seedNews("failing"), want: "warn" },
];
for (const { name, event, want } of levels) {
  Deno.test(`TaskLog.add() writes ${want ?? "nothing"} when ${name}`, async () => {
    using folder = new StateFolder();
    write(folder, event);
    assertEquals((await read(folder)).map(({ level }) => level as string), want ? [want] : []);
  });
}

Deno.test("TaskLog writes each line at once when it continues a log", async () => {
  using folder = new StateFolder();
  using log = new TaskLog(folder.path, "a", new ManualClock(), true);
  log.add(note("info", "one"));
  assertEquals((await read(folder)).length, 1);
});

function filesOf(folder: StateFolder): string[] {
  return Array.from(Deno.readDirSync(join(folder.path, "logs")), ({ name }) => name).sort();
}

Deno.test("TaskLog buffers the lines of a new task for a second", async () => {
  using folder = new StateFolder();
  const clock = new ManualClock();
  using log = new TaskLog(folder.path, "a", clock);
  for (const text of ["one", "two"]) log.add(note("info", text));
  await clock.advance(LOG_DELAY_MS - 1);
  assertEquals(filesOf(folder), []);
  await clock.advance(1);
  assertEquals((await read(folder)).length, 2);
  log.add(note("info", "three"));
  assertEquals((await read(folder)).length, 3);
});

for (const event of [note("warn", "x"), failed("a"), seedNews("corrupt")]) {
  Deno.test(`TaskLog writes its buffer at once with "${event.kind}"`, async () => {
    using folder = new StateFolder();
    using log = new TaskLog(folder.path, "a", new ManualClock());
    log.add(note("info", "before"));
    log.add(event);
    assertEquals((await read(folder)).map(({ event }) => event.kind), ["note", event.kind]);
  });
}

Deno.test("TaskLog buffers at most a hundred lines", async () => {
  using folder = new StateFolder();
  using log = new TaskLog(folder.path, "a", new ManualClock());
  for (let n = 0; n < 100; n++) log.add(note("debug", `${n}`));
  assertEquals(filesOf(folder), []);
  log.add(note("debug", "100"));
  assertEquals((await read(folder)).length, 101);
});

Deno.test("TaskLog.takeBuffered() empties the buffer, so that no file is created", () => {
  using folder = new StateFolder();
  {
    using log = new TaskLog(folder.path, "a", new ManualClock());
    log.add(note("info", "one"));
    log.add(done("a", 1));
    assertEquals(log.takeBuffered().map(({ kind }) => kind), ["note", "done"]);
  }
  assertEquals(filesOf(folder), []);
});

Deno.test("TaskLog appends to the log of an earlier run", async () => {
  using folder = new StateFolder();
  write(folder, note("info", "one"));
  write(folder, note("info", "two"));
  assertEquals((await read(folder)).map(({ event }) => (event as { text: string }).text), [
    "one",
    "two",
  ]);
});

const MEGABYTE = 1024 * 1024;
const bigNote = (n: number) => note("info", `${n} `.padEnd(MEGABYTE, "é"));

Deno.test("TaskLog keeps the newest 16 MiB", async () => {
  using folder = new StateFolder();
  write(folder, ...Array.from({ length: 15 }, (_, n) => bigNote(n)));
  const logs = join(folder.path, "logs");
  const sizes = Array.from(Deno.readDirSync(logs), ({ name }) => {
    return Deno.statSync(join(logs, name)).size;
  });
  assertEquals(sizes.length, 2);
  assert(sizes.every((size) => size > 0 && size <= 8 * MEGABYTE), `${sizes}`);
  const kept = (await read(folder)).map(({ event }) => parseInt((event as { text: string }).text));
  // A note has two megabytes: three of them fill a file.
  assertEquals(kept, [9, 10, 11, 12, 13, 14]);
});

const harms = [
  {
    name: "the folder of logs is missing",
    harm: (logs: string) => Deno.removeSync(logs, { recursive: true }),
  },
  {
    name: "a folder has the log's name",
    harm: (logs: string) => Deno.mkdirSync(`${logs}/a.jsonl`),
  },
  {
    name: "the old log cannot be rotated",
    harm: (logs: string) => Deno.mkdirSync(`${logs}/a.jsonl.1/x`, { recursive: true }),
  },
];
for (const { name, harm } of harms) {
  Deno.test(`TaskLog ignores that ${name}`, () => {
    using folder = new StateFolder();
    harm(join(folder.path, "logs"));
    write(folder, ...Array.from({ length: 6 }, (_, n) => bigNote(n)));
  });
}

Deno.test("readLog() returns nothing without a log", async () => {
  using folder = new StateFolder();
  assertEquals(await read(folder), []);
});

Deno.test("readLog() skips incomplete lines", async () => {
  using folder = new StateFolder();
  write(folder, note("info", "one"));
  const path = join(folder.path, "logs", "a.jsonl");
  Deno.writeTextFileSync(path, '{"time":"2023-\n', { append: true });
  write(folder, note("info", "two"));
  Deno.writeTextFileSync(path, '{"time":', { append: true });
  assertEquals((await read(folder)).length, 2);
});

/** Performs a step of a task each time its log was read to the end. */
function clockThat(...steps: (() => void)[]): Clock {
  const sleep = () => {
    const step = steps.shift();
    if (!step) throw new Error("There are no more steps");
    return Promise.resolve(step());
  };
  return { now: () => NOW, wallTime: () => NOW, sleep, after: () => ({ [Symbol.dispose]() {} }) };
}

for (const last of [done("a", 1), failed("a"), state("a", "cancelled")]) {
  const kind = last.kind === "state" ? last.state : last.kind;
  Deno.test(`readLog() follows to the end when the task is ${kind}`, async () => {
    using folder = new StateFolder();
    using log = new TaskLog(folder.path, "a", new ManualClock(), true);
    const clock = clockThat(
      () => log.add(note("info", "one")),
      () => {},
      () => [note("info", "two"), last].forEach((event) => log.add(event)),
      () => log.add(note("info", "after the end")),
    );
    const lines = await read(folder, true, clock);
    assertEquals(lines.map(({ event }) => event.kind), ["note", "note", last.kind]);
  });
}

Deno.test("readLog() follows a task that continues after an earlier run ended", async () => {
  using folder = new StateFolder();
  write(folder, failed("a", "interrupted"), state("a", "finding"));
  const clock = clockThat(() => write(folder, done("a", 1)));
  const lines = await read(folder, true, clock);
  assertEquals(lines.map(({ event }) => event.kind), ["failed", "state", "done"]);
});

Deno.test("readLog() returns a line once when it was incomplete at first", async () => {
  using folder = new StateFolder();
  const path = join(folder.path, "logs", "a.jsonl");
  write(folder, note("info", "one"), done("a", 1));
  const text = Deno.readTextFileSync(path);
  Deno.writeTextFileSync(path, text.slice(0, 40));
  const clock = clockThat(
    () => Deno.writeTextFileSync(path, text.slice(0, -20)),
    () => Deno.writeTextFileSync(path, text),
  );
  assertEquals((await read(folder, true, clock)).map(({ event }) => event.kind), ["note", "done"]);
});

Deno.test("readLog() continues with the new file after a rotation", async () => {
  using folder = new StateFolder();
  const path = join(folder.path, "logs", "a.jsonl");
  write(folder, note("info", "a rather long line, so that the next file is shorter"));
  const clock = clockThat(() => {
    Deno.renameSync(path, `${path}.1`);
    write(folder, done("a", 1));
    Deno.writeTextFileSync(path, Deno.readTextFileSync(path).replace(/"bytesBySeed":\{\},/, ""));
  });
  const long = Deno.readTextFileSync(path);
  Deno.writeTextFileSync(path, long.repeat(9));
  const lines = await read(folder, true, clock);
  assertEquals([lines.length, lines.at(-1)?.event.kind], [10, "done"]);
});

Deno.test("readLog() stops following when the signal aborts", async () => {
  using folder = new StateFolder();
  write(folder, note("info", "one"));
  const stop = new AbortController();
  const lines = readLog(
    folder.path,
    "a",
    { follow: true },
    clockThat(() => stop.abort()),
    stop.signal,
  );
  assertEquals((await linesOf(lines)).length, 1);
});

Deno.test("readLog() reads the records of a task without a log", async () => {
  using folder = new StateFolder();
  const first = [header(9, NOW - 9000), queued("a"), queued("b"), state("a", "finding")];
  folder.writeRun(`${NOW - 9000}-9`, first);
  const queue = {
    time: NOW + 1,
    queued: { base: "/out/", tasks: [["c", "c.txt"], ["a", "a.txt"]] },
  };
  folder.writeRun(`${NOW}-10`, [header(10), queue, found("a", 1), done("a", 1)], '{"task":"a"');
  const lines = await read(folder);
  assertEquals(lines.map(({ event }) => event.kind), [
    "queued",
    "state",
    "queued",
    "found",
    "done",
  ]);
  assertEquals(lines.every(({ task }) => task === "a"), true);
  assertEquals((lines[2]!.event as { target: string }).target, "/out/a.txt");
});

Deno.test("readLog() skips invalid events of a record", async () => {
  using folder = new StateFolder();
  const odd = [{ task: "a" }, { task: "a", kind: "found", time: "x" }, { task: "a", time: 1 }];
  folder.writeRun(`${NOW}-10`, [header(10), ...odd, done("a", 1)]);
  assertEquals((await read(folder)).map(({ event }) => event.kind), ["done"]);
});

Deno.test("readLog() follows from the record to the log without repeating lines", async () => {
  using folder = new StateFolder();
  folder.writeRun(`${NOW}-10`, [header(10), queued("a"), state("a", "finding")]);
  const clock = clockThat(
    () => write(folder, state("a", "finding"), note("warn", "slow")),
    () => write(folder, done("a", 1)),
  );
  const lines = await read(folder, true, clock);
  assertEquals(lines.map(({ event }) => event.kind), ["queued", "state", "note", "done"]);
});

Deno.test("readLog() follows a task without a log to its end", async () => {
  using folder = new StateFolder();
  const begun = [header(10), queued("a"), state("a", "finding")];
  folder.writeRun(`${NOW}-10`, begun);
  const clock = clockThat(() => {
    Deno.removeSync(join(folder.path, "runs", `${NOW}-10.jsonl`));
    folder.writeRun(`${NOW}-10`, [...begun, done("a", 1)]);
  });
  const lines = await read(folder, true, clock);
  assertEquals(lines.map(({ event }) => event.kind), ["queued", "state", "done"]);
});
