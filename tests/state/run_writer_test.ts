import { assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import type { Random } from "../../core/base/random.ts";
import { DiskError } from "../../core/base/errors.ts";
import { RunRecord } from "../../core/state/run_record.ts";
import { LOG_DELAY_MS, readLog } from "../../core/state/task_log.ts";
import { readTasks } from "../../core/state/read_tasks.ts";
import { RunWriter } from "../../core/state/run_writer.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { writeControlRequest, writeMax } from "../../core/state/control.ts";
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

/** Windows has no file modes. */
const ON_UNIX = { ignore: Deno.build.os === "windows" };

const fresh: Random = { fraction: () => 0, hex: (bytes) => "f".repeat(bytes * 2) };
const NEW_ID = "ffffffffff";

const earlier = [
  { name: "it failed", events: [queued("a"), failed("a")], want: "a" },
  { name: "it was interrupted", events: [queued("a"), failed("a", "interrupted")], want: "a" },
  { name: "its process was killed", events: [queued("a"), state("a", "downloading")], want: "a" },
  { name: "it is done", events: [queued("a"), done("a", 1)], want: NEW_ID },
  { name: "it was cancelled", events: [queued("a"), state("a", "cancelled")], want: NEW_ID },
  { name: "it was only queued", events: [queued("a")], want: NEW_ID },
  { name: "it had another target", events: [queued("a", "b.txt"), failed("a")], want: NEW_ID },
];
for (const { name, events, want } of earlier) {
  const gives = want === "a" ? "the earlier id" : "a new id";
  Deno.test(`RunWriter.idFor() returns ${gives} when there was a task and ${name}`, async () => {
    using folder = new StateFolder();
    folder.writeRun(`${NOW - 1000}-9`, [header(9), ...events]);
    await using stories = await RunWriter.open(folder.path, 10, new ManualClock(NOW));
    assertEquals(stories.idFor("/out/a.txt", fresh), want);
  });
}

Deno.test("RunWriter.idFor() returns two ids when two names have one target", async () => {
  using folder = new StateFolder();
  folder.writeRun(`${NOW - 1000}-9`, [header(9), queued("a"), failed("a")]);
  await using stories = await RunWriter.open(folder.path, 10, new ManualClock(NOW));
  const ids = [1, 2].map(() => stories.idFor("/out/a.txt", fresh));
  assertEquals(ids, ["a", NEW_ID]);
});

Deno.test("RunWriter.idFor() returns a new id when another process works on the target", async () => {
  using folder = new StateFolder();
  await using other = await RunRecord.open(folder.path, 9, new ManualClock(NOW - 1000));
  for (const event of [queued("a"), state("a", "downloading")]) other.add(event);
  await using stories = await RunWriter.open(folder.path, 10, new ManualClock(NOW));
  assertEquals(stories.idFor("/out/a.txt", fresh), NEW_ID);
});

Deno.test("RunWriter.add() writes record and log when a task works", async () => {
  using folder = new StateFolder();
  const clock = new ManualClock(NOW);
  await using stories = await RunWriter.open(folder.path, 10, clock);
  for (const event of [queued("a"), queued("b"), state("a", "finding")]) stories.add(event);
  const tasks = await readTasks(folder.path, NOW);
  assertEquals(tasks.map(({ task, state }) => [task, state]), [["a", "finding"], ["b", "waiting"]]);
  // A waiting task has no log.
  await clock.advance(LOG_DELAY_MS);
  assertEquals(logsOf(folder), ["a.jsonl"]);
});

function logsOf(folder: StateFolder): string[] {
  return Array.from(Deno.readDirSync(join(folder.path, "logs")), ({ name }) => name);
}

async function storyOf(folder: StateFolder, task: string) {
  const lines = readLog(folder.path, task, { follow: false }, new ManualClock(), never);
  return (await Array.fromAsync(lines)).flat().map(({ event }) => event);
}

const never = new AbortController().signal;

Deno.test("RunWriter keeps the events of a short task in the record, without a log", async () => {
  using folder = new StateFolder();
  {
    await using stories = await RunWriter.open(folder.path, 10, new ManualClock(NOW));
    const lacks = { kind: "seed", seed: "x:1", what: "lacks", reason: "it is not there" } as const;
    const notes = (["debug", "info"] as const).map((level) =>
      eventOf("a", { kind: "note", level, text: level })
    );
    const begin = [queued("a"), state("a", "finding"), eventOf("a", lacks), ...notes];
    for (const event of [...begin, done("a", 1)]) stories.add(event);
    stories.close("a");
  }
  assertEquals(logsOf(folder), []);
  const kinds = (await storyOf(folder, "a")).map((event) => event.kind);
  assertEquals(kinds, ["queued", "state", "seed", "note", "done"]);
  assertEquals((await readTasks(folder.path, NOW))[0]!.state, "done");
});

Deno.test("RunWriter writes a log when a short task fails", async () => {
  using folder = new StateFolder();
  await using stories = await RunWriter.open(folder.path, 10, new ManualClock(NOW));
  for (const event of [state("a", "finding"), failed("a", "interrupted")]) stories.add(event);
  stories.close("a");
  assertEquals(logsOf(folder), ["a.jsonl"]);
  assertEquals((await storyOf(folder, "a")).map(({ kind }) => kind), ["state", "failed"]);
});

Deno.test("RunWriter continues the log of an earlier run, however short this one is", async () => {
  using folder = new StateFolder();
  folder.writeRun(`${NOW - 1000}-9`, [header(9), queued("a"), failed("a", "interrupted")]);
  await using stories = await RunWriter.open(folder.path, 10, new ManualClock(NOW));
  stories.idFor("/out/a.txt", fresh);
  for (const event of [state("a", "finding"), done("a", 1)]) stories.add(event);
  assertEquals((await storyOf(folder, "a")).map(({ kind }) => kind), ["state", "done"]);
});

Deno.test("RunWriter.close() allows later events to reopen the log", async () => {
  using folder = new StateFolder();
  await using stories = await RunWriter.open(folder.path, 10, new ManualClock(NOW));
  stories.add(state("a", "finding"));
  stories.close("a");
  stories.close("a");
  stories.add(failed("a", "interrupted"));
  stories.close("a");
  const log = Deno.readTextFileSync(join(folder.path, "logs", "a.jsonl"));
  assertEquals(log.split("\n").length, 3);
});

Deno.test("RunWriter.open() creates folders that only the user can read", async () => {
  using folder = new StateFolder();
  const path = join(folder.path, "deep", "state");
  await using _stories = await RunWriter.open(path, 10, new ManualClock(NOW));
  for (const name of ["runs", "logs"]) {
    assertEquals(Deno.statSync(join(path, name)).mode! & 0o777, 0o700);
  }
});

Deno.test("RunWriter.open() throws DiskError when the folder is a file", async () => {
  using folder = new StateFolder();
  const path = join(folder.path, "file");
  Deno.writeTextFileSync(path, "");
  const error = await assertRejects(
    () => RunWriter.open(path, 10, new ManualClock(NOW)),
    DiskError,
    "Cannot keep state",
  );
  assertEquals(error.problem, "state-folder");
});

Deno.test(
  "RunWriter keeps records and logs from other users whatever the folder's mode",
  ON_UNIX,
  async () => {
    using folder = new StateFolder();
    for (const name of ["runs", "logs"]) Deno.chmodSync(join(folder.path, name), 0o777);
    const clock = new ManualClock(NOW);
    await using stories = await RunWriter.open(folder.path, 10, clock);
    for (const event of [queued("a"), state("a", "finding"), found("a", 9)]) stories.add(event);
    await clock.advance(LOG_DELAY_MS);
    const file = (path: string) => Deno.statSync(join(folder.path, path)).mode! & 0o777;
    const paths = [...folder.runs().map((name) => `runs/${name}`), "logs/a.jsonl"];
    assertEquals(paths.length, 4);
    // The usual umask would let everybody read them.
    assertEquals(paths.map(file), paths.map(() => 0o600));
  },
);

Deno.test("RunWriter.open() removes only the requests for tasks that are over", async () => {
  using folder = new StateFolder();
  const events = [queued("a"), done("a", 1), queued("b"), state("b", "paused"), queued("c")];
  folder.writeRun(`${NOW - 1000}-9`, [header(9), ...events, failed("c")]);
  await using other = await RunRecord.open(folder.path, 9, new ManualClock(NOW - 1000));
  for (const event of [queued("d"), state("d", "finding")]) other.add(event);
  for (const task of ["a", "b", "c", "d", "fresh"]) {
    await writeControlRequest(folder.path, task, "pause");
  }
  await writeMax(folder.path, 3, NOW);
  const wishes = join(folder.path, "wishes");
  Deno.writeTextFileSync(join(wishes, ".0a1b2c"), "pause");
  const old = NOW / 1000 - 61;
  for (const { name } of Deno.readDirSync(wishes)) Deno.utimeSync(join(wishes, name), old, old);
  Deno.utimeSync(join(wishes, "fresh"), NOW / 1000, NOW / 1000);
  await using _stories = await RunWriter.open(folder.path, 10, new ManualClock(NOW));
  const left = Array.from(Deno.readDirSync(wishes), ({ name }) => name).sort();
  assertEquals(left, ["b", "d", "fresh", "max"]);
});

Deno.test("writeControlRequest() leaves no draft when it fails", async () => {
  using folder = new StateFolder();
  // A folder is in its place.
  Deno.mkdirSync(join(folder.path, "wishes", "a"), { recursive: true });
  await assertRejects(
    () => writeControlRequest(folder.path, "a", "pause"),
    DiskError,
    "Cannot keep state in",
  );
  assertEquals(Array.from(Deno.readDirSync(join(folder.path, "wishes")), ({ name }) => name), [
    "a",
  ]);
});
