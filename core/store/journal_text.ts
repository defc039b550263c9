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
  /** When its machine was started, ms since 1970. */
  readonly boot: number;
  /** Of the part file, where the platform tells: a copy of it may have been made too early. */
  readonly inode?: number | undefined;
}

export type JournalRecord =
  | { readonly run: JournalRun }
  /** A piece is verified and written. */
  | { readonly piece: number }
  /** The beginning of a piece is written, and not verified: piece and length. */
  | { readonly part: readonly [piece: number, length: number] }
  /** All pieces before this record are on the disk itself. */
  | { readonly synced: true };

export interface JournalContent {
  readonly identity: JournalIdentity;
  /** Pieces that were on the disk for certain when the journal ended. */
  readonly synced: ReadonlySet<number>;
  /** Pieces written but not synced, with the boot in which that was. */
  readonly unsynced: ReadonlyMap<number, number>;
  /** Unverified beginnings of pieces that are not there yet, with their lengths. */
  readonly parts: ReadonlyMap<number, number>;
  /** The process that wrote last. */
  readonly pid: number | undefined;
  /** The part file that it wrote to. */
  readonly inode: number | undefined;
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
  const synced = new Set<number>();
  const unsynced = new Map<number, number>();
  const parts = new Map<number, number>();
  let length = lines[0]!.end;
  let run: JournalRun | undefined;
  for (const { value, end } of lines.slice(1)) {
    const record = recordOf(value, identity);
    if (record === undefined) break;
    length = end;
    if ("run" in record) run = record.run;
    else if ("piece" in record) {
      // Written again: what was synced is not what is there now.
      synced.delete(record.piece);
      unsynced.set(record.piece, run?.boot ?? 0);
      parts.delete(record.piece);
    } else if ("part" in record) {
      const [piece, length] = record.part;
      // The beginning was written over what was claimed before.
      synced.delete(piece);
      unsynced.delete(piece);
      parts.set(piece, length);
    } else {
      for (const piece of unsynced.keys()) synced.add(piece);
      unsynced.clear();
    }
  }
  return { identity, synced, unsynced, parts, pid: run?.pid, inode: run?.inode, length };
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
  const { run, piece, part, synced } = Object(value) as Record<string, unknown>;
  if (isCount(piece) && piece * pieceSize < size) return { piece };
  if (Array.isArray(part)) {
    const [piece, length] = part as unknown[];
    const isBeginning = isCount(piece) && isCount(length) && length > 0 && length <= pieceSize &&
      piece * pieceSize + length <= size;
    return isBeginning ? { part: [piece, length] } : undefined;
  }
  if (synced === true) return { synced };
  const { pid, boot, inode } = Object(run) as Record<string, unknown>;
  if (isCount(pid) && typeof boot === "number") {
    return { run: { pid, boot, ...(isCount(inode) ? { inode } : {}) } };
  }
  return undefined;
}
