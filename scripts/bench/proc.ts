/** What Linux tells in `/proc`, from its text. */

/** Linux counts CPU time for programs in hundredths of a second, whatever it counts in by itself. */
const TICK_MS = 10;

export interface ProcessStat {
  readonly parent: number;
  /** User and system time, of threads that have ended as well. */
  readonly cpuMs: number;
}

/** From `/proc/<pid>/stat`. The name in it is free: it may hold spaces and parentheses. */
export function parseStat(text: string): ProcessStat {
  // From behind the name on: the state, the parent, …; the 12th and 13th are the times.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const cpuTicks = Number(fields[11]) + Number(fields[12]);
  return { parent: Number(fields[1]), cpuMs: cpuTicks * TICK_MS };
}

/** The most memory that was resident, in KiB, from `/proc/<pid>/status`; 0 for one that has none any more. */
export function parseHighWater(status: string): number {
  return Number(status.match(/^VmHWM:\s*(\d+) kB$/m)?.[1] ?? 0);
}

/** From `/proc/cpuinfo`. */
export function parseCpuModel(cpuinfo: string): string | undefined {
  return cpuinfo.match(/^model name\s*: (.+)$/m)?.[1];
}

/** Bytes, from `/proc/meminfo`. */
export function parseMemory(meminfo: string): { total: number; available: number } {
  const bytesOf = (name: string) =>
    Number(meminfo.match(new RegExp(`^${name}:\\s*(\\d+) kB$`, "m"))?.[1] ?? 0) * 1024;
  return { total: bytesOf("MemTotal"), available: bytesOf("MemAvailable") };
}

/** The kind of file system that `path` lies on, from `/proc/mounts`. */
export function parseFilesystem(mounts: string, path: string): string | undefined {
  let best: { readonly point: string; readonly kind: string } | undefined;
  for (const line of mounts.split("\n")) {
    const [, written = "", kind = ""] = line.split(" ");
    // Spaces and the like are written as three octal digits.
    const point = written.replace(
      /\\(\d{3})/g,
      (_, code) => String.fromCharCode(parseInt(code, 8)),
    );
    const below = point === "/" || path === point || path.startsWith(`${point}/`);
    // Of two mounts at one point, the later one hides the first.
    if (point !== "" && below && point.length >= (best?.point.length ?? 0)) best = { point, kind };
  }
  return best?.kind;
}
