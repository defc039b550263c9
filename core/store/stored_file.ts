/**
 * One file on its way to completeness: what of it is there, where the next
 * piece goes, and how it gets its name. It trusts only what was hashed, and
 * writes the journal last.
 */
import { dirname } from "@std/path";
import { statfsSync } from "node:fs";
import { lengthOf } from "../base/ranges.ts";
import { type PieceLayout, rangeOfPiece } from "../base/pieces.ts";
import type { ConflictPolicy, SyncPolicy } from "../base/policies.ts";
import type { Manifest } from "../wire/manifest.ts";
import { diskFault, DiskFullError, onDisk } from "./disk_faults.ts";
import { checkPieces, hashFile } from "./hashing.ts";
import { Journal, readJournal } from "./journal.ts";
import type { JournalContent, JournalIdentity } from "./journal_text.ts";
import { PartFile } from "./part_file.ts";
import { besideTarget, JOURNAL_SUFFIX, lookAt, PART_SUFFIX, settle } from "./target.ts";

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
  readonly #terms: StoreTerms;
  readonly #part: PartFile;
  /** Pieces that are in the part file and right. */
  readonly #have: Set<number>;
  /** Those among them that only this run's hashing has proven. */
  readonly #rehashed: readonly number[];
  readonly #left: JournalContent | undefined;
  #journal: Journal | undefined;

  private constructor(
    target: string,
    content: Content,
    terms: StoreTerms,
    part: PartFile,
    left: JournalContent | undefined,
    stock: Stock,
  ) {
    this.target = target;
    this.content = content;
    this.#terms = terms;
    this.#part = part;
    this.#left = left;
    this.#have = stock.have;
    this.#rehashed = stock.proven;
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
    const journalPath = besideTarget(target, JOURNAL_SUFFIX);
    const part = await PartFile.open(besideTarget(target, PART_SUFFIX), async () => {
      const pid = (await readJournal(journalPath))?.pid;
      return pid === undefined ? "another p2p" : `another p2p (process ${pid})`;
    });
    try {
      return await StoredFile.#resume(target, content, terms, part, signal);
    } catch (error) {
      part.close();
      throw error;
    }
  }

  static async #resume(
    target: string,
    content: Content,
    terms: StoreTerms,
    part: PartFile,
    signal: AbortSignal,
  ): Promise<StoredFile> {
    const journalPath = besideTarget(target, JOURNAL_SUFFIX);
    const left = await readJournal(journalPath);
    if (left && !mayBeOurs(left, content)) {
      const fresh = await setAside(target, part, left);
      return await StoredFile.#resume(target, content, terms, fresh, signal);
    }
    // A journal begins when the part file has its full length; beside a shorter one it is another's.
    const trusted = left && fits(left, content) && part.sizeBefore === content.layout.size
      ? left
      : undefined;
    if (trusted === undefined) await moveAside(journalPath, target, "old", JOURNAL_SUFFIX);
    const stock = await takeStock(part, trusted, content, terms, signal);
    requireSpace(target, content.layout.size - bytesIn(content.layout, stock.have));
    await part.resize(content.layout.size);
    return new StoredFile(target, content, terms, part, trusted, stock);
  }

  get complete(): boolean {
    return this.#have.size === this.content.layout.count;
  }

  /** Pieces that are not there yet, in order. */
  missing(): number[] {
    const all = Array.from({ length: this.content.layout.count }, (_, piece) => piece);
    return all.filter((piece) => !this.#have.has(piece));
  }

  /** Stores a piece that was verified, if there is anything to verify it by. @throws {DiskError} */
  store(piece: number, bytes: Uint8Array): void {
    this.#part.write(rangeOfPiece(this.content.layout, piece).start, bytes);
    // A file of one piece is either complete or empty: it needs no journal.
    if (this.content.layout.count > 1) this.#claim(piece);
    this.#have.add(piece);
  }

  /** SHA-256 of all of it. */
  async sha256(signal: AbortSignal): Promise<string> {
    return await hashFile(this.#part.path, signal);
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
    if (options.sync === "finish") await this.#part.sync();
    const { manifest } = this.content;
    const bytes = manifest ? { manifest } : { sha256: options.sha256 };
    for (;;) {
      const { kind, path } = await settle(this.target, bytes, options.policy, signal);
      if (kind === "same" || kind === "skip") {
        await this.#part.remove();
        await this.#removeJournal();
        return { path, how: kind === "same" ? "already-there" : "skipped" };
      }
      // false: somebody else took the name in this very moment.
      if (
        await this.#part.place(path, {
          replace: kind === "replace",
          sync: options.sync === "finish",
        })
      ) {
        await this.#removeJournal();
        return { path, how: "downloaded" };
      }
    }
  }

  /** Throws away what was downloaded: it was proven to be wrong. */
  async discard(): Promise<void> {
    await this.#part.remove();
    await this.#removeJournal();
  }

  /** Closes what is open; the part file and its journal stay for the next run. */
  [Symbol.dispose](): void {
    this.#journal?.[Symbol.dispose]();
    this.#part.close();
  }

  #claim(piece: number): void {
    const path = besideTarget(this.target, JOURNAL_SUFFIX);
    try {
      if (this.#journal === undefined) {
        this.#journal = Journal.open(path, identityOf(this.content), this.#left, this.#terms);
        for (const rehashed of this.#rehashed) this.#journal.addPiece(rehashed);
      }
      this.#journal.addPiece(piece);
    } catch (error) {
      throw diskFault(`write "${path}"`, error);
    }
  }

  async #removeJournal(): Promise<void> {
    this.#journal?.[Symbol.dispose]();
    this.#journal = undefined;
    await removeIfThere(besideTarget(this.target, JOURNAL_SUFFIX));
  }
}

/** Removes what an interrupted finish left beside a target that is whole. */
export async function removeLeftovers(target: string, content: Content): Promise<void> {
  const journalPath = besideTarget(target, JOURNAL_SUFFIX);
  const left = await readJournal(journalPath);
  if (left && !fits(left, content)) return;
  const partPath = besideTarget(target, PART_SUFFIX);
  const part = await lookAt(partPath);
  if (part?.isFile && part.size === content.layout.size) await removeIfThere(partPath);
  if (left) await removeIfThere(journalPath);
}

async function removeIfThere(path: string): Promise<void> {
  await Deno.remove(path).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw diskFault(`remove "${path}"`, error);
  });
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

/** Renames a part file of other bytes, and its journal, out of the way, and opens a new one. */
async function setAside(target: string, part: PartFile, left: JournalContent): Promise<PartFile> {
  part.close();
  const mark = left.identity.id?.slice(0, 8) ?? "unverified";
  await moveAside(part.path, target, mark, PART_SUFFIX);
  await moveAside(besideTarget(target, JOURNAL_SUFFIX), target, mark, JOURNAL_SUFFIX);
  return await PartFile.open(part.path, () => Promise.resolve("another p2p"));
}

/** Nothing of another content is trusted, and nothing is deleted: it gets a name that says what it was. */
async function moveAside(
  path: string,
  target: string,
  mark: string,
  suffix: string,
): Promise<void> {
  if (await lookAt(path) === undefined) return;
  let aside = besideTarget(`${target}~${mark}`, suffix);
  for (let n = 2; await lookAt(aside); n++) aside = besideTarget(`${target}~${mark}-${n}`, suffix);
  await onDisk(`rename "${path}"`, () => Deno.rename(path, aside));
}

interface Stock {
  readonly have: Set<number>;
  /** Of those, the ones that hashing has proven. */
  readonly proven: readonly number[];
  /** How many were hashed. */
  readonly hashed: number;
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
  if (manifest === undefined) return { have, proven, hashed: 0 };
  for await (const { piece, right } of checkPieces(part.file, manifest, doubtful, signal)) {
    if (!right) continue;
    have.add(piece);
    proven.push(piece);
  }
  return { have, proven, hashed: doubtful.length };
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
  let free: number;
  try {
    const { bavail, bsize } = statfsSync(dirname(target));
    free = bavail * bsize;
  } catch {
    return; // Not every file system can tell; then the write will.
  }
  if (bytes <= free) return;
  throw new DiskFullError(
    `Cannot download to "${target}": ${bytes} bytes are missing, ${free} bytes are free`,
    {
      hint: "Free some space or choose another folder with --out, then run the same command again",
    },
  );
}
