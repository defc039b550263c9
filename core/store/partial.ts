import { diskFault } from "./disk_faults.ts";
import { besideTarget, JOURNAL_SUFFIX, PART_SUFFIX } from "./target.ts";

/** Removes what an unfinished download left beside `target`, if anything. @throws {DiskError} */
export async function removePartial(target: string): Promise<void> {
  for (const suffix of [PART_SUFFIX, JOURNAL_SUFFIX]) {
    const path = besideTarget(target, suffix);
    await Deno.remove(path).catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw diskFault(`remove "${path}"`, error);
    });
  }
}

/** Whether an unfinished download lies beside `target`. */
export function hasPartial(target: string): boolean {
  try {
    return Deno.lstatSync(besideTarget(target, PART_SUFFIX)).isFile;
  } catch {
    return false;
  }
}
