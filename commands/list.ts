/** `p2p list`: what the seeds offer. */
import { Command } from "@cliffy/command";
import type { Offer } from "../core/mod.ts";
import { ValueArgumentType, withSettings } from "./options.ts";
import { type Environment, widthOf, writeLines } from "./environment.ts";
import { interruptible } from "./exit.ts";
import { withNearbySeeds } from "./nearby.ts";
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
    .example("everything", "p2p list --seed nas1 --seed nas2")
    .example("some of it", "p2p list 'photos/*.jpg'")
    .example("names for a program", "p2p list --json | jq -r .files[].name")
    .type("glob", new ValueArgumentType(NAME))
    .arguments("[glob:glob]");
  return withSettings(command, "list")
    .option("--json", "One JSON object on standard output")
    .action((options, glob) => list(environment, options, glob));
}

interface Flags {
  readonly json?: boolean | undefined;
  readonly seed?: readonly string[] | undefined;
}

async function list(
  environment: Environment,
  options: Flags,
  glob: string | undefined,
): Promise<void> {
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
  const query = { glob, ids: true };
  const offer = await environment.core.list(query, settings, interruption.signal, directories);
  const { stdout, stderr } = environment;
  const silent = offer.seeds.filter(({ ok }) => !ok);
  const answered = silent.length < offer.seeds.length;
  if (options.json) writeLines(stdout, [jsonOf(offer)]);
  else if (answered && (offer.files.length > 0 || glob === undefined)) {
    writeLines(stdout, renderOffer(offer, widthOf(stdout)));
  }
  if (answered && !values.quiet) writeLines(stderr, renderSilentSeeds(silent));
  checkOffer(offer, glob, options.seed);
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
