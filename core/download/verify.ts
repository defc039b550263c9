/** Compares local files with the manifests of the seeds, piece by piece. Downloads and writes nothing. */
import type { Clock } from "../base/clock.ts";
import { DiskError, type ErrorCode, UsageError } from "../base/errors.ts";
import { rangeOfPiece } from "../base/pieces.ts";
import type { ByteRange } from "../base/ranges.ts";
import type { DownloadSettings } from "../config.ts";
import { SourcePool } from "../source/pool.ts";
import type { Source } from "../source/source.ts";
import { rankContents } from "../plan/content_vote.ts";
import { noSourceReason } from "./describe.ts";
import { type DiskFile, realDisk, withDiskErrors } from "../store/disk.ts";
import { checkPieces } from "../store/hashing.ts";
import type { Manifest } from "../protocol/manifest.ts";
import { type ProbeResult, probeUntil } from "./probe.ts";
import type { Hasher } from "../hash/pool.ts";
import type { VerifyRuntime } from "../runtime.ts";

/** A local file, and the names that it may have on the seeds. */
export interface VerifyRequest {
  /** The path of the local file. */
  readonly path: string;
  /** Names that the seeds may have for it; the first one that a seed knows counts. */
  readonly names: readonly string[];
}

/** The result for one file. */
export interface Verification {
  /** The path of the local file, as requested. */
  readonly path: string;
  /** The name by which it was compared; the first requested one if no seed has any. */
  readonly name: string;
  /** How the file compares. */
  readonly verdict: Verdict;
}

/** How a local file compares with the seeds. */
export type Verdict =
  | {
    /** The same bytes as those of `seeds`. */
    readonly kind: "same";
    /** Bytes. */
    readonly size: number;
    readonly id: string;
    readonly seeds: readonly string[];
    /** Seeds that have other bytes under the name. */
    readonly others: readonly string[];
  }
  | {
    /** Other bytes than any seed's, compared with the content that most seeds have. */
    readonly kind: "differs";
    /** Bytes of the local file, and of the seeds' file. */
    readonly size: number;
    readonly seedSize: number;
    readonly id: string;
    readonly seeds: readonly string[];
    /** Pieces of the seeds' file, and those of them that differ or are missing here, in order. */
    readonly pieces: number;
    readonly wrong: readonly WrongPieces[];
  }
  /** It could not be compared. */
  | { readonly kind: "failed"; readonly code: ErrorCode; readonly reason: string };

/** Consecutive pieces, `first` to `last`, both included. */
export interface WrongPieces {
  /** Index of the first piece. */
  readonly first: number;
  /** Index of the last piece. */
  readonly last: number;
  /** The bytes of these pieces in the seeds' file. */
  readonly range: ByteRange;
}

/** Receives the number of hashed bytes of a file. */
export type VerifyProgress = (path: string, hashed: number, size: number) => void;

/** One verification each, in order. @throws the signal's reason if it aborts. */
export async function verify(
  requests: readonly VerifyRequest[],
  settings: DownloadSettings,
  { clock, dial, web, greetings, hasher }: VerifyRuntime,
  progress: VerifyProgress,
  signal: AbortSignal,
): Promise<Verification[]> {
  await using pool = new SourcePool({ ...settings, clock, dial, web, greetings });
  const sources = pool.sources(settings.seeds);
  const options = { sources, clock, giveUpMs: settings.giveUpMs, progress, hasher };
  const verifications: Verification[] = [];
  // One after the other, because they share a disk.
  for (const request of requests) verifications.push(await verifyOne(request, options, signal));
  return verifications;
}

interface Options {
  readonly sources: readonly Source[];
  readonly clock: Clock;
  readonly giveUpMs: number;
  readonly progress: VerifyProgress;
  readonly hasher: Hasher;
}

async function verifyOne(
  { path, names }: VerifyRequest,
  options: Options,
  signal: AbortSignal,
): Promise<Verification> {
  const [first = ""] = names;
  try {
    using file = openFile(path);
    if (names.length === 0) throw new UsageError("no seed can have a file of such a name");
    const answers: Answer[] = [];
    for (const name of names) {
      const asked = await Promise.all(
        options.sources.map((source) => ask(source, name, options, signal)),
      );
      answers.push(...asked);
      if (asked.some(({ answer }) => answer.kind === "manifest" || answer.kind === "size")) {
        return { path, name, verdict: await compare(file, path, asked, options, signal) };
      }
      // The name is known and its manifest was not ready in time: another name would be another file.
      if (asked.some(({ answer }) => answer.kind === "later")) {
        return { path, name, verdict: noSource(asked) };
      }
    }
    return { path, name: first, verdict: noSource(answers) };
  } catch (error) {
    if (!(error instanceof DiskError || error instanceof UsageError)) throw error;
    const { code, message } = error;
    return { path, name: first, verdict: { kind: "failed", code, reason: message } };
  }
}

interface OpenFile extends Disposable {
  readonly file: DiskFile;
  readonly size: number;
}

function openFile(path: string): OpenFile {
  return withDiskErrors(`read "${path}"`, () => {
    try {
      const file = realDisk.openSync(path, { read: true });
      const { isFile, size } = file.statSync();
      if (isFile) return { file, size, [Symbol.dispose]: () => file.close() };
      file.close();
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) throw new UsageError("there is no such file");
      throw error;
    }
    throw new UsageError("it is no file");
  });
}

interface Answer extends ProbeResult {
  readonly seed: string;
}

/** Waits for a seed that hashes the file while it makes progress. */
async function ask(
  source: Source,
  name: string,
  { clock, giveUpMs }: Options,
  signal: AbortSignal,
): Promise<Answer> {
  const timeout = { ms: giveUpMs, extends: true };
  return { ...await probeUntil(source, name, timeout, clock, signal), seed: source.id };
}

/** The seeds' contents, the most trusted one first. */
function contentsOf(answers: readonly Answer[]): { manifest: Manifest; seeds: string[] }[] {
  const held = answers.flatMap(({ manifest, seed }) => {
    if (manifest === undefined) return [];
    const { id, layout: { size } } = manifest;
    // Only pieces are compared: a different digest of the whole makes no different content.
    return { id, size, sha256: null, manifest, seed };
  });
  return rankContents(held).map((group) => ({
    manifest: group[0].manifest,
    seeds: group.map(({ seed }) => seed),
  }));
}

async function compare(
  { file, size }: OpenFile,
  path: string,
  answers: readonly Answer[],
  options: Options,
  signal: AbortSignal,
): Promise<Verdict> {
  const contents = contentsOf(answers);
  const [most] = contents;
  if (most === undefined) return compareSizes(size, answers);
  // Only a content of the file's size can be the file. Where there is none, pieces still show what is right.
  const sameSize = contents.filter(({ manifest }) => manifest.layout.size === size);
  let differs: Verdict | undefined;
  for (const content of sameSize.length > 0 ? sameSize : [most]) {
    const { manifest, seeds } = content;
    const { id, layout } = manifest;
    const hash = () => wrongPieces(file, path, manifest, options, signal);
    const wrong = await withDiskErrors(`read "${path}"`, hash);
    if (size === layout.size && wrong.length === 0) {
      const others = contents.filter((each) => each !== content).flatMap(({ seeds }) => seeds);
      return { kind: "same", size, id, seeds, others };
    }
    const { count: pieces, size: seedSize } = layout;
    differs ??= { kind: "differs", size, seedSize, id, seeds, pieces, wrong };
  }
  return differs!;
}

/** Seeds without manifests: a different size is a different file, and the same size proves nothing. */
function compareSizes(size: number, answers: readonly Answer[]): Verdict {
  const sizes = answers.flatMap(({ answer, seed }) =>
    answer.kind === "size" ? [{ seed, size: answer.size }] : []
  );
  const listed = sizes.map(({ seed, size }) => `${seed} ${size} bytes`).join(", ");
  return sizes.every((each) => each.size !== size)
    ? { kind: "failed", code: "corrupt", reason: `it has ${size} bytes, and the seeds' ${listed}` }
    : {
      kind: "failed",
      code: "protocol",
      reason:
        `no seed offers digests of it, so that the size is all there is to compare (${listed})`,
    };
}

function noSource(answers: readonly Answer[]): Verdict {
  return { kind: "failed", ...noSourceReason("it", answers.map(({ answer }) => answer)) };
}

async function wrongPieces(
  file: DiskFile,
  path: string,
  manifest: Manifest,
  { progress, hasher }: Options,
  signal: AbortSignal,
): Promise<WrongPieces[]> {
  const { layout } = manifest;
  const wrong: WrongPieces[] = [];
  for await (const { piece, right } of checkPieces(file, manifest, signal, hasher)) {
    const { start, end } = rangeOfPiece(layout, piece);
    progress(path, end, layout.size);
    if (right) continue;
    const last = wrong.at(-1);
    if (last?.last !== piece - 1) wrong.push({ first: piece, last: piece, range: { start, end } });
    else {
      const range = { start: last.range.start, end };
      wrong[wrong.length - 1] = { first: last.first, last: piece, range };
    }
  }
  return wrong;
}
