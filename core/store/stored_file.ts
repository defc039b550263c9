/**
 * One file on its way to completeness: what of it is there, where the next
 * piece goes, and how it gets its name. It trusts only what was hashed, and
 * writes the journal last.
 */
import { crc32 } from "node:zlib";
import { dirname } from "@std/path";
import { equalBytes, sha256 } from "../base/digest.ts";
import { ConflictError } from "../base/errors.ts";
import { lengthOf } from "../base/ranges.ts";
import { type PieceLayout, rangeOfPiece } from "../base/pieces.ts";
import type { ConflictPolicy, SyncPolicy } from "../base/policies.ts";
import { digestOfPiece, type Manifest } from "../wire/manifest.ts";
import { asideTarget, COPY, freeAside, markOf, moveAside, OLD, UNVERIFIED } from "./aside.ts";
import { DiskFullError, onSlowDisk } from "./disk_faults.ts";
import { freeBytes } from "./free_space.ts";
import { type Disk, type DiskFile, lookAt, realDisk, removeIfThere } from "./disk.ts";
import { hashOpenFile, readPieces } from "./hashing.ts";
import { type FoundJournal, Journal, readJournal } from "./journal.ts";
import type { JournalContent, JournalIdentity } from "./journal_text.ts";
import type { User } from "./owner.ts";
import { PartFile, syncFolder } from "./part_file.ts";
import { adoptPartial } from "./partial.ts";
import { besideTarget, JOURNAL_SUFFIX, looksFree, PART_SUFFIX, settle } from "./target.ts";

/** What the finished file must hold. */
export interface Content {
  readonly layout: PieceLayout;
  /** undefined where no seed offers one: then nothing can be verified piece by piece. */
  readonly manifest: Manifest | undefined;
}

export interface StoreTerms {
  readonly pid: number;
  /** When this machine was started, ms since 1970. */
  readonly boot: number;
  /** The kernel's id of that start; where the platform gives none, only what was synced is trusted. */
  readonly bootId?: string | undefined;
  /** Who runs this process; undefined where files have no owners. */
  readonly user?: User | undefined;
  /** Bytes after which what was written is synced, beside the download; undefined: only at the end. */
  readonly syncEvery?: number | undefined;
  readonly disk?: Disk;
  /** As `Deno.build.os` names it; this one where none is given. */
  readonly platform?: string;
}

/** What an earlier run left. */
export interface Resumed {
  readonly pieces: number;
  readonly bytes: number;
  /** Pieces that the journal alone did not prove. */
  readonly rehashed: number;
}

export interface Placed {
  readonly path: string;
  readonly how: "downloaded" | "already-there" | "skipped";
}

/** How often somebody else may write to the part file before that is an error. */
const MAX_TOUCHES = 10;

export class StoredFile implements Disposable {
  readonly target: string;
  readonly content: Content;
  readonly resumed: Resumed;
  readonly #terms: StoreTerms;
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
  /** Length of the unverified beginning that is in the part file, by piece. */
  readonly #unverified: Map<number, number>;
  /** CRC-32 of each piece, where no manifest has its digest. */
  readonly #sums: Map<number, number>;

  private constructor(
    target: string,
    content: Content,
    terms: StoreTerms,
    part: PartFile,
    journal: Journal | undefined,
    stock: Stock,
  ) {
    this.target = target;
    this.content = content;
    this.#terms = terms;
    this.#disk = terms.disk ?? realDisk;
    this.#part = part;
    this.#journal = journal;
    this.#have = stock.have;
    this.#unverified = stock.unverified;
    this.#sums = stock.sums;
    this.resumed = {
      pieces: stock.have.size,
      bytes: bytesIn(content.layout, stock.have),
      rehashed: stock.hashed,
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
    content: Content,
    terms: StoreTerms,
    signal: AbortSignal,
    begun: readonly string[] = [],
  ): Promise<StoredFile> {
    const { disk = realDisk } = terms;
    if (begun.length > 0) adoptPartial(begun, target, content.manifest?.id ?? null, terms);
    const journalPath = besideTarget(target, JOURNAL_SUFFIX);
    const part = PartFile.open(
      besideTarget(target, PART_SUFFIX),
      () => {
        const pid = readJournal(journalPath, terms)?.content?.run?.pid;
        return pid === undefined ? "another p2p" : `another p2p (process ${pid})`;
      },
      { ...terms, target },
    );
    try {
      // A file of one piece has no journal; beside a new one there may be another's, which is let be.
      const none = part.fresh && content.layout.count <= 1;
      const found = none ? undefined : readJournal(journalPath, terms);
      if (found?.content === undefined || mayBeOurs(found.content, content)) {
        return await StoredFile.#resume(target, content, terms, part, found, signal);
      }
      setAside(target, part, found.content, disk);
    } catch (error) {
      part.close();
      throw error;
    }
    part.close();
    return await StoredFile.open(target, content, terms, signal, begun);
  }

  static async #resume(
    target: string,
    content: Content,
    terms: StoreTerms,
    opened: PartFile,
    found: FoundJournal | undefined,
    signal: AbortSignal,
  ): Promise<StoredFile> {
    const { layout } = content;
    const claims = claimsOf(found, opened, content);
    const { part, stock } = opened.isOwn
      ? { part: opened, stock: await takeStock(opened, claims, content, terms, signal) }
      : await copyRightPieces(opened, target, claims, content, terms, signal);
    try {
      const touched = !part.fresh && !part.isUntouched();
      // One piece is one write, which says whether there is room, and makes it as long as it must be.
      const whole = layout.count <= 1;
      if (!whole) requireSpace(target, layout.size - bytesIn(layout, stock.have));
      if (part.size > layout.size || (!whole && part.size < layout.size)) part.resize(layout.size);
      const journal = whole ? undefined : openJournal(target, content, claims, part, stock, terms);
      const file = new StoredFile(target, content, terms, part, journal, stock);
      if (touched) file.#doubt();
      return file;
    } catch (error) {
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
  missing(): number[] {
    const all = Array.from({ length: this.content.layout.count }, (_, piece) => piece);
    return all.filter((piece) => !this.#have.has(piece));
  }

  /** Unverified beginnings of missing pieces, by this run or an earlier one: piece and length. They never count as stored. */
  get unverified(): ReadonlyMap<number, number> {
    return this.#unverified;
  }

  /** Writes the unverified beginning of a missing piece to its place. @throws {DiskError} */
  keepUnverified(piece: number, bytes: Uint8Array): void {
    if (this.#have.has(piece) || bytes.length === 0) return;
    this.#noticeTouch();
    this.#part.write(rangeOfPiece(this.content.layout, piece).start, bytes);
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
  store(piece: number, bytes: Uint8Array): void {
    if (this.#syncFault) throw this.#syncFault;
    this.#noticeTouch();
    this.#part.write(rangeOfPiece(this.content.layout, piece).start, bytes);
    const crc = this.content.manifest ? undefined : crc32(bytes);
    this.#journal?.addPiece(piece, crc);
    this.#have.add(piece);
    this.#unverified.delete(piece);
    if (crc !== undefined) this.#sums.set(piece, crc);
    this.#unsynced += bytes.length;
    const { syncEvery = Infinity } = this.#terms;
    if (this.#unsynced >= syncEvery && this.#syncing === undefined) this.#beginSync();
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
    this.#part.mark();
  }

  /**
   * Hashes what is doubtful; what is wrong is missing again.
   *
   * @param options.all hash every piece. @returns how many were wrong.
   */
  async check(signal: AbortSignal, { all = false } = {}): Promise<number> {
    this.#noticeTouch();
    const doubted = this.#doubted;
    const pieces = Array.from(all ? this.#have : doubted).sort((a, b) => a - b);
    if (pieces.length === 0) return 0;
    const { path, file } = this.#part;
    const right = new Set(
      await onSlowDisk(
        `read "${path}"`,
        () => rightPieces(file, this.content, this.#sums, pieces, signal),
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
    return await onSlowDisk(`read "${path}"`, () => hashOpenFile(file, signal));
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
  ): Promise<Placed | undefined> {
    const { manifest } = this.content;
    const bytes = manifest ? { manifest } : { sha256: options.sha256 };
    const settled = () => settle(this.target, bytes, options.policy, signal, this.#disk);
    for (let syncedAt = -1;;) {
      if (options.sync === "finish" && syncedAt !== this.#touches) {
        await this.#sync();
        syncedAt = this.#touches;
      }
      const { kind, path } = looksFree(this.target)
        ? { kind: "free" as const, path: this.target }
        : await settled();
      if (kind === "same" || kind === "skip") {
        this.discard();
        return { path, how: kind === "same" ? "already-there" : "skipped" };
      }
      const touches = this.#touches;
      if (await this.check(signal) > 0) return undefined;
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
    this.#journal?.[Symbol.dispose]();
    this.#part.close();
  }

  #removeJournal(): void {
    if (!this.#journal) return;
    this.#journal[Symbol.dispose]();
    removeIfThere(besideTarget(this.target, JOURNAL_SUFFIX), this.#disk);
  }
}

/** Begins or goes on with the journal; what only hashing has proven is claimed at once. */
function openJournal(
  target: string,
  content: Content,
  claims: FoundJournal | undefined,
  part: PartFile,
  { proven, lost, sums, mark }: Stock,
  { pid, boot, bootId, disk = realDisk }: StoreTerms,
): Journal {
  const path = besideTarget(target, JOURNAL_SUFFIX);
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
  const there = lookAt(path, disk);
  if (there?.isFile || there?.isSymlink) removeIfThere(path, disk);
  else moveAside(path, target, OLD, JOURNAL_SUFFIX, disk);
}

/** Removes what an interrupted finish left beside a target that is whole. */
export function removeLeftovers(
  target: string,
  content: Content,
  disk: Disk = realDisk,
): void {
  const journalPath = besideTarget(target, JOURNAL_SUFFIX);
  const left = readJournal(journalPath, { disk });
  if (left?.content && !fits(left.content, content)) return;
  const partPath = besideTarget(target, PART_SUFFIX);
  const part = lookAt(partPath, disk);
  if (part?.isFile && part.size === content.layout.size) removeIfThere(partPath, disk);
  if (left) removeIfThere(journalPath, disk);
}

function identityOf({ layout, manifest }: Content): JournalIdentity {
  return { id: manifest?.id ?? null, size: layout.size, pieceSize: layout.pieceSize };
}

/** Whether the journal is about exactly this content. */
function fits(left: JournalContent | undefined, content: Content): boolean {
  const { id, size, pieceSize } = identityOf(content);
  return left !== undefined && left.identity.id === id && left.identity.size === size &&
    left.identity.pieceSize === pieceSize;
}

/** Whether the part file may hold our bytes: unverified ones of the same length may be the very same, and hashing will tell. */
function mayBeOurs(left: JournalContent, content: Content): boolean {
  if (fits(left, content)) return true;
  return left.identity.id === null && content.manifest !== undefined &&
    left.identity.size === content.layout.size;
}

/**
 * The journal, if what it claims is about this very content and part file. It begins when the part
 * has its full length, so beside a shorter one it is another's; and a copy of the part may be older
 * than the journal's last claims.
 */
function claimsOf(
  found: FoundJournal | undefined,
  part: PartFile,
  content: Content,
): FoundJournal | undefined {
  const isThis = found !== undefined && found.isOwn && fits(found.content, content) &&
    part.sizeBefore === content.layout.size && part.inode === found.content?.run?.inode;
  return isThis && content.layout.count > 1 ? found : undefined;
}

/** Renames a part file of other bytes, and then its journal, out of the way. */
function setAside(target: string, part: PartFile, left: JournalContent, disk: Disk): void {
  const mark = markOf(left.identity.id);
  // An empty one is ours: an earlier run was cut off right here.
  if (part.sizeBefore > 0) part.moveTo(freeAside(target, mark, PART_SUFFIX, disk));
  moveAside(besideTarget(target, JOURNAL_SUFFIX), target, mark, JOURNAL_SUFFIX, disk);
}

interface Stock {
  readonly have: Set<number>;
  /** Of those, the ones that hashing has proven. */
  readonly proven: readonly number[];
  /** Pieces that the journal claims and that are not there. */
  readonly lost: readonly number[];
  /** How many were hashed. */
  readonly hashed: number;
  /** Length of the unverified beginning, by piece. */
  readonly unverified: Map<number, number>;
  /** CRC-32 of pieces, where no manifest has their digest. */
  readonly sums: Map<number, number>;
  /** The modification time of the part file from now on; see `PartFile.mark`. */
  readonly mark: number | undefined;
}

function nothingYet(): Omit<Stock, "mark"> {
  return {
    have: new Set(),
    proven: [],
    lost: [],
    hashed: 0,
    unverified: new Map(),
    sums: new Map(),
  };
}

/** Which pieces are there: those that the journal proves, and those that hashing proves. */
async function takeStock(
  part: PartFile,
  claims: FoundJournal | undefined,
  content: Content,
  { bootId }: StoreTerms,
  signal: AbortSignal,
): Promise<Stock> {
  const { layout, manifest } = content;
  const journal = claims?.content;
  const whole = layout.count <= 1;
  // Before anything is read: what somebody else writes from now on is noticed.
  const mark = whole ? undefined : part.mark(journal?.run?.mtime);
  if (part.fresh) return { ...nothingYet(), mark };
  const { trusted, doubtful } = claims === undefined
    ? { trusted: [], doubtful: wholePieces(layout, part.sizeBefore) }
    : weigh(claims, part.mtimeBefore, bootId);
  const sums = new Map(manifest ? [] : journal?.sums);
  // Of one piece there is no journal, which could say that a sync failed.
  const mustRewrite = (piece: number) => whole || journal?.doubted.has(piece) === true;
  const provable = manifest ? doubtful : doubtful.filter((piece) => sums.has(piece));
  const proven = await onSlowDisk(
    `read "${part.path}"`,
    () =>
      rightPieces(part.file, content, sums, provable, signal, (piece, bytes) => {
        if (mustRewrite(piece)) part.write(rangeOfPiece(layout, piece).start, bytes);
      }),
  );
  const have = new Set([...trusted, ...proven]);
  const lost = claims === undefined ? [] : doubtful.filter((piece) => !have.has(piece));
  const unverified = new Map(manifest ? beginnings(layout, part.sizeBefore, journal) : []);
  for (const piece of have) unverified.delete(piece);
  return { have, proven, lost, hashed: provable.length, unverified, sums, mark };
}

/**
 * Copies what is right of `from` into a new part file in its place: somebody else may write to
 * `from`, or it has another name, under which it must stay as it is.
 */
async function copyRightPieces(
  from: PartFile,
  target: string,
  claims: FoundJournal | undefined,
  content: Content,
  terms: StoreTerms,
  signal: AbortSignal,
): Promise<{ part: PartFile; stock: Stock }> {
  const { layout, manifest } = content;
  const { disk = realDisk } = terms;
  const another = () => "another p2p";
  requireSpace(target, layout.size);
  const sums = new Map(manifest ? [] : claims?.content?.sums);
  const pieces = manifest ? wholePieces(layout, from.sizeBefore) : Array.from(sums.keys());
  const copyPath = besideTarget(asideTarget(target, COPY), PART_SUFFIX);
  // Of an interrupted copy: whoever copies has locked `from`.
  removeIfThere(copyPath, disk);
  const copy = PartFile.open(copyPath, another, terms);
  try {
    if (!copy.isOwn && copy.uid === from.uid && from.links === 1) {
      // To this file system all files are alike: a copy would be no better.
      copy.remove();
      copy.close();
      return { part: from, stock: await takeStock(from, undefined, content, terms, signal) };
    }
    const whole = layout.count <= 1;
    if (!whole) copy.resize(layout.size);
    const mark = whole ? undefined : copy.mark();
    const proven = await onSlowDisk(
      `read "${from.path}"`,
      () =>
        rightPieces(from.file, content, sums, pieces, signal, (piece, bytes) => {
          copy.write(rangeOfPiece(layout, piece).start, bytes);
        }),
    );
    const { path } = from;
    // Of what cannot be hashed nothing was copied, so it stays.
    if (!manifest && sums.size === 0 && from.sizeBefore > 0) {
      from.moveTo(freeAside(target, UNVERIFIED, PART_SUFFIX, disk));
    }
    from.close();
    replace(path, copy);
    const part = copy.closed ? PartFile.open(path, another, terms) : copy;
    const have = new Set(proven);
    const hashed = pieces.length;
    return { part, stock: { have, proven, lost: [], hashed, unverified: new Map(), sums, mark } };
  } catch (error) {
    try {
      copy.remove();
    } finally {
      copy.close();
    }
    throw error;
  }
}

/** @throws {ConflictError} if that is not allowed, as with another user's file in a folder like /tmp. */
function replace(path: string, by: PartFile): void {
  try {
    by.moveTo(path);
  } catch (error) {
    const { cause } = error as Error;
    if (!(cause instanceof Error) || !/not permitted|denied/i.test(cause.message)) throw error;
    throw new ConflictError(`Cannot write "${path}": it is another user's`, {
      cause,
      hint: "Ask its owner to remove it, or choose another folder with --out",
    });
  }
}

/** Those of `pieces` that are right in an open file. @param onRight receives the bytes, valid until it returns. */
async function rightPieces(
  file: DiskFile,
  { layout, manifest }: Content,
  sums: ReadonlyMap<number, number>,
  pieces: readonly number[],
  signal: AbortSignal,
  onRight: (piece: number, bytes: Uint8Array) => void = () => {},
): Promise<number[]> {
  const right: number[] = [];
  for await (const { piece, bytes } of readPieces(file, layout, pieces, signal)) {
    if (bytes === undefined) continue;
    const isRight = manifest
      ? equalBytes(sha256(bytes), digestOfPiece(manifest, piece))
      : crc32(bytes) === sums.get(piece);
    if (!isRight) continue;
    right.push(piece);
    onRight(piece, bytes);
  }
  return right;
}

/** The unverified beginnings that an earlier run left. A file of one piece has no journal: its length tells. */
function beginnings(
  layout: PieceLayout,
  sizeBefore: number,
  journal: JournalContent | undefined,
): ReadonlyMap<number, number> {
  if (layout.count > 1) return journal?.parts ?? new Map();
  return new Map(sizeBefore > 0 && sizeBefore < layout.size ? [[0, sizeBefore]] : []);
}

/**
 * Which claims count as they are. All are doubtful if somebody else wrote to the part file. What was
 * written in this boot is in the page cache; after another one only what was synced is certain.
 */
function weigh(
  claims: FoundJournal,
  partMtime: number | undefined,
  bootId: string | undefined,
): { trusted: number[]; doubtful: number[] } {
  const { synced, unsynced, doubted } = claims.content!;
  const touched = isTouched(claims, partMtime);
  const trusted = touched ? [] : Array.from(synced);
  const doubtful = [...doubted, ...(touched ? synced : [])];
  for (const [piece, writtenIn] of unsynced) {
    const isHere = !touched && bootId !== undefined && writtenIn === bootId;
    (isHere ? trusted : doubtful).push(piece);
  }
  return { trusted, doubtful: doubtful.sort((a, b) => a - b) };
}

/** Whether the part file was written since the run that wrote the journal. Older versions leave no mark, but write the journal last. */
function isTouched({ content, mtime }: FoundJournal, partMtime: number | undefined): boolean {
  if (partMtime === undefined) return true;
  const mark = content?.run?.mtime;
  return mark === undefined ? mtime === undefined || partMtime > mtime : partMtime !== mark;
}

/** The pieces that lie whole in the first `size` bytes. */
function wholePieces(layout: PieceLayout, size: number): number[] {
  const pieces = Array.from({ length: layout.count }, (_, piece) => piece);
  return pieces.filter((piece) => rangeOfPiece(layout, piece).end <= size);
}

function bytesIn(layout: PieceLayout, pieces: Iterable<number>): number {
  let bytes = 0;
  for (const piece of pieces) bytes += lengthOf(rangeOfPiece(layout, piece));
  return bytes;
}

/** @throws {DiskFullError} */
function requireSpace(target: string, bytes: number): void {
  const folder = dirname(target);
  const free = freeBytes(folder);
  // Not every file system can tell; then the write will.
  if (free === undefined || bytes <= free) return;
  const fault = new DiskFullError(
    `Cannot download to "${target}": ${bytes} bytes are missing, ${free} bytes are free`,
    {
      hint: "Free some space or choose another folder with --out, then run the same command again",
    },
  );
  fault.lacking = { folder, bytes };
  throw fault;
}
