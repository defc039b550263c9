/**
 * One file on its way to completeness: which pieces are stored, where the next one goes, and how the
 * file gets its name. The journal is written last, and only hashed bytes are trusted.
 */
import { crc32 } from "node:zlib";
import { dirname } from "node:path";
import { ConflictError, DiskError } from "../base/errors.ts";
import { allPieces, bytesIn, type PieceLayout, rangeOfPiece } from "../base/pieces.ts";
import type { ConflictPolicy, SyncPolicy } from "../config.ts";
import { isHeldError, retryWhileHeld } from "../base/held_file.ts";
import { type ByteRange, lengthOf } from "../base/ranges.ts";
import { type ConflictResolution, isFree, resolveConflict } from "./conflict.ts";
import {
  type Disk,
  realDisk,
  removeIfExists,
  statIfExists,
  syncFolder,
  withDiskErrors,
} from "./disk.ts";
import type { SpaceReservation } from "./free_space.ts";
import { sha256OfOpenFile } from "./hashing.ts";
import {
  type FoundJournal,
  identityOf,
  isIdentityOf,
  Journal,
  type JournalIdentity,
  type JournalRecord,
  readJournal,
} from "./journal.ts";
import { type FileAttributes, PartFile, type PlaceResult } from "./part_file.ts";
import { adoptPartial, type PartialHints, quarantineJournal, quarantinePart } from "./partials.ts";
import { journalPath, markOf, NOT_A_JOURNAL, partPath, UNVERIFIED } from "./paths.ts";
import type { PieceSink, PieceSource, StoredContent } from "./piece_sink.ts";
import {
  copyValidPieces,
  loadResumeState,
  type OpenRequest,
  type ResumeState,
  type StoreOptions,
  validJournal,
  verifyPieces,
} from "./resume_state.ts";

export type { StoredContent, StoreOptions };

/** What an earlier run left. */
export interface ResumedFile {
  readonly pieces: number;
  readonly bytes: number;
  /** Pieces that were hashed because the journal alone did not prove them. */
  readonly rehashed: number;
}

export interface PlacedFile {
  readonly path: string;
  readonly how: "downloaded" | "already-there" | "skipped";
}

/** How often another process may write to the part file. */
const MAX_TOUCHES = 10;

export class StoredFile implements PieceSink, PieceSource, Disposable {
  readonly target: string;
  readonly content: StoredContent;
  readonly resumed: ResumedFile;
  readonly #options: StoreOptions;
  readonly #disk: Disk;
  readonly #part: PartFile;
  /** undefined for a file of one piece, which is either complete or empty. */
  readonly #journal: Journal | undefined;
  /** For the bytes that are not written yet. */
  readonly #reservation: SpaceReservation;
  readonly #claim: Disposable;
  readonly #state: ResumeState;
  /** Pieces that were stored before another process wrote to the file. */
  #doubted: ReadonlySet<number> = new Set();
  #touches = 0;
  /** Bytes written since the last sync began. */
  #unsynced = 0;
  #syncing: Promise<void> | undefined;
  /** Why a sync beside the download failed. */
  #syncFault: unknown;
  #closed = false;

  private constructor(
    { target, content, options }: OpenRequest,
    part: PartFile,
    journal: Journal | undefined,
    state: ResumeState,
    reservation: SpaceReservation,
  ) {
    this.target = target;
    this.content = content;
    this.#options = options;
    this.#disk = options.disk ?? realDisk;
    this.#part = part;
    this.#journal = journal;
    this.#reservation = reservation;
    this.#claim = options.targets.add(target);
    this.#state = state;
    this.resumed = { ...this.held(), rehashed: state.hashed };
  }

  /**
   * Opens the unfinished file of `target`, or begins it.
   *
   * @param hints where an earlier run may have begun this content: that is adopted.
   * @throws {ConflictError} if another process works on it. @throws {DiskFullError} if the missing
   * bytes do not fit. @throws {DiskError}
   */
  static async open(
    target: string,
    content: StoredContent,
    options: StoreOptions,
    signal: AbortSignal,
    hints: PartialHints = {},
  ): Promise<StoredFile> {
    const { disk = realDisk } = options;
    adoptPartial(target, content, hints, options);
    const holder = () => {
      const pid = readJournal(journalPath(target), options)?.state?.run?.pid;
      return pid === undefined ? "another p2p" : `another p2p (process ${pid})`;
    };
    const part = PartFile.open(partPath(target), { ...options, target, holder });
    const isEmpty = part.before.size === 0;
    try {
      // A file of one piece has no journal; one beside an empty part file is of another content.
      const found = isEmpty && content.layout.count <= 1
        ? undefined
        : readJournal(journalPath(target), options);
      const identity = found?.state?.identity;
      if (identity === undefined || mayHold(identity, content)) {
        return await StoredFile.#resume({ target, content, options, signal }, part, found);
      }
      const mark = markOf(identity.id);
      // The part file first: a run that is interrupted here finds an empty one.
      if (!isEmpty) quarantinePart(part, target, mark, disk);
      quarantineJournal(target, mark, disk);
    } catch (error) {
      if (isEmpty) tryRemove(part);
      part.close();
      throw error;
    }
    part.close();
    return await StoredFile.open(target, content, options, signal, hints);
  }

  static async #resume(
    request: OpenRequest,
    opened: PartFile,
    found: FoundJournal | undefined,
  ): Promise<StoredFile> {
    const { target, content, options } = request;
    const { layout } = content;
    const valid = validJournal(found, opened, content);
    const { part, state } = opened.isOwn
      ? { part: opened, state: await loadResumeState(opened, valid, request) }
      : await copyValidPieces(opened, valid, request);
    let reservation: SpaceReservation | undefined;
    try {
      const isTouched = part.before.size > 0 && !part.isUntouched();
      const isSingle = layout.count <= 1;
      // Small files, too: they must not take the space of downloads that were begun.
      reservation = options.space.reserve(target, missingBytes(layout, state));
      // A file of one piece is one write, which gives it its length.
      if (part.size > layout.size || (!isSingle && part.size < layout.size)) {
        part.resize(layout.size);
      }
      const journal = isSingle ? undefined : openJournal(request, valid, part, state);
      const file = new StoredFile(request, part, journal, state, reservation);
      if (isTouched) file.#doubt();
      return file;
    } catch (error) {
      reservation?.[Symbol.dispose]();
      part.close();
      throw error;
    }
  }

  get complete(): boolean {
    return this.#state.have.size === this.content.layout.count;
  }

  /** Stored pieces. */
  get pieces(): Iterable<number> {
    return this.#state.have;
  }

  held(): { pieces: number; bytes: number } {
    return { pieces: this.#state.have.size, bytes: bytesIn(this.content.layout, this.#state.have) };
  }

  get missing(): number[] {
    return allPieces(this.content.layout).filter((piece) => !this.#state.have.has(piece));
  }

  get unverified(): ReadonlyMap<number, number> {
    return this.#state.unverified;
  }

  keepUnverified(piece: number, bytes: Uint8Array, from = 0): void {
    if (this.#state.have.has(piece) || bytes.length === 0) return;
    this.#noticeTouch();
    this.#part.write(this.#startOf(piece) + from, bytes.subarray(from));
    this.#reservation.written(bytes.length - from);
    this.#journal?.append({ part: [piece, bytes.length] });
    this.#state.unverified.set(piece, bytes.length);
  }

  readUnverified(piece: number, into: Uint8Array): number {
    const length = Math.min(this.#state.unverified.get(piece) ?? 0, into.length);
    return this.#part.read(this.#startOf(piece), into.subarray(0, length));
  }

  /** @throws {ConflictError} if the part file was removed or replaced. @throws {DiskError} */
  write(piece: number, bytes: Uint8Array): void {
    if (this.#syncFault) throw this.#syncFault;
    this.#noticeTouch();
    this.#part.write(this.#startOf(piece), bytes);
    this.#reservation.written(bytes.length - (this.#state.unverified.get(piece) ?? 0));
    const crc = this.content.manifest ? undefined : crc32(bytes);
    this.#journal?.append({ piece, crc });
    this.#state.have.add(piece);
    this.#state.unverified.delete(piece);
    if (crc !== undefined) this.#state.sums.set(piece, crc);
    this.#unsynced += bytes.length;
    const { syncEvery = Infinity } = this.#options;
    if (this.#unsynced >= syncEvery && this.#syncing === undefined) this.#startSync();
  }

  has(piece: number): boolean {
    return this.#state.have.has(piece);
  }

  read(range: ByteRange, into: Uint8Array): void {
    if (this.#part.read(range.start, into.subarray(0, lengthOf(range))) < lengthOf(range)) {
      throw new DiskError(`Cannot read "${this.#part.path}": it is too short`);
    }
  }

  /** Syncs beside the download, so that few pieces must be hashed after a crash. */
  #startSync(): void {
    const journal = this.#journal;
    if (journal === undefined) return;
    this.#unsynced = 0;
    journal.append({ syncing: true });
    this.#syncing = this.#part.sync().then(() => {
      if (!this.#closed) journal.append({ syncedBatch: true });
    }).catch((error) => {
      if (this.#closed) return;
      // The next write throws it.
      this.#syncFault = error;
      this.#distrust();
    }).finally(() => this.#syncing = undefined);
  }

  #noticeTouch(): void {
    if (!this.#part.isUntouched()) this.#doubt();
  }

  /** Another process wrote to the part file: all pieces in it must be hashed. */
  #doubt(): void {
    if (++this.#touches > MAX_TOUCHES) {
      const text = `Cannot write "${this.#part.path}": another program keeps writing to it`;
      throw new ConflictError(text, { problem: "target-replaced" });
    }
    // Before the next write makes the file look untouched.
    this.#journal?.append({ doubt: true });
    this.#doubted = new Set(this.#state.have);
    const { size, count } = this.content.layout;
    if (count > 1) this.#part.resize(size);
    else this.#part.acceptTouch();
  }

  /**
   * Hashes doubted pieces; wrong ones are missing again.
   *
   * @param options.all hash every piece. @returns the number of wrong pieces.
   */
  async recheck(signal: AbortSignal, { all = false } = {}): Promise<number> {
    this.#noticeTouch();
    const doubted = this.#doubted;
    const pieces = Array.from(all ? this.#state.have : doubted).sort((a, b) => a - b);
    if (pieces.length === 0) return 0;
    const request = { content: this.content, options: this.#options, signal };
    const valid = new Set(await verifyPieces(this.#part, this.#state.sums, pieces, request));
    this.#doubted = new Set();
    const lost = pieces.filter((piece) => !valid.has(piece));
    for (const piece of lost) this.#state.have.delete(piece);
    if (lost.length > 0) this.#journal?.append({ lost });
    for (const piece of doubted) {
      if (valid.has(piece)) this.#journal?.append({ piece, crc: this.#state.sums.get(piece) });
    }
    return lost.length;
  }

  /** SHA-256 of the whole file, which on Windows only the process that has locked it can read. */
  async sha256(signal: AbortSignal): Promise<string> {
    const { path, file } = this.#part;
    const hash = () => sha256OfOpenFile(file, signal, this.#options.hasher);
    return await withDiskErrors(`read "${path}"`, hash);
  }

  /**
   * Gives the complete file its name.
   *
   * @param options.sha256 of the whole file, used if there is no manifest.
   * @returns undefined if pieces are missing again, because another process wrote to the part file.
   * @throws {ConflictError} as the policy says. @throws {DiskError}
   */
  async finish(
    options: {
      policy: ConflictPolicy;
      sync: SyncPolicy;
      sha256: string;
      attributes?: FileAttributes | undefined;
    },
    signal: AbortSignal,
  ): Promise<PlacedFile | undefined> {
    const { target } = this;
    const { manifest } = this.content;
    const bytes = manifest ? { manifest } : { sha256: options.sha256 };
    // Repeats if another process takes the name, or writes to the part file.
    for (let syncedAt = -1, isTaken = false;;) {
      if (options.sync === "finish" && syncedAt !== this.#touches) {
        await this.#sync();
        syncedAt = this.#touches;
      }
      const { kind, path }: ConflictResolution = !isTaken && isFree(target)
        ? { kind: "free" as const, path: target }
        : await resolveConflict(target, bytes, options.policy, signal, this.#options);
      if (kind === "same" || kind === "skip") {
        await this.#retryWhileHeld(() => this.#remove(), signal);
        return { path, how: kind === "same" ? "already-there" : "skipped" };
      }
      const touches = this.#touches;
      if (await this.recheck(signal) > 0) return undefined;
      if (touches !== this.#touches) continue;
      const modified = this.#journal?.modified();
      const { attributes } = options;
      const result: PlaceResult = await this.#retryWhileHeld(
        () => this.#part.place(path, { replace: kind === "replace", modified, attributes }),
        signal,
      );
      // `isFree` does not see a dangling link.
      isTaken ||= result === "taken";
      if (result !== "placed") continue;
      if (options.sync === "finish") {
        await syncFolder(dirname(path), this.#disk, this.#options.platform ?? Deno.build.os);
      }
      await this.#retryWhileHeld(() => this.#removeJournal(), signal).catch((error) => {
        // The file is complete. The next run removes the journal.
        if (!isHeldError(error)) throw error;
      });
      return { path, how: "downloaded" };
    }
  }

  async #retryWhileHeld<Result>(act: () => Result, signal: AbortSignal): Promise<Result> {
    return await retryWhileHeld(act, this.#options, signal);
  }

  async #sync(): Promise<void> {
    await this.#syncing;
    if (this.#syncFault) throw this.#syncFault;
    try {
      await this.#part.sync();
    } catch (error) {
      this.#distrust();
      throw error;
    }
    this.#journal?.append({ synced: true });
  }

  /** After a failed sync no run may trust the journal's claims. */
  #distrust(): void {
    try {
      this.#journal?.append({ doubt: true });
    } catch {
      this.#removeJournal();
    }
  }

  /**
   * Ends a download whose bytes are not the requested ones. Without a manifest they are kept in
   * quarantine, because the requested digest may be wrong.
   *
   * @returns where they are kept. @throws {DiskError}
   */
  reject(): string | undefined {
    if (this.content.manifest) return void this.#remove();
    this.#closed = true;
    const path = quarantinePart(this.#part, this.target, UNVERIFIED, this.#disk);
    this.#removeJournal();
    return path;
  }

  #remove(): void {
    this.#closed = true;
    this.#part.remove();
    this.#removeJournal();
  }

  /** Closes the part file and the journal, which stay for the next run. */
  [Symbol.dispose](): void {
    this.#closed = true;
    this.#reservation[Symbol.dispose]();
    this.#journal?.[Symbol.dispose]();
    this.#part.close();
    this.#claim[Symbol.dispose]();
  }

  #removeJournal(): void {
    if (!this.#journal) return;
    this.#journal[Symbol.dispose]();
    removeIfExists(journalPath(this.target), this.#disk);
  }

  #startOf(piece: number): number {
    return rangeOfPiece(this.content.layout, piece).start;
  }
}

/** Removes what an interrupted finish left beside a complete target. @throws {DiskError} */
export function removeLeftovers(
  target: string,
  content: StoredContent,
  disk: Disk = realDisk,
): void {
  const found = readJournal(journalPath(target), { disk });
  if (found?.state && !isIdentityOf(found.state.identity, content)) return;
  const part = statIfExists(partPath(target), disk);
  if (part?.isFile && part.size === content.layout.size) removeIfExists(partPath(target), disk);
  if (found) removeIfExists(journalPath(target), disk);
}

/** Whether a part file with this journal may have pieces of `content`: unverified bytes of the same size may be the same. */
function mayHold(identity: JournalIdentity, content: StoredContent): boolean {
  if (isIdentityOf(identity, content)) return true;
  return identity.id === null && content.manifest !== undefined &&
    identity.size === content.layout.size;
}

/** Continues the valid journal or begins one, and records what only hashing has proven. */
function openJournal(
  { target, content, options }: OpenRequest,
  valid: FoundJournal | undefined,
  { before: { ino } }: PartFile,
  { proven, lost, sums, mark }: ResumeState,
): Journal {
  const { pid, boot, bootId, disk = realDisk } = options;
  const path = journalPath(target);
  const info = valid ? undefined : statIfExists(path, disk);
  if (info?.isFile || info?.isSymlink) removeIfExists(path, disk);
  else if (info) quarantineJournal(target, NOT_A_JOURNAL, disk);
  const records: JournalRecord[] = [
    // Before the run, whose `mtime` makes the other claims valid again.
    ...lost.length > 0 ? [{ lost }] : [],
    { run: { pid, boot, bootId, inode: ino ?? undefined, mtime: mark } },
    ...proven.map((piece) => ({ piece, crc: sums.get(piece) })),
  ];
  return Journal.open(path, identityOf(content), valid, records, disk);
}

/** A part file without any bytes is not worth keeping; the error that is thrown matters more than one of this. */
function tryRemove(part: PartFile): void {
  try {
    if (part.isUntouched()) part.remove();
  } catch {
    // The next run finds an empty part file.
  }
}

/** Bytes that are not in the part file, not even unverified. */
function missingBytes(layout: PieceLayout, { have, unverified }: ResumeState): number {
  const kept = Array.from(unverified.values()).reduce((sum, length) => sum + length, 0);
  return Math.max(0, layout.size - bytesIn(layout, have) - kept);
}
