/** The story of one download, from a name to a file with that name. */
import { ConflictError, CorruptError } from "../base/errors.ts";
import { cellsOf } from "../base/piece_cells.ts";
import type { TaskResult } from "../events.ts";
import { type Bytes, looksFree, settle, type Settlement } from "../store/target.ts";
import type { OutFolder } from "../store/out_folder.ts";
import { asidesWith } from "../store/aside.ts";
import { type Content, removeLeftovers, StoredFile } from "../store/stored_file.ts";
import { find, type Found, type Wanted } from "./find.ts";
import type { TaskParts } from "./parts.ts";
import { transfer, uselessError } from "./transfer.ts";

/**
 * Downloads what is wanted into `out`. What arrived stays for the next run,
 * whatever is thrown.
 *
 * @throws {NotFoundError} @throws {UnreachableError} @throws {TimeoutError} @throws {CorruptError}
 * @throws {DiskError} @throws {ConflictError} and the signal's reason if it aborts.
 */
export async function runTask(
  wanted: Wanted,
  out: OutFolder,
  parts: TaskParts,
  signal: AbortSignal,
): Promise<TaskResult> {
  const startedAt = parts.clock.now();
  const excluded = new Set<string>();
  for (;;) {
    try {
      const outcome = await runOnce({ ...wanted, excluded }, out, parts, signal);
      return { ...outcome, elapsedMs: parts.clock.now() - startedAt };
    } catch (error) {
      if (!(error instanceof WrongWholeError) || error.id === null) throw error;
      // A seed claimed the digest for other bytes: whoever holds the right ones is still to be asked.
      excluded.add(error.id);
      parts.tell({ kind: "note", level: "warn", text: error.message });
    }
  }
}

/** What may have to be hashed after a crash: a tenth of a second's work. */
const SYNC_BATCH_BYTES = 128 * 1024 * 1024;

/** Every piece was right, and the whole is not what was asked for: the manifest lied. */
class WrongWholeError extends CorruptError {
  constructor(name: string, sha256: string, readonly id: string | null) {
    super(`Cannot finish "${name}": its SHA-256 is ${sha256}, not the one asked for`, {
      hint: "Check the digest, or ask other seeds with --seed; what was downloaded is discarded",
    });
  }
}

async function runOnce(
  wanted: Wanted,
  out: OutFolder,
  parts: TaskParts,
  signal: AbortSignal,
): Promise<Outcome> {
  parts.tell({ kind: "state", state: "finding" });
  const found = await find(wanted, parts, signal);
  tellFound(found, parts);
  const path = out.prepare(wanted.name);
  const place = await settleTarget(path, wanted, found.content, parts, signal);
  if (place.kind === "same") removeLeftovers(place.path, found.content);
  if (place.path !== path) parts.tell({ kind: "target", path: place.path });
  if (place.kind === "same" || place.kind === "skip") return keep(place, wanted, found.content);
  const outcome = await fetchInto(place.path, path, wanted, found, parts, signal);
  if (parts.settings.sync === "finish") await out.sync(outcome.path);
  return outcome;
}

type Outcome = Omit<TaskResult, "elapsedMs">;

function tellFound({ choice, holders, others, links }: Found, parts: TaskParts): void {
  const { id, size } = choice;
  parts.tell({ kind: "found", size, id, seeds: holders, asked: links.size });
  if (others.length > 0) {
    const text = `not waiting for ${others.join(", ")}: will join when it answers`;
    parts.tell({ kind: "note", level: "info", text });
  }
}

/** Where to write, given what is there. Without any digest that can only be settled at the end. */
async function settleTarget(
  path: string,
  wanted: Wanted,
  { manifest }: Content,
  parts: TaskParts,
  signal: AbortSignal,
): Promise<Settlement> {
  if (looksFree(path)) return { kind: "free", path };
  const { onConflict } = parts.settings;
  const bytes: Bytes | undefined = manifest
    ? { manifest }
    : wanted.sha256 === undefined
    ? undefined
    : { sha256: wanted.sha256 };
  if (bytes) {
    parts.tell({ kind: "state", state: "verifying" });
    return await settle(path, bytes, onConflict, signal);
  }
  if (onConflict === "skip") return { kind: "skip", path };
  if (onConflict !== "fail") return { kind: "free", path };
  throw new ConflictError(
    `Cannot write "${path}": it exists, and no seed can say whether it is the same`,
    {
      hint: "Choose what to do with --on-conflict rename, skip or overwrite",
    },
  );
}

/** Nothing to do: the very bytes are there, or others that shall stay. */
function keep(place: Settlement, wanted: Wanted, { layout, manifest }: Content): Outcome {
  const same = place.kind === "same";
  return {
    path: place.path,
    size: layout.size,
    sha256: same ? manifest?.sha256 ?? wanted.sha256 ?? null : null,
    id: same ? manifest?.id ?? null : null,
    verified: same,
    bytesBySeed: {},
    how: same ? "already-there" : "skipped",
  };
}

/** @param asked where it would go if nothing else were there. */
async function fetchInto(
  path: string,
  asked: string,
  wanted: Wanted,
  found: Found,
  parts: TaskParts,
  signal: AbortSignal,
): Promise<Outcome> {
  const { id } = found.choice;
  const asides = (target: string) => {
    // Of a file of one piece nothing is set aside.
    return id === null || found.content.layout.count <= 1 ? [] : asidesWith(id, target);
  };
  const begun = id === null ? [] : [
    ...asides(asked),
    ...(path === asked ? [] : [asked, ...asides(path)]),
    ...parts.begunWith(id),
  ];
  const syncEvery = parts.settings.sync === "finish" ? SYNC_BATCH_BYTES : undefined;
  const terms = { ...parts.store, syncEvery };
  using file = await StoredFile.open(path, found.content, terms, signal, begun);
  const { resumed } = file;
  if (resumed.pieces > 0 || resumed.rehashed > 0) parts.tell({ kind: "resumed", ...resumed });
  const { count } = file.content.layout;
  const bytesBySeed: Record<string, number> = {};
  for (let round = 0;; round++) {
    if (round > 0) tellTouched(file, parts);
    parts.tell({ kind: "pieces", count, cells: cellsOf(count, file.pieces) });
    parts.tell({ kind: "state", state: "downloading" });
    if (!file.complete) {
      const transferred = await transfer(wanted.name, found, file, parts, signal);
      if (transferred.kind === "useless") throw uselessError(wanted.name, transferred);
      for (const [seed, bytes] of Object.entries(transferred.bytesBySeed)) {
        bytesBySeed[seed] = (bytesBySeed[seed] ?? 0) + bytes;
      }
    }
    const sha256 = await proveWhole(file, wanted, parts, signal);
    if (sha256 === undefined) continue;
    const { onConflict: policy, sync } = parts.settings;
    const placed = await file.finish({ policy, sync, sha256 }, signal);
    if (placed === undefined) continue;
    const { layout, manifest } = found.content;
    const ours = placed.how !== "skipped";
    return {
      ...placed,
      size: layout.size,
      sha256: ours ? sha256 : null,
      id: ours ? manifest?.id ?? null : null,
      verified: ours && (manifest !== undefined || wanted.sha256 !== undefined),
      bytesBySeed,
    };
  }
}

/** Pieces that were there are missing again. */
function tellTouched(file: StoredFile, parts: TaskParts): void {
  const count = file.missing().length;
  const again = count === 1 ? "1 piece is fetched again" : `${count} pieces are fetched again`;
  const text = `the unfinished file of "${file.target}" was changed on the disk: ${again}`;
  parts.tell({ kind: "note", level: "warn", text });
  parts.tell({ kind: "resumed", ...file.held(), rehashed: 0 });
}

/**
 * The digest of the whole: the user's word is checked over the finished file, and
 * without a manifest it is all that there is.
 *
 * @returns undefined if it is not the one asked for because pieces on the disk are wrong, which are
 * missing now.
 * @throws {CorruptError} if it is not the one asked for; what was downloaded is then discarded.
 */
async function proveWhole(
  file: StoredFile,
  wanted: Wanted,
  parts: TaskParts,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { manifest } = file.content;
  if (manifest && wanted.sha256 === undefined) return manifest.sha256;
  parts.tell({ kind: "state", state: "verifying" });
  const sha256 = await file.sha256(signal);
  if (sha256 === (wanted.sha256 ?? sha256)) return sha256;
  // The disk before the seeds: not what they sent may be wrong, but what is there now.
  if (await file.check(signal, { all: true }) > 0) return undefined;
  file.discard();
  throw new WrongWholeError(wanted.name, sha256, manifest?.id ?? null);
}
