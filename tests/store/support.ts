/** Fixtures for the tests of `store`: small contents in small pieces, and one run of a download. */
import { DiskSpace } from "../../core/store/free_space.ts";
import { OpenTargets } from "../../core/store/open_targets.ts";
import { RunningDigest, sha256 } from "../../core/base/digest.ts";
import { type PieceLayout, rangeOfPiece } from "../../core/base/pieces.ts";
import type { ConflictPolicy, SyncPolicy } from "../../core/config.ts";
import type { Disk } from "../../core/store/disk.ts";
import {
  type PlacedFile,
  removeLeftovers,
  type StoredContent,
  StoredFile,
  type StoreOptions,
} from "../../core/store/stored_file.ts";
import { resolveConflict } from "../../core/store/conflict.ts";
import type { Manifest } from "../../core/protocol/manifest.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { bytesOf } from "../support/bytes.ts";

/** Why a test aborts. */
export class TestAbort extends Error {}
export const never = new AbortController().signal;
/** This process, on a machine that was started then. */
export const OPTIONS = {
  pid: 4711,
  boot: 1_700_000_000_000,
  bootId: "first",
  space: new DiskSpace(),
  targets: new OpenTargets(),
  clock: new ManualClock(),
};
export const AFTER_REBOOT = {
  ...OPTIONS,
  pid: 4712,
  boot: OPTIONS.boot + 60_000,
  bootId: "second",
};

/** Tiny pieces keep the crash matrix small. */
export const PIECE_SIZE = 8;

export function layoutFor(size: number): PieceLayout {
  return { size, pieceSize: PIECE_SIZE, count: Math.ceil(size / PIECE_SIZE) };
}

export function manifestFor(text: string): Manifest {
  const bytes = bytesOf(text);
  const layout = layoutFor(bytes.length);
  const digests = new Uint8Array(layout.count * 32);
  for (let piece = 0; piece < layout.count; piece++) {
    digests.set(sha256(pieceOf(text, piece)), piece * 32);
  }
  const id = new RunningDigest();
  id.update(bytesOf(`${layout.size} `));
  id.update(digests);
  return { layout, sha256: sha256(bytes).toHex(), id: id.hex(), digests };
}

export function verified(text: string): StoredContent {
  const manifest = manifestFor(text);
  return { layout: manifest.layout, manifest };
}

export function unverified(text: string): StoredContent {
  return { layout: layoutFor(bytesOf(text).length), manifest: undefined };
}

export function pieceOf(text: string, piece: number): Uint8Array<ArrayBuffer> {
  const bytes = bytesOf(text);
  const { start, end } = rangeOfPiece(layoutFor(bytes.length), piece);
  return bytes.slice(start, end);
}

export function open(
  target: string,
  content: StoredContent,
  options: StoreOptions = OPTIONS,
  signal = never,
): Promise<StoredFile> {
  return StoredFile.open(target, content, options, signal);
}

/** Opens `target`, stores `pieces` of `text`, and closes it again. */
export async function begin(
  target: string,
  text: string,
  pieces: number[],
  content = verified(text),
  options: StoreOptions = OPTIONS,
): Promise<void> {
  using file = await open(target, content, options);
  for (const piece of pieces) file.write(piece, pieceOf(text, piece));
}

export interface Download {
  readonly target: string;
  readonly text: string;
  readonly content: StoredContent;
  readonly policy?: ConflictPolicy;
  readonly sync?: SyncPolicy;
}

/** One complete run as a task does it; records the pieces that it fetched and stored. */
export async function runDownload(
  { target, text, content, policy = "rename", sync = "finish" }: Download,
  options: StoreOptions & { readonly disk?: Disk },
  seen: { fetched?: number[]; stored?: number[] } = {},
): Promise<PlacedFile> {
  const { disk } = options;
  const sha = sha256(bytesOf(text)).toHex();
  const bytes = content.manifest ? { manifest: content.manifest } : { sha256: sha };
  const place = await resolveConflict(target, bytes, policy, never, { disk });
  if (place.kind === "same") {
    removeLeftovers(place.path, content, disk);
    return { path: place.path, how: "already-there" };
  }
  if (place.kind === "skip") return { path: place.path, how: "skipped" };
  const hints = { requested: target };
  using file = await StoredFile.open(place.path, content, options, never, hints);
  for (let round = 0; round < 5; round++) {
    for (const piece of file.missing) {
      seen.fetched?.push(piece);
      file.write(piece, pieceOf(text, piece));
      seen.stored?.push(piece);
    }
    const placed = await file.finish({ policy, sync, sha256: sha }, never);
    if (placed) return placed;
  }
  throw new Error("does not finish");
}
