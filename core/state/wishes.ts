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

export type Wish = "pause" | "cancel" | "cancel-and-delete";

export interface Wishes {
  /** By task. */
  readonly tasks: ReadonlyMap<string, Wish>;
  /** Downloads at a time, and when that was said. */
  readonly max: { readonly value: number; readonly at: number } | undefined;
}

const WISHES: readonly Wish[] = ["pause", "cancel", "cancel-and-delete"];
const MAX = "max";
/** A person does not notice it, and a machine does not either. */
const LOOK_MS = 200;

function wishesFolder(stateDir: string): string {
  return join(stateDir, "wishes");
}

/** Asking twice is no error. */
export async function wish(stateDir: string, task: string, wish: Wish): Promise<void> {
  await writeWish(stateDir, task, wish);
}

/** Takes a wish back, if there is one. */
export async function unwish(stateDir: string, task: string): Promise<void> {
  await Deno.remove(join(wishesFolder(stateDir), task)).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}

export async function wishMax(stateDir: string, value: number, nowMs: number): Promise<void> {
  await writeWish(stateDir, MAX, JSON.stringify({ value, at: nowMs }));
}

/** Renamed into place, so that nobody reads half of it. */
async function writeWish(stateDir: string, name: string, text: string): Promise<void> {
  const folder = wishesFolder(stateDir);
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

export async function readWishes(stateDir: string): Promise<Wishes> {
  const folder = wishesFolder(stateDir);
  const tasks = new Map<string, Wish>();
  let max: Wishes["max"];
  try {
    for await (const { name, isFile } of Deno.readDir(folder)) {
      if (!isFile || name.startsWith(".")) continue;
      const text = await Deno.readTextFile(join(folder, name)).catch(() => "");
      if (name === MAX) max = parseMax(text);
      const known = WISHES.find((one) => one === text);
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
export async function forgetOldWishes(
  stateDir: string,
  unfinished: ReadonlySet<string>,
  nowMs: number,
): Promise<void> {
  const folder = wishesFolder(stateDir);
  for await (const { name } of filesIn(folder)) {
    if (name === MAX || unfinished.has(name)) continue;
    const path = join(folder, name);
    const stat = await Deno.lstat(path).catch(() => undefined);
    if (!stat?.isFile || Math.abs(nowMs - (stat.mtime?.getTime() ?? 0)) < FRESH_MS) continue;
    await Deno.remove(path).catch(() => {});
  }
}

function parseMax(text: string): Wishes["max"] {
  try {
    const { value, at } = JSON.parse(text);
    if (Number.isSafeInteger(value) && value >= 1 && typeof at === "number") return { value, at };
  } catch {
    // No wish that anybody could understand.
  }
  return undefined;
}

/** Looks at the wishes until `signal` aborts, and tells them each time. A folder that cannot be read tells nothing. */
export async function watchWishes(
  stateDir: string,
  tell: (wishes: Wishes) => void,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await readWishes(stateDir).then(tell, () => {});
    await clock.sleep(LOOK_MS, signal).catch(() => {});
  }
}
