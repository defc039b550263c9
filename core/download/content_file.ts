/** The file of one content: where it goes, what is there already, and what makes it complete. */
import { ConflictError, CorruptError } from "../base/errors.ts";
import type { SourceAddress } from "../base/source_address.ts";
import type { TaskResult } from "../events.ts";
import type { Choice } from "../plan/messages.ts";
import type { Manifest } from "../protocol/manifest.ts";
import { type FileAttributes, setAttributes } from "../store/part_file.ts";
import type { OutFolder } from "../store/paths.ts";
import type { StoredContent } from "../store/piece_sink.ts";
import { reusePieces } from "../store/reuse.ts";
import { removeLeftovers, StoredFile } from "../store/stored_file.ts";
import { type Bytes, type ConflictResolution, isFree, resolveConflict } from "../store/conflict.ts";
import type { TaskContext } from "./task_context.ts";

/** What the user asked for. */
export interface WantedContent {
  readonly name: string;
  /** The name of the file here, if it is another one. */
  readonly saveAs?: string | undefined;
  /** Given to the complete file. */
  readonly attributes?: FileAttributes | undefined;
  /** Hex, of the whole file. */
  readonly sha256: string | undefined;
  /** Hex, the content's id or a beginning of it. */
  readonly id: string | undefined;
  /** Where to ask; the seeds of the settings if undefined. */
  readonly seeds?: readonly SourceAddress[] | undefined;
  /** What the bytes are, if that is known already. */
  readonly manifest?: Manifest | undefined;
}

/** A chosen content and its manifest, if a source offers one. */
export interface ChosenContent extends StoredContent {
  readonly choice: Choice;
}

export type Outcome = Omit<TaskResult, "elapsedMs" | "bytesBySeed">;

/** The file is not the one that was requested: its manifest lied, or it has none. */
export class WrongDigestError extends CorruptError {
  /** @param kept where the bytes are kept, if they are. */
  constructor(name: string, sha256: string, readonly id: string | null, kept?: string) {
    const end = kept === undefined ? "the bytes are discarded" : `the bytes are kept in "${kept}"`;
    super(`Cannot finish "${name}": its SHA-256 is ${sha256}, not the one asked for; ${end}`, {
      problem: "wrong-sha256",
    });
  }
}

/** What may have to be hashed after a crash: a tenth of a second's work. */
const SYNC_BATCH_BYTES = 128 * 1024 * 1024;

/**
 * Opens the file that the content goes to, or returns the outcome where nothing is to be done.
 *
 * @throws {ConflictError} @throws {DiskError} @throws the signal's reason if it aborts.
 */
export async function openContentFile(
  content: ChosenContent,
  wanted: WantedContent,
  out: OutFolder,
  context: TaskContext,
  signal: AbortSignal,
): Promise<StoredFile | Outcome> {
  for (;;) {
    const path = out.prepare(wanted.saveAs ?? wanted.name);
    try {
      return await openAt(path, content, wanted, context, signal);
    } catch (error) {
      const isBusy = error instanceof ConflictError && error.problem === "target-busy";
      if (!isBusy || !context.store.targets.has(path)) throw error;
      await context.store.targets.closed(path, signal);
    }
  }
}

async function openAt(
  path: string,
  content: ChosenContent,
  wanted: WantedContent,
  context: TaskContext,
  signal: AbortSignal,
): Promise<StoredFile | Outcome> {
  const resolution = await resolveTarget(path, wanted, content, context, signal);
  if (resolution.kind === "same") {
    removeLeftovers(resolution.path, content);
    if (wanted.attributes) setAttributes(resolution.path, wanted.attributes, context.store);
  }
  if (resolution.path !== path) context.emit({ kind: "target", path: resolution.path });
  if (resolution.kind === "same" || resolution.kind === "skip") {
    return existing(resolution, wanted, content);
  }
  const { settings, store, partialsOf } = context;
  const { id } = content.choice.content;
  const options = {
    ...store,
    syncEvery: settings.sync === "finish" ? SYNC_BATCH_BYTES : undefined,
  };
  const hints = { requested: path, others: id === null ? [] : partialsOf(id) };
  const file = await StoredFile.open(resolution.path, content, options, signal, hints);
  const { rehashed } = file.resumed;
  try {
    const { manifest } = content;
    const exists = resolution.kind === "replace" || resolution.path !== path;
    const reused = manifest && exists ? await reusePieces(file, manifest, path, signal, store) : 0;
    const held = file.held();
    if (held.pieces > 0 || rehashed > 0) {
      context.emit({ kind: "resumed", ...held, rehashed, ...reused > 0 && { reused } });
    }
    return file;
  } catch (error) {
    file[Symbol.dispose]();
    throw error;
  }
}

/** Where to write, given what is there. Without any digest that can only be decided at the end. */
async function resolveTarget(
  path: string,
  wanted: WantedContent,
  { layout, manifest }: StoredContent,
  context: TaskContext,
  signal: AbortSignal,
): Promise<ConflictResolution> {
  if (isFree(path)) return { kind: "free", path };
  const { sha256 } = wanted;
  // A manifest may claim the wanted digest for other bytes.
  const bytes: Bytes = sha256 !== undefined
    ? { sha256 }
    : manifest
    ? { manifest }
    : { size: layout.size };
  if (!("size" in bytes)) context.emit({ kind: "state", state: "verifying" });
  return await resolveConflict(path, bytes, context.settings.onConflict, signal, context.store);
}

/** The same bytes are there, or other bytes that shall stay. */
function existing(
  { kind, path }: ConflictResolution,
  wanted: WantedContent,
  { choice, layout, manifest }: ChosenContent,
): Outcome {
  const isSame = kind === "same";
  return {
    path,
    size: layout.size,
    sha256: isSame ? wanted.sha256 ?? choice.content.sha256 ?? null : null,
    id: isSame ? manifest?.id ?? null : null,
    verified: isSame,
    how: isSame ? "already-there" : "skipped",
  };
}

/**
 * Verifies the whole and gives the file its name.
 *
 * @returns undefined if pieces on the disk turned out to be wrong; they are missing now.
 * @throws {WrongDigestError} if the file is not the one asked for.
 */
export async function finishContentFile(
  file: StoredFile,
  { choice, layout, manifest }: ChosenContent,
  wanted: WantedContent,
  out: OutFolder,
  context: TaskContext,
  signal: AbortSignal,
): Promise<Outcome | undefined> {
  const sha256 = manifest && wanted.sha256 === undefined && choice.content.sha256 ||
    await verifyWhole(file, wanted, manifest?.id ?? null, context, signal);
  if (sha256 === undefined) return undefined;
  const { onConflict: policy, sync } = context.settings;
  const { attributes } = wanted;
  const placed = await file.finish({ policy, sync, sha256, attributes }, signal);
  if (placed === undefined) return undefined;
  if (sync === "finish") await out.sync(placed.path);
  const isOurs = placed.how !== "skipped";
  return {
    ...placed,
    size: layout.size,
    sha256: isOurs ? sha256 : null,
    id: isOurs ? manifest?.id ?? null : null,
    verified: isOurs && (manifest !== undefined || wanted.sha256 !== undefined),
  };
}

/** The digest of the whole: what the user asked for is checked, and without a manifest it is all there is. */
async function verifyWhole(
  file: StoredFile,
  wanted: WantedContent,
  id: string | null,
  { emit }: TaskContext,
  signal: AbortSignal,
): Promise<string | undefined> {
  emit({ kind: "state", state: "verifying" });
  const sha256 = await file.sha256(signal);
  if (sha256 === (wanted.sha256 ?? sha256)) return sha256;
  // The disk is checked before the sources are blamed: their bytes may have been right.
  if (await file.recheck(signal, { all: true }) > 0) return undefined;
  throw new WrongDigestError(wanted.name, sha256, id, file.reject());
}
