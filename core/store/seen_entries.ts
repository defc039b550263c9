/** What was in folders when they were first looked at: for many files cheaper than a look at each. */
import { basename, dirname } from "@std/path";
import { isFree } from "./conflict.ts";
import { partPath } from "./paths.ts";

/** Of a larger folder, each file is looked at: its names would take tens of MB. */
const MAX_ENTRIES = 100_000;

export class SeenEntries {
  readonly #folders = new Map<string, ReadonlySet<string> | undefined>();

  /**
   * Whether nothing was at `target`, and no part file for it. Only a hint, because others may have
   * written there since.
   */
  lacks(target: string): boolean {
    const part = partPath(target);
    const entries = this.#entriesOf(dirname(target));
    if (entries === undefined) return isFree(target) && isFree(part);
    return !entries.has(basename(target)) && !entries.has(basename(part));
  }

  #entriesOf(folder: string): ReadonlySet<string> | undefined {
    if (!this.#folders.has(folder)) this.#folders.set(folder, entriesOf(folder));
    return this.#folders.get(folder);
  }
}

/** undefined for a folder with very many entries, or one that cannot be read. */
function entriesOf(folder: string): ReadonlySet<string> | undefined {
  const entries = new Set<string>();
  try {
    for (const { name } of Deno.readDirSync(folder)) {
      if (entries.size === MAX_ENTRIES) return undefined;
      entries.add(name);
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) return undefined;
  }
  return entries;
}
