/**
 * Replaces the file in one step, so that readers see the old text or the new one. Synchronous,
 * because asynchronous calls take three times as long here.
 */
export function writeFileAtomicSync(path: string, text: string, mode = 0o600): void {
  const draft = createDraft(path, mode);
  try {
    Deno.writeTextFileSync(draft, text);
    Deno.renameSync(draft, path);
  } catch (error) {
    try {
      Deno.removeSync(draft);
    } catch {
      // It has been renamed, or the disk is gone.
    }
    throw error;
  }
}

/** A file of its own even if other processes write the same file now, or were killed doing so. */
function createDraft(path: string, mode: number): string {
  for (let i = 0;; i++) {
    const draft = `${path}.${i}.tmp`;
    try {
      Deno.openSync(draft, { createNew: true, write: true, mode }).close();
      return draft;
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    }
  }
}
