/** `p2p cat`: writes files to standard output. */
import { Command } from "@cliffy/command";
import {
  type DownloadRequest,
  isGlob,
  noMatchMessage,
  RunProgress,
  type StreamEnd,
  UsageError,
} from "../core/mod.ts";
import { type Environment, writeLines } from "./environment.ts";
import { ExitError, interruptible, type Interruption } from "./exit.ts";
import { downloadSettingsOf, loadSettings } from "./load_settings.ts";
import { withNearbySeeds } from "./nearby.ts";
import { ValueArgumentType, withSettings } from "./options.ts";
import {
  headersFor,
  resolveWanted,
  tinyLimits,
  type Transfer,
  type TransferFlags,
  unconfigured,
  undrawnBars,
  watcherFor,
  withSums,
} from "./transfer.ts";
import { exitOfOutcomes, HINT } from "./ui/failure.ts";
import { CommandError } from "./ui/hints.ts";
import { HEADER, hex, isLinkOrFile, OFFSET, parseValue, WANTED } from "./value_types.ts";
import type { Watcher } from "./watchers.ts";

const DESCRIPTION =
  `Writes files to standard output: in order, each byte checked before it is written.

The bytes come from all seeds that have the file, as with p2p get, and nothing
is written to a disk. A slow reader makes the seeds wait; --memory bounds what
was received and not yet written. Several names follow each other without a gap.
A name may be a glob, a folder, a link or the path of a .p2p file, as in p2p get.

If a file fails, the output ends where it fails, nothing follows, and the exit
code is not 0. A shell reports that of a pipe only after: set -o pipefail.
If the reader ends early, as head does, so does p2p, with exit code 0.`;

/** The flags of `cat`, and those of `get --out -`, which does the same. */
export interface CatFlags extends TransferFlags {
  readonly offset?: number | undefined;
  readonly force?: boolean | undefined;
  /** The digests that the files must have, by name; undefined: none are asked for. */
  readonly sums?: ReadonlyMap<string, string> | undefined;
  readonly sha256sums?: string | undefined;
}

export function catCommand(environment: Environment) {
  const command = new Command()
    .description(DESCRIPTION)
    .example("unpack it while it arrives", "p2p cat model.tar | tar x")
    .example("several files in a row", "p2p cat part1 part2 part3 | sha256sum")
    .example("go on after the first 3 MiB", "p2p cat film.mkv --offset 3MiB >> film.mkv")
    .type("name", new ValueArgumentType(WANTED))
    .type("header", new ValueArgumentType(HEADER))
    .type("size", new ValueArgumentType(OFFSET))
    .type("sha256", new ValueArgumentType(hex(64)))
    .type("id", new ValueArgumentType(hex(1)))
    .arguments("<name...:name>");
  return withSettings(command, "cat")
    .option("--offset <size:size>", "Leave out this much at the beginning")
    .option(
      "--sha256 <hex:sha256>",
      "With one name: write the last part only if the whole has this digest",
    )
    .option(
      "--id <hex:id>",
      "With one name: the id, or its beginning, of the version to take where seeds differ",
    )
    .option(
      "--header <field:header>",
      "A field for the web server that is named, such as 'Authorization: Bearer …'",
      { collect: true },
    )
    .option("-f, --force", "Write to a terminal")
    .action(async function (options, ...names) {
      const literal = this.getLiteralArgs().map((text) => parseValue(WANTED, text, "as name"));
      await cat(environment, options, [...names, ...literal]);
    });
}

/** @throws {ExitError} unless everything was written. */
export async function cat(
  environment: Environment,
  flags: CatFlags,
  names: readonly string[],
): Promise<void> {
  checkUsage(environment, flags);
  const loaded = await loadSettings(environment, { ...flags });
  const settings = {
    ...await downloadSettingsOf(loaded.values),
    httpHeaders: headersFor(flags, names),
  };
  const progress = new RunProgress();
  const transfer = { environment, flags, loaded, settings, progress, seeds: flags.seed };
  const watcher = watcherFor(transfer);
  watcher.note([...tinyLimits(loaded), ...undrawnBars(environment, loaded)]);
  try {
    using interruption = interruptible(environment);
    const { signal } = interruption;
    const nearby = await withNearbySeeds(environment, loaded, settings, signal);
    watcher.note(nearby.notes);
    const seeded = { ...transfer, settings: nearby.settings };
    const end = await streamAll(seeded, flags, names, watcher, signal);
    watcher.end();
    conclude(seeded, flags, end, interruption);
  } finally {
    watcher.end();
  }
}

function checkUsage({ stdout }: Environment, { offset = 0, sha256, force }: CatFlags): void {
  if (offset > 0 && sha256 !== undefined) {
    throw new CommandError(
      "usage",
      "Cannot use --sha256 with --offset: the digest is that of the whole file",
      "Pin the version with --id",
    );
  }
  if (stdout.terminal && !force) {
    throw new CommandError(
      "usage",
      "Cannot write to the terminal: the file may be anything",
      "Pipe it into a program, redirect it to a file, or use --force",
    );
  }
}

async function streamAll(
  transfer: Transfer,
  { offset = 0, sha256, id, sums, sha256sums }: CatFlags,
  names: readonly string[],
  watcher: Watcher,
  signal: AbortSignal,
): Promise<StreamEnd> {
  const { environment: { core, stdout }, settings, progress } = transfer;
  const wanted = withSums(await resolveInOrder(transfer, names, sums, signal), sums, sha256sums);
  const pin = sha256 !== undefined ? "--sha256" : "--id";
  if ((sha256 ?? id) !== undefined && wanted.length !== 1) {
    throw new UsageError(`Cannot use ${pin} with more than one name`);
  }
  const pins = { ...sha256 === undefined ? {} : { sha256 }, ...id === undefined ? {} : { id } };
  const job = {
    requests: wanted.map((request) => ({ ...request, ...pins })),
    reader: { offset, write: (bytes: Uint8Array) => stdout.writeBytes(bytes) },
    settings,
    progress,
  };
  return await core.stream(job, (event) => watcher.handle(event), signal);
}

/** Unlike a download, a stream may have a file twice, and a name without a match ends it before it begins. */
async function resolveInOrder(
  transfer: Transfer,
  names: readonly string[],
  sums: ReadonlyMap<string, string> | undefined,
  signal: AbortSignal,
): Promise<DownloadRequest[]> {
  const requests: DownloadRequest[] = [];
  for (const name of names) {
    // Names in a file of digests are no globs.
    const isName = sums?.has(name) || !isLinkOrFile(name) && !isGlob(name) && !name.endsWith("/");
    const { requests: found, unmatched } = isName
      ? { requests: [{ name }], unmatched: [] }
      : await resolveWanted(transfer, [name], false, signal);
    if (unmatched.length > 0) {
      throw new CommandError("not-found", noMatchMessage([name]));
    }
    requests.push(...found);
  }
  return requests;
}

/** @throws {ExitError} unless everything was written. */
function conclude(
  transfer: Transfer,
  { offset = 0 }: CatFlags,
  { outcomes, written }: StreamEnd,
  { stoppedBy }: Interruption,
): void {
  const { environment: { stderr }, loaded } = transfer;
  const exit = exitOfOutcomes(outcomes, stoppedBy());
  if (exit === 0) return;
  if (!loaded.values.quiet) {
    writeLines(stderr, unconfigured(transfer, outcomes));
    if (written > 0) {
      writeLines(stderr, [
        `p2p: the output ends after ${written} bytes`,
        `${HINT}To go on from there, use --offset ${offset + written}`,
      ]);
    }
  }
  throw new ExitError(exit);
}
