/** `p2p get`: downloads files and reports how it goes. */
import { Command } from "@cliffy/command";
import {
  type DownloadRequest,
  type DownloadSettings,
  type FewDescriptors,
  type NamedFile,
  noMatchMessage,
  type P2pError,
  printable,
  RunProgress,
  type TaskOutcome,
  UsageError,
} from "../core/mod.ts";
import { ValueArgumentType, withSettings } from "./options.ts";
import { type Environment, mayMoveCursor, writeLines } from "./environment.ts";
import { ExitError, interruptible, type Interruption } from "./exit.ts";
import { HEADER, hex, isLinkOrFile, parseValue, WANTED } from "./value_types.ts";
import { downloadSettingsOf, type LoadedSettings, loadSettings } from "./load_settings.ts";
import {
  exitOfOutcomes,
  renderInterruption,
  renderTaskFailure,
  stoppingText,
} from "./ui/failure.ts";
import { NOTHING_FOUND, withNearbySeeds } from "./nearby.ts";
import { CommandError } from "./ui/hints.ts";
import { renderFewDescriptors, renderSummary } from "./ui/plain.ts";
import {
  BarWatcher,
  PlainWatcher,
  quietWatcher,
  ResultWriter,
  type Watcher,
  type WatcherOptions,
} from "./watchers.ts";

const DESCRIPTION = `Downloads files from all seeds that have them, and checks every byte.

A name may be a glob, where ** also crosses folders (quote it for the shell),
or a folder: photos/. It may also be a link (https://host/file, s3://bucket/key,
or one that a seed shows), or the path of a .p2p file, with ./ in front.

After an interruption, run the same command again to resume. Unless standard
output is a terminal, the path of each finished file is written to it; with
--json, events.`;

interface Flags {
  /** As written, not yet checked. */
  readonly seed?: readonly string[] | undefined;
  readonly sha256?: string | undefined;
  readonly id?: string | undefined;
  readonly all?: boolean | undefined;
  readonly json?: boolean | undefined;
  readonly header?: readonly (readonly [name: string, value: string])[] | undefined;
}

export function getCommand(environment: Environment) {
  const command = new Command()
    .description(DESCRIPTION)
    .example("one file, from two seeds at once", "p2p get ubuntu.iso --seed nas1 --seed nas2")
    .example("all that match, five at a time", "p2p get 'photos/*.jpg' --max 5 --out ~/pictures")
    .example("events for a program", "p2p get --all --json")
    .type("name", new ValueArgumentType(WANTED))
    .type("header", new ValueArgumentType(HEADER))
    .type("sha256", new ValueArgumentType(hex(64)))
    .type("id", new ValueArgumentType(hex(1)))
    .arguments("[name...:name]");
  return withSettings(command, "get")
    .option("-a, --all", "Everything that the seeds offer")
    .option("--sha256 <hex:sha256>", "With one name: the bytes must have this digest")
    .option(
      "--id <hex:id>",
      "With one name: the id, or its beginning, of the version to take where seeds differ",
    )
    .option(
      "--header <field:header>",
      "A field for the web server that is named, such as 'Authorization: Bearer …'",
      { collect: true },
    )
    .option("--json", "Events on standard output, one JSON object a line")
    .action(async function (options, ...names) {
      // Names after `--` may begin with a dash; the library leaves them unparsed.
      const literal = this.getLiteralArgs().map((text) => parseValue(WANTED, text, "as name"));
      await get(environment, options, [...new Set([...names, ...literal])]);
    });
}

async function get(
  environment: Environment,
  flags: Flags,
  names: readonly string[],
): Promise<void> {
  checkUsage(flags, names);
  const loaded = await loadSettings(environment, { ...flags });
  const settings = {
    ...await downloadSettingsOf(loaded.values),
    httpHeaders: headersFor(flags, names),
  };
  const progress = new RunProgress();
  const run = { environment, flags, loaded, settings, progress, seeds: flags.seed };
  const watcher = watcherFor(run);
  watcher.note([...tinyLimits(loaded), ...undrawnBars(environment, loaded)]);
  try {
    using interruption = interruptible(environment, {
      onSignal(times, signal) {
        if (times > 1) watcher.end();
        else watcher.note([`p2p: ${stoppingText(signal)}`]);
      },
    });
    const nearby = await withNearbySeeds(environment, loaded, settings, interruption.signal);
    watcher.note(nearby.notes);
    const seeded = { ...run, settings: nearby.settings };
    const outcomes = await downloadAll(seeded, names, watcher, interruption);
    watcher.end();
    conclude(run, names, outcomes, interruption);
  } finally {
    watcher.end();
  }
}

interface Run extends Omit<WatcherOptions, "level"> {
  readonly flags: Flags;
  readonly loaded: LoadedSettings;
  readonly settings: DownloadSettings;
}

async function downloadAll(
  run: Run,
  names: readonly string[],
  watcher: Watcher,
  { signal, stoppedBy }: Interruption,
): Promise<TaskOutcome[]> {
  const { environment, flags, loaded, settings, progress } = run;
  const startedAt = environment.now();
  const results = new ResultWriter(run, flags.json === true);
  let outcomes: TaskOutcome[] = [];
  try {
    const { core } = environment;
    const links = names.filter(isLinkOrFile);
    const plain = names.filter((name) => !isLinkOrFile(name));
    const named = plain.length === 0 && links.length > 0
      ? []
      : await core.resolveNames(plain, flags.all === true, settings, signal, loaded.directories);
    const wanted: DownloadRequest[] = named.filter(({ unmatched }) => !unmatched);
    for (const link of links) wanted.push(await linked(run, link, signal));
    checkDistinct(wanted);
    const missing = named.filter(({ unmatched }) => unmatched).map(outcomeOfUnmatched);
    for (const { name, outcome } of missing) {
      if (!outcome.ok) watcher.fail(renderTaskFailure(name, outcome.failure, flags.seed));
    }
    const job = {
      requests: requestsFor(loaded.values.times ? wanted : wanted.map(withoutAttributes), flags),
      outDir: loaded.values.out,
      settings,
      directories: loaded.directories,
      progress,
      onFewDescriptors: (found: FewDescriptors) => watcher.note([renderFewDescriptors(found)]),
      onStateUnavailable: ({ message }: P2pError) =>
        watcher.note([
          printable(`note: ${message}; status, logs and pause do not work for this run`),
        ]),
    };
    outcomes = await core.download(job, (event) => {
      watcher.handle(event);
      results.handle(event, stoppedBy());
    }, signal);
    outcomes = [...outcomes, ...missing];
  } finally {
    // A program that reads the events waits for the summary, whatever happened.
    results.end(outcomes);
  }
  if (outcomes.length > 1) {
    watcher.note([renderSummary(outcomes, environment.now() - startedAt, settings)]);
  }
  return outcomes;
}

/**
 * What a link means. Seeds that are named on the command line are asked, too; configured ones only
 * if the content is pinned, because they may have another file of that name.
 */
async function linked(
  { environment, loaded, settings }: Run,
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

/** Two links may end in one name and be different files. */
function checkDistinct(wanted: readonly DownloadRequest[]): void {
  const names = new Set<string>();
  for (const { name, seeds } of wanted) {
    if (names.has(name) && seeds) {
      throw new CommandError(
        "usage",
        `Cannot get "${printable(name)}" twice: two names lead to one file here`,
        "Get one after the other, with another folder for --out",
      );
    }
    names.add(name);
  }
}

/** The fields of --header, for the one web server that the command line names. */
function headersFor(
  { header = [], seed = [] }: Flags,
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

/** A glob without a match counts as a failed download; the other downloads run. */
function outcomeOfUnmatched({ name }: NamedFile): TaskOutcome {
  const failure = { code: "not-found", message: noMatchMessage([name]) } as const;
  return { task: "", name, state: "failed", outcome: { ok: false, failure } };
}

function checkUsage(flags: Flags, names: readonly string[]): void {
  if (names.length === 0 && !flags.all) {
    throw new CommandError(
      "usage",
      "Cannot get anything: no name was given",
      "See what the seeds offer with p2p list, or get everything with --all",
    );
  }
  if (names.length > 0 && flags.all) {
    throw new UsageError("Cannot use names and --all together");
  }
  checkPins(flags, flags.all ? 2 : names.length);
}

function checkPins({ sha256, id }: Flags, count: number): void {
  const pin = sha256 !== undefined ? "--sha256" : id !== undefined ? "--id" : "";
  if (pin !== "" && count !== 1) {
    throw new UsageError(`Cannot use ${pin} with more than one name`);
  }
}

function requestsFor(wanted: readonly DownloadRequest[], flags: Flags): DownloadRequest[] {
  checkPins(flags, wanted.length);
  const { sha256, id } = flags;
  return wanted.map((file) => ({
    ...file,
    ...sha256 === undefined ? {} : { sha256 },
    ...id === undefined ? {} : { id },
  }));
}

function withoutAttributes({ attributes: _, ...request }: DownloadRequest): DownloadRequest {
  return request;
}

function watcherFor(run: Run): Watcher {
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

function tinyLimits({ values }: LoadedSettings): string[] {
  return (["limit", "task-limit"] as const).flatMap((name) => {
    const limit = values[name];
    if (limit === undefined || limit >= MIN_LIMIT_BYTES_PER_SECOND) return [];
    return [
      `note: --${name} is ${limit} bytes a second; for more, write ${limit}KiB or ${limit}MiB`,
    ];
  });
}

function undrawnBars({ stderr, env }: Environment, { values }: LoadedSettings): string[] {
  return values.progress !== "bar" || (stderr.terminal && env("TERM") !== "dumb")
    ? []
    : ["note: bars need a terminal; showing progress as plain lines"];
}

/** A note for users who configured no seed and run none on this computer. */
function unconfigured(
  { origins, values }: LoadedSettings,
  outcomes: readonly TaskOutcome[],
): string[] {
  const failed = outcomes.filter(({ outcome }) =>
    !outcome.ok && outcome.failure.code === "unreachable"
  );
  if (origins.seeds !== "default" || failed.length === 0) return [];
  return [
    "note: no seeds are configured, so p2p asked this computer. Add one with p2p seeds add <host>, " +
    "or name one with --seed <host>",
    ...values.discover ? [NOTHING_FOUND] : [],
  ];
}

/** @throws {ExitError} unless every download succeeded. */
function conclude(
  { environment: { stderr }, loaded }: Run,
  names: readonly string[],
  outcomes: readonly TaskOutcome[],
  { stoppedBy }: Interruption,
): void {
  const exit = exitOfOutcomes(outcomes, stoppedBy());
  if (exit === 0) return;
  if (stoppedBy() !== undefined && !loaded.values.quiet) {
    writeLines(stderr, renderInterruption(outcomes));
  }
  // A link says where to ask.
  if (!loaded.values.quiet && !names.some(isLinkOrFile)) {
    writeLines(stderr, unconfigured(loaded, outcomes));
  }
  throw new ExitError(exit);
}
