/** `p2p list`: what the seeds offer. */
import { Command } from "@cliffy/command";
import { type Offer, printable, UsageError } from "../core/mod.ts";
import { ValueArgumentType, withSettings } from "./options.ts";
import { type Environment, type Output, widthOf, writeLines } from "./environment.ts";
import { interruptible } from "./exit.ts";
import { withNearbySeeds } from "./nearby.ts";
import { sumLine } from "./name_files.ts";
import { NAME } from "./value_types.ts";
import { downloadSettingsOf, loadSettings } from "./load_settings.ts";
import { CommandError, hintOfReason, orFolder, seedFlags } from "./ui/hints.ts";
import { jsonLine, pick } from "./ui/json.ts";
import { renderOffer, renderSilentSeeds } from "./ui/list.ts";

const DESCRIPTION = `Shows what the seeds offer.

For each file: its size, how many seeds have it, and whether they have the same
content. Old seeds (protocol v1) cannot prove what they have.`;

export function listCommand(environment: Environment) {
  const command = new Command()
    .description(DESCRIPTION)
    .example("some files of two seeds", "p2p list 'photos/*.jpg' --seed nas1 --seed nas2")
    .example(
      "digests, for sha256sum -c",
      "p2p list --sha256sums > SHA256SUMS",
    )
    .example("names for a program", "p2p list --json | jq -r .files[].name")
    .type("glob", new ValueArgumentType(NAME))
    .arguments("[glob:glob]");
  return withSettings(command, "list")
    .option("--json", "One JSON object on standard output")
    .option(
      "--sha256sums",
      "The digests of the files as sha256sum writes them; seeds hash them first",
    )
    .action((options, glob) => list(environment, options, glob));
}

interface Flags {
  readonly json?: boolean | undefined;
  readonly sha256sums?: boolean | undefined;
  readonly seed?: readonly string[] | undefined;
}

async function list(
  environment: Environment,
  options: Flags,
  glob: string | undefined,
): Promise<void> {
  if (options.json && options.sha256sums) {
    throw new UsageError("Cannot use --json and --sha256sums together");
  }
  const loaded = await loadSettings(environment, { ...options });
  const { values, directories } = loaded;
  using interruption = interruptible(environment);
  const { settings, notes } = await withNearbySeeds(
    environment,
    loaded,
    await downloadSettingsOf(values),
    interruption.signal,
  );
  if (!values.quiet) writeLines(environment.stderr, notes);
  const query = { glob, ids: true, complete: options.sha256sums === true };
  const offer = await environment.core.list(query, settings, interruption.signal, directories);
  const { stdout, stderr } = environment;
  const silent = offer.seeds.filter(({ ok }) => !ok);
  const answered = silent.length < offer.seeds.length;
  if (options.json) writeLines(stdout, [jsonOf(offer)]);
  else if (options.sha256sums) writeLines(stdout, sumsOf(offer));
  else if (answered && (offer.files.length > 0 || glob === undefined)) {
    writeLines(stdout, renderOffer(offer, widthOf(stdout)));
  }
  if (answered && !values.quiet) writeLines(stderr, renderSilentSeeds(silent));
  checkOffer(offer, glob, options.seed);
  if (options.sha256sums) checkSums(offer, values.quiet, stderr);
}

function sumsOf({ files }: Offer): string[] {
  return files.flatMap(({ name, sha256 }) => sha256 ? [sumLine(name, sha256)] : []);
}

/** @throws {CommandError} if a file has no digest: a file without it in the list would go unnoticed. */
function checkSums({ files }: Offer, quiet: boolean, stderr: Output): void {
  const differing = files.filter(({ ids, sha256 }) => sha256 && ids.length > 1);
  if (!quiet) {
    writeLines(
      stderr,
      differing.map(({ name }) =>
        `note: seeds differ on "${
          printable(name)
        }"; its digest is that of the version p2p get takes`
      ),
    );
  }
  const [first, ...others] = files.filter(({ sha256 }) => !sha256);
  if (first === undefined) return;
  const more = others.length === 0 ? "" : ` and ${others.length} more`;
  throw new CommandError(
    "protocol",
    `Cannot list the digest of "${first.name}"${more}: no seed tells it`,
    "Old seeds have no digests. If a seed is still hashing, run the same command again",
  );
}

/** @throws {CommandError} if no seed answered or nothing matches `glob`. */
function checkOffer(
  { files, seeds }: Offer,
  glob: string | undefined,
  from?: readonly string[],
): void {
  if (seeds.length > 0 && seeds.every(({ ok }) => !ok)) {
    const reasons = renderSilentSeeds(seeds).join("; ");
    const hint = hintOfReason(reasons) ?? "Name seeds with --seed, or add them with p2p seeds add";
    throw new CommandError("unreachable", `Cannot list files: ${reasons}`, hint);
  }
  if (files.length === 0 && glob !== undefined) {
    const hint = orFolder(`See all files with p2p list${seedFlags(from)}`, "list", glob, from);
    throw new CommandError("not-found", `Cannot list "${glob}": no seed has a match`, hint);
  }
}

function jsonOf({ files, seeds }: Offer): string {
  return jsonLine({
    files: files.map((file) => pick(file, ["name", "size", "modified", "seeds", "ids"])),
    seeds: seeds.map((seed) => pick(seed, ["seed", "dialect", "ok", "error"])),
  });
}
