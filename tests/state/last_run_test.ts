import { assertEquals } from "@std/assert";
import { readLastRun } from "../../core/state/read_tasks.ts";
import { RunRecord } from "../../core/state/run_record.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { done, eventOf, found, header, NOW, queued, state, StateFolder } from "./support.ts";

const LIMITS = { max: 3, limit: 1000, taskLimit: null };

async function record(folder: StateFolder, clock: ManualClock): Promise<RunRecord> {
  return await RunRecord.open(folder.path, 9, clock, { limits: LIMITS });
}

Deno.test("readLastRun() extends the time report to now while the process lives", async () => {
  using folder = new StateFolder();
  const clock = new ManualClock(NOW);
  await using run = await record(folder, clock);
  run.add(queued("a"));
  run.add(state("a", "finding"));
  run.add(eventOf("a", { kind: "seed", seed: "x", what: "failing", reason: "away" }));
  await clock.advance(500);
  const { account, limits, queuedAt } = (await readLastRun(folder.path, "a", NOW + 9000))!;
  assertEquals([account!.now, account!.spent], ["unreachable", { unreachable: 9000 }]);
  assertEquals([limits, queuedAt], [LIMITS, NOW]);
});

Deno.test("readLastRun() sets the rate to 0 when the report is old", async () => {
  using folder = new StateFolder();
  const clock = new ManualClock(NOW);
  await using run = await record(folder, clock);
  for (const event of [queued("a"), found("a", 9), state("a", "downloading")]) run.add(event);
  run.add(eventOf("a", { kind: "received", seed: "one:1", bytes: 900 }));
  await clock.advance(500);
  const rateAt = async (ms: number) =>
    (await readLastRun(folder.path, "a", NOW + ms))!.account!.seeds[0]!.rate;
  assertEquals([await rateAt(500) > 0, await rateAt(3000)], [true, 0]);
});

Deno.test("readLastRun() includes time spent on the user's limit", async () => {
  using folder = new StateFolder();
  const clock = new ManualClock(NOW);
  await using run = await record(folder, clock);
  for (const event of [queued("a"), found("a", 9), state("a", "downloading")]) run.add(event);
  run.setLimited("a", true);
  run.setLimited("stranger", true);
  await clock.advance(500);
  const { account } = (await readLastRun(folder.path, "a", NOW + 500))!;
  assertEquals([account!.now, account!.spent], ["limit", { limit: 500 }]);
});

Deno.test("readLastRun() returns the final report of a task whose run has ended", async () => {
  using folder = new StateFolder();
  const clock = new ManualClock(NOW);
  {
    await using run = await record(folder, clock);
    run.add(queued("a"));
    run.add(state("a", "finding"));
    await clock.advance(7);
    run.add({ ...found("a", 9), time: NOW + 7 });
    await clock.advance(5);
    run.add({ ...done("a", 9), time: NOW + 12 });
  }
  const { account } = (await readLastRun(folder.path, "a", NOW + 99_000))!;
  assertEquals([account!.now, account!.spent], [null, { asking: 7, checking: 5 }]);
});

Deno.test("readLastRun() returns the last report of a process that was killed", async () => {
  using folder = new StateFolder();
  const base = folder.writeRun(`${NOW}-9`, [header(9), queued("a"), state("a", "finding")]);
  const account = { spent: { asking: 5 }, now: "asking", at: NOW, hashMs: 0, diskMs: 0, seeds: [] };
  Deno.writeTextFileSync(
    `${base}.now`,
    JSON.stringify({ time: NOW, tasks: {}, accounts: { a: account } }),
  );
  assertEquals((await readLastRun(folder.path, "a", NOW + 9000))!.account!.spent, { asking: 5 });
});

Deno.test("readLastRun() returns the last of several runs, or undefined", async () => {
  using folder = new StateFolder();
  folder.writeRun(`${NOW}-9`, [header(9), { ...queued("a"), time: 1 }, done("a", 1)]);
  const again = { time: 2, queued: { base: "/out/", tasks: [["a", "a.txt"]] } };
  folder.writeRun(`${NOW + 5}-9`, [header(9), again]);
  const run = (await readLastRun(folder.path, "a", NOW))!;
  assertEquals([run.account, run.limits, run.queuedAt], [null, null, 2]);
  assertEquals(await readLastRun(folder.path, "b", NOW), undefined);
});

const odd = [
  { name: "no object", account: 5 },
  { name: "of an unknown span", account: { now: "dancing" } },
  { name: "with a time that is no number", account: { spent: { bytes: "x" } } },
  { name: "with seeds that are no list", account: { seeds: 5 } },
  { name: "with a seed that is none", account: { seeds: [{ seed: 5 }] } },
];
for (const { name, account } of odd) {
  Deno.test(`readLastRun() ignores a report that is ${name}`, async () => {
    using folder = new StateFolder();
    const sound = { spent: {}, now: null, at: 1, hashMs: 0, diskMs: 0, seeds: [] };
    const made = typeof account === "object" ? { ...sound, ...account } : account;
    folder.writeRun(`${NOW}-9`, [header(9), { ...done("a", 1), account: made }]);
    assertEquals((await readLastRun(folder.path, "a", NOW))!.account, null);
    folder.writeRun(`${NOW + 1}-9`, [header(9), { ...done("b", 1), account: sound }]);
    assertEquals((await readLastRun(folder.path, "b", NOW))!.account !== null, true);
  });
}
