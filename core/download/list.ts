/** What the seeds offer, and how they are: all of them are asked at once. */
import { globToRegExp } from "@std/path";
import { deadline } from "../base/abort.ts";
import type { Clock } from "../base/clock.ts";
import { NotFoundError, P2pError, TimeoutError, UnreachableError } from "../base/errors.ts";
import { isGlob, noMatchMessage } from "../base/globs.ts";
import { linearMatcher } from "../base/linear_match.ts";
import { compareNames } from "../base/names.ts";
import type { FileAttributes } from "../store/part_file.ts";
import { isReservedName } from "../store/paths.ts";
import { Semaphore } from "../base/semaphore.ts";
import type { DownloadSettings } from "../config.ts";
import type { SourceAddress } from "../base/source_address.ts";
import { SourcePool } from "../source/pool.ts";
import type { Source, SourceProtocol } from "../source/source.ts";
import type { ListedFile } from "../protocol/listing.ts";
import { rankContents } from "../plan/content_vote.ts";
import { probeUntil } from "./probe.ts";
import type { NetworkRuntime } from "../runtime.ts";

/** Whether a seed answered the request for its listing. */
export interface SeedReport {
  /** Its address, as `formatSourceAddress` writes it. */
  readonly seed: string;
  /** The protocol that it speaks; null if it did not answer. */
  readonly dialect: SourceProtocol | null;
  /** Whether it sent its listing. */
  readonly ok: boolean;
  /** Why it did not; null if it did. */
  readonly error: string | null;
}

/** A file, and the seeds that offer it. */
export interface OfferedFile extends ListedFile {
  /** Seeds that have it. */
  readonly seeds: readonly string[];
  /** The different contents among them; empty where no seed knows an id. */
  readonly ids: readonly string[];
  /** The content's id by seed; null where a seed does not know it. */
  readonly idOf: Readonly<Record<string, string | null>>;
  /** With `complete`: of the content that a download takes, hex; null if its seeds name none, or several. */
  readonly sha256?: string | null;
}

/** What the seeds offer. */
export interface Offer {
  /** Sorted by name. */
  readonly files: readonly OfferedFile[];
  /** One report for each seed, in the order of the settings. */
  readonly seeds: readonly SeedReport[];
}

/** What to list. */
export interface ListQuery {
  /** undefined for everything. */
  readonly glob: string | undefined;
  /** Also request the contents' ids, which makes the seeds hash. */
  readonly ids: boolean;
  /** Wait until the seeds have hashed the files, as long as they get on with it. */
  readonly complete?: boolean;
}

/** What a pattern means. */
export interface NamedFile {
  /** The name on the seeds, or the glob without a match. */
  readonly name: string;
  /** From a seed's listing, if one was requested. */
  readonly size?: number;
  /** From the listing, too. */
  readonly attributes?: FileAttributes;
  /** It is a glob without a match. */
  readonly unmatched?: true;
}

/** The state of one seed. */
export interface SeedHealth extends SeedReport {
  /** The shortest of a few, in whole ms; null for a one-shot seed, which has no PING. */
  readonly roundTripMs: number | null;
  /** Files that it offers; null if it sent no listing. */
  readonly files: number | null;
  /** Bytes of all its files; null if it sent no listing. */
  readonly bytes: number | null;
}

/** Files whose content is probed at a time: enough to fill the lines of several seeds. */
const MAX_PROBES = 16;
/** Listings that are received at a time: each may be a page of 24 MiB. */
const MAX_LISTINGS = 4;
/** After this, the content of a file that a seed still hashes counts as unknown. */
const PROBE_TIMEOUT = { ms: 2000, extends: false };
/** The same if all contents are wanted: a seed that is busy with other files shows no progress with this one. */
const COMPLETE_TIMEOUT = { ms: 60_000, extends: true };
/** The first ping may wait for what the connection brings with it, and any of them for a busy machine. */
const PINGS = 3;

export async function list(
  query: ListQuery,
  settings: DownloadSettings,
  { clock, dial, web, greetings }: NetworkRuntime,
  signal: AbortSignal,
): Promise<Offer> {
  await using pool = new SourcePool({ ...settings, clock, dial, web, greetings });
  const sources = pool.sources(settings.seeds);
  const slots = new Semaphore(MAX_LISTINGS);
  const answers = await Promise.all(
    sources.map((source) => requestListing(source, slots, settings.giveUpMs, clock, signal)),
  );
  const files = gather(answers, query.glob);
  const probes = new Semaphore(MAX_PROBES);
  const withIds = query.ids
    ? await Promise.all(
      files.map((file) => withContents(file, sources, probes, query, clock, signal)),
    )
    : files;
  return { files: withIds, seeds: answers.map(({ report }) => report) };
}

/** One report for each seed, in the order of the seeds. */
export async function seedHealth(
  settings: DownloadSettings,
  { clock, dial, web, greetings }: NetworkRuntime,
  signal: AbortSignal,
): Promise<SeedHealth[]> {
  await using pool = new SourcePool({ ...settings, clock, dial, web, greetings });
  const slots = new Semaphore(MAX_LISTINGS);
  return await Promise.all(
    pool.sources(settings.seeds).map(async (source) => {
      // Before the listing, behind which it would wait.
      const roundTripMs = await shortestPing(source, signal);
      const { report, files } = await requestListing(
        source,
        slots,
        settings.giveUpMs,
        clock,
        signal,
      );
      if (!report.ok) return { ...report, roundTripMs, files: null, bytes: null };
      const bytes = files.reduce((sum, { size }) => sum + size, 0);
      return { ...report, roundTripMs, files: files.length, bytes };
    }),
  );
}

/** The seeds that answer; each is only greeted. */
export async function answeringSeeds(
  settings: DownloadSettings,
  { clock, dial, web }: NetworkRuntime,
  signal: AbortSignal,
): Promise<SourceAddress[]> {
  await using pool = new SourcePool({ ...settings, clock, dial, web });
  const answers = await Promise.all(
    pool.sources(settings.seeds).map((source) =>
      source.protocol(signal).then(() => true, () => {
        signal.throwIfAborted();
        return false;
      })
    ),
  );
  return settings.seeds.filter((_, index) => answers[index]);
}

async function shortestPing(source: Source, signal: AbortSignal): Promise<number | null> {
  let shortest: number | null = null;
  try {
    for (let ping = 0; ping < PINGS; ping++) {
      const ms = await source.ping(signal);
      if (ms === undefined) return null;
      shortest = Math.min(shortest ?? Infinity, ms);
    }
    return shortest;
  } catch (error) {
    signal.throwIfAborted();
    // The request for its listing reports what is wrong with it.
    if (error instanceof P2pError) return shortest;
    throw error;
  }
}

interface ListAnswer {
  readonly report: SeedReport;
  readonly files: readonly ListedFile[];
}

/** A seed that sends its listing too slowly must not keep the other listings from being shown. */
async function requestListing(
  source: Source,
  slots: Semaphore,
  giveUpMs: number,
  clock: Clock,
  signal: AbortSignal,
): Promise<ListAnswer> {
  const { id: seed } = source;
  const late = () => new TimeoutError(`${seed} sent no complete listing in ${giveUpMs / 1000} s`);
  using limit = deadline(signal, clock, giveUpMs, late);
  try {
    const dialect = await source.protocol(limit.signal);
    using _slot = await slots.acquire(limit.signal);
    const files = await source.list(limit.signal);
    return { report: { seed, dialect, ok: true, error: null }, files };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof P2pError)) throw error;
    return { report: { seed, dialect: null, ok: false, error: error.message }, files: [] };
  }
}

/** One entry for each name. Where seeds differ in size or time, the first one counts. */
function gather(answers: readonly ListAnswer[], glob: string | undefined): OfferedFile[] {
  const matches = glob === undefined ? undefined : linearMatcher(globToRegExp(glob));
  const files = new Map<string, OfferedFile>();
  for (const { report: { seed }, files: offered } of answers) {
    for (const file of offered) {
      if (matches && !matches(file.name) && file.name !== glob) continue;
      const known = files.get(file.name);
      files.set(
        file.name,
        known
          ? { ...known, seeds: [...known.seeds, seed] }
          : { ...file, seeds: [seed], ids: [], idOf: {} },
      );
    }
  }
  return Array.from(files.values()).sort((a, b) => compareNames(a.name, b.name));
}

async function withContents(
  file: OfferedFile,
  sources: readonly Source[],
  slots: Semaphore,
  { complete }: ListQuery,
  clock: Clock,
  signal: AbortSignal,
): Promise<OfferedFile> {
  using _slot = await slots.acquire(signal);
  const holders = sources.filter(({ id }) => file.seeds.includes(id));
  const timeout = complete ? COMPLETE_TIMEOUT : PROBE_TIMEOUT;
  const answers = await Promise.all(holders.map(async (source) => {
    const { answer } = await probeUntil(source, file.name, timeout, clock, signal);
    return [source.id, answer] as const;
  }));
  const known = answers.flatMap(([, answer]) => answer.kind === "manifest" ? [answer] : []);
  const [chosen = []] = rankContents(known);
  const digests = new Set(chosen.map(({ sha256 }) => sha256));
  const [sha256 = null] = digests.size === 1 ? digests : [];
  const ids = Array.from(new Set(known.map(({ id }) => id))).sort();
  const idOf = Object.fromEntries(
    answers.map(([id, answer]) => [id, answer.kind === "manifest" ? answer.id : null]),
  );
  return { ...file, ids, idOf, ...complete && { sha256 } };
}

/**
 * The names that `patterns` mean: a name that a seed offers is itself, a glob is what it matches on
 * any seed, `all` is everything. A glob without a match does not keep the others from being
 * downloaded: it is returned as `unmatched`.
 *
 * @throws {NotFoundError} if nothing matches at all. @throws {UnreachableError} if no seed answers.
 */
export async function resolveNames(
  patterns: readonly string[],
  all: boolean,
  settings: DownloadSettings,
  platform: NetworkRuntime,
  signal: AbortSignal,
): Promise<NamedFile[]> {
  // Plain names need no listing: the sources are probed for them anyway.
  if (!all && !patterns.some(isGlob)) return Array.from(new Set(patterns), (name) => ({ name }));
  const { files, seeds } = await list({ glob: undefined, ids: false }, settings, platform, signal);
  if (!seeds.some(({ ok }) => ok)) {
    throw new UnreachableError(
      `Cannot list files: ${seeds.map(({ error }) => error).join("; ")}`,
    );
  }
  const entries = new Map(files.map((file) => [file.name, file]));
  const offered = Array.from(entries.keys()).filter((name) => !isReservedName(name));
  const names = all ? offered : patterns.flatMap((pattern) => namesFor(pattern, offered));
  if (names.length === 0 && !all) {
    throw new NotFoundError(noMatchMessage(patterns));
  }
  if (names.length === 0) {
    throw new NotFoundError("Cannot download anything: the seeds offer no file");
  }
  const unmatched = all
    ? []
    : patterns.filter((pattern) => namesFor(pattern, offered).length === 0);
  const found = Array.from(new Set(names), (name) => {
    const file = entries.get(name);
    return { name, ...file && { size: file.size, attributes: attributesOf(file) } };
  });
  return [
    ...found,
    ...Array.from(new Set(unmatched), (name) => ({ name, unmatched: true as const })),
  ];
}

/** What a file keeps of its time and mode. */
export function attributesOf({ modified, executable }: ListedFile): FileAttributes {
  const isKnown = modified > 0 && modified <= MAX_TIME_MS;
  return { ...executable && { executable }, ...isKnown && { modified: Math.trunc(modified) } };
}

/** The end of the year 9999: file systems do not hold later times. Sources without times send 0. */
const MAX_TIME_MS = Date.UTC(10_000, 0, 1) - 1;

function namesFor(pattern: string, offered: readonly string[]): string[] {
  if (!isGlob(pattern) || offered.includes(pattern)) return [pattern];
  const matches = linearMatcher(globToRegExp(pattern));
  return offered.filter(matches);
}
