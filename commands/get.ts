/** `p2p get`: downloads files and reports how it goes. */
import { Command } from "@cliffy/command";
import {
  type DownloadRequest,
  type NamedFile,
  noMatchMessage,
  printable,
  RunProgress,
  type TaskOutcome,
  UsageError,
} from "../core/mod.ts";
import { basename, dirname, isAbsolute, join } from "node:path";
import { ValueArgumentType, withSettings } from "./options.ts";
import type { Environment } from "./environment.ts";
import { interruptible, type Interruption } from "./exit.ts";
import { HEADER, hex, isLinkOrFile, parseValue, text, WANTED } from "./value_types.ts";
import { downloadSettingsOf, loadSettings } from "./load_settings.ts";
import { renderTaskFailure } from "./ui/failure.ts";
import { withNearbySeeds } from "./nearby.ts";
import { CommandError } from "./ui/hints.ts";
import { renderSummary } from "./ui/plain.ts";
import {
  conclude,
  headersFor,
  interruptibleBy,
  jobOf,
  resolveWanted,
  tinyLimits,
  type Transfer,
  type TransferFlags,
  undrawnBars,
  watcherFor,
  withSums,
} from "./transfer.ts";
import { namesIn, readNameFile, sumsIn } from "./name_files.ts";
import { ResultWriter, type Watcher } from "./watchers.ts";

const DESCRIPTION = `Downloads files from all seeds that have them, and checks every byte.

A name may be a glob, where ** also crosses folders (quote it for the shell),
or a folder: photos/. It may also be a link (https://host/file, s3://bucket/key,
or one that a seed shows), or the path of a .p2p file, with ./ in front.

After an interruption, run the same command again to resume. Unless standard
output is a terminal, the path of each finished file is written to it; with
--json, events.`;

/** As `--out`. */
const STANDARD_OUTPUT = "-";

interface Flags extends TransferFlags {
  readonly all?: boolean | undefined;
  readonly saveAs?: string | undefined;
  readonly inputFile?: string | undefined;
  readonly sha256sums?: string | undefined;
}

interface Run extends Transfer {
  readonly flags: Flags;
  readonly sums: Sums;
}

/** By name; undefined: none are asked for. */
type Sums = ReadonlyMap<string, string> | undefined;

export function getCommand(environment: Environment) {
  const command = new Command()
    .description(DESCRIPTION)
    .example("one file from two seeds", "p2p get ubuntu.iso --seed nas1 --seed nas2")
    .example("matches, five at a time", "p2p get 'photos/*.jpg' --max 5 --out ~/pictures")
    .example("events for a program", "p2p get --all --json")
    .type("name", new ValueArgumentType(WANTED))
    .type("header", new ValueArgumentType(HEADER))
    .type("text", new ValueArgumentType(text("file")))
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
    .option("--save-as <file:text>", "With one name: the file to write, below --out")
    .option(
      "--input-file <file:text>",
      "Also get the names and links in this file, one a line; - is standard input",
    )
    .option(
      "--sha256sums <file:text>",
      "Get the names in this file of sha256sum, or only those given; the bytes must have its digests",
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
  given: readonly string[],
): Promise<void> {
  const { names, sums } = await wantedNames(environment, flags, given);
  checkUsage(flags, names, sums);
  const loaded = await loadSettings(environment, { ...flags });
  if (loaded.values.out === STANDARD_OUTPUT) {
    return await toStandardOutput(environment, flags, names, sums);
  }
  const settings = {
    ...await downloadSettingsOf(loaded.values),
    httpHeaders: headersFor(flags, names),
  };
  const progress = new RunProgress();
  const run = { environment, flags, loaded, settings, progress, sums, seeds: flags.seed };
  const watcher = watcherFor(run);
  watcher.note([...tinyLimits(loaded), ...undrawnBars(environment, loaded)]);
  try {
    using interruption = interruptibleBy(environment, watcher);
    const nearby = await withNearbySeeds(environment, loaded, settings, interruption.signal);
    watcher.note(nearby.notes);
    const seeded = { ...run, settings: nearby.settings };
    const outcomes = await downloadAll(seeded, names, watcher, interruption);
    watcher.end();
    // A link says where to ask.
    conclude(seeded, outcomes, interruption, names.some(isLinkOrFile));
  } finally {
    watcher.end();
  }
}

/** The names on the command line and in the files that it names. */
async function wantedNames(
  environment: Environment,
  { all, inputFile, sha256sums }: Flags,
  given: readonly string[],
): Promise<{ readonly names: readonly string[]; readonly sums: Sums }> {
  using interruption = interruptible(environment);
  const { signal } = interruption;
  const read = async (file: string) => {
    const text = await readNameFile(environment, file, signal);
    interruption.throwIfInterrupted();
    return text;
  };
  const listed = inputFile === undefined ? [] : namesIn(await read(inputFile), inputFile);
  const names = Array.from(new Set([...given, ...listed]));
  const sums = sha256sums === undefined ? undefined : sumsIn(await read(sha256sums), sha256sums);
  const isOpen = names.length === 0 && inputFile === undefined && !all;
  return { names: sums && isOpen ? Array.from(sums.keys()) : names, sums };
}

/** As `p2p cat`, which has no use for the flags of files. */
async function toStandardOutput(
  environment: Environment,
  flags: Flags,
  names: readonly string[],
  sums: Sums,
): Promise<void> {
  const unusable = flags.all ? "--all" : flags.json ? "--json" : flags.saveAs && "--save-as";
  if (unusable) throw new UsageError(`Cannot use ${unusable} with --out -`);
  const { cat } = await import("./cat.ts");
  const { out: _, ...others } = flags as Flags & { readonly out?: string };
  await cat(environment, { ...others, sums }, names);
}

async function downloadAll(
  run: Run,
  names: readonly string[],
  watcher: Watcher,
  { signal, stoppedBy }: Interruption,
): Promise<TaskOutcome[]> {
  const { environment, flags, loaded, settings } = run;
  const startedAt = environment.now();
  const results = new ResultWriter(run, flags.json === true);
  let outcomes: TaskOutcome[] = [];
  try {
    const { core } = environment;
    // Names in a file of digests are no globs.
    const found = run.sums && names.every((name) => run.sums!.has(name))
      ? { requests: names.map((name) => ({ name })), unmatched: [] }
      : await resolveWanted(run, names, flags.all === true, signal);
    const wanted = withSums(found.requests, run.sums, flags.sha256sums);
    checkDistinct(wanted);
    const missing = found.unmatched.map(outcomeOfUnmatched);
    for (const { name, outcome } of missing) {
      if (!outcome.ok) watcher.fail(renderTaskFailure(name, outcome.failure, flags.seed));
    }
    const requests = requestsFor(
      loaded.values.times ? wanted : wanted.map(withoutAttributes),
      flags,
    );
    const outDir = folderOf(loaded.values.out, flags.saveAs);
    const job = { ...jobOf(run, requests, watcher), outDir };
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

/** An absolute path is not below the folder of the downloads. */
function folderOf(out: string, saveAs: string | undefined): string {
  if (saveAs === undefined) return out;
  return dirname(isAbsolute(saveAs) ? saveAs : join(out, saveAs));
}

/** A glob without a match counts as a failed download; the other downloads run. */
function outcomeOfUnmatched({ name }: NamedFile): TaskOutcome {
  const failure = { code: "not-found", message: noMatchMessage([name]) } as const;
  return { task: "", name, state: "failed", outcome: { ok: false, failure } };
}

function checkUsage(flags: Flags, names: readonly string[], sums: Sums): void {
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
  if (sums && (flags.sha256 !== undefined || flags.all)) {
    throw new UsageError(`Cannot use --sha256sums with ${flags.all ? "--all" : "--sha256"}`);
  }
  checkPins(flags, flags.all ? 2 : names.length);
}

function checkPins({ sha256, id, saveAs }: Flags, count: number): void {
  const pin = sha256 !== undefined
    ? "--sha256"
    : id !== undefined
    ? "--id"
    : saveAs !== undefined
    ? "--save-as"
    : "";
  if (pin !== "" && count !== 1) {
    throw new UsageError(`Cannot use ${pin} with more than one name`);
  }
}

function requestsFor(wanted: readonly DownloadRequest[], flags: Flags): DownloadRequest[] {
  checkPins(flags, wanted.length);
  const { sha256, id, saveAs } = flags;
  return wanted.map((file) => ({
    ...file,
    ...saveAs === undefined ? {} : { saveAs: basename(saveAs) },
    ...sha256 === undefined ? {} : { sha256 },
    ...id === undefined ? {} : { id },
  }));
}

function withoutAttributes({ attributes: _, ...request }: DownloadRequest): DownloadRequest {
  return request;
}
