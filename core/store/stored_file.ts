/**
 * One file on its way to completeness: what of it is there, where the next
 * piece goes, and how it gets its name. It trusts only what was hashed, and
 * writes the journal last.
 */
import { crc32 } from "node:zlib";
import { dirname } from "@std/path";
import { ConflictError, DiskError } from "../base/errors.ts";
import { type ByteRange, lengthOf } from "../base/ranges.ts";
import { type PieceLayout, rangeOfPiece } from "../base/pieces.ts";
import type { ConflictPolicy, SyncPolicy } from "../base/policies.ts";
import { identityOf, isFor, mayHoldContent, type StoreOptions } from "./content.ts";
import { isFree, resolveConflict } from "./conflict.ts";
import {
  type Disk,
  realDisk,
  removeIfExists,
  statIfExists,
  syncFolder,
  withDiskErrorsAsync,
} from "./disk.ts";
import type { SpaceReservation } from "./free_space.ts";
import { sha256OfOpenFile } from "./hashing.ts";
import { type FoundJournal, Journal, readJournal } from "./journal.ts";
import type { JournalContent } from "./journal_text.ts";
import { PartFile } from "./part_file.ts";
import { adoptPartial, quarantineJournal, quarantinePart } from "./partials.ts";
import { journalPath, markOf, NOT_A_JOURNAL, partPath } from "./paths.ts";
import type { PieceSink, PieceSource, StoredContent } from "./pieces.ts";
import {
  claimsOf,
  copyRightPieces,
  loadResumeState,
  type ResumeState,
  rightPieces,
} from "./resume_state.ts";

export type { StoredContent, StoreOptions };

/** What an earlier run left. */
export interface ResumedFile {
  readonly pieces: number;
  readonly bytes: number;
  /** Pieces that the journal alone did not prove. */
  readonly rehashed: number;
}

export interface PlacedFile {
  readonly path: string;
  readonly how: "downloaded" | "already-there" | "skipped";
}

/** How often somebody else may write to the part file before that is an error. */
const MAX_TOUCHES = 10;

export class StoredFile implements PieceSink, PieceSource, Disposable {
  readonly target: string;
  readonly content: StoredContent;
  readonly resumed: ResumedFile;
  readonly #terms: StoreOptions;
  readonly #disk: Disk;
  readonly #part: PartFile;
  /** None where there is one piece: such a file is either complete or empty. */
  readonly #journal: Journal | undefined;
  /** Pieces that are in the part file and right, as far as is known. */
  readonly #have: Set<number>;
  /** Those among them that were there when somebody else wrote to the file. */
  #doubted: ReadonlySet<number> = new Set();
  #touches = 0;
  /** Bytes written since the last sync began. */
  #unsynced = 0;
  /** The sync that runs. */
  #syncing: Promise<void> | undefined;
  /** What a sync beside the download failed with. */
  #syncFault: unknown;
  #closed = false;
  /** Space for what is not written yet. */
  readonly #reservation: SpaceReservation | undefined;
  /** Length of the unverified beginning that is in the part file, by piece. */
  readonly #unverified: Map<number, number>;
  /** CRC-32 of each piece, where no manifest has its digest. */
  readonly #sums: Map<number, number>;

  private constructor(
    target: string,
    content: StoredContent,
    terms: StoreOptions,
    part: PartFile,
    journal: Journal | undefined,
    state: ResumeState,
    reservation: SpaceReservation | undefined,
  ) {
    this.target = target;
    this.content = content;
    this.#terms = terms;
    this.#disk = terms.disk ?? realDisk;
    this.#part = part;
    this.#journal = journal;
    this.#reservation = reservation;
    this.#have = state.have;
    this.#unverified = state.unverified;
    this.#sums = state.sums;
    this.resumed = {
      pieces: state.have.size,
      bytes: bytesIn(content.layout, state.have),
      rehashed: state.hashed,
    };
  }

  /**
   * Opens what there is of `target`, or begins it.
   *
   * @param begun other targets beside which this content may have been begun: the first one that has
   * something is taken over, if nothing of this content is beside `target`.
   * @throws {ConflictError} if another process works on it. @throws {DiskFullError} if what is missing does not fit.
   */
  static async open(
    target: string,
    content: StoredContent,
    terms: StoreOptions,
    signal: AbortSignal,
    begun: readonly string[] = [],
  ): Promise<StoredFile> {
    const { disk = realDisk } = terms;
    if (begun.length > 0) adoptPartial(begun, target, content.manifest?.id ?? null, terms);
    const part = PartFile.open(
      partPath(target),
      () => {
        const pid = readJournal(journalPath(target), terms)?.content?.run?.pid;
        return pid === undefined ? "another p2p" : `another p2p (process ${pid})`;
      },
      { ...terms, target },
    );
    try {
      // A file of one piece has no journal; beside a new one there may be another's, which is let be.
      const none = part.fresh && content.layout.count <= 1;
      const found = none ? undefined : readJournal(journalPath(target), terms);
      if (found?.content === undefined || mayHoldContent(found.content, content)) {
        return await StoredFile.#resume(target, content, terms, part, found, signal);
      }
      quarantine(target, part, found.content, disk);
    } catch (error) {
      part.close();
      throw error;
    }
    part.close();
    return await StoredFile.open(target, content, terms, signal, begun);
  }

  static async #resume(
    target: string,
    content: StoredContent,
    terms: StoreOptions,
    opened: PartFile,
    found: FoundJournal | undefined,
    signal: AbortSignal,
  ): Promise<StoredFile> {
    const { layout } = content;
    const claims = claimsOf(found, opened, content);
    const { part, state } = opened.isOwn
      ? { part: opened, state: await loadResumeState(opened, claims, content, terms, signal) }
      : await copyRightPieces(opened, target, claims, content, terms, signal);
    let reservation: SpaceReservation | undefined;
    try {
      const touched = !part.fresh && !part.isUntouched();
      // A file of one piece is one write, which gives it its length.
      const whole = layout.count <= 1;
      // Also for one piece: it must not take the space of a download that was begun.
      reservation = terms.space.reserve(target, missingBytes(layout, state));
      if (part.size > layout.size || (!whole && part.size < layout.size)) part.resize(layout.size);
      const journal = whole ? undefined : openJournal(target, content, claims, part, state, terms);
      const file = new StoredFile(target, content, terms, part, journal, state, reservation);
      if (touched) file.#doubt();
      return file;
    } catch (error) {
      reservation?.[Symbol.dispose]();
      part.close();
      throw error;
    }
  }

  get complete(): boolean {
    return this.#have.size === this.content.layout.count;
  }

  /** Pieces that are there. */
  get pieces(): Iterable<number> {
    return this.#have;
  }

  /** How much is there. */
  held(): { pieces: number; bytes: number } {
    return { pieces: this.#have.size, bytes: bytesIn(this.content.layout, this.#have) };
  }

  /** Pieces that are not there yet, in order. */
  get missing(): number[] {
    const all = Array.from({ length: this.content.layout.count }, (_, piece) => piece);
    return all.filter((piece) => !this.#have.has(piece));
  }

  /** Unverified beginnings of missing pieces, by this run or an earlier one: piece and length. They never count as stored. */
  get unverified(): ReadonlyMap<number, number> {
    return this.#unverified;
  }

  /** Writes the unverified beginning of a missing piece to its place. @param from what comes before is there already @throws {DiskError} */
  keepUnverified(piece: number, bytes: Uint8Array, from = 0): void {
    if (this.#have.has(piece) || bytes.length === 0) return;
    this.#noticeTouch();
    const { start } = rangeOfPiece(this.content.layout, piece);
    this.#part.write(start + from, bytes.subarray(from));
    this.#reservation?.written(bytes.length - from);
    this.#journal?.addPart(piece, bytes.length);
    this.#unverified.set(piece, bytes.length);
  }

  /** Fills `into` with the unverified beginning of a piece. @returns how much of it there is. @throws {DiskError} */
  readUnverified(piece: number, into: Uint8Array): number {
    const length = Math.min(this.#unverified.get(piece) ?? 0, into.length);
    const { start } = rangeOfPiece(this.content.layout, piece);
    return this.#part.read(start, into.subarray(0, length));
  }

  /**
   * Stores a piece that was verified, if there is anything to verify it by.
   *
   * @throws {ConflictError} if the part file was removed or replaced. @throws {DiskError}
   */
  write(piece: number, bytes: Uint8Array): void {
    if (this.#syncFault) throw this.#syncFault;
    this.#noticeTouch();
    this.#part.write(rangeOfPiece(this.content.layout, piece).start, bytes);
    this.#reservation?.written(bytes.length - (this.#unverified.get(piece) ?? 0));
    const crc = this.content.manifest ? undefined : crc32(bytes);
    this.#journal?.addPiece(piece, crc);
    this.#have.add(piece);
    this.#unverified.delete(piece);
    if (crc !== undefined) this.#sums.set(piece, crc);
    this.#unsynced += bytes.length;
    const { syncEvery = Infinity } = this.#terms;
    if (this.#unsynced >= syncEvery && this.#syncing === undefined) this.#beginSync();
  }

  has(piece: number): boolean {
    return this.#have.has(piece);
  }

  read(range: ByteRange, into: Uint8Array): void {
    if (this.#part.read(range.start, into.subarray(0, lengthOf(range))) < lengthOf(range)) {
      throw new DiskError(`Cannot read "${this.#part.path}": it is too short`);
    }
  }

  /** Syncs what was written, while more is: so that little must be hashed after a crash. */
  #beginSync(): void {
    const journal = this.#journal;
    if (journal === undefined) return;
    this.#unsynced = 0;
    journal.beginSync();
    this.#syncing = this.#part.sync().then(() => {
      if (!this.#closed) journal.endSync();
    }).catch((error) => {
      if (this.#closed) return;
      // Told to the next who writes; nothing is trusted from now on.
      this.#syncFault = error;
      this.#distrust();
    }).finally(() => this.#syncing = undefined);
  }

  /** What was written before somebody else wrote to the file is doubtful from now on. */
  #noticeTouch(): void {
    if (!this.#part.isUntouched()) this.#doubt();
  }

  #doubt(): void {
    if (++this.#touches > MAX_TOUCHES) {
      throw new ConflictError(`Cannot write "${this.#part.path}": somebody keeps writing to it`);
    }
    // Before the file looks as if nothing had happened.
    this.#journal?.addDoubt();
    this.#doubted = new Set(this.#have);
    const { size, count } = this.content.layout;
    if (count > 1) this.#part.resize(size);
    else this.#part.acceptTouch();
  }

  /**
   * Hashes what is doubtful; what is wrong is missing again.
   *
   * @param options.all hash every piece. @returns how many were wrong.
   */
  async recheck(signal: AbortSignal, { all = false } = {}): Promise<number> {
    this.#noticeTouch();
    const doubted = this.#doubted;
    const pieces = Array.from(all ? this.#have : doubted).sort((a, b) => a - b);
    if (pieces.length === 0) return 0;
    const { path, file } = this.#part;
    const right = new Set(
      await withDiskErrorsAsync(
        `read "${path}"`,
        () => rightPieces(file, this.content, this.#sums, pieces, this.#terms, signal),
      ),
    );
    this.#doubted = new Set();
    const wrong = pieces.filter((piece) => !right.has(piece));
    for (const piece of wrong) this.#have.delete(piece);
    if (wrong.length > 0) this.#journal?.addLost(wrong);
    for (const piece of doubted) {
      if (right.has(piece)) this.#journal?.addPiece(piece, this.#sums.get(piece));
    }
    return wrong.length;
  }

  /** SHA-256 of all of it. Where locks bind everybody, as on Windows, only the file that holds it can be read. */
  async sha256(signal: AbortSignal): Promise<string> {
    const { path, file } = this.#part;
    return await withDiskErrorsAsync(
      `read "${path}"`,
      () => sha256OfOpenFile(file, signal, this.#terms.hasher),
    );
  }

  /**
   * Gives the complete file its name.
   *
   * @param sha256 of all of it, where there is no manifest.
   * @returns undefined if pieces are missing again, because somebody else wrote to the part file.
   * @throws {ConflictError} as the policy says.
   */
  async finish(
    options: { policy: ConflictPolicy; sync: SyncPolicy; sha256: string },
    signal: AbortSignal,
  ): Promise<PlacedFile | undefined> {
    const { manifest } = this.content;
    const bytes = manifest ? { manifest } : { sha256: options.sha256 };
    const settled = () => resolveConflict(this.target, bytes, options.policy, signal, this.#terms);
    for (let syncedAt = -1;;) {
      if (options.sync === "finish" && syncedAt !== this.#touches) {
        await this.#sync();
        syncedAt = this.#touches;
      }
      const { kind, path } = isFree(this.target)
        ? { kind: "free" as const, path: this.target }
        : await settled();
      if (kind === "same" || kind === "skip") {
        this.discard();
        return { path, how: kind === "same" ? "already-there" : "skipped" };
      }
      const touches = this.#touches;
      if (await this.recheck(signal) > 0) return undefined;
      if (touches !== this.#touches) continue;
      const modified = this.#journal?.modified();
      // Otherwise somebody has the name, or wrote to the part file: all over again.
      if (this.#part.place(path, { replace: kind === "replace", modified }) !== "placed") continue;
      if (options.sync === "finish") await this.#syncFolderOf(path);
      this.#removeJournal();
      return { path, how: "downloaded" };
    }
  }

  /** @throws {DiskError} if it failed: then nothing is trusted that was not synced before. */
  async #sync(): Promise<void> {
    await this.#syncing;
    if (this.#syncFault) throw this.#syncFault;
    try {
      await this.#part.sync();
    } catch (error) {
      this.#distrust();
      throw error;
    }
    this.#journal?.addSynced();
  }

  /** After a failed sync the next run must not trust the journal's claims. */
  #distrust(): void {
    try {
      this.#journal?.addDoubt();
    } catch {
      this.#removeJournal();
    }
  }

  #syncFolderOf(path: string): Promise<void> {
    return syncFolder(dirname(path), this.#disk, this.#terms.platform ?? Deno.build.os);
  }

  /** Throws away what was downloaded: nobody needs it, or it was proven to be wrong. */
  discard(): void {
    this.#closed = true;
    this.#part.remove();
    this.#removeJournal();
  }

  /** Closes what is open; the part file and its journal stay for the next run. */
  [Symbol.dispose](): void {
    this.#closed = true;
    this.#reservation?.[Symbol.dispose]();
    this.#journal?.[Symbol.dispose]();
    this.#part.close();
  }

  #removeJournal(): void {
    if (!this.#journal) return;
    this.#journal[Symbol.dispose]();
    removeIfExists(journalPath(this.target), this.#disk);
  }
}

/** Bytes that are not in the part file yet, not even unverified. */
function missingBytes(layout: PieceLayout, { have, unverified }: ResumeState): number {
  const kept = Array.from(unverified.values()).reduce((sum, length) => sum + length, 0);
  return Math.max(0, layout.size - bytesIn(layout, have) - kept);
}

/** Begins or goes on with the journal; what only hashing has proven is claimed at once. */
function openJournal(
  target: string,
  content: StoredContent,
  claims: FoundJournal | undefined,
  part: PartFile,
  { proven, lost, sums, mark }: ResumeState,
  { pid, boot, bootId, disk = realDisk }: StoreOptions,
): Journal {
  const path = journalPath(target);
  if (claims === undefined) clearPath(path, target, disk);
  const run = { pid, boot, bootId, inode: part.inode, mtime: mark };
  const journal = Journal.open(path, identityOf(content), claims, lost, run, disk);
  try {
    for (const piece of proven) journal.addPiece(piece, sums.get(piece));
    return journal;
  } catch (error) {
    journal[Symbol.dispose]();
    throw error;
  }
}

/** Makes room for a new journal: an old one that claims nothing of the part file is worth nothing. What is no plain file is renamed. */
function clearPath(path: string, target: string, disk: Disk): void {
  const there = statIfExists(path, disk);
  if (there?.isFile || there?.isSymlink) removeIfExists(path, disk);
  else quarantineJournal(target, NOT_A_JOURNAL, disk);
}

/** Removes what an interrupted finish left beside a target that is whole. */
export function removeLeftovers(
  target: string,
  content: StoredContent,
  disk: Disk = realDisk,
): void {
  const left = readJournal(journalPath(target), { disk });
  if (left?.content && !isFor(left.content, content)) return;
  const part = statIfExists(partPath(target), disk);
  if (part?.isFile && part.size === content.layout.size) removeIfExists(partPath(target), disk);
  if (left) removeIfExists(journalPath(target), disk);
}

/** Renames a part file of other bytes, and then its journal, out of the way. */
function quarantine(target: string, part: PartFile, left: JournalContent, disk: Disk): void {
  const mark = markOf(left.identity.id);
  // An empty one is ours: an earlier run was cut off right here.
  if (part.sizeBefore > 0) quarantinePart(part, target, mark, disk);
  quarantineJournal(target, mark, disk);
}

/** How many bytes `pieces` have. */
function bytesIn(layout: PieceLayout, pieces: Iterable<number>): number {
  let bytes = 0;
  for (const piece of pieces) bytes += lengthOf(rangeOfPiece(layout, piece));
  return bytes;
}
