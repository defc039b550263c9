/** Which of the missing pieces to request next: a strategy of the transfer. */

export interface PiecePicker {
  /** Missing pieces that may be requested now. */
  readonly available: number;
  /** Takes the next piece that `has` allows; undefined where there is none. */
  take(has: (piece: number) => boolean): number | undefined;
  /** A piece that was taken is missing again, and comes first. */
  put(piece: number): void;
  /** A stream passed this piece on. */
  consumed(piece: number): void;
}

/** Requests pieces in their order, as a file that is written or streamed from its beginning wants them. */
export class InOrderPicker implements PiecePicker {
  /** The next piece last. */
  readonly #missing: number[];
  readonly #windowPieces: number;
  #consumed = -1;

  /** @param windowPieces request at most this many pieces beyond the last consumed one */
  constructor(missing: readonly number[], windowPieces = Infinity) {
    this.#missing = missing.toReversed();
    this.#windowPieces = windowPieces;
  }

  get available(): number {
    if (this.#windowPieces === Infinity) return this.#missing.length;
    return this.#missing.filter((piece) => this.#isInWindow(piece)).length;
  }

  take(has: (piece: number) => boolean): number | undefined {
    const last = this.#missing.at(-1);
    if (last !== undefined && this.#isInWindow(last) && has(last)) return this.#missing.pop();
    const at = this.#missing.findLastIndex((piece) => this.#isInWindow(piece) && has(piece));
    return at < 0 ? undefined : this.#missing.splice(at, 1)[0];
  }

  put(piece: number): void {
    this.#missing.push(piece);
  }

  consumed(piece: number): void {
    this.#consumed = Math.max(this.#consumed, piece);
  }

  #isInWindow(piece: number): boolean {
    return piece <= this.#consumed + this.#windowPieces;
  }
}

/**
 * Requests the piece that the fewest sources have, a random one of several: so receivers that share
 * with each other soon hold different pieces (BitTorrent's rarest first, Cohen 2003).
 */
export class RarestFirstPicker implements PiecePicker {
  readonly #missing: Set<number>;
  readonly #copiesOf: (piece: number) => number;
  readonly #random: () => number;

  constructor(
    missing: readonly number[],
    copiesOf: (piece: number) => number,
    random: () => number,
  ) {
    this.#missing = new Set(missing);
    this.#copiesOf = copiesOf;
    this.#random = random;
  }

  get available(): number {
    return this.#missing.size;
  }

  take(has: (piece: number) => boolean): number | undefined {
    let rarest: number[] = [];
    let fewest = Infinity;
    for (const piece of this.#missing) {
      if (!has(piece)) continue;
      const copies = this.#copiesOf(piece);
      if (copies > fewest) continue;
      if (copies < fewest) rarest = [];
      fewest = copies;
      rarest.push(piece);
    }
    const piece = rarest[Math.floor(this.#random() * rarest.length)];
    if (piece !== undefined) this.#missing.delete(piece);
    return piece;
  }

  put(piece: number): void {
    this.#missing.add(piece);
  }

  consumed(): void {}
}
