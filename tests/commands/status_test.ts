import { assertEquals, assertMatch } from "@std/assert";
import type { TaskStatus } from "../../core/mod.ts";
import { renderStatus, summaryOf } from "../../commands/ui/status.ts";
import { renderTask } from "../../commands/ui/task_detail.ts";
import { NOON } from "./fake_environment.ts";
import { taskOf } from "./watch_support.ts";

const MIB = 2 ** 20;
const paused = { state: "paused", size: 9 * MIB, downloaded: MIB, rate: 0 } as const;

Deno.test("summaryOf() has no ETA when everything is paused", () => {
  const tasks = [taskOf(paused)];
  assertEquals(summaryOf({ tasks, moreWaiting: 0 }, 80), "0 active, 1 paused  0 B/s");
});

const verified: readonly [Partial<TaskStatus>, said: string][] = [
  [{ ...paused, verified: true }, "every piece so far"],
  [{ ...paused, verified: false }, "no: its seeds offer no digests"],
  [{ state: "finding", size: null, verified: false }, "-"],
  [{ state: "done", verified: true }, "yes"],
];
for (const [changes, said] of verified) {
  Deno.test(`renderTask() of a task that is ${changes.state} says "verified: ${said}"`, () => {
    const lines = renderTask(taskOf(changes), NOON, 80);
    assertEquals(lines.filter((line) => line.startsWith("verified:")), [`verified: ${said}`]);
  });
}

const long = "data/part-000000001-of-a-rather-long-name.bin";
const tables: readonly [width: number, want: readonly string[]][] = [
  [39, [
    "STATE          %  NAME",
    "downloading  62%  data/part-…g-name.bin",
    "waiting        -  b.bin",
  ]],
  [79, [
    "TASK  STATE          %         SIZE      RATE   ETA  NAME",
    "t1    downloading  62%  3.1/5.0 GiB  88 MiB/s  0:21  data/part-000…ong-name.bin",
    "t2    waiting        -        0 B/?         -     -  b.bin",
  ]],
  [Infinity, [
    "TASK  STATE          %         SIZE      RATE   ETA  SEEDS  NAME",
    `t1    downloading  62%  3.1/5.0 GiB  88 MiB/s  0:21      2  ${long}`,
    "t2    waiting        -        0 B/?         -     -      -  b.bin",
  ]],
];
for (const [width, want] of tables) {
  Deno.test(`renderStatus() drops what does not fit on ${width} columns`, () => {
    const waiting = { state: "waiting", size: null, downloaded: 0, percent: null } as const;
    const tasks = [
      taskOf({ name: long }),
      taskOf({ ...waiting, task: "t2", name: "b.bin", rate: 0, etaMs: null, seeds: [] }),
    ];
    assertEquals(renderStatus({ tasks, moreWaiting: 0 }, width), want);
  });
}

Deno.test("renderStatus() drops empty columns first", () => {
  const over = {
    state: "done",
    downloaded: 5 * 2 ** 30,
    percent: 100,
    rate: 0,
    etaMs: null,
  } as const;
  const tasks = [taskOf({ ...over, task: "0123456789", name: long })];
  assertEquals(renderStatus({ tasks, moreWaiting: 0 }, 79), [
    "TASK        STATE     %         SIZE  UPDATED           NAME",
    "0123456789  done   100%  5.0/5.0 GiB  2026-11-22 12:00  data/part-0…ng-name.bin",
  ]);
});

Deno.test("status distinguishes paused from stopped tasks", () => {
  const look = (pausedBy: "user" | "interrupt") => {
    const task = taskOf({ ...paused, pid: null, pausedBy });
    const table = renderStatus({ tasks: [task], moreWaiting: 0 }, 200).join("\n");
    return [table, renderTask(task, NOON, 200).find((line) => line.startsWith("state:"))!];
  };
  const [user, interrupt] = [look("user"), look("interrupt")];
  assertMatch(user[0]!, / paused /);
  assertMatch(user[1]!, /^state: +paused by you; run p2p resume t1 /);
  assertMatch(interrupt[0]!, / stopped /);
  assertMatch(interrupt[1]!, /^state: +stopped; run the same p2p get again to resume$/);
});

Deno.test("status shows time and error of finished tasks if they fit", () => {
  const failed = taskOf({ state: "failed", error: "no seed has it", updatedAt: NOON });
  const tableOf = (width: number) => renderStatus({ tasks: [failed], moreWaiting: 0 }, width);
  assertMatch(tableOf(200)[0]!, / UPDATED +NAME +ERROR$/);
  assertMatch(tableOf(200)[1]!, / \d{4}-\d\d-\d\d \d\d:\d\d +t1\.bin +no seed has it$/);
  assertEquals(tableOf(60)[0]!.includes("ERROR"), false);
  const running = renderStatus({ tasks: [taskOf()], moreWaiting: 0 }, 200);
  assertEquals(running[0]!.includes("UPDATED"), false);
});
