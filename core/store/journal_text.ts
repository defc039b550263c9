/**
 * A journal as text: one record a line, `<crc32> <json>`, the first one the
 * identity. Whatever a crash left behind the last whole record does not count.
 */
import { crc32 } from "node:zlib";

/** What the part file is a part of. */
export interface JournalIdentity {
  /** The content's id, or null where no seed offered a manifest. */
  readonly id: string | null;
  readonly size: number;
  readonly pieceSize: number;
}

/** A process began to write. */
export interface JournalRun {
  readonly pid: number;
  /** When its machine was started, ms since 1970: for the versions that know no `bootId`. */
  readonly boot: number;
  /** The kernel's id of that start, where the platform gives one. */
  readonly bootId?: string | undefined;
  /** Of the part file, where the platform tells: a copy of it may have been made too early. */
  readonly inode?: number | undefined;
  /** The modification time that the run gives the part file after each write, ms since 1970: any other write leaves another. */
  readonly mtime?: number | undefined;
}

export type JournalRecord =
  | { readonly run: JournalRun }
  /** A piece is verified and written; with its CRC-32 where no manifest has a digest of it. */
  | { readonly piece: number; readonly crc?: number | undefined }
  /** The beginning of a piece is written, and not verified: piece and length. */
  | { readonly part: readonly [piece: number, length: number] }
  /** All pieces before this record are on the disk itself. */
  | { readonly synced: true }
  /** The part file is being synced, while more is written … */
  | { readonly syncing: true }
  /** … and now all pieces before the last `syncing` are on the disk itself. */
  | { readonly syncedBatch: true }
  /**
   * All pieces before this record must be hashed, and written again if they are right: somebody
   * else wrote to the part file, or a sync failed. After that the kernel may show bytes that it
   * will never write to the disk.
   */
  | { readonly doubt: true }
  /** These pieces turned out to be wrong. */
  | { readonly lost: readonly number[] };

export interface JournalContent {
  readonly identity: JournalIdentity;
  /** Pieces that were on the disk for certain when the journal ended. */
  readonly synced: ReadonlySet<number>;
  /** Pieces written but not synced, with the id of the boot in which that was. */
  readonly unsynced: ReadonlyMap<number, string | undefined>;
  /** Pieces that were written, and must be hashed and written again. */
  readonly doubted: ReadonlySet<number>;
  /** CRC-32 of pieces, where the journal has it. */
  readonly sums: ReadonlyMap<number, number>;
  /** Unverified beginnings of pieces that are not there yet, with their lengths. */
  readonly parts: ReadonlyMap<number, number>;
  /** The last run. */
  readonly run: JournalRun | undefined;
  /** Bytes of the text that are whole records. */
  readonly length: number;
}

const VERSION = 1;

export function encodeIdentity(
  { id, size, pieceSize }: JournalIdentity,
): string {
  return encodeLine({ "p2p-journal": VERSION, id, size, pieceSize });
}

export function encodeRecord(record: JournalRecord): string {
  return encodeLine(record);
}

function encodeLine(value: unknown): string {
  const json = JSON.stringify(value);
  return `${checksum(json)} ${json}\n`;
}

function checksum(json: string): string {
  return crc32(json).toString(16).padStart(8, "0");
}

/** undefined when not even the identity can be read. */
export function parseJournal(text: string): JournalContent | undefined {
  const lines = wholeLines(text);
  const identity = identityOf(lines[0]?.value);
  if (identity === undefined) return undefined;
  const claims = new Claims();
  let length = lines[0]!.end;
  for (const { value, end } of lines.slice(1)) {
    const record = recordOf(value, identity);
    if (record === undefined) break;
    length = end;
    claims.take(record);
  }
  const { synced, unsynced, doubted, sums, parts, run } = claims;
  return { identity, synced, unsynced, doubted, sums, parts, run, length };
}

/** What the records say of each piece; it is in one of `synced`, `unsynced`, `doubted` and `parts` at most. */
class Claims {
  readonly synced = new Set<number>();
  readonly unsynced = new Map<number, string | undefined>();
  readonly doubted = new Set<number>();
  readonly sums = new Map<number, number>();
  readonly parts = new Map<number, number>();
  run: JournalRun | undefined;
  /** Of the unsynced pieces: when each was written, counted in pieces. In that order. */
  readonly #written = new Map<number, number>();
  #count = 0;
  /** The sync that runs brings the pieces to the disk that were written before this count. */
  #syncsBefore = 0;

  take(record: JournalRecord): void {
    if ("run" in record) this.run = record.run;
    else if ("piece" in record) this.#stored(record.piece, record.crc);
    else if ("part" in record) {
      const [piece, length] = record.part;
      this.#forget(piece);
      this.parts.set(piece, length);
    } else if ("doubt" in record) this.#doubt();
    else if ("lost" in record) record.lost.forEach((piece) => this.#forget(piece));
    else if ("syncing" in record) this.#beginSync();
    else if ("syncedBatch" in record) this.#endSync();
    else this.#sync();
  }

  #stored(piece: number, crc: number | undefined): void {
    // Written again: what was synced is not what is there now.
    this.#forget(piece);
    this.unsynced.set(piece, this.run?.bootId);
    this.#written.set(piece, this.#count++);
    if (crc !== undefined) this.sums.set(piece, crc);
  }

  #forget(piece: number): void {
    this.synced.delete(piece);
    this.unsynced.delete(piece);
    this.doubted.delete(piece);
    this.sums.delete(piece);
    this.parts.delete(piece);
    this.#written.delete(piece);
  }

  #doubt(): void {
    for (const piece of [...this.synced, ...this.unsynced.keys()]) this.doubted.add(piece);
    this.synced.clear();
    this.unsynced.clear();
    this.#written.clear();
  }

  #beginSync(): void {
    this.#syncsBefore = this.#count;
  }

  #endSync(): void {
    for (const [piece, count] of this.#written) {
      if (count >= this.#syncsBefore) break;
      this.#written.delete(piece);
      this.unsynced.delete(piece);
      this.synced.add(piece);
    }
  }

  #sync(): void {
    this.#beginSync();
    this.#endSync();
  }
}

/** The lines whose checksum is right, up to the first whose is not; `end` counts characters, which are bytes: all is ASCII. */
function wholeLines(text: string): { value: unknown; end: number }[] {
  const lines: { value: unknown; end: number }[] = [];
  let at = 0;
  for (const line of text.split("\n").slice(0, -1)) {
    const json = line.slice(9);
    if (line[8] !== " " || line.slice(0, 8) !== checksum(json)) break;
    at += line.length + 1;
    lines.push({ value: parseJson(json), end: at });
  }
  return lines;
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function identityOf(value: unknown): JournalIdentity | undefined {
  const { "p2p-journal": version, id, size, pieceSize } = Object(
    value,
  ) as Record<string, unknown>;
  if (
    version !== VERSION || !isCount(size) || !isCount(pieceSize) ||
    pieceSize === 0
  ) return undefined;
  if (id !== null && !(typeof id === "string" && /^[0-9a-f]{64}$/.test(id))) return undefined;
  return { id, size, pieceSize };
}

function recordOf(
  value: unknown,
  { size, pieceSize }: JournalIdentity,
): JournalRecord | undefined {
  const fields = Object(value) as Record<string, unknown>;
  const { run, piece, crc, part, synced, syncing, syncedBatch, doubt, lost } = fields;
  const isPiece = (piece: unknown): piece is number => isCount(piece) && piece * pieceSize < size;
  if (isPiece(piece)) return { piece, ...(isCount(crc) ? { crc } : {}) };
  if (Array.isArray(part)) {
    const [piece, length] = part as unknown[];
    const isBeginning = isPiece(piece) && isCount(length) && length > 0 && length <= pieceSize &&
      piece * pieceSize + length <= size;
    return isBeginning ? { part: [piece, length] } : undefined;
  }
  if (synced === true) return { synced };
  if (syncing === true) return { syncing };
  if (syncedBatch === true) return { syncedBatch };
  if (doubt === true) return { doubt };
  if (Array.isArray(lost)) return lost.every(isPiece) ? { lost } : undefined;
  const { pid, boot, bootId, inode, mtime } = Object(run) as Record<string, unknown>;
  if (isCount(pid) && typeof boot === "number") {
    return {
      run: {
        pid,
        boot,
        ...(typeof bootId === "string" ? { bootId } : {}),
        ...(isCount(inode) ? { inode } : {}),
        ...(typeof mtime === "number" ? { mtime } : {}),
      },
    };
  }
  return undefined;
}
