/** The targets that this process writes to. */
import { Notify } from "../base/notify.ts";

/**
 * Two names can be one file: through links, or on file systems that ignore case or Unicode
 * normalization. The second task then fails to lock the part file, and waits until the first has
 * ended instead of taking it for another process.
 */
export class OpenTargets {
  /** How many tasks write to a target, by its folded path. */
  readonly #counts = new Map<string, number>();
  readonly #closed = new Notify();

  add(target: string): Disposable {
    const key = folded(target);
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
    let open = true;
    return {
      [Symbol.dispose]: () => {
        if (!open) return;
        open = false;
        const left = this.#counts.get(key)! - 1;
        if (left > 0) this.#counts.set(key, left);
        else this.#counts.delete(key);
        this.#closed.notifyAll();
      },
    };
  }

  /** Whether this process writes to `target`, possibly by another name. */
  has(target: string): boolean {
    return this.#counts.has(folded(target));
  }

  /** Waits until no task of this process writes to `target`. @throws the signal's reason if it aborts. */
  async closed(target: string, signal: AbortSignal): Promise<void> {
    while (this.has(target)) await this.#closed.notified(signal);
  }
}

/** The same for all paths that some file system takes for the same file. */
function folded(path: string): string {
  return path.normalize("NFC").toUpperCase().toLowerCase();
}
