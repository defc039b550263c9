/**
 * What the user wants of tasks, said from any terminal: a small file for each
 * task, which the process that runs it looks at several times a second. A wish
 * outlives processes: a task that was paused while nothing ran is paused in the
 * next run as well.
 */
import { join } from "@std/path";
import type { Clock } from "../base/clock.ts";
import { filesIn, PRIVATE_FOLDER } from "./folders.ts";
import { isTaskId } from "./record_shape.ts";

export type ControlRequest = "pause" | "cancel" | "cancel-and-delete";

export interface ControlRequests {
  /** By task. */
  readonly tasks: ReadonlyMap<string, ControlRequest>;
  /** Downloads at a time, and when that was said. */
  readonly max: { readonly value: number; readonly at: number } | undefined;
}

const CONTROL_REQUESTS: readonly ControlRequest[] = ["pause", "cancel", "cancel-and-delete"];
const MAX_FILE = "max";
/** A person does not notice it, and a machine does not either. */
const POLL_INTERVAL_MS = 200;

function controlFolder(stateDir: string): string {
  return join(stateDir, "wishes");
}

/** Asking twice is no error. */
export async function writeControlRequest(
  stateDir: string,
  task: string,
  wish: ControlRequest,
): Promise<void> {
  await writeWish(stateDir, task, wish);
}

/** Takes a wish back, if there is one. */
export async function removeControlRequest(stateDir: string, task: string): Promise<void> {
  await Deno.remove(join(controlFolder(stateDir), task)).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}

export async function writeMax(stateDir: string, value: number, nowMs: number): Promise<void> {
  await writeWish(stateDir, MAX_FILE, JSON.stringify({ value, at: nowMs }));
}

/** Renamed into place, so that nobody reads half of it. */
async function writeWish(stateDir: string, name: string, text: string): Promise<void> {
  const folder = controlFolder(stateDir);
  await Deno.mkdir(folder, { recursive: true, mode: PRIVATE_FOLDER });
  const draft = await Deno.makeTempFile({ dir: folder, prefix: "." });
  try {
    await Deno.writeTextFile(draft, text);
    await Deno.rename(draft, join(folder, name));
  } catch (error) {
    await Deno.remove(draft).catch(() => {});
    throw error;
  }
}

export async function readControlRequests(stateDir: string): Promise<ControlRequests> {
  const folder = controlFolder(stateDir);
  const tasks = new Map<string, ControlRequest>();
  let max: ControlRequests["max"];
  try {
    for await (const { name, isFile } of Deno.readDir(folder)) {
      if (!isFile || name.startsWith(".")) continue;
      const text = await Deno.readTextFile(join(folder, name)).catch(() => "");
      if (name === MAX_FILE) max = parseMax(text);
      const known = CONTROL_REQUESTS.find((one) => one === text);
      if (known && isTaskId(name)) tasks.set(name, known);
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return { tasks, max };
}

/** A file may belong to an order that is being given at this moment; not an older one. */
const FRESH_MS = 60_000;

/** Removes the wishes of tasks that are not among `unfinished`, and the drafts of processes that were killed. */
export async function removeOldControlRequests(
  stateDir: string,
  unfinished: ReadonlySet<string>,
  nowMs: number,
): Promise<void> {
  const folder = controlFolder(stateDir);
  for await (const { name } of filesIn(folder)) {
    if (name === MAX_FILE || unfinished.has(name)) continue;
    const path = join(folder, name);
    const stat = await Deno.lstat(path).catch(() => undefined);
    if (!stat?.isFile || Math.abs(nowMs - (stat.mtime?.getTime() ?? 0)) < FRESH_MS) continue;
    await Deno.remove(path).catch(() => {});
  }
}

function parseMax(text: string): ControlRequests["max"] {
  try {
    const { value, at } = JSON.parse(text);
    if (Number.isSafeInteger(value) && value >= 1 && typeof at === "number") return { value, at };
  } catch {
    // No wish that anybody could understand.
  }
  return undefined;
}

/** Looks at the wishes until `signal` aborts, and tells them each time. A folder that cannot be read tells nothing. */
export async function watchControlRequests(
  stateDir: string,
  tell: (wishes: ControlRequests) => void,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await readControlRequests(stateDir).then(tell, () => {});
    await clock.sleep(POLL_INTERVAL_MS, signal).catch(() => {});
  }
}
