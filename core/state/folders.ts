/** The folders of the state and the files in them: their modes, and what is in a folder. */

/** Ends the name of the file that the process of a run holds locked. */
export const LOCK_SUFFIX = ".lock";

/**
 * Records and logs name what somebody downloads, so only that user may read them, whatever the umask
 * and whatever the mode of a folder that was there before.
 */
export const PRIVATE_FILE = 0o600;
export const PRIVATE_FOLDER = 0o700;

/** What is in a folder; nothing where there is no such folder. */
export async function* filesIn(folder: string): AsyncIterable<Deno.DirEntry> {
  try {
    yield* Deno.readDir(folder);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
