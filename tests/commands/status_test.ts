import { assertEquals } from "@std/assert";
import type { TaskStatus } from "../../core/mod.ts";
import { renderTask, summaryOf } from "../../commands/present/status.ts";
import { NOON } from "./stand_in.ts";
import { taskOf } from "./watch_support.ts";

const MIB = 2 ** 20;
const paused = { state: "paused", size: 9 * MIB, downloaded: MIB, rate: 0 } as const;

Deno.test("summaryOf() gives no time of arrival when all is paused", () => {
  const tasks = [taskOf(paused)];
  assertEquals(summaryOf({ tasks, moreWaiting: 0 }, 80), "0 active, 1 paused  0 B/s");
});

const verified: readonly [Partial<TaskStatus>, said: string][] = [
  [{ ...paused, verified: true }, "each piece that is there"],
  [{ ...paused, verified: false }, "no: its seeds offer no digests"],
  [{ state: "finding", size: null, verified: false }, "-"],
  [{ state: "done", verified: true }, "yes"],
];
for (const [changes, said] of verified) {
  Deno.test(`renderTask() of a task that is ${changes.state} says "verified: ${said}"`, () => {
    const lines = renderTask(taskOf(changes), NOON);
    assertEquals(lines.filter((line) => line.startsWith("verified:")), [`verified: ${said}`]);
  });
}
