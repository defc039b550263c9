/** The folders of the state and the files in them: their modes, and what is in a folder. */

/**
 * Records and logs name what somebody downloads, so only that user may read them, whatever the umask
 * and whatever the mode of a folder that was there before.
 */
export const PRIVATE_FILE = 0o600;
export const PRIVATE_FOLDER = 0o700;

/** The names in a folder; none where there is no such folder. */
export async function* namesIn(folder: string): AsyncIterable<string> {
  try {
    for await (const { name } of Deno.readDir(folder)) yield name;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
