import { assertEquals, assertRejects } from "@std/assert";
import { NotFoundError } from "../../core/base/errors.ts";
import { RunRecord } from "../../core/state/run_record.ts";
import { taskCase } from "../../core/tasks/task_case.ts";
import { ManualClock } from "../fakes/manual_clock.ts";
import { header, NOW, queued, state, StateFolder } from "../state/support.ts";

Deno.test("caseOf() counts of the same process what runs, and what waits before it", async () => {
  using folder = new StateFolder();
  folder.writeRun(`${NOW}-8`, [header(8), queued("other"), state("other", "downloading")]);
  const clock = new ManualClock(NOW);
  await using run = await RunRecord.open(folder.path, 77, clock);
  for (const task of ["a", "b", "c", "d", "e"]) run.add(queued(task));
  run.add(state("a", "downloading"));
  run.add(state("b", "paused"));
  run.add(state("c", "finding"));
  // What comes close together is written together.
  await clock.advance(1000);
  const { task, running, ahead, queuedAt, now } = await taskCase(folder.path, "e.txt", NOW + 5);
  assertEquals([task.task, running, ahead, queuedAt, now], ["e", 2, 1, NOW, NOW + 5]);
});

Deno.test("caseOf() counts nobody of what no process works on", async () => {
  using folder = new StateFolder();
  folder.writeRun(`${NOW}-8`, [header(8), queued("a"), state("a", "downloading")]);
  const { task, account, running, ahead } = await taskCase(folder.path, "a", NOW);
  assertEquals([task.state, account, running, ahead], ["paused", null, 0, 0]);
  await assertRejects(() => taskCase(folder.path, "b", NOW), NotFoundError);
});
