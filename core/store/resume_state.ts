/**
 * What of an earlier run counts: pieces that the journal proves, where nobody else can have written
 * the part file, and pieces that hashing proves.
 */
import { crc32 } from "node:zlib";
import { equalBytes } from "../base/digest.ts";
import { ConflictError } from "../base/errors.ts";
import { type PieceLayout, rangeOfPiece } from "../base/pieces.ts";
import { lengthOf } from "../base/ranges.ts";
import { mapPieces } from "../hash/hash_file.ts";
import { mainThreadHasher } from "../hash/pool.ts";
import { digestOfPiece } from "../protocol/manifest.ts";
import { isFor, type StoreOptions } from "./content.ts";
import { type DiskFile, realDisk, removeIfExists, withDiskErrorsAsync } from "./disk.ts";
import { readerOf } from "./hashing.ts";
import type { FoundJournal } from "./journal.ts";
import type { JournalContent } from "./journal_text.ts";
import { PartFile } from "./part_file.ts";
import type { StoredContent } from "./pieces.ts";
import { quarantinePart } from "./partials.ts";
import { COPY, partPath, quarantineTarget, UNVERIFIED } from "./paths.ts";

/**
 * The journal, if what it claims is about this very content and part file. It begins when the part
 * has its full length, so beside a shorter one it is another's; and a copy of the part may be older
 * than the journal's last claims.
 */
export function claimsOf(
  found: FoundJournal | undefined,
  part: PartFile,
  content: StoredContent,
): FoundJournal | undefined {
  const isThis = found !== undefined && found.isOwn && isFor(found.content, content) &&
    part.sizeBefore === content.layout.size && part.inode === found.content?.run?.inode;
  return isThis && content.layout.count > 1 ? found : undefined;
}

export interface ResumeState {
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

function emptyResumeState(): Omit<ResumeState, "mark"> {
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
export async function loadResumeState(
  part: PartFile,
  claims: FoundJournal | undefined,
  content: StoredContent,
  terms: StoreOptions,
  signal: AbortSignal,
): Promise<ResumeState> {
  const { layout, manifest } = content;
  const journal = claims?.content;
  const whole = layout.count <= 1;
  // Before anything is read: what somebody else writes from now on is noticed.
  const mark = whole ? undefined : part.mark(journal?.run?.mtime);
  if (part.fresh) return { ...emptyResumeState(), mark };
  const { trusted, doubtful } = claims === undefined
    ? { trusted: [], doubtful: wholePieces(layout, part.sizeBefore) }
    : trustedPieces(claims, part.mtimeBefore, terms.bootId);
  const sums = new Map(manifest ? [] : journal?.sums);
  // Of one piece there is no journal, which could say that a sync failed.
  const mustRewrite = (piece: number) => whole || journal?.doubted.has(piece) === true;
  const provable = manifest ? doubtful : doubtful.filter((piece) => sums.has(piece));
  const proven = await withDiskErrorsAsync(
    `read "${part.path}"`,
    () =>
      rightPieces(part.file, content, sums, provable, terms, signal, (piece, bytes) => {
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
export async function copyRightPieces(
  from: PartFile,
  target: string,
  claims: FoundJournal | undefined,
  content: StoredContent,
  terms: StoreOptions,
  signal: AbortSignal,
): Promise<{ part: PartFile; state: ResumeState }> {
  const { layout, manifest } = content;
  const { disk = realDisk, space } = terms;
  const another = () => "another p2p";
  space.require(target, layout.size);
  const sums = new Map(manifest ? [] : claims?.content?.sums);
  const pieces = manifest ? wholePieces(layout, from.sizeBefore) : Array.from(sums.keys());
  const copyPath = partPath(quarantineTarget(target, COPY));
  // Of an interrupted copy: whoever copies has locked `from`.
  removeIfExists(copyPath, disk);
  const copy = PartFile.open(copyPath, another, terms);
  try {
    if (!copy.isOwn && copy.uid === from.uid && from.links === 1) {
      // To this file system all files are alike: a copy would be no better.
      copy.remove();
      copy.close();
      return { part: from, state: await loadResumeState(from, undefined, content, terms, signal) };
    }
    const whole = layout.count <= 1;
    if (!whole) copy.resize(layout.size);
    const mark = whole ? undefined : copy.mark();
    const proven = await withDiskErrorsAsync(
      `read "${from.path}"`,
      () =>
        rightPieces(from.file, content, sums, pieces, terms, signal, (piece, bytes) => {
          copy.write(rangeOfPiece(layout, piece).start, bytes);
        }),
    );
    const { path } = from;
    // Of what cannot be hashed nothing was copied, so it stays.
    if (!manifest && sums.size === 0 && from.sizeBefore > 0) {
      quarantinePart(from, target, UNVERIFIED, disk);
    }
    from.close();
    replace(path, copy);
    const part = copy.closed ? PartFile.open(path, another, terms) : copy;
    const have = new Set(proven);
    const hashed = pieces.length;
    return { part, state: { have, proven, lost: [], hashed, unverified: new Map(), sums, mark } };
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
export async function rightPieces(
  file: DiskFile,
  { layout, manifest }: StoredContent,
  sums: ReadonlyMap<number, number>,
  pieces: readonly number[],
  { hasher = mainThreadHasher }: StoreOptions,
  signal: AbortSignal,
  onRight: (piece: number, bytes: Uint8Array) => void = () => {},
): Promise<number[]> {
  const right: number[] = [];
  const check = async (bytes: Uint8Array) => manifest ? await hasher.sha256(bytes) : crc32(bytes);
  const read = readerOf(file);
  for await (
    const { piece, bytes, result } of mapPieces(read, layout, pieces, check, { hasher, signal })
  ) {
    const isRight = result instanceof Uint8Array
      ? equalBytes(result, digestOfPiece(manifest!, piece))
      : result === sums.get(piece) && bytes.length === lengthOf(rangeOfPiece(layout, piece));
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
function trustedPieces(
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
