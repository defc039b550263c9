/** What `get` and `cat` share: what the names mean, and how progress is shown. */
import {
  type DownloadRequest,
  type DownloadSettings,
  type NamedFile,
  printable,
  type TaskOutcome,
} from "../core/mod.ts";
import { type Core, type Environment, mayMoveCursor, writeLines } from "./environment.ts";
import { ExitError, interruptible, type Interruption } from "./exit.ts";
import type { LoadedSettings } from "./load_settings.ts";
import { NOTHING_FOUND } from "./nearby.ts";
import { renderFewDescriptors } from "./ui/plain.ts";
import { exitOfOutcomes, renderInterruption, stoppingText } from "./ui/failure.ts";
import { CommandError } from "./ui/hints.ts";
import { isLinkOrFile } from "./value_types.ts";
import {
  BarWatcher,
  PlainWatcher,
  quietWatcher,
  type Watcher,
  type WatcherOptions,
} from "./watchers.ts";

/** The flags of these commands that are no settings. */
export interface TransferFlags {
  /** As written, not yet checked. */
  readonly seed?: readonly string[] | undefined;
  readonly sha256?: string | undefined;
  readonly id?: string | undefined;
  readonly json?: boolean | undefined;
  readonly header?: readonly (readonly [name: string, value: string])[] | undefined;
}

/** A command that transfers files. */
export interface Transfer extends Omit<WatcherOptions, "level"> {
  readonly flags: TransferFlags;
  readonly loaded: LoadedSettings;
  readonly settings: DownloadSettings;
}

/** What names, globs, folders, links and manifest files mean. */
export interface Wanted {
  /** In the order of the names, as far as they are no links. */
  readonly requests: readonly DownloadRequest[];
  readonly unmatched: readonly NamedFile[];
}

export async function resolveWanted(
  transfer: Transfer,
  names: readonly string[],
  all: boolean,
  signal: AbortSignal,
): Promise<Wanted> {
  const { environment: { core }, loaded, settings } = transfer;
  const links = names.filter(isLinkOrFile);
  const plain = names.filter((name) => !isLinkOrFile(name));
  const named = plain.length === 0 && links.length > 0
    ? []
    : await core.resolveNames(plain, all, settings, signal, loaded.directories);
  const requests: DownloadRequest[] = named.filter(({ unmatched }) => !unmatched);
  for (const link of links) requests.push(await linked(transfer, link, signal));
  return { requests, unmatched: named.filter(({ unmatched }) => unmatched) };
}

/**
 * What a link means. Seeds that are named on the command line are asked, too; configured ones only
 * if the content is pinned, because they may have another file of that name.
 */
async function linked(
  { environment, loaded, settings }: Transfer,
  link: string,
  signal: AbortSignal,
): Promise<DownloadRequest> {
  const request = await environment.core.resolveLink(link, settings, signal);
  const { id, sha256, seeds } = request;
  if (seeds === undefined) return request;
  const origin = loaded.origins.seeds;
  const isNamed = origin === "--seed" || origin === "P2P_SEEDS";
  const isPinned = id !== undefined || sha256 !== undefined;
  const others = isNamed || isPinned && origin !== "default" ? settings.seeds : [];
  return { ...request, seeds: [...seeds, ...others] };
}

/** The same requests, each with the digest that its bytes must have. @param file names the digests in messages */
export function withSums(
  requests: readonly DownloadRequest[],
  sums: ReadonlyMap<string, string> | undefined,
  file = "",
): readonly DownloadRequest[] {
  if (sums === undefined) return requests;
  return requests.map((request) => {
    const sha256 = sums.get(request.name);
    if (sha256 !== undefined) return { ...request, sha256 };
    throw new CommandError(
      "usage",
      `Cannot check "${printable(request.name)}": "${printable(file)}" has no digest of it`,
    );
  });
}

/** The fields of --header, for the one web server that the command line names. */
export function headersFor(
  { header = [], seed = [] }: TransferFlags,
  names: readonly string[],
): DownloadSettings["httpHeaders"] {
  if (header.length === 0) return {};
  const urls = [...seed, ...names].filter((text) => /^https?:\/\//i.test(text));
  const origins = new Set(urls.flatMap((url) => URL.canParse(url) ? new URL(url).origin : []));
  const [origin] = origins;
  if (origin !== undefined && origins.size === 1) return { [origin]: Object.fromEntries(header) };
  throw new CommandError(
    "usage",
    origins.size === 0
      ? "Cannot use --header: no web server is named"
      : "Cannot use --header: more than one web server is named",
    "Name one web server, as a link or with --seed; the fields go to no other one",
  );
}

export function watcherFor(run: Transfer): Watcher {
  const { environment: { env, stdout, stderr }, loaded: { values }, flags } = run;
  const { progress: style, quiet } = values;
  const options = { ...run, level: values["log-level"] };
  // Bars between JSON lines on one terminal would be unreadable.
  const mixed = flags.json && style === "auto" && stdout.terminal;
  if (quiet || style === "none" || mixed) return quietWatcher(options, quiet);
  // Bars have no colour, so NO_COLOR does not hide bars that were asked for.
  const isSet = (name: string) => style === "bar" && name === "NO_COLOR" ? undefined : env(name);
  return style !== "plain" && mayMoveCursor({ env: isSet }, stderr)
    ? new BarWatcher(options)
    : new PlainWatcher(options);
}

/** Below this rate, a missing unit is more likely than intent. */
const MIN_LIMIT_BYTES_PER_SECOND = 1024;

export function tinyLimits({ values }: LoadedSettings): string[] {
  return (["limit", "task-limit"] as const).flatMap((name) => {
    const limit = values[name];
    if (limit === undefined || limit >= MIN_LIMIT_BYTES_PER_SECOND) return [];
    return [
      `note: --${name} is ${limit} bytes a second; for more, write ${limit}KiB or ${limit}MiB`,
    ];
  });
}

export function undrawnBars({ stderr, env }: Environment, { values }: LoadedSettings): string[] {
  return values.progress !== "bar" || (stderr.terminal && env("TERM") !== "dumb")
    ? []
    : ["note: bars need a terminal; showing progress as plain lines"];
}

/** Interrupts at the first signal and reports it; the second one ends the display at once. */
export function interruptibleBy(environment: Environment, watcher: Watcher): Interruption {
  return interruptible(environment, {
    onSignal(times, signal) {
      if (times > 1) watcher.end();
      else watcher.note([`p2p: ${stoppingText(signal)}`]);
    },
  });
}

/**
 * Ends a command by what became of its downloads.
 *
 * @param seedsAreNamed the names say where to ask, so that no seed needs to be configured.
 * @throws {ExitError} unless every download succeeded.
 */
export function conclude(
  transfer: Transfer,
  outcomes: readonly TaskOutcome[],
  { stoppedBy }: Interruption,
  seedsAreNamed = false,
): void {
  const { environment: { stderr }, loaded: { values } } = transfer;
  const exit = exitOfOutcomes(outcomes, stoppedBy());
  if (exit === 0) return;
  if (!values.quiet) {
    if (stoppedBy() !== undefined) writeLines(stderr, renderInterruption(outcomes));
    if (!seedsAreNamed) writeLines(stderr, unconfigured(transfer, outcomes));
  }
  throw new ExitError(exit);
}

/** A note for users who configured no seed and run none on this computer. */
export function unconfigured(
  { loaded: { origins, values }, settings }: Transfer,
  outcomes: readonly TaskOutcome[],
): string[] {
  const failed = outcomes.filter(({ outcome }) =>
    !outcome.ok && outcome.failure.code === "unreachable"
  );
  // Seeds that were found on the network are named already.
  const asked = origins.seeds !== "default" || settings.requireAgreement;
  if (asked || failed.length === 0) return [];
  return [
    "note: no seeds are configured, so p2p asked this computer. Add one with p2p seeds add <host>, " +
    "or name one with --seed <host>",
    ...values.discover ? [NOTHING_FOUND] : [],
  ];
}

/** The downloads of a command, and what the user should know of them. */
export function jobOf(
  { loaded, settings, progress }: Transfer,
  requests: readonly DownloadRequest[],
  watcher: Watcher,
): Parameters<Core["download"]>[0] {
  return {
    requests,
    outDir: loaded.values.out,
    settings,
    directories: loaded.directories,
    progress,
    onFewDescriptors: (found) => watcher.note([renderFewDescriptors(found)]),
    onStateUnavailable: ({ message }) =>
      watcher.note([
        printable(`note: ${message}; status, logs and pause do not work for this run`),
      ]),
  };
}
