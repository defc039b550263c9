/**
 * One file on its way to completeness: what of it is there, where the next
 * piece goes, and how it gets its name. It trusts only what was hashed, and
 * writes the journal last.
 */
import { dirname } from "@std/path";
import { lengthOf } from "../base/ranges.ts";
import { type PieceLayout, rangeOfPiece } from "../base/pieces.ts";
import type { ConflictPolicy, SyncPolicy } from "../base/policies.ts";
import type { Manifest } from "../wire/manifest.ts";
import { DiskFullError, onDisk, onSlowDisk } from "./disk_faults.ts";
import { freeBytes } from "./free_space.ts";
import { type Disk, lookAt, realDisk, removeIfThere } from "./disk.ts";
import { checkPieces, hashOpenFile } from "./hashing.ts";
import { Journal, readJournal } from "./journal.ts";
import type { JournalContent, JournalIdentity } from "./journal_text.ts";
import { PartFile } from "./part_file.ts";
import {
  besideTarget,
  JOURNAL_SUFFIX,
  looksFree,
  PART_SUFFIX,
  settle,
  type Settlement,
} from "./target.ts";

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

/** Two readings of one boot time differ by the clock's corrections; two boots by more. */
const BOOT_TOLERANCE_MS = 5000;

export class StoredFile implements Disposable {
  readonly target: string;
  readonly content: Content;
  readonly resumed: Resumed;
  readonly #disk: Disk;
  readonly #part: PartFile;
  /** None where there is one piece: such a file is either complete or empty. */
  readonly #journal: Journal | undefined;
  /** Pieces that are in the part file and right. */
  readonly #have: Set<number>;
  /** Length of the unverified beginning that is in the part file, by piece. */
  readonly #unverified: Map<number, number>;

  private constructor(
    target: string,
    content: Content,
    disk: Disk,
    part: PartFile,
    journal: Journal | undefined,
    stock: Stock,
  ) {
    this.target = target;
    this.content = content;
    this.#disk = disk;
    this.#part = part;
    this.#journal = journal;
    this.#have = stock.have;
    this.#unverified = stock.unverified;
    this.resumed = {
      pieces: stock.have.size,
      bytes: bytesIn(content.layout, stock.have),
      rehashed: stock.hashed,
    };
  }

  /**
   * Opens what there is of `target`, or begins it.
   *
   * @throws {ConflictError} if another process works on it. @throws {DiskFullError} if what is missing does not fit.
   */
  static async open(
    target: string,
    content: Content,
    terms: StoreTerms,
    signal: AbortSignal,
  ): Promise<StoredFile> {
    const { disk = realDisk } = terms;
    const journalPath = besideTarget(target, JOURNAL_SUFFIX);
    const part = PartFile.open(
      besideTarget(target, PART_SUFFIX),
      () => {
        const pid = readJournal(journalPath, disk)?.pid;
        return pid === undefined ? "another p2p" : `another p2p (process ${pid})`;
      },
      disk,
      terms.platform,
    );
    try {
      // A file of one piece has no journal; beside a new one there may be another's, which is let be.
      const none = part.fresh && content.layout.count <= 1;
      const left = none ? undefined : readJournal(journalPath, disk);
      if (left === undefined || mayBeOurs(left, content)) {
        return await StoredFile.#resume(target, content, terms, part, left, signal);
      }
      setAside(target, part, left, disk);
    } catch (error) {
      part.close();
      throw error;
    }
    part.close();
    return await StoredFile.open(target, content, terms, signal);
  }

  static async #resume(
    target: string,
    content: Content,
    terms: StoreTerms,
    part: PartFile,
    left: JournalContent | undefined,
    signal: AbortSignal,
  ): Promise<StoredFile> {
    const { layout } = content;
    const { disk = realDisk } = terms;
    const journalPath = besideTarget(target, JOURNAL_SUFFIX);
    const trusted = fits(left, content) && isOf(part, left, layout) ? left : undefined;
    const whole = layout.count <= 1;
    const stray = whole ? left !== undefined : trusted === undefined;
    if (stray) moveAside(journalPath, target, "old", JOURNAL_SUFFIX, disk);
    const look = () => takeStock(part, trusted, content, terms, signal);
    const stock = part.fresh ? nothingYet() : await onSlowDisk(`read "${part.path}"`, look);
    // One piece is one write, which says whether there is room, and makes it as long as it must be.
    if (!whole) requireSpace(target, layout.size - bytesIn(layout, stock.have));
    if (!whole || part.sizeBefore > layout.size) part.resize(layout.size);
    const journal = whole
      ? undefined
      : openJournal(journalPath, content, trusted, part, stock, terms);
    return new StoredFile(target, content, disk, part, journal, stock);
  }

  get complete(): boolean {
    return this.#have.size === this.content.layout.count;
  }

  /** Pieces that are there. */
  get held(): Iterable<number> {
    return this.#have;
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

  /** Stores a piece that was verified, if there is anything to verify it by. @throws {DiskError} */
  store(piece: number, bytes: Uint8Array): void {
    this.#part.write(rangeOfPiece(this.content.layout, piece).start, bytes);
    this.#journal?.addPiece(piece);
    this.#have.add(piece);
    this.#unverified.delete(piece);
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
   * @throws {ConflictError} as the policy says.
   */
  async finish(
    options: { policy: ConflictPolicy; sync: SyncPolicy; sha256: string },
    signal: AbortSignal,
  ): Promise<Placed> {
    if (options.sync === "finish") {
      await this.#part.sync();
      this.#journal?.addSynced();
    }
    const { manifest } = this.content;
    const bytes = manifest ? { manifest } : { sha256: options.sha256 };
    const settled = () => settle(this.target, bytes, options.policy, signal, this.#disk);
    let next: Settlement = { kind: "free", path: this.target };
    if (!looksFree(this.target)) next = await settled();
    for (;; next = await settled()) {
      const { kind, path } = next;
      if (kind === "same" || kind === "skip") {
        this.discard();
        return { path, how: kind === "same" ? "already-there" : "skipped" };
      }
      // false: somebody has the name.
      if (
        await this.#part.place(path, {
          replace: kind === "replace",
          sync: options.sync === "finish",
        })
      ) {
        this.#removeJournal();
        return { path, how: "downloaded" };
      }
    }
  }

  /** Throws away what was downloaded: nobody needs it, or it was proven to be wrong. */
  discard(): void {
    this.#part.remove();
    this.#removeJournal();
  }

  /** Closes what is open; the part file and its journal stay for the next run. */
  [Symbol.dispose](): void {
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
  path: string,
  content: Content,
  left: JournalContent | undefined,
  { inode }: PartFile,
  { proven }: Stock,
  { pid, boot, disk = realDisk }: StoreTerms,
): Journal {
  const journal = Journal.open(path, identityOf(content), left, { pid, boot, inode }, disk);
  try {
    for (const piece of proven) journal.addPiece(piece);
    return journal;
  } catch (error) {
    journal[Symbol.dispose]();
    throw error;
  }
}

/** Removes what an interrupted finish left beside a target that is whole. */
export function removeLeftovers(
  target: string,
  content: Content,
  disk: Disk = realDisk,
): void {
  const journalPath = besideTarget(target, JOURNAL_SUFFIX);
  const left = readJournal(journalPath, disk);
  if (left && !fits(left, content)) return;
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
 * Whether the journal was written beside this very part file. It begins when the
 * part has its full length, so beside a shorter one it is another's; and a copy
 * of the part may be older than the journal's last claims.
 */
function isOf(part: PartFile, left: JournalContent | undefined, layout: PieceLayout): boolean {
  return part.sizeBefore === layout.size && part.inode === left?.inode;
}

/** Renames a part file of other bytes, and then its journal, out of the way. */
function setAside(target: string, part: PartFile, left: JournalContent, disk: Disk): void {
  const mark = left.identity.id?.slice(0, 8) ?? "unverified";
  // An empty one is ours: an earlier run was cut off right here.
  if (part.sizeBefore > 0) part.moveTo(freeAside(target, mark, PART_SUFFIX, disk));
  moveAside(besideTarget(target, JOURNAL_SUFFIX), target, mark, JOURNAL_SUFFIX, disk);
}

/** Nothing of another content is trusted, and nothing is deleted: it gets a name that says what it was. */
function moveAside(path: string, target: string, mark: string, suffix: string, disk: Disk): void {
  if (lookAt(path, disk) === undefined) return;
  const aside = freeAside(target, mark, suffix, disk);
  onDisk(`rename "${path}"`, () => disk.renameSync(path, aside));
}

function freeAside(target: string, mark: string, suffix: string, disk: Disk): string {
  let aside = besideTarget(`${target}~${mark}`, suffix);
  for (let n = 2; lookAt(aside, disk); n++) {
    aside = besideTarget(`${target}~${mark}-${n}`, suffix);
  }
  return aside;
}

interface Stock {
  readonly have: Set<number>;
  /** Of those, the ones that hashing has proven. */
  readonly proven: readonly number[];
  /** How many were hashed. */
  readonly hashed: number;
  /** Length of the unverified beginning, by piece. */
  readonly unverified: Map<number, number>;
}

function nothingYet(): Stock {
  return { have: new Set(), proven: [], hashed: 0, unverified: new Map() };
}

/** Which pieces are there: those that the journal proves, and those that hashing proves. */
async function takeStock(
  part: PartFile,
  journal: JournalContent | undefined,
  { layout, manifest }: Content,
  { boot }: StoreTerms,
  signal: AbortSignal,
): Promise<Stock> {
  const { have, doubtful } = journal
    ? weigh(journal, boot)
    : { have: new Set<number>(), doubtful: wholePieces(layout, part.sizeBefore) };
  const proven: number[] = [];
  // Without a manifest there is nothing to hash against: doubtful pieces are fetched again.
  if (manifest === undefined) return { have, proven, hashed: 0, unverified: new Map() };
  for await (const { piece, right } of checkPieces(part.file, manifest, doubtful, signal)) {
    if (!right) continue;
    have.add(piece);
    proven.push(piece);
  }
  const unverified = beginnings(layout, part.sizeBefore, journal);
  for (const piece of have) unverified.delete(piece);
  return { have, proven, hashed: doubtful.length, unverified };
}

/** The unverified beginnings that an earlier run left. A file of one piece has no journal: its length tells. */
function beginnings(
  layout: PieceLayout,
  sizeBefore: number,
  journal: JournalContent | undefined,
): Map<number, number> {
  if (layout.count > 1) return new Map(journal?.parts);
  return new Map(sizeBefore > 0 && sizeBefore < layout.size ? [[0, sizeBefore]] : []);
}

/** In the same boot the page cache kept everything that was written; after another one only what was synced is certain. */
function weigh(journal: JournalContent, boot: number): { have: Set<number>; doubtful: number[] } {
  const have = new Set(journal.synced);
  const doubtful: number[] = [];
  for (const [piece, writtenIn] of journal.unsynced) {
    if (Math.abs(writtenIn - boot) <= BOOT_TOLERANCE_MS) have.add(piece);
    else doubtful.push(piece);
  }
  return { have, doubtful: doubtful.sort((a, b) => a - b) };
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
