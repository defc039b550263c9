import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { readTasks } from "../../core/state/read_tasks.ts";
import { RunRecord } from "../../core/state/run_record.ts";
import { controlTask, runningMax, setMax } from "../../core/tasks/control_tasks.ts";
import { ManualClock } from "../fakes/manual_clock.ts";
import { eventOf, header, NOW, queued, state, StateFolder } from "../state/support.ts";

Deno.test("control() removes the partial file of a task that nobody runs only when it is told to", async () => {
  for (const order of ["cancel", "cancel-and-delete"] as const) {
    using folder = new StateFolder();
    const target = join(folder.path, "a.bin");
    Deno.writeTextFileSync(`${target}.p2p-part`, "");
    Deno.writeTextFileSync(`${target}~01234567.p2p-part`, "");
    folder.writeRun(`${NOW}-8`, [
      header(8),
      eventOf("a", { kind: "queued", name: "a.bin", target }),
      state("a", "downloading"),
    ]);
    const [task] = await readTasks(folder.path, NOW);
    const obedience = await controlTask(folder.path, task!, order, 9, new ManualClock(NOW));
    const left = Array.from(Deno.readDirSync(folder.path), ({ name }) => name);
    assertEquals(
      [obedience, left.some((name) => name.endsWith(".p2p-part"))],
      ["done", order === "cancel"],
    );
  }
});

Deno.test("setMax() counts the processes at work, however many downloads each has", async () => {
  using folder = new StateFolder();
  folder.writeRun(`${NOW}-8`, [header(8), queued("gone"), state("gone", "downloading")]);
  const clock = new ManualClock(NOW);
  await using one = await RunRecord.open(folder.path, 77, clock);
  for (const task of ["a", "b"]) one.add(queued(task));
  for (const task of ["a", "b"]) one.add(state(task, "downloading"));
  assertEquals(await setMax(folder.path, 5, NOW), 1);
});

Deno.test("runningMax() gives each running process's own number, or what was said since it began", async () => {
  using folder = new StateFolder();
  folder.writeRun(`${NOW}-8`, [header(8), queued("gone")]);
  const limits = { max: 3, limit: null, taskLimit: null };
  await using _run = await RunRecord.open(folder.path, 77, new ManualClock(NOW), { limits });
  assertEquals(await runningMax(folder.path), [{ pid: 77, max: 3 }]);
  await setMax(folder.path, 5, NOW + 10);
  assertEquals(await runningMax(folder.path), [{ pid: 77, max: 5 }]);
});
