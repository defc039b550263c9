import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { asides, findTask, overview, tasks } from "../../core/tasks/overview.ts";
import {
  done,
  eventOf,
  failed,
  header,
  NOW,
  queued,
  state,
  StateFolder,
} from "../state/support.ts";

/** Three that a process left behind: one with its part file, one without, and one that is over. */
function leftBehind(): StateFolder {
  const folder = new StateFolder();
  const target = join(folder.path, "kept.bin");
  Deno.writeTextFileSync(`${target}.p2p-part`, "");
  folder.writeRun(`${NOW}-9`, [
    header(9),
    eventOf("kept", { kind: "queued", name: "kept.bin", target }),
    state("kept", "downloading"),
    queued("gone"),
    state("gone", "downloading"),
    queued("over"),
    failed("over"),
  ]);
  return folder;
}

Deno.test("tasks() leaves out what nobody works on and nothing is left of", async () => {
  using folder = leftBehind();
  const named = async (all: boolean) =>
    (await tasks(folder.path, NOW, { all })).map(({ task, state }) => `${task} ${state}`);
  assertEquals(await named(false), ["kept paused"]);
  assertEquals(await named(true), ["kept paused", "gone paused", "over failed"]);
});

Deno.test("asides() finds what was set aside in the folders of all tasks", async () => {
  using folder = leftBehind();
  const path = join(folder.path, "kept.bin~01234567.p2p-part");
  Deno.writeTextFileSync(path, "");
  assertEquals((await asides(folder.path, NOW)).map(({ path }) => path), [path]);
});

Deno.test("overview() shows what is over only when all is asked for, and never what is nothing any more", async () => {
  using folder = leftBehind();
  const named = async (all: boolean) =>
    (await overview(folder.path, NOW, 3, { all })).tasks.map(({ task }) => task);
  assertEquals(await named(false), ["kept"]);
  assertEquals(await named(true), ["kept", "over"]);
});

Deno.test("findTask() takes a name for the task that can go on, not for a newer one that is over or one of which nothing is left", async () => {
  using folder = leftBehind();
  const again = (task: string, end: (task: string) => ReturnType<typeof done>) => [
    eventOf(task, { kind: "queued", name: "kept.bin", target: `/elsewhere/${task}/kept.bin` }),
    end(task),
  ];
  folder.writeRun(`${NOW + 1}-9`, [
    header(9),
    ...again("newer", (task) => done(task, 1)),
    // Its process was killed before it had a part file.
    ...again("lost", (task) => state(task, "finding")),
  ]);
  assertEquals((await findTask(folder.path, "kept.bin", NOW)).task, "kept");
  Deno.removeSync(join(folder.path, "kept.bin.p2p-part"));
  assertEquals((await findTask(folder.path, "kept.bin", NOW)).task, "lost");
});
