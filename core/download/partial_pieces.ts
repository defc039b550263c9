/**
 * Keeps the beginnings of pieces that interrupted reads left, unverified, so that only the rest of a
 * piece is read again, from any source. Remembers which source sent which bytes, so that no source
 * is blamed for another one's when the digest of the piece is wrong.
 */
import { equalBytes, sha256 } from "../base/digest.ts";
import type { UnverifiedStore } from "../store/piece_sink.ts";

/** Bytes `start` to `end` of a piece, and the source that sent them; undefined: an earlier run left them. */
interface Segment {
  readonly seed: string | undefined;
  readonly start: number;
  readonly end: number;
}

/** The kept beginning of a piece. */
interface Kept {
  readonly segments: readonly Segment[];
  /** `PieceRead.key` of the read that brought it; undefined: an earlier run. */
  readonly by: symbol | undefined;
}

/** A wrong piece of several sources. */
interface Suspect {
  readonly segments: readonly (Segment & { readonly digest: Uint8Array })[];
  /** It must come whole from one source, so each source continues its own beginning. */
  readonly beginnings: Map<string, Uint8Array>;
}

/** One read of one piece: its buffer, and how far it is filled without a gap. */
export class PieceRead {
  readonly piece: number;
  readonly seed: string;
  readonly bytes: Uint8Array;
  readonly key = Symbol();
  /** The beginning that was kept before the read. */
  readonly begun: readonly Segment[];
  /** How much was kept last, and when; at first, when the first bytes came. */
  lastKept: { readonly bytes: number; readonly atMs: number } | undefined;
  #filled: number;
  /** Start and end of bytes behind a gap: parts of a read may come over several connections. */
  readonly #ahead = new Map<number, number>();

  constructor(
    piece: number,
    seed: string,
    bytes: Uint8Array,
    begun: readonly Segment[],
  ) {
    this.piece = piece;
    this.seed = seed;
    this.bytes = bytes;
    this.begun = begun;
    this.#filled = lengthOfAll(begun);
  }

  /** Length of the beginning received so far. */
  get filled(): number {
    return this.#filled;
  }

  get segments(): readonly Segment[] {
    const start = lengthOfAll(this.begun);
    if (this.#filled === start) return this.begun;
    return [...this.begun, { seed: this.seed, start, end: this.#filled }];
  }

  /** `count` bytes were received at offset `at`. */
  received(at: number, count: number): void {
    if (at !== this.#filled) return void this.#ahead.set(at, at + count);
    this.#filled += count;
    for (let end; (end = this.#ahead.get(this.#filled)) !== undefined;) {
      this.#ahead.delete(this.#filled);
      this.#filled = end;
    }
  }
}

export class PartialPieces {
  readonly #store: UnverifiedStore;
  /** What the store has of pieces that are not suspect, and who sent it. */
  readonly #kept = new Map<number, Kept>();
  readonly #suspects = new Map<number, Suspect>();
  /** Verified pieces, which nothing unverified may overwrite. */
  readonly #done = new Set<number>();

  constructor(store: UnverifiedStore) {
    this.#store = store;
    for (const [piece, end] of store.unverified) {
      const segments = [{ seed: undefined, start: 0, end }];
      this.#kept.set(piece, { segments, by: undefined });
    }
  }

  /** Begins a read into `bytes`, and fills in the kept beginning. */
  begin(piece: number, seed: string, bytes: Uint8Array): PieceRead {
    const suspect = this.#suspects.get(piece);
    if (suspect) {
      const own = suspect.beginnings.get(seed);
      if (own === undefined) return new PieceRead(piece, seed, bytes, []);
      bytes.set(own);
      return new PieceRead(piece, seed, bytes, [{ seed, start: 0, end: own.length }]);
    }
    const kept = this.#kept.get(piece)?.segments ?? [];
    const length = lengthOfAll(kept);
    const there = length === 0 ? 0 : this.#store.readUnverified(piece, bytes.subarray(0, length));
    const begun = there === length ? kept : kept.filter(({ start }) => start < there)
      .map((segment) => ({ ...segment, end: Math.min(segment.end, there) }));
    return new PieceRead(piece, seed, bytes, begun);
  }

  /** Keeps what a read received, unless as much is kept. @returns the length that any source can continue. @throws {DiskError} */
  keep(read: PieceRead): number {
    const { piece, seed, filled, segments } = read;
    if (this.#done.has(piece)) return 0;
    const bytes = read.bytes.subarray(0, filled);
    const suspect = this.#suspects.get(piece);
    if (suspect) {
      const own = suspect.beginnings.get(seed)?.length ?? 0;
      const isOwn = segments.every((segment) => segment.seed === seed);
      if (isOwn && filled > own) suspect.beginnings.set(seed, bytes.slice());
      return 0;
    }
    const kept = this.#kept.get(piece);
    const before = lengthOfAll(kept?.segments ?? []);
    if (filled <= before) return before;
    // Other bytes may be there than those of this read, unless it brought them or began with them.
    const isSame = kept?.by === read.key || kept?.segments === read.begun;
    this.#store.keepUnverified(piece, bytes, isSame ? before : 0);
    this.#kept.set(piece, { segments, by: read.key });
    return filled;
  }

  /** The piece is right. @returns the sources that sent wrong bytes of it before. */
  proven({ piece, bytes }: PieceRead): string[] {
    this.#done.add(piece);
    this.#kept.delete(piece);
    const suspect = this.#suspects.get(piece);
    this.#suspects.delete(piece);
    const liars = new Set<string>();
    for (const { seed, start, end, digest } of suspect?.segments ?? []) {
      if (seed === undefined || liars.has(seed)) continue;
      if (!equalBytes(sha256(bytes.subarray(start, end)), digest)) liars.add(seed);
    }
    return Array.from(liars);
  }

  /**
   * The piece is wrong. @returns whether all of it came from the source of the read. Otherwise the
   * piece is suspect from now on, and the right bytes will show which source sent wrong ones.
   */
  refuted({ piece, seed, bytes, segments }: PieceRead): boolean {
    this.#kept.delete(piece);
    const suspect = this.#suspects.get(piece);
    suspect?.beginnings.delete(seed);
    if (segments.every((segment) => segment.seed === seed)) return true;
    const hasSender = segments.some((segment) => segment.seed !== undefined);
    if (suspect === undefined && hasSender) {
      this.#suspects.set(piece, {
        segments: segments.map((segment) => {
          return { ...segment, digest: sha256(bytes.subarray(segment.start, segment.end)) };
        }),
        beginnings: new Map(),
      });
    }
    return false;
  }
}

/** Segments follow each other without a gap. */
function lengthOfAll(segments: readonly Segment[]): number {
  return segments.at(-1)?.end ?? 0;
}
