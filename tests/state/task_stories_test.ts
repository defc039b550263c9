import { assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import type { Chance } from "../../core/base/chance.ts";
import { DiskError } from "../../core/base/errors.ts";
import { RunRecord } from "../../core/state/run_record.ts";
import { readTasks } from "../../core/state/task_status.ts";
import { TaskStories } from "../../core/state/task_stories.ts";
import { ManualClock } from "../fakes/manual_clock.ts";
import { done, failed, header, NOW, queued, state, StateFolder } from "./support.ts";

const fresh: Chance = { random: () => 0, hex: (bytes) => "f".repeat(bytes * 2) };
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
  Deno.test(`TaskStories.idFor() gives ${gives} when there was a task and ${name}`, async () => {
    using folder = new StateFolder();
    folder.writeRun(`${NOW - 1000}-9`, [header(9), ...events]);
    await using stories = await TaskStories.open(folder.path, 10, new ManualClock(NOW));
    assertEquals(stories.idFor("/out/a.txt", fresh), want);
  });
}

Deno.test("TaskStories.idFor() gives a new id when another process is at work on the target", async () => {
  using folder = new StateFolder();
  await using other = await RunRecord.open(folder.path, 9, new ManualClock(NOW - 1000));
  for (const event of [queued("a"), state("a", "downloading")]) other.add(event);
  await using stories = await TaskStories.open(folder.path, 10, new ManualClock(NOW));
  assertEquals(stories.idFor("/out/a.txt", fresh), NEW_ID);
});

Deno.test("TaskStories.add() writes record and log when a task works", async () => {
  using folder = new StateFolder();
  await using stories = await TaskStories.open(folder.path, 10, new ManualClock(NOW));
  for (const event of [queued("a"), queued("b"), state("a", "finding")]) stories.add(event);
  const tasks = await readTasks(folder.path, NOW);
  assertEquals(tasks.map(({ task, state }) => [task, state]), [["a", "finding"], ["b", "waiting"]]);
  // What only waits has no log.
  const logs = Array.from(Deno.readDirSync(join(folder.path, "logs")), ({ name }) => name);
  assertEquals(logs, ["a.jsonl"]);
});

Deno.test("TaskStories.close() lets a log go on when the task tells more", async () => {
  using folder = new StateFolder();
  await using stories = await TaskStories.open(folder.path, 10, new ManualClock(NOW));
  stories.add(state("a", "finding"));
  stories.close("a");
  stories.close("a");
  stories.add(failed("a"));
  const log = Deno.readTextFileSync(join(folder.path, "logs", "a.jsonl"));
  assertEquals(log.split("\n").length, 3);
});

Deno.test("TaskStories.open() makes folders for this user alone when there are none", async () => {
  using folder = new StateFolder();
  const path = join(folder.path, "deep", "state");
  await using _stories = await TaskStories.open(path, 10, new ManualClock(NOW));
  for (const name of ["runs", "logs"]) {
    assertEquals(Deno.statSync(join(path, name)).mode! & 0o777, 0o700);
  }
});

Deno.test("TaskStories.open() throws DiskError with a way out when the folder is a file", async () => {
  using folder = new StateFolder();
  const path = join(folder.path, "file");
  Deno.writeTextFileSync(path, "");
  const error = await assertRejects(
    () => TaskStories.open(path, 10, new ManualClock(NOW)),
    DiskError,
    "Cannot keep state",
  );
  assertEquals(error.hint, "Choose another folder with P2P_STATE_DIR");
});
