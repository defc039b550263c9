/** What this user's processes remember of seeds, by address: a hint that saves a round trip. */
import { join } from "@std/path";
import * as is from "../base/guards.ts";
import { writeFileAtomicSync } from "../base/write_file_atomic.ts";
import { ignoringErrors, PRIVATE_FILE, statOf } from "./state_files.ts";

const VERSION = 1;

const isKnownSeeds = is.object({ version: is.number, seeds: isTexts });

function isTexts(value: unknown): value is Readonly<Record<string, string>> {
  return typeof value === "object" && value !== null && Object.values(value).every(is.string);
}

/** More than p2p writes; a larger file is not read. */
const MAX_FILE_BYTES = 1024 * 1024;

function pathIn(stateDir: string): string {
  return join(stateDir, "seeds.json");
}

/** Nothing of a file that is missing, unreadable or of another version. */
export function readKnownSeeds(stateDir: string): [seed: string, text: string][] {
  const path = pathIn(stateDir);
  const { isFile = false, size = 0 } = statOf(path) ?? {};
  if (!isFile || size > MAX_FILE_BYTES) return [];
  try {
    const value: unknown = JSON.parse(Deno.readTextFileSync(path));
    return isKnownSeeds(value) && value.version === VERSION ? Object.entries(value.seeds) : [];
  } catch {
    return [];
  }
}

/** Replaces the file. A state folder that cannot be written is no reason to fail. */
export function writeKnownSeeds(stateDir: string, seeds: readonly [string, string][]): void {
  const text = JSON.stringify({ version: VERSION, seeds: Object.fromEntries(seeds) });
  ignoringErrors(() => writeFileAtomicSync(pathIn(stateDir), `${text}\n`, PRIVATE_FILE));
}
