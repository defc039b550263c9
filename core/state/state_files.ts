/** What all files of the state folder have in common: modes, listing, and how errors are treated. */
import { join } from "node:path";
import { isOutOfDescriptors } from "../base/descriptors.ts";
import { DiskError, P2pError, plainReasonOf } from "../base/errors.ts";

/** Records and logs name what a user downloads: only that user may read them, whatever the umask. */
export const PRIVATE_FILE = 0o600;
export const PRIVATE_FOLDER = 0o700;

/** Where the tasks of ended runs are. */
export function archivePath(stateDir: string): string {
  return join(stateDir, "tasks.db");
}

/** The entries of a folder; none where there is no such folder. */
export async function* filesIn(folder: string): AsyncIterable<Deno.DirEntry> {
  try {
    yield* Deno.readDir(folder);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

export function statOf(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(path);
  } catch {
    return undefined;
  }
}

/** Runs `act`; errors of the disk become a DiskError that names the folder. */
export async function asStateError<T>(stateDir: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof P2pError) throw error;
    throw new DiskError(`Cannot keep state in "${stateDir}": ${plainReasonOf(error)}`, {
      cause: error,
      problem: isOutOfDescriptors(error) ? "open-files" : "state-folder",
    });
  }
}

/** @returns whether `act` did not throw. A full or missing state folder must not stop a download. */
export function ignoringErrors(act: () => void): boolean {
  try {
    act();
    return true;
  } catch {
    return false;
  }
}
