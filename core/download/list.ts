/** What the seeds offer together, asked all at once. */
import { globToRegExp } from "@std/path";
import { deadline } from "../base/abort.ts";
import type { Clock } from "../base/clock.ts";
import { NotFoundError, P2pError, TimeoutError, UnreachableError } from "../base/errors.ts";
import { linearMatcher } from "../base/linear_match.ts";
import { compareNames } from "../base/names.ts";
import { isReservedName } from "../store/paths.ts";
import { Semaphore } from "../base/semaphore.ts";
import type { DownloadSettings } from "../config.ts";
import type { SeedProtocol, SeedSource } from "../source/seed_source.ts";
import { SourcePool } from "../source/pool.ts";
import type { ListedFile } from "../protocol/listing.ts";
import { probeUntil } from "./probe.ts";
import type { NetworkRuntime } from "./runtime.ts";

/** What one seed answered to "what do you have?" */
export interface SeedReport {
  readonly seed: string;
  readonly dialect: SeedProtocol | null;
  readonly ok: boolean;
  readonly error: string | null;
}

export interface OfferedFile extends ListedFile {
  /** Seeds that have it. */
  readonly seeds: readonly string[];
  /** The distinct contents among them; empty where no seed could say. */
  readonly ids: readonly string[];
  /** Which of them has which; null for a seed that could not say. */
  readonly idOf: Readonly<Record<string, string | null>>;
}

export interface Offer {
  readonly files: readonly OfferedFile[];
  readonly seeds: readonly SeedReport[];
}

export interface ListQuery {
  /** undefined for everything. */
  readonly glob: string | undefined;
  /** Also ask for the contents' ids, which makes the seeds hash. */
  readonly ids: boolean;
}

/** What a pattern means. */
export interface NamedFile {
  readonly name: string;
  /** As a seed's listing says, where one was asked for. */
  readonly size?: number;
  /** It is a glob that matches nothing: there is nothing to download. */
  readonly unmatched?: true;
}

/** Files whose content is asked for at a time: enough to fill the lines of several seeds. */
const MAX_PROBES = 16;
/** Listings that are received at a time: each may be a page of 24 MiB. */
export const MAX_LISTINGS = 4;
/** So long a seed that is still hashing is asked again; then its content counts as not known. */
const PROBE_TIMEOUT = { ms: 2000, whileItGetsOn: false };

export async function list(
  query: ListQuery,
  settings: DownloadSettings,
  { clock, dial }: NetworkRuntime,
  signal: AbortSignal,
): Promise<Offer> {
  await using pool = new SourcePool({ ...settings, clock, dial });
  const links = pool.links(settings.seeds);
  const listings = new Semaphore(MAX_LISTINGS);
  const answers = await Promise.all(
    links.map((link) => askForList(link, listings, settings.giveUpMs, clock, signal)),
  );
  const files = gather(answers, query.glob);
  const slots = new Semaphore(MAX_PROBES);
  const withIds = query.ids
    ? await Promise.all(files.map((file) => withContents(file, links, slots, clock, signal)))
    : files;
  return { files: withIds, seeds: answers.map(({ report }) => report) };
}

interface ListAnswer {
  readonly report: SeedReport;
  readonly files: readonly ListedFile[];
}

/** A seed that dribbles its list must not keep the others' from being shown. */
export async function askForList(
  link: SeedSource,
  listings: Semaphore,
  giveUpMs: number,
  clock: Clock,
  signal: AbortSignal,
): Promise<ListAnswer> {
  const seed = link.name;
  const late = () => new TimeoutError(`${seed} did not tell its list within ${giveUpMs / 1000} s`);
  using limit = deadline(signal, clock, giveUpMs, late);
  try {
    const dialect = await link.dialect(limit.signal);
    using _slot = await listings.acquire(limit.signal);
    const files = await link.list(limit.signal);
    return { report: { seed, dialect, ok: true, error: null }, files };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof P2pError)) throw error;
    return { report: { seed, dialect: null, ok: false, error: error.message }, files: [] };
  }
}

/** One entry a name; where seeds differ in size or time, the first one's word. */
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
  links: readonly SeedSource[],
  slots: Semaphore,
  clock: Clock,
  signal: AbortSignal,
): Promise<OfferedFile> {
  using _slot = await slots.acquire(signal);
  const holders = links.filter(({ name }) => file.seeds.includes(name));
  const told = await Promise.all(holders.map(async (link) => {
    const { answer } = await probeUntil(link, file.name, PROBE_TIMEOUT, clock, signal);
    return [link.name, answer.kind === "manifest" ? answer.id : null] as const;
  }));
  const ids = new Set(told.flatMap(([, id]) => id ?? []));
  return { ...file, ids: Array.from(ids).sort(), idOf: Object.fromEntries(told) };
}

export function noMatchMessage(patterns: readonly string[]): string {
  return `Cannot find ${patterns.map((each) => `"${each}"`).join(", ")}: no seed has a match`;
}

/**
 * The names that `patterns` mean: one that a seed has is itself, a glob is what
 * it matches on any seed; `all` is everything. Each once. A glob without a match
 * does not keep the others from being downloaded: it is marked `unmatched`.
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
  // Plain names need no listing: the seeds are asked for them anyway.
  if (!all && !patterns.some(isGlob)) return Array.from(new Set(patterns), (name) => ({ name }));
  const { files, seeds } = await list({ glob: undefined, ids: false }, settings, platform, signal);
  if (!seeds.some(({ ok }) => ok)) {
    throw new UnreachableError(
      `Cannot list files: ${seeds.map(({ error }) => error).join("; ")}`,
    );
  }
  const sizes = new Map(files.map(({ name, size }) => [name, size]));
  const offered = Array.from(sizes.keys()).filter((name) => !isReservedName(name));
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
    const size = sizes.get(name);
    return { name, ...size === undefined ? {} : { size } };
  });
  return [
    ...found,
    ...Array.from(new Set(unmatched), (name) => ({ name, unmatched: true as const })),
  ];
}

/** Whether `pattern` may mean several names. */
export function isGlob(pattern: string): boolean {
  return /[*?[\]{}]/.test(pattern);
}

function namesFor(pattern: string, offered: readonly string[]): string[] {
  if (!isGlob(pattern) || offered.includes(pattern)) return [pattern];
  const matches = linearMatcher(globToRegExp(pattern));
  return offered.filter(matches);
}
