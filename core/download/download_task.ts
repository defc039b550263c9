/** The story of one download, from a name to a file with that name. */
import { ConflictError, type ContentVotes, CorruptError, P2pError } from "../base/errors.ts";
import { cellsOf } from "../base/piece_cells.ts";
import type { TaskResult } from "../events.ts";
import { ContentTrials, rivalTimeoutMs, type SetAsideReason } from "../plan/content_trials.ts";
import type { Ballot } from "../plan/content_vote.ts";
import { DiskFullError } from "../store/disk.ts";
import type { DiskSpace } from "../store/free_space.ts";
import {
  type Bytes,
  type ConflictResolution,
  hasSize,
  isFree,
  resolveConflict,
} from "../store/conflict.ts";
import type { OutFolder } from "../store/paths.ts";
import { quarantinedOf } from "../store/partials.ts";
import { removeLeftovers, type StoredContent, StoredFile } from "../store/stored_file.ts";
import { resolveContent, type ResolvedContent, type WantedContent } from "./resolve_content.ts";
import type { TaskContext } from "./task_context.ts";
import {
  noUsableSourceError,
  transfer,
  type TransferOutcome,
  type TransferTimeouts,
} from "./transfer.ts";

/**
 * Downloads what is wanted into `out`. What arrived stays for the next run,
 * whatever is thrown.
 *
 * @throws {NotFoundError} @throws {UnreachableError} @throws {TimeoutError} @throws {CorruptError}
 * @throws {DiskError} @throws {ConflictError} and the signal's reason if it aborts.
 */
export async function runDownload(
  wanted: WantedContent,
  out: OutFolder,
  parts: TaskContext,
  signal: AbortSignal,
): Promise<TaskResult> {
  const startedAt = parts.clock.now();
  const trials = new ContentTrials();
  let failure: P2pError | undefined;
  for (;;) {
    parts.emit({ kind: "state", state: "finding" });
    const found = await resolveContent(wanted, parts, signal, trials).catch((error) => {
      // The other contents are gone, too: what became of the last one says more.
      throw signal.aborted ? error : failure ?? error;
    });
    try {
      const outcome = await attemptDownload(found, wanted, out, parts, signal);
      // Who said which content it must be knows that there may be others.
      const votes = found.pinned ? {} : votesOf(found, trials);
      return { ...outcome, ...votes, elapsedMs: parts.clock.now() - startedAt };
    } catch (error) {
      const useless = uselessnessOf(error, found, parts.store.space);
      if (useless === undefined) throw withContents(error, found, trials);
      const { id } = found.choice;
      trials.setAside(ballotOf(found), useless.why);
      withContents(useless.failure, found, trials);
      if (!useless.hasRival) throw useless.failure;
      // What is said of a digest that nobody can meet is the last word of the search.
      failure = useless.why === "wrong-sha256" ? undefined : useless.failure;
      const content = id === null ? `of ${found.choice.size} bytes` : `with id ${id.slice(0, 8)}`;
      const text = `the content ${content} is set aside: ${useless.failure.message}`;
      parts.emit({ kind: "note", level: "warn", text });
    }
  }
}

interface Uselessness {
  readonly why: SetAsideReason;
  readonly hasRival: boolean;
  readonly failure: P2pError;
}

/** What makes a content worth setting aside; undefined for what is no content's fault. */
function uselessnessOf(
  error: unknown,
  found: ResolvedContent,
  space: DiskSpace,
): Uselessness | undefined {
  const hasRival = found.eligible > 1;
  if (error instanceof UselessContentError) {
    const { outcome, failure } = error;
    return { why: outcome.why, hasRival: hasRival || outcome.hasRival, failure };
  }
  if (error instanceof WrongDigestError && error.id !== null) {
    return { why: "wrong-sha256", hasRival: true, failure: error };
  }
  if (error instanceof DiskFullError && error.lacking && hasRival) {
    const isImpossible = !space.couldFit(error.lacking.folder, found.choice.size);
    return isImpossible ? { why: "too-large", hasRival, failure: error } : undefined;
  }
  return undefined;
}

function ballotOf({ ballots, choice, holders }: ResolvedContent): Ballot {
  return ballots.find(({ content: { id, size } }) => id === choice.id && size === choice.size) ??
    { content: choice, seeds: holders, claims: new Set() };
}

/** How the vote went, where there was one. */
function votesOf(
  { ballots }: ResolvedContent,
  trials: ContentTrials,
): { readonly contents?: readonly ContentVotes[] } {
  if (ballots.length < 2) return {};
  const contents = ballots.map((ballot) => {
    const { content: { id, size }, seeds } = ballot;
    const why = trials.reasonOf(ballot);
    return { id, size, seeds, ...why === undefined ? {} : { setAside: why } };
  });
  return { contents };
}

function withContents(error: unknown, found: ResolvedContent, trials: ContentTrials): unknown {
  const { contents } = votesOf(found, trials);
  if (error instanceof P2pError && contents !== undefined) error.contents = contents;
  return error;
}

/** All holders of the content turned out to be useless. */
class UselessContentError extends Error {
  constructor(
    readonly outcome: TransferOutcome & { readonly kind: "useless" },
    readonly failure: P2pError,
  ) {
    super(failure.message);
  }
}

/** What may have to be hashed after a crash: a tenth of a second's work. */
const SYNC_BATCH_BYTES = 128 * 1024 * 1024;

/** Every piece was right, and the whole is not what was asked for: the manifest lied. */
class WrongDigestError extends CorruptError {
  constructor(name: string, sha256: string, readonly id: string | null) {
    super(`Cannot finish "${name}": its SHA-256 is ${sha256}, not the one asked for`, {
      problem: "wrong-sha256",
    });
  }
}

async function attemptDownload(
  found: ResolvedContent,
  wanted: WantedContent,
  out: OutFolder,
  parts: TaskContext,
  signal: AbortSignal,
): Promise<Outcome> {
  emitFound(found, parts);
  const path = out.prepare(wanted.name);
  const place = await resolveTarget(path, wanted, found.content, parts, signal);
  if (place.kind === "same") removeLeftovers(place.path, found.content);
  if (place.path !== path) parts.emit({ kind: "target", path: place.path });
  if (place.kind === "same" || place.kind === "skip") return keep(place, wanted, found);
  const outcome = await fetchInto(place.path, path, wanted, found, parts, signal);
  if (parts.settings.sync === "finish") await out.sync(outcome.path);
  return outcome;
}

type Outcome = Omit<TaskResult, "elapsedMs">;

function emitFound({ choice, holders, others, links }: ResolvedContent, parts: TaskContext): void {
  const { id, size } = choice;
  parts.emit({ kind: "found", size, id, seeds: holders, asked: links.size });
  if (others.length > 0) {
    const text = `starting without ${others.join(", ")}; it will join once it responds`;
    parts.emit({ kind: "note", level: "info", text });
  }
}

/** Where to write, given what is there. Without any digest that can only be settled at the end. */
async function resolveTarget(
  path: string,
  wanted: WantedContent,
  { layout, manifest }: StoredContent,
  parts: TaskContext,
  signal: AbortSignal,
): Promise<ConflictResolution> {
  if (isFree(path)) return { kind: "free", path };
  const { onConflict } = parts.settings;
  const bytes: Bytes | undefined = manifest
    ? { manifest }
    : wanted.sha256 === undefined
    ? undefined
    : { sha256: wanted.sha256 };
  if (bytes) {
    parts.emit({ kind: "state", state: "verifying" });
    return await resolveConflict(path, bytes, onConflict, signal, parts.store);
  }
  if (onConflict === "skip") return { kind: "skip", path };
  // Equal bytes are only known after the download; a different length already is a conflict.
  if (onConflict !== "fail" || hasSize(path, layout.size)) return { kind: "free", path };
  throw new ConflictError(`Cannot write "${path}": a different file is in its place`, {
    problem: "target-exists",
  });
}

/** Nothing to do: the very bytes are there, or others that shall stay. */
function keep(
  place: ConflictResolution,
  wanted: WantedContent,
  { choice, content }: ResolvedContent,
): Outcome {
  const { layout, manifest } = content;
  const same = place.kind === "same";
  return {
    path: place.path,
    size: layout.size,
    sha256: same ? choice.sha256 ?? wanted.sha256 ?? null : null,
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
  wanted: WantedContent,
  found: ResolvedContent,
  parts: TaskContext,
  signal: AbortSignal,
): Promise<Outcome> {
  const { id } = found.choice;
  const asides = (target: string) => {
    // Of a file of one piece nothing is set aside.
    return id === null || found.content.layout.count <= 1 ? [] : quarantinedOf(id, target);
  };
  const begun = id === null ? [] : [
    ...asides(asked),
    ...(path === asked ? [] : [asked, ...asides(path)]),
    ...parts.partialsOf(id),
  ];
  const syncEvery = parts.settings.sync === "finish" ? SYNC_BATCH_BYTES : undefined;
  const terms = { ...parts.store, syncEvery };
  using file = await StoredFile.open(path, found.content, terms, signal, begun);
  const { resumed } = file;
  if (resumed.pieces > 0 || resumed.rehashed > 0) parts.emit({ kind: "resumed", ...resumed });
  const { count } = file.content.layout;
  const bytesBySeed: Record<string, number> = {};
  for (let round = 0;; round++) {
    if (round > 0) tellTouched(file, parts);
    parts.emit({ kind: "pieces", count, cells: cellsOf(count, file.pieces) });
    parts.emit({ kind: "state", state: "downloading" });
    if (!file.complete) {
      const transferred = await transfer(
        wanted.name,
        found,
        file,
        parts,
        signal,
        patienceFor(found, parts),
      );
      if (transferred.kind === "useless") {
        throw new UselessContentError(transferred, noUsableSourceError(wanted.name, transferred));
      }
      for (const [seed, bytes] of Object.entries(transferred.bytesBySeed)) {
        bytesBySeed[seed] = (bytesBySeed[seed] ?? 0) + bytes;
      }
    }
    const sha256 = await verifyWhole(file, found, wanted, parts, signal);
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

function patienceFor({ eligible }: ResolvedContent, { settings }: TaskContext): TransferTimeouts {
  const { giveUpMs, stallMs } = settings;
  const contents = Math.max(2, eligible);
  const rivalGiveUpMs = rivalTimeoutMs(giveUpMs, stallMs, contents);
  return { giveUpMs, rivalGiveUpMs, hasRival: eligible > 1 };
}

/** Pieces that were there are missing again. */
function tellTouched(file: StoredFile, parts: TaskContext): void {
  const count = file.missing.length;
  const again = count === 1 ? "1 piece is fetched again" : `${count} pieces are fetched again`;
  const text = `the unfinished file of "${file.target}" was changed on the disk: ${again}`;
  parts.emit({ kind: "note", level: "warn", text });
  parts.emit({ kind: "resumed", ...file.held(), rehashed: 0 });
}

/**
 * The digest of the whole: the user's word is checked over the finished file, and
 * without a manifest it is all that there is.
 *
 * @returns undefined if it is not the one asked for because pieces on the disk are wrong, which are
 * missing now.
 * @throws {CorruptError} if it is not the one asked for; what was downloaded is then discarded.
 */
async function verifyWhole(
  file: StoredFile,
  found: ResolvedContent,
  wanted: WantedContent,
  parts: TaskContext,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { manifest } = file.content;
  if (manifest && wanted.sha256 === undefined && found.choice.sha256 !== null) {
    return found.choice.sha256;
  }
  parts.emit({ kind: "state", state: "verifying" });
  const sha256 = await file.sha256(signal);
  if (sha256 === (wanted.sha256 ?? sha256)) return sha256;
  // The disk before the seeds: not what they sent may be wrong, but what is there now.
  if (await file.recheck(signal, { all: true }) > 0) return undefined;
  file.discard();
  throw new WrongDigestError(wanted.name, sha256, manifest?.id ?? null);
}
