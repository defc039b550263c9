/**
 * Which pieces of an earlier run are valid: those that the journal proves, if no other user can have
 * written the part file, and those that hashing proves.
 */
import { crc32 } from "node:zlib";
import { equalBytes } from "../base/digest.ts";
import { ConflictError } from "../base/errors.ts";
import { allPieces, type PieceLayout, rangeOfPiece } from "../base/pieces.ts";
import { lengthOf } from "../base/ranges.ts";
import { mapPieces } from "../hash/hash_file.ts";
import { type Hasher, mainThreadHasher } from "../hash/pool.ts";
import { digestOfPiece } from "../protocol/manifest.ts";
import { type DiskOptions, realDisk, removeIfExists, withDiskErrors } from "./disk.ts";
import type { DiskSpace } from "./free_space.ts";
import type { OpenTargets } from "./open_targets.ts";
import type { Clock } from "../base/clock.ts";
import { readerOf } from "./hashing.ts";
import { type FoundJournal, isIdentityOf, type JournalState } from "./journal.ts";
import { PartFile } from "./part_file.ts";
import { quarantinePart } from "./partials.ts";
import { COPY, partPath, quarantineTarget, UNVERIFIED } from "./paths.ts";
import type { StoredContent } from "./piece_sink.ts";

export interface StoreOptions extends DiskOptions {
  readonly pid: number;
  /** When this machine was started, ms since 1970. */
  readonly boot: number;
  /** The kernel's id of that start; without it only synced pieces are trusted. */
  readonly bootId?: string | undefined;
  /** Written bytes after which a sync starts beside the download; undefined: only at the end. */
  readonly syncEvery?: number | undefined;
  /** Shared by all downloads of the process. */
  readonly space: DiskSpace;
  /** Shared by all downloads of the process. */
  readonly targets: OpenTargets;
  readonly clock: Clock;
  /** Hashes files; this thread if there is none. */
  readonly hasher?: Hasher;
}

/** What the functions that open a file share. */
export interface OpenRequest {
  readonly target: string;
  readonly content: StoredContent;
  readonly options: StoreOptions;
  readonly signal: AbortSignal;
}

export interface ResumeState {
  /** Valid pieces. */
  readonly have: Set<number>;
  /** Those of `have` that were hashed. */
  readonly proven: readonly number[];
  /** Pieces that the journal claims and that are wrong. */
  readonly lost: readonly number[];
  /** Number of pieces that were hashed. */
  readonly hashed: number;
  /** Length of the unverified beginning, by piece. */
  readonly unverified: Map<number, number>;
  /** CRC-32 by piece, if there is no manifest. */
  readonly sums: Map<number, number>;
  /** See `PartFile.mark`. */
  readonly mark: number | undefined;
}

/**
 * `found`, if it is about this very content and part file. A journal begins when the part file has
 * its full length, so it is not of a shorter one; and a copy of the part file may be older than its
 * last claims.
 */
export function validJournal(
  found: FoundJournal | undefined,
  part: PartFile,
  content: StoredContent,
): FoundJournal | undefined {
  const { state, isOwn } = found ?? {};
  const isValid = state && isOwn && content.layout.count > 1 &&
    isIdentityOf(state.identity, content) && part.before.size === content.layout.size &&
    part.before.ino === (state.run?.inode ?? null);
  return isValid ? found : undefined;
}

/**
 * @param journal as `validJournal` returns it.
 * @param copy receives the valid pieces, if `part` must not be written to: then no claim is trusted.
 * @throws {DiskError} and the signal's reason if it aborts.
 */
export async function loadResumeState(
  part: PartFile,
  journal: FoundJournal | undefined,
  request: OpenRequest,
  copy?: PartFile,
): Promise<ResumeState> {
  const { content, options } = request;
  const { layout, manifest } = content;
  const { state } = journal ?? {};
  const isSingle = layout.count <= 1;
  if (copy && !isSingle) copy.resize(layout.size);
  // Before anything is read, so that later writes of other processes are noticed.
  const mark = isSingle ? undefined : (copy ?? part).mark(copy ? undefined : state?.run?.mtime);
  const [trusted, doubtful] = journal && !copy
    ? trustedPieces(journal, part.before.mtime?.getTime(), options.bootId)
    : [[], completePieces(layout, part.before.size)];
  const sums = sumsOf(content, state);
  const provable = manifest ? doubtful : doubtful.filter((piece) => sums.has(piece));
  const write = (piece: number, bytes: Uint8Array) => {
    // A single piece has no journal, which could say that a sync failed.
    const mustRewrite = copy || isSingle || state?.claims.get(piece)?.state === "doubted";
    if (mustRewrite) (copy ?? part).write(rangeOfPiece(layout, piece).start, bytes);
  };
  const proven = await verifyPieces(part, sums, provable, request, write);
  const have = new Set([...trusted, ...proven]);
  const lost = copy || !state ? [] : doubtful.filter((piece) => !have.has(piece));
  const unverified = new Map(manifest && !copy ? beginnings(layout, part.before.size, state) : []);
  for (const piece of have) unverified.delete(piece);
  return { have, proven, lost, hashed: provable.length, unverified, sums, mark };
}

/**
 * Replaces a part file that must not be written to, because another user can write to it or it has
 * another hard link, by a copy of its valid pieces.
 */
export async function copyValidPieces(
  from: PartFile,
  journal: FoundJournal | undefined,
  request: OpenRequest,
): Promise<{ part: PartFile; state: ResumeState }> {
  const { target, content, options } = request;
  const { disk = realDisk, space } = options;
  const { path } = from;
  // The copy takes as much space as the file; what it needs in the end is reserved later.
  space.reserve(target, content.layout.size)[Symbol.dispose]();
  const copyPath = partPath(quarantineTarget(target, COPY));
  // Left of an interrupted copy: no other process copies, because `from` is locked.
  removeIfExists(copyPath, disk);
  const copy = PartFile.open(copyPath, options);
  try {
    if (!copy.isOwn && copy.before.uid === from.before.uid && (from.before.nlink ?? 1) === 1) {
      // This file system has the same owner and mode for all files, so a copy is no better.
      copy.remove();
      copy.close();
      return {
        part: from,
        state: await loadResumeState(from, undefined, request),
      };
    }
    const state = await loadResumeState(from, journal, request, copy);
    // Pieces that cannot be verified were not copied.
    if (!content.manifest && state.sums.size === 0 && from.before.size > 0) {
      quarantinePart(from, target, UNVERIFIED, disk);
    }
    from.close();
    moveOver(path, copy);
    return { part: copy.closed ? PartFile.open(path, options) : copy, state };
  } catch (error) {
    try {
      copy.remove();
    } finally {
      copy.close();
    }
    throw error;
  }
}

/** @throws {ConflictError} if the system refuses it, as for another user's file in a folder like /tmp. */
function moveOver(path: string, copy: PartFile): void {
  try {
    copy.moveTo(path);
  } catch (error) {
    const { cause } = error as Error;
    if (!(cause instanceof Error) || !/not permitted|denied/i.test(cause.message)) throw error;
    throw new ConflictError(`Cannot write "${path}": it is another user's`, {
      cause,
      problem: "foreign-file",
    });
  }
}

/** @returns those of `pieces` that are valid. @param onValid receives the bytes, which are valid until it returns. */
export async function verifyPieces(
  { file, path }: PartFile,
  sums: ReadonlyMap<number, number>,
  pieces: readonly number[],
  { content, options, signal }: Omit<OpenRequest, "target">,
  onValid: (piece: number, bytes: Uint8Array) => void = () => {},
): Promise<number[]> {
  const { layout, manifest } = content;
  const { hasher = mainThreadHasher } = options;
  const valid: number[] = [];
  const hash = async (bytes: Uint8Array) => manifest ? await hasher.sha256(bytes) : crc32(bytes);
  const hashed = mapPieces(readerOf(file), layout, pieces, hash, { hasher, signal });
  await withDiskErrors(`read "${path}"`, async () => {
    for await (const { piece, bytes, result } of hashed) {
      const isValid = result instanceof Uint8Array
        ? equalBytes(result, digestOfPiece(manifest!, piece))
        : result === sums.get(piece) && bytes.length === lengthOf(rangeOfPiece(layout, piece));
      if (!isValid) continue;
      valid.push(piece);
      onValid(piece, bytes);
    }
  });
  return valid;
}

function sumsOf(
  { manifest }: StoredContent,
  state: JournalState | undefined,
): Map<number, number> {
  const claims = manifest ? [] : state?.claims ?? [];
  return new Map(
    Array.from(claims).flatMap(([piece, { crc }]) => {
      return crc === undefined ? [] : [[piece, crc]];
    }),
  );
}

/** A file of one piece has no journal: its length tells. */
function beginnings(
  { count, size }: PieceLayout,
  sizeBefore: number,
  state: JournalState | undefined,
): ReadonlyMap<number, number> {
  if (count > 1) return state?.parts ?? new Map();
  return new Map(sizeBefore > 0 && sizeBefore < size ? [[0, sizeBefore]] : []);
}

/**
 * The claimed pieces that are valid without hashing, and the others. All are doubtful if another
 * process wrote to the part file. Pieces of this boot are in the page cache; of other boots only
 * synced pieces are certain.
 */
function trustedPieces(
  { state, mtime }: FoundJournal,
  partMtime: number | undefined,
  bootId: string | undefined,
): [trusted: number[], doubtful: number[]] {
  const mark = state!.run?.mtime;
  // Version 0.1.0 sets no mark, and writes the journal last.
  const isTouched = partMtime === undefined ||
    (mark === undefined ? mtime === undefined || partMtime > mtime : partMtime !== mark);
  const trusted: number[] = [], doubtful: number[] = [];
  for (const [piece, claim] of state!.claims) {
    const isSafe = claim.state === "synced" ||
      (claim.state === "unsynced" && bootId !== undefined && claim.bootId === bootId);
    (isSafe && !isTouched ? trusted : doubtful).push(piece);
  }
  return [trusted, doubtful.sort((a, b) => a - b)];
}

/** The pieces that are complete in the first `size` bytes. */
function completePieces(layout: PieceLayout, size: number): number[] {
  return allPieces(layout).filter((piece) => rangeOfPiece(layout, piece).end <= size);
}
