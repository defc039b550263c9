/** What is said of a release that was made. */

import type { Target } from "./targets.ts";

const MIB = 1024 * 1024;

/** Of the file at `path`, for people. */
export function sizeOf(path: string): string {
  return `${(Deno.statSync(path).size / MIB).toFixed(1)} MiB`;
}

/** One line for each platform that is missing, with the reason, and what to do about it. */
export function missingLines(missing: ReadonlyMap<Target, string>): string[] {
  if (missing.size === 0) return [];
  return [
    ...Array.from(missing, ([{ name }, reason]) => `no ${name}: ${reason}`),
    "To get what is missing, run this where dl.deno.land can be reached, or push the tag: " +
    ".github/workflows/release.yml makes all of them",
  ];
}
