import { assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { removeOldLogs } from "../../core/state/log_retention.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { NOW, StateFolder } from "./support.ts";

const MIB = 1024 * 1024;
const DAY_MS = 24 * 3600 * 1000;
const calm = new AbortController().signal;

/** A sparse file has a size and takes no space on the disk. */
function writeLog(folder: StateFolder, name: string, bytes: number, ageMs: number): void {
  const path = join(folder.path, "logs", name);
  Deno.writeTextFileSync(path, "");
  Deno.truncateSync(path, bytes);
  Deno.utimeSync(path, (NOW - ageMs) / 1000, (NOW - ageMs) / 1000);
}

function logsOf(folder: StateFolder): string[] {
  const names = Array.from(Deno.readDirSync(join(folder.path, "logs")), ({ name }) => name);
  return names.filter((name) => name !== ".swept").sort();
}

/** Advances the clock as long as the sweep yields. */
async function sweep(folder: StateFolder, nowMs = NOW, running: string[] = []): Promise<void> {
  const clock = new ManualClock(nowMs);
  let over = false;
  const sweeping = removeOldLogs(folder.path, new Set(running), clock, calm)
    .finally(() => over = true);
  while (!over) await clock.advance(0);
  await sweeping;
}

Deno.test("removeOldLogs() removes logs that are older than 30 days", async () => {
  using folder = new StateFolder();
  writeLog(folder, "old.jsonl", 10, 31 * DAY_MS);
  writeLog(folder, "old.jsonl.1", 10, 40 * DAY_MS);
  writeLog(folder, "young.jsonl", 10, 29 * DAY_MS);
  await sweep(folder);
  assertEquals(logsOf(folder), ["young.jsonl"]);
});

Deno.test("removeOldLogs() removes the oldest beyond 200 MiB", async () => {
  using folder = new StateFolder();
  for (const day of [1, 2, 3, 4]) writeLog(folder, `${day}.jsonl`, 60 * MIB, day * DAY_MS);
  writeLog(folder, "small.jsonl", 10, 3.5 * DAY_MS);
  await sweep(folder);
  assertEquals(logsOf(folder), ["1.jsonl", "2.jsonl", "3.jsonl", "small.jsonl"]);
});

Deno.test("removeOldLogs() keeps the logs of running tasks, and other files", async () => {
  using folder = new StateFolder();
  writeLog(folder, "a.jsonl", 300 * MIB, 90 * DAY_MS);
  writeLog(folder, "a.jsonl.1", 10, 90 * DAY_MS);
  writeLog(folder, "b.jsonl", 10, 90 * DAY_MS);
  writeLog(folder, "notes.txt", 10, 90 * DAY_MS);
  Deno.mkdirSync(join(folder.path, "logs", "c.jsonl"));
  await sweep(folder, NOW, ["a"]);
  assertEquals(logsOf(folder), ["a.jsonl", "a.jsonl.1", "c.jsonl", "notes.txt"]);
});

Deno.test("removeOldLogs() sweeps at most once an hour", async () => {
  using folder = new StateFolder();
  await sweep(folder);
  writeLog(folder, "old.jsonl", 10, 31 * DAY_MS);
  await sweep(folder, NOW + 3_599_000);
  assertEquals(logsOf(folder), ["old.jsonl"]);
  await sweep(folder, NOW + 3_601_000);
  assertEquals(logsOf(folder), []);
});

Deno.test("removeOldLogs() sweeps at once when the last sweep is in the future", async () => {
  using folder = new StateFolder();
  await sweep(folder, NOW + 9 * DAY_MS);
  writeLog(folder, "old.jsonl", 10, 31 * DAY_MS);
  await sweep(folder);
  assertEquals(logsOf(folder), []);
});

Deno.test("removeOldLogs() yields between steps, and stops when the signal aborts", async () => {
  using folder = new StateFolder();
  for (let n = 0; n < 700; n++) writeLog(folder, `${n}.jsonl`, 1, 31 * DAY_MS);
  const stop = new AbortController();
  const clock = new ManualClock(NOW);
  const sweeping = removeOldLogs(folder.path, new Set(), clock, stop.signal);
  const rejected = assertRejects(() => sweeping, Error, "enough");
  while (clock.pending === 0) await new Promise((resolve) => setTimeout(resolve, 0));
  stop.abort(new Error("enough"));
  await rejected;
  assertEquals(logsOf(folder).length, 201);
  await sweep(folder);
  assertEquals(logsOf(folder), []);
});

Deno.test("removeOldLogs() does nothing when there is no folder", async () => {
  using folder = new StateFolder();
  Deno.removeSync(join(folder.path, "logs"), { recursive: true });
  await sweep(folder);
});
