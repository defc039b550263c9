/** A file to name in the line for the other side: a real one says more than `<name>`. */
import { faultOfName, printable } from "../core/mod.ts";
import { join } from "@std/path";

/** Enough to find a file in any usual folder, without walking a whole disk. */
const DEEPEST = 3;

/** The first file below `dir` that can be written as it is, or undefined. */
export async function exampleName(
  dir: string,
  hidden: boolean,
  depth = 0,
): Promise<string | undefined> {
  const entries = await usableEntries(dir, hidden);
  const file = entries.find(({ isFile }) => isFile);
  if (file !== undefined) return file.name;
  if (depth === DEEPEST) return undefined;
  for (const { name, isDirectory } of entries) {
    const below = isDirectory &&
      await exampleName(join(dir, name), hidden, depth + 1);
    if (below) return `${name}/${below}`;
  }
  return undefined;
}

async function usableEntries(
  dir: string,
  hidden: boolean,
): Promise<Deno.DirEntry[]> {
  try {
    const entries = await Array.fromAsync(Deno.readDir(dir));
    return entries
      .filter(({ name }) => isUsable(name) && (hidden || name[0] !== "."))
      .toSorted((a, b) => a.name < b.name ? -1 : 1);
  } catch {
    // A folder that cannot be read is told by the seed itself.
    return [];
  }
}

/** Nothing that a terminal, a shell's flags or our globs would take for something else. */
function isUsable(name: string): boolean {
  return faultOfName(name) === undefined && printable(name) === name &&
    !/^-|[*?[\]{}]/.test(name);
}
