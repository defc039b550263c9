import { assertEquals } from "@std/assert";
import { TaskProgress } from "../../core/progress/task_progress.ts";
import type { SeedChange, TaskEventData } from "../../core/events.ts";
import { done, eventOf, failed, found, NOW, state } from "../state/support.ts";

const received = (seed: string, bytes: number): TaskEventData => ({
  kind: "received",
  seed,
  bytes,
});
const heard = (seed: string, what: SeedChange): TaskEventData => ({
  kind: "seed",
  seed,
  what,
  reason: `${seed} is ${what}`,
});
const stored = (bytes: number): TaskEventData => ({
  kind: "stored",
  seed: "one:1",
  piece: 0,
  bytes,
  hashMs: 0,
  diskMs: 0,
});

function followed(...news: (TaskEventData | ReturnType<typeof eventOf>)[]): TaskProgress {
  const task = new TaskProgress(NOW);
  for (const one of news) task.take(eventOf("a", one), NOW);
  return task;
}

const begun = [state("a", "finding"), found("a", 1000), state("a", "downloading")];

Deno.test("FollowedTask.nowAt() tells a rate that is the sum of what its seeds send", () => {
  const task = followed(...begun, received("one:1", 600), received("two:2", 300), stored(700));
  assertEquals(task.nowAt(NOW + 1000), { downloaded: 700, rate: 900, seeds: ["one:1", "two:2"] });
  const rates = task.detailAt(NOW + 1000)!.seeds.map(({ rate }) => rate);
  assertEquals(rates, [600, 300]);
});

Deno.test("FollowedTask.nowAt() names seeds that hold the content: who joins, and not who is dropped", () => {
  const task = followed(
    ...begun,
    heard("one:1", "dropped"),
    heard("two:2", "failing"),
    heard("three:3", "joined"),
    heard("four:4", "lacks"),
  );
  assertEquals(task.nowAt(NOW)?.seeds, ["two:2", "three:3"]);
});

Deno.test("FollowedTask takes nobody back who was dropped when late bytes come from it", () => {
  const task = followed(...begun, heard("one:1", "dropped"), received("one:1", 5));
  assertEquals(task.detailAt(NOW)?.seeds[0]?.standing, "dropped");
  assertEquals(task.accountAt(NOW, NOW)?.seeds[0]?.standing, "dropped");
});

Deno.test("FollowedTask forgets what was amiss when a new attempt asks anew, and not what was received", () => {
  const task = followed(
    ...begun,
    received("one:1", 5),
    heard("one:1", "failing"),
    state("a", "paused"),
    state("a", "finding"),
  );
  const [seed] = task.detailAt(NOW)!.seeds;
  assertEquals([seed?.standing, seed?.reason, seed?.bytes, seed?.failures], ["joined", null, 5, 1]);
});

Deno.test("FollowedTask.detailAt() shows the inside only while somebody works on the task", () => {
  assertEquals(followed().detailAt(NOW), undefined);
  for (const end of [state("a", "paused"), failed("a"), done("a", 9)]) {
    assertEquals(followed(...begun, end).detailAt(NOW), undefined);
  }
});

Deno.test("FollowedTask.closeAccount() gives the account of a task that is over, once", () => {
  const task = followed(...begun);
  assertEquals(task.closeAccount(NOW, NOW), undefined);
  task.take(done("a", 1000), NOW);
  assertEquals(task.closeAccount(NOW, NOW)?.now, null);
  assertEquals([task.closeAccount(NOW, NOW), task.isGone], [undefined, true]);
});

Deno.test("FollowedTask keeps how far a failed task came", () => {
  const task = followed(...begun, stored(400), failed("a"));
  task.closeAccount(NOW, NOW);
  assertEquals([task.nowAt(NOW)?.downloaded, task.isGone], [400, false]);
});
