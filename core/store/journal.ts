/**
 * The journal beside a part file says which pieces are in it. It is append-only text: one record a
 * line, `<crc32> <json>`, the first one the identity. A piece is recorded after it was written, so
 * that after a crash the journal claims too little, never too much.
 */
import { crc32 } from "node:zlib";
import { ConflictError } from "../base/errors.ts";
import {
  type Disk,
  type DiskFile,
  type DiskOptions,
  isWrittenOnlyBy,
  mayBeSameInode,
  realDisk,
  statIfExists,
  withDiskErrors,
} from "./disk.ts";
import type { StoredContent } from "./piece_sink.ts";

/** Which content the part file is a part of. */
export interface JournalIdentity {
  /** The content's id, or null if no source offered a manifest. */
  readonly id: string | null;
  readonly size: number;
  readonly pieceSize: number;
  /** As in `StoredContent`. */
  readonly versions?: Readonly<Record<string, string>>;
}

/** A process begins to write. */
export interface JournalRun {
  readonly pid: number;
  /** When its machine was started, ms since 1970; read only by versions that do not know `bootId`. */
  readonly boot: number;
  /** The kernel's id of that start, where the platform has one. */
  readonly bootId?: string | undefined;
  /** Inode of the part file, where the platform has one: a copy may be older than the journal. */
  readonly inode?: number | undefined;
  /** The modification time that the part file has after each write of this run, ms since 1970; see `PartFile.mark`. */
  readonly mtime?: number | undefined;
}

type IdentityRecord = JournalIdentity & { readonly "p2p-journal": number };

export type JournalRecord =
  | { readonly run: JournalRun }
  /** A verified piece was written; with its CRC-32 if no manifest has a digest of it. */
  | { readonly piece: number; readonly crc?: number | undefined }
  /** The unverified beginning of a piece was written: piece and length. */
  | { readonly part: readonly [piece: number, length: number] }
  /** All pieces before this record are synced. */
  | { readonly synced: true }
  /** A sync begins, while more pieces are written … */
  | { readonly syncing: true }
  /** … and now all pieces before the last `syncing` are synced. */
  | { readonly syncedBatch: true }
  /**
   * All pieces before this record must be hashed, and written again if they are right: another
   * process wrote to the part file, or a sync failed. After a failed sync the kernel may show bytes
   * that it will never write to the disk.
   */
  | { readonly doubt: true }
  /** These pieces are wrong. */
  | { readonly lost: readonly number[] };

/** What the journal claims of one piece. */
export interface Claim {
  readonly state: "synced" | "unsynced" | "doubted";
  /** The boot in which it was written. */
  readonly bootId: string | undefined;
  readonly crc: number | undefined;
}

export interface JournalState {
  readonly identity: JournalIdentity;
  readonly claims: ReadonlyMap<number, Claim>;
  /** Length of the unverified beginning, by piece; none of these pieces is in `claims`. */
  readonly parts: ReadonlyMap<number, number>;
  /** The last run. */
  readonly run: JournalRun | undefined;
  /** Bytes of the text that are valid records. */
  readonly length: number;
}

const VERSION = 1;

export function identityOf({ layout, manifest, versions }: StoredContent): JournalIdentity {
  const { size, pieceSize } = layout;
  return { id: manifest?.id ?? null, size, pieceSize, ...versions && { versions } };
}

/** Whether a journal with this identity is about exactly this content. */
export function isIdentityOf(identity: JournalIdentity, content: StoredContent): boolean {
  const { id, size, pieceSize } = identityOf(content);
  return identity.id === id && identity.size === size && identity.pieceSize === pieceSize &&
    mayBeSameVersion(identity.versions, content.versions);
}

/** Whether bytes of both belong together: no source has another version now, and at least one has the same. */
function mayBeSameVersion(
  before: JournalIdentity["versions"],
  now: JournalIdentity["versions"],
): boolean {
  if (before === undefined || now === undefined) return before === now;
  const common = Object.keys(before).filter((source) => Object.hasOwn(now, source));
  return common.length > 0 && common.every((source) => before[source] === now[source]);
}

export function encodeIdentity({ id, size, pieceSize, versions }: JournalIdentity): string {
  return encodeRecord({ "p2p-journal": VERSION, id, size, pieceSize, ...versions && { versions } });
}

export function encodeRecord(record: JournalRecord | IdentityRecord): string {
  const json = JSON.stringify(record);
  return `${checksum(json)} ${json}\n`;
}

function checksum(json: string): string {
  return crc32(json).toString(16).padStart(8, "0");
}

/** Ignores everything behind the last valid record. @returns undefined if there is no valid identity. */
export function parseJournal(text: string): JournalState | undefined {
  const [first, ...lines] = validLines(text);
  const identity = parseIdentity(first?.value);
  if (identity === undefined) return undefined;
  const pieces = new Map<number, { at: number } & Omit<Claim, "state">>();
  const parts = new Map<number, number>();
  let run: JournalRun | undefined;
  let length = first!.end;
  // Positions in the text: claims before them are synced, or doubted.
  let syncingAt = 0, syncedAt = 0, doubtAt = 0;
  const forget = (piece: number) => {
    pieces.delete(piece);
    parts.delete(piece);
  };
  for (const { value, end: at } of lines) {
    const record = parseRecord(value, identity);
    if (record === undefined) break;
    length = at;
    if ("run" in record) run = record.run;
    else if ("piece" in record) {
      const { piece, crc } = record;
      // Other bytes than those that were synced.
      forget(piece);
      pieces.set(piece, { at, bootId: run?.bootId, crc });
    } else if ("part" in record) {
      const [piece, bytes] = record.part;
      forget(piece);
      parts.set(piece, bytes);
    } else if ("lost" in record) record.lost.forEach(forget);
    else if ("doubt" in record) doubtAt = at;
    else if ("syncing" in record) syncingAt = at;
    else syncedAt = Math.max(syncedAt, "synced" in record ? at : syncingAt);
  }
  const claims = new Map<number, Claim>();
  for (const [piece, { at, bootId, crc }] of pieces) {
    const state = at < doubtAt ? "doubted" : at < syncedAt ? "synced" : "unsynced";
    claims.set(piece, { state, bootId, crc });
  }
  return { identity, claims, parts, run, length };
}

/** The lines before the first one with a wrong checksum; `end` counts characters, which are bytes: all is ASCII. */
function validLines(text: string): { value: unknown; end: number }[] {
  const lines: { value: unknown; end: number }[] = [];
  let end = 0;
  for (const line of text.split("\n").slice(0, -1)) {
    const json = line.slice(9);
    if (line[8] !== " " || line.slice(0, 8) !== checksum(json)) break;
    end += line.length + 1;
    lines.push({ value: parseJson(json), end });
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

type Fields = Readonly<Record<string, unknown>>;

function parseIdentity(value: unknown): JournalIdentity | undefined {
  const { "p2p-journal": version, id, size, pieceSize, versions } = Object(value) as Fields;
  if (version !== VERSION || !isCount(size) || !isCount(pieceSize) || pieceSize === 0) return;
  if (id !== null && !(typeof id === "string" && /^[0-9a-f]{64}$/.test(id))) return;
  if (versions === undefined) return { id, size, pieceSize };
  return isTexts(versions) ? { id, size, pieceSize, versions } : undefined;
}

function isTexts(value: unknown): value is Readonly<Record<string, string>> {
  return typeof value === "object" && value !== null &&
    Object.values(value).every((text) => typeof text === "string");
}

function parseRecord(
  value: unknown,
  { size, pieceSize }: JournalIdentity,
): JournalRecord | undefined {
  const { run, piece, crc, part, synced, syncing, syncedBatch, doubt, lost } = Object(
    value,
  ) as Fields;
  const isPiece = (piece: unknown): piece is number => isCount(piece) && piece * pieceSize < size;
  if (isPiece(piece)) return { piece, ...isCount(crc) && { crc } };
  if (Array.isArray(part)) {
    const [piece, length] = part as unknown[];
    const isValid = isPiece(piece) && isCount(length) && length > 0 && length <= pieceSize &&
      piece * pieceSize + length <= size;
    return isValid ? { part: [piece, length] } : undefined;
  }
  if (synced === true) return { synced };
  if (syncing === true) return { syncing };
  if (syncedBatch === true) return { syncedBatch };
  if (doubt === true) return { doubt };
  if (Array.isArray(lost)) return lost.every(isPiece) ? { lost } : undefined;
  const { pid, boot, bootId, inode, mtime } = Object(run) as Fields;
  if (!isCount(pid) || typeof boot !== "number") return undefined;
  return {
    run: {
      pid,
      boot,
      ...typeof bootId === "string" && { bootId },
      ...isCount(inode) && { inode },
      ...typeof mtime === "number" && { mtime },
    },
  };
}

/** A journal as it is on the disk. */
export interface FoundJournal {
  /** undefined if not even its identity is valid. */
  readonly state: JournalState | undefined;
  /** Only this user can have written it. */
  readonly isOwn: boolean;
  readonly inode: number | null;
  /** ms since 1970. */
  readonly mtime: number | undefined;
}

/** @returns undefined if no plain file is at `path`; links are not followed. @throws {DiskError} */
export function readJournal(
  path: string,
  { disk = realDisk, user }: DiskOptions,
): FoundJournal | undefined {
  const info = statIfExists(path, disk);
  if (!info?.isFile) return undefined;
  return withDiskErrors(`read "${path}"`, () => {
    try {
      const state = parseJournal(disk.readTextFileSync(path));
      const isOwn = isWrittenOnlyBy(user, info, path, disk);
      return { state, isOwn, inode: info.ino, mtime: info.mtime?.getTime() };
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      if (!(error instanceof Deno.errors.PermissionDenied)) throw error;
      // Another user's journal.
      return { state: undefined, isOwn: false, inode: info.ino, mtime: undefined };
    }
  });
}

export class Journal implements Disposable {
  readonly #path: string;
  readonly #file: DiskFile;
  #closed = false;

  private constructor(path: string, file: DiskFile) {
    this.#path = path;
    this.#file = file;
  }

  /**
   * Creates a journal, or continues `found` behind its last valid record, and appends `records`.
   *
   * @throws {ConflictError} if the file was replaced after it was read. @throws {DiskError}
   */
  static open(
    path: string,
    identity: JournalIdentity,
    found: FoundJournal | undefined,
    records: readonly JournalRecord[],
    disk: Disk,
  ): Journal {
    const state = found?.state;
    const createNew = state === undefined;
    const open = () => disk.openSync(path, { write: true, createNew });
    const journal = new Journal(path, withDiskErrors(`write "${path}"`, open));
    try {
      if (state === undefined) journal.#write(encodeIdentity(identity));
      else journal.#seekTo(state.length, found?.inode);
      for (const record of records) journal.append(record);
      return journal;
    } catch (error) {
      journal[Symbol.dispose]();
      throw error;
    }
  }

  /** Records what has happened to the part file; a piece only after it was written. @throws {DiskError} */
  append(record: JournalRecord): void {
    this.#write(encodeRecord(record));
  }

  /** When the last record was written, by the clock of the file system. */
  modified(): Date | undefined {
    return withDiskErrors(`look at "${this.#path}"`, () => this.#file.statSync()).mtime ??
      undefined;
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#file.close();
  }

  #seekTo(position: number, inode: number | null | undefined): void {
    withDiskErrors(`write "${this.#path}"`, () => {
      if (!mayBeSameInode(this.#file.statSync().ino, inode)) {
        throw new ConflictError(`Cannot write "${this.#path}": it was replaced`, {
          problem: "target-replaced",
        });
      }
      this.#file.truncateSync(position);
      this.#file.seekSync(position, Deno.SeekMode.Start);
    });
  }

  #write(text: string): void {
    const bytes = new TextEncoder().encode(text);
    withDiskErrors(`write "${this.#path}"`, () => {
      for (let at = 0; at < bytes.length;) at += this.#file.writeSync(bytes.subarray(at));
    });
  }
}
