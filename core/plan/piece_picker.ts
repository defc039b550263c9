/** Which of the missing pieces to request next: a strategy of the transfer. */

/** In order, or the piece that the fewest sources have first. */
export type PieceOrder = "in-order" | "rarest-first";

/** The pieces that a source has; undefined: all of them. A new set, or `gained`, means new pieces. */
export type SourcePieces = ReadonlySet<number> | undefined;

export interface PiecePicker {
  /** Missing pieces that may be requested now. */
  readonly available: number;
  /** Takes the next of the source's pieces; undefined if there is none. */
  take(pieces: SourcePieces): number | undefined;
  /** Takes this piece. @returns whether it could be requested now */
  takePiece(piece: number): boolean;
  /** At most `count` missing pieces, those that would be taken first from a source with all pieces. */
  peek(count: number): number[];
  /** A source's set of pieces has further ones. */
  gained(pieces: SourcePieces): void;
  /** A piece that was taken is missing again, and comes first. */
  put(piece: number): void;
  /** A stream passed this piece on. */
  consumed(piece: number): void;
  /** The number of sources that have these pieces changed. Sources with all pieces do not count. */
  adjustCopies(pieces: Iterable<number>, change: 1 | -1): void;
}

/** Requests pieces in order, for a file that is written or streamed from its beginning. */
export class InOrderPicker implements PiecePicker {
  /** Ascending. A piece that was taken becomes -1. */
  readonly #order: number[];
  /** Pieces that are missing again, the next one last. */
  readonly #returned: number[] = [];
  readonly #windowPieces: number;
  /** All before it are taken. */
  #next = 0;
  /** The first one behind the window. */
  #windowEnd = 0;
  #taken = 0;
  /** Where to go on for a source: it has no piece before. Without it, each `take` would cost a walk over all pieces. */
  readonly #nextOf = new WeakMap<ReadonlySet<number>, number>();

  /**
   * @param missing ascending
   * @param windowPieces request at most this many pieces beyond the last consumed one
   */
  constructor(missing: readonly number[], windowPieces = Infinity) {
    this.#order = missing.slice();
    this.#windowPieces = windowPieces;
    // A stream may begin in the middle of the file.
    this.consumed((missing[0] ?? 0) - 1);
  }

  get available(): number {
    return this.#windowEnd - this.#taken + this.#returned.length;
  }

  take(pieces: SourcePieces): number | undefined {
    return takeLast(this.#returned, pieces) ?? this.#takeNext(pieces);
  }

  /** A stream is requested in its order, whatever a source suggests. */
  takePiece(): boolean {
    return false;
  }

  peek(count: number): number[] {
    const first = this.#returned.slice(-count).reverse();
    for (let at = this.#next; at < this.#windowEnd && first.length < count; at++) {
      if (this.#order[at]! >= 0) first.push(this.#order[at]!);
    }
    return first;
  }

  gained(pieces: SourcePieces): void {
    if (pieces !== undefined) this.#nextOf.delete(pieces);
  }

  put(piece: number): void {
    this.#returned.push(piece);
  }

  consumed(piece: number): void {
    if (this.#windowPieces === Infinity) this.#windowEnd = this.#order.length;
    const last = piece + this.#windowPieces;
    // A piece that was taken is -1, and inside the window.
    while (this.#windowEnd < this.#order.length && this.#order[this.#windowEnd]! <= last) {
      this.#windowEnd++;
    }
  }

  adjustCopies(): void {}

  #takeNext(pieces: SourcePieces): number | undefined {
    let at = pieces === undefined ? this.#next : this.#nextOf.get(pieces) ?? this.#next;
    for (; at < this.#windowEnd; at++) {
      const piece = this.#order[at]!;
      if (piece >= 0 && (pieces?.has(piece) ?? true)) break;
    }
    if (pieces === undefined) this.#next = at;
    else this.#nextOf.set(pieces, at);
    if (at >= this.#windowEnd) return undefined;
    const piece = this.#order[at]!;
    this.#order[at] = -1;
    this.#taken++;
    return piece;
  }
}

/**
 * Requests the piece that the fewest sources have, a random one of several: so receivers that share
 * with each other soon hold different pieces (BitTorrent's rarest first, Cohen 2003).
 */
export class RarestFirstPicker implements PiecePicker {
  /** Missing pieces by the number of sources that have them, in random order as far as they were looked at. */
  readonly #buckets: number[][] = [];
  /** Index in its bucket, of each missing piece. */
  readonly #places = new Map<number, number>();
  readonly #copies = new Map<number, number>();
  readonly #returned: number[] = [];
  /** Sources that have no piece of the buckets, which only shrink. */
  readonly #exhausted = new WeakSet<ReadonlySet<number>>();
  readonly #random: () => number;

  /** @param random from 0 up to but not including 1 */
  constructor(missing: readonly number[], random: () => number) {
    this.#random = random;
    for (const piece of missing) this.#insert(piece);
  }

  get available(): number {
    return this.#places.size + this.#returned.length;
  }

  take(pieces: SourcePieces): number | undefined {
    return takeLast(this.#returned, pieces) ?? this.#takeRarest(pieces);
  }

  takePiece(piece: number): boolean {
    const at = this.#returned.lastIndexOf(piece);
    if (at >= 0) this.#returned.splice(at, 1);
    else if (this.#places.has(piece)) this.#remove(piece);
    else return false;
    return true;
  }

  peek(count: number): number[] {
    const first = this.#returned.slice(-count).reverse();
    for (const bucket of this.#buckets) {
      for (let at = 0; at < (bucket?.length ?? 0) && first.length < count; at++) {
        this.#swap(bucket, at, at + Math.floor(this.#random() * (bucket.length - at)));
        first.push(bucket[at]!);
      }
    }
    return first;
  }

  gained(pieces: SourcePieces): void {
    if (pieces !== undefined) this.#exhausted.delete(pieces);
  }

  put(piece: number): void {
    this.#returned.push(piece);
  }

  consumed(): void {}

  adjustCopies(pieces: Iterable<number>, change: 1 | -1): void {
    for (const piece of pieces) {
      const isMissing = this.#places.has(piece);
      if (isMissing) this.#remove(piece);
      this.#copies.set(piece, this.#copiesOf(piece) + change);
      if (isMissing) this.#insert(piece);
    }
  }

  #takeRarest(pieces: SourcePieces): number | undefined {
    if (pieces !== undefined && this.#exhausted.has(pieces)) return undefined;
    for (const [copies, bucket] of this.#buckets.entries()) {
      // A source with a part of the pieces counts for each of them.
      if (copies === 0 && pieces !== undefined) continue;
      for (let at = 0; at < (bucket?.length ?? 0); at++) {
        this.#swap(bucket, at, at + Math.floor(this.#random() * (bucket.length - at)));
        const piece = bucket[at]!;
        if (!(pieces?.has(piece) ?? true)) continue;
        this.#remove(piece);
        return piece;
      }
    }
    if (pieces !== undefined) this.#exhausted.add(pieces);
    return undefined;
  }

  #copiesOf(piece: number): number {
    return this.#copies.get(piece) ?? 0;
  }

  #insert(piece: number): void {
    const bucket = this.#buckets[this.#copiesOf(piece)] ??= [];
    this.#places.set(piece, bucket.push(piece) - 1);
  }

  #remove(piece: number): void {
    const bucket = this.#buckets[this.#copiesOf(piece)]!;
    this.#swap(bucket, this.#places.get(piece)!, bucket.length - 1);
    bucket.pop();
    this.#places.delete(piece);
  }

  #swap(bucket: number[], a: number, b: number): void {
    [bucket[a], bucket[b]] = [bucket[b]!, bucket[a]!];
    this.#places.set(bucket[a], a);
    this.#places.set(bucket[b], b);
  }
}

/** Few pieces are returned at a time: those of reads that failed. */
function takeLast(returned: number[], pieces: SourcePieces): number | undefined {
  const at = returned.findLastIndex((piece) => pieces?.has(piece) ?? true);
  return at < 0 ? undefined : returned.splice(at, 1)[0];
}
