/** Contents that are served by their ids alone, whole or in part: what a download has verified so far. */
import type { PieceSource } from "../../store/piece_sink.ts";
import { GainLog } from "./gain_log.ts";

/** The verified pieces of one content. */
export interface SharedContent {
  readonly id: string;
  readonly source: PieceSource;
  readonly gained: GainLog;
  /** Bytes of it were read to be sent. */
  readonly onSent: (bytes: number) => void;
}

export class SharedContents {
  readonly #contents = new Map<string, SharedContent>();

  get size(): number {
    return this.#contents.size;
  }

  find(id: string): SharedContent | undefined {
    return this.#contents.get(id);
  }

  /** Offers the pieces that `source` has now; further ones are added to the log that is returned. */
  offer(
    id: string,
    source: PieceSource,
    pieces: Iterable<number>,
    onSent: (bytes: number) => void = () => {},
  ): GainLog {
    const gained = new GainLog(pieces);
    this.#contents.set(id, { id, source, gained, onSent });
    return gained;
  }

  /** Ends the offer, unless another source offers the same content by now. */
  withdraw(id: string, source: PieceSource): void {
    if (this.#contents.get(id)?.source === source) this.#contents.delete(id);
  }
}
