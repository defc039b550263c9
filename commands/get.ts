/** `p2p get`: names and flags → a download, watched and told. */
import { Command } from "@cliffy/command";
import {
  type DownloadRequest,
  type DownloadSettings,
  type FewDescriptors,
  type NamedFile,
  type P2pError,
  printable,
  RunProgress,
  type TaskOutcome,
  UsageError,
} from "../core/mod.ts";
import { ValueArgumentType, withSettings } from "./options.ts";
import { type Environment, mayMoveCursor, writeLines } from "./environment.ts";
import { ExitError, interruptible, type Interruption } from "./exit.ts";
import { hex, NAME, parseValue } from "./value_types.ts";
import { downloadSettingsOf, type LoadedSettings, loadSettings } from "./load_settings.ts";
import {
  exitOfOutcomes,
  renderInterruption,
  renderTaskFailure,
  stoppingText,
} from "./ui/failure.ts";
import { CommandError } from "./ui/hints.ts";
import { renderFewDescriptors, renderSummary } from "./ui/plain.ts";
import type { Values } from "./settings.ts";
import { BarWatcher, PlainWatcher, QuietWatcher, ResultWriter, type Watcher } from "./watchers.ts";

const DESCRIPTION = `Downloads files from all seeds that have them, and checks every byte.

A name may be a glob; quote it, so that the shell leaves it alone. The same
command goes on where an interrupted one stopped. Standard output gets the path
of each finished file when it is no terminal, or events with --json.`;

interface Flags {
  /** As written, not yet checked. */
  readonly seed?: readonly string[] | undefined;
  readonly sha256?: string | undefined;
  readonly id?: string | undefined;
  readonly all?: boolean | undefined;
  readonly json?: boolean | undefined;
}

export function getCommand(environment: Environment) {
  const command = new Command()
    .description(DESCRIPTION)
    .example("one file, from two seeds at once", "p2p get ubuntu.iso --seed nas1 --seed nas2")
    .example("all that match, five at a time", "p2p get 'photos/*.jpg' --max 5 --out ~/pictures")
    .example("events for a program", "p2p get --all --json")
    .type("name", new ValueArgumentType(NAME))
    .type("sha256", new ValueArgumentType(hex(64)))
    .type("id", new ValueArgumentType(hex(1)))
    .arguments("[name...:name]");
  return withSettings(command, "get")
    .option("-a, --all", "Everything that the seeds offer")
    .option("--sha256 <hex:sha256>", "With one name: the bytes must have this digest")
    .option(
      "--id <hex:id>",
      "With one name: this content, or the beginning of its id, where seeds differ",
    )
    .option("--json", "Events on standard output, one JSON object a line")
    .action(async function (options, ...names) {
      // Names after `--` may begin with a dash; the library leaves them unparsed.
      const literal = this.getLiteralArgs().map((text) => parseValue(NAME, text, "as name"));
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
  const settings = await downloadSettingsOf(loaded.values);
  const progress = new RunProgress();
  const watcher = watcherFor(environment, loaded.values, progress, flags);
  watcher.note([...tinyLimits(loaded), ...undrawnBars(environment, loaded)]);
  try {
    using interruption = interruptible(environment, {
      told(times, signal) {
        if (times > 1) watcher.end();
        else watcher.note([`p2p: ${stoppingText(signal)}`]);
      },
    });
    const outcomes = await downloadAll(
      { environment, flags, names, loaded, settings, progress },
      watcher,
      interruption,
    );
    watcher.end();
    conclude(environment, loaded, outcomes, interruption);
  } finally {
    watcher.end();
  }
}

interface Run {
  readonly environment: Environment;
  readonly flags: Flags;
  readonly names: readonly string[];
  readonly loaded: LoadedSettings;
  readonly settings: DownloadSettings;
  readonly progress: RunProgress;
}

async function downloadAll(
  { environment, flags, names, loaded, settings, progress }: Run,
  watcher: Watcher,
  { signal, stoppedBy }: Interruption,
): Promise<TaskOutcome[]> {
  const startedAt = environment.now();
  const results = new ResultWriter(environment, progress, flags.json === true, flags.seed);
  let outcomes: TaskOutcome[] = [];
  try {
    const { core } = environment;
    const named = await core.resolveNames(names, flags.all === true, settings, signal);
    const wanted = named.filter(({ unmatched }) => !unmatched);
    const missing = named.filter(({ unmatched }) => unmatched).map(outcomeOfUnmatched);
    for (const { name, outcome } of missing) {
      if (!outcome.ok) watcher.fail(renderTaskFailure(name, outcome.failure, flags.seed));
    }
    const job = {
      requests: requestsFor(wanted, flags),
      outDir: loaded.values.out,
      settings,
      directories: loaded.directories,
      progress,
      onFewDescriptors: (found: FewDescriptors) => watcher.note([renderFewDescriptors(found)]),
      onStateUnavailable: ({ message }: P2pError) =>
        watcher.note([
          printable(`note: ${message}; status, logs and pause do not see these downloads`),
        ]),
    };
    outcomes = await core.download(job, (event) => {
      watcher.handle(event);
      results.handle(event, stoppedBy());
    }, signal);
    outcomes = [...outcomes, ...missing];
  } finally {
    // A program that reads the events waits for the last of them, whatever happened.
    results.end(outcomes);
  }
  if (outcomes.length > 1) {
    watcher.note([renderSummary(outcomes, environment.now() - startedAt)]);
  }
  return outcomes;
}

/** A glob that fits no name counts as a download that failed; the others are not kept from theirs. */
function outcomeOfUnmatched({ name }: NamedFile): TaskOutcome {
  const failure = {
    code: "not-found",
    message: `Cannot find "${name}": no seed has a name that matches`,
  } as const;
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

/** A digest or an id is that of one content. */
function checkPins({ sha256, id }: Flags, count: number): void {
  const pin = sha256 !== undefined ? "--sha256" : id !== undefined ? "--id" : "";
  if (pin !== "" && count !== 1) {
    throw new UsageError(`Cannot use ${pin} with more than one name`);
  }
}

function requestsFor(wanted: readonly NamedFile[], flags: Flags): DownloadRequest[] {
  checkPins(flags, wanted.length);
  const { sha256, id } = flags;
  return wanted.map((file) => ({
    ...file,
    ...sha256 === undefined ? {} : { sha256 },
    ...id === undefined ? {} : { id },
  }));
}

function watcherFor(
  environment: Environment,
  values: Values,
  progress: RunProgress,
  { json, seed }: Flags,
): Watcher {
  const { progress: style, quiet } = values;
  // Bars between JSON lines on one terminal would help nobody.
  const mixed = json && style === "auto" && environment.stdout.terminal;
  if (quiet || style === "none" || mixed) {
    return new QuietWatcher(environment, progress, quiet, seed);
  }
  // Bars that were asked for are drawn with NO_COLOR, too: they have no colour.
  const env: Environment["env"] = (name) =>
    style === "bar" && name === "NO_COLOR" ? undefined : environment.env(name);
  return style !== "plain" && mayMoveCursor({ env }, environment.stderr)
    ? new BarWatcher(environment, progress, values["log-level"], seed)
    : new PlainWatcher(environment, progress, values["log-level"], seed);
}

/** Below this rate, a missing unit is more likely than intent. */
const MIN_LIMIT_BYTES_PER_SECOND = 1024;

function tinyLimits({ values }: LoadedSettings): string[] {
  return (["limit", "task-limit"] as const).flatMap((name) => {
    const limit = values[name];
    if (limit === undefined || limit >= MIN_LIMIT_BYTES_PER_SECOND) return [];
    return [
      `note: --${name} is ${limit} bytes a second; write ${limit}KiB or ${limit}MiB for more`,
    ];
  });
}

function undrawnBars({ stderr, env }: Environment, { values }: LoadedSettings): string[] {
  return values.progress !== "bar" || (stderr.terminal && env("TERM") !== "dumb")
    ? []
    : ["note: bars need a terminal; progress is written as plain lines"];
}

/** A note for the user who configured no seed, where this computer is not one either. */
function unconfigured({ origins }: LoadedSettings, outcomes: readonly TaskOutcome[]): string[] {
  const failed = outcomes.filter(({ outcome }) =>
    !outcome.ok && outcome.failure.code === "unreachable"
  );
  if (origins.seeds !== "default" || failed.length === 0) return [];
  return [
    "note: no seeds are configured, so p2p asked this computer. Add one with p2p seeds add <host>, " +
    "or name one with --seed <host>",
  ];
}

/** @throws {ExitError} unless all is there. */
function conclude(
  { stderr }: Environment,
  loaded: LoadedSettings,
  outcomes: readonly TaskOutcome[],
  { stoppedBy }: Interruption,
): void {
  const exit = exitOfOutcomes(outcomes, stoppedBy());
  if (exit === 0) return;
  if (stoppedBy() !== undefined && !loaded.values.quiet) {
    writeLines(stderr, renderInterruption(outcomes));
  }
  if (!loaded.values.quiet) writeLines(stderr, unconfigured(loaded, outcomes));
  throw new ExitError(exit);
}
