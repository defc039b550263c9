/**
 * Divides the memory for pieces among the tasks of a process. A task takes what the others leave;
 * where they want more than there is, all have the same.
 */
interface Member {
  readonly wanted: number;
  readonly onChange: () => void;
  bytes: number;
}

/** A task's part of the memory. */
export interface MemoryShare extends Disposable {
  readonly bytes: number;
}

export class MemoryShares {
  readonly #budget: number;
  readonly #members = new Set<Member>();

  /** @param budget in bytes */
  constructor(budget: number) {
    this.#budget = budget;
  }

  /**
   * A share for a task, until it is disposed.
   *
   * @param wanted bytes that the task can use at most
   * @param onChange is called when its size has changed, because another task came or went
   */
  join(wanted: number, onChange: () => void): MemoryShare {
    const member = { wanted, onChange, bytes: 0 };
    this.#members.add(member);
    this.#divide(member);
    return {
      get bytes() {
        return member.bytes;
      },
      [Symbol.dispose]: () => {
        if (this.#members.delete(member)) this.#divide(undefined);
      },
    };
  }

  /** @param cause need not be told */
  #divide(cause: Member | undefined): void {
    let left = this.#budget;
    let count = this.#members.size;
    const changed: Member[] = [];
    // Those that want least first: what they leave is divided among the others (max-min fairness).
    for (const member of Array.from(this.#members).sort((a, b) => a.wanted - b.wanted)) {
      const bytes = Math.min(member.wanted, Math.floor(left / count));
      if (bytes !== member.bytes && member !== cause) changed.push(member);
      member.bytes = bytes;
      left -= bytes;
      count--;
    }
    for (const { onChange } of changed) onChange();
  }
}
