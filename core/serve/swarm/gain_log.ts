/**
 * The pieces that a receiver has, in the order in which it gained them. A position in this log is all
 * that another receiver must remember to ask for what is new, so the server remembers nothing of it.
 */
import { MAX_INDICES_IN_LINE } from "../../protocol/swarm.ts";

export class GainLog {
  /** Positions before it are not known any more: pieces were lost since. */
  #base = 0;
  #pieces: number[];
  #set: Set<number>;

  constructor(pieces: Iterable<number> = []) {
    this.#pieces = Array.from(pieces);
    this.#set = new Set(this.#pieces);
  }

  /** The position behind the last piece. */
  get count(): number {
    return this.#base + this.#pieces.length;
  }

  get size(): number {
    return this.#pieces.length;
  }

  has(piece: number): boolean {
    return this.#set.has(piece);
  }

  add(piece: number): void {
    if (this.#set.has(piece)) return;
    this.#set.add(piece);
    this.#pieces.push(piece);
  }

  /** Pieces were lost: these are left. Positions from before are not answered any more. */
  reset(pieces: Iterable<number>): void {
    this.#base = this.count + 1;
    this.#pieces = Array.from(pieces);
    this.#set = new Set(this.#pieces);
  }

  /** The pieces gained after the position `known`, at most as many as fit in a line; undefined for a position that is not known. */
  since(known: number): number[] | undefined {
    if (known < this.#base || known > this.count) return undefined;
    const from = known - this.#base;
    return this.#pieces.slice(from, from + MAX_INDICES_IN_LINE);
  }
}
