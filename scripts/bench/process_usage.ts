/**
 * What processes that are still running have cost: from `/proc`, so on Linux only; elsewhere
 * all of it is 0.
 */
import { parseHighWater, parseStat } from "./proc.ts";

/** Often enough for runs of some tenths of a second; a look costs some 50 µs, 0.2 % of one core. */
const LOOK_EVERY_MS = 20;

/** The most that `pid` ever held; after `forgetHighWater`, since then. */
export function highWaterKiB(pid: number): number {
  return parseHighWater(read(pid, "status"));
}

export function forgetHighWater(pid: number): void {
  try {
    Deno.writeTextFileSync(`/proc/${pid}/clear_refs`, "5");
  } catch {
    // Not offered everywhere: then the most since the process began is what is told.
  }
}

export function cpuMsOf(pid: number): number {
  const text = read(pid, "stat");
  return text === "" ? 0 : parseStat(text).cpuMs;
}

/** `pid` itself, and every process below it. */
export function familyOf(pid: number): number[] {
  const parents = new Map<number, number>();
  for (const { name } of Deno.build.os === "linux" ? Deno.readDirSync("/proc") : []) {
    const text = /^\d+$/.test(name) ? read(Number(name), "stat") : "";
    if (text !== "") parents.set(Number(name), parseStat(text).parent);
  }
  const family = [pid];
  for (const member of family) {
    for (const [child, parent] of parents) if (parent === member) family.push(child);
  }
  return family;
}

/** Looks at `pid` until `ended`: the kernel keeps the most of it, but only until the process ends. */
export async function watchHighWater(pid: number, ended: Promise<unknown>): Promise<number> {
  const over = ended.then(() => true, () => true);
  let most = 0;
  let timer: number | undefined;
  const pause = () =>
    new Promise<false>((resolve) => timer = setTimeout(() => resolve(false), LOOK_EVERY_MS));
  do {
    most = Math.max(most, highWaterKiB(pid));
  } while (!await Promise.race([over, pause()]));
  clearTimeout(timer);
  return most;
}

function read(pid: number, what: "stat" | "status"): string {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/${what}`);
  } catch {
    return "";
  }
}
