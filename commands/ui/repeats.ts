/** A seed that is away fails over and over, for every download: said once, it is news. */
import type { TaskEvent } from "../../core/mod.ts";

export class Repeats {
  /** The last trouble told, by seed. */
  readonly #told = new Map<string, string>();

  /** Whether `event` says again what was said of its seed last. */
  isRepeat(event: TaskEvent): boolean {
    if (event.kind !== "seed") return false;
    if (event.what === "failing") {
      const repeated = this.#told.get(event.seed) === event.reason;
      this.#told.set(event.seed, event.reason);
      return repeated;
    }
    // An answer makes the next trouble news again.
    if (event.what !== "dropped") this.#told.delete(event.seed);
    return false;
  }
}
