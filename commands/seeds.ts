/** `p2p seeds`: the configured seeds, how each is doing, and changing them. */
import { Command } from "@cliffy/command";
import { encodeSourceAddress, formatSourceAddress, type SourceAddress } from "../core/mod.ts";
import { configSource, readConfigText, withEntry, writeConfigText } from "./config_file.ts";
import { ValueArgumentType, withSettings } from "./options.ts";
import { ExitError, interruptible } from "./exit.ts";
import { exitOfFailure } from "./ui/failure.ts";
import { type Environment, widthOf, writeLines } from "./environment.ts";
import { NOTHING_FOUND } from "./nearby.ts";
import { SEED } from "./value_types.ts";
import { downloadSettingsOf, loadSettings } from "./load_settings.ts";
import { CommandError } from "./ui/hints.ts";
import { jsonLine } from "./ui/json.ts";
import { renderSeeds } from "./ui/list.ts";
import { SETTINGS } from "./settings.ts";

export function seedsCommand(environment: Environment) {
  return withSettings(new Command(), "list")
    .description("Shows the configured seeds, or those of --seed, and how each is doing.")
    .example("how they are doing", "p2p seeds")
    .example("ask these from now on", "p2p seeds add nas1 nas2:7271")
    .example("which ones announce themselves nearby", "p2p seeds --lan")
    .option("--lan", "Show the seeds that announce themselves on the local network instead")
    .option("--json", "One JSON object on standard output")
    .action((flags) => showSeeds(environment, flags))
    .command("add", addCommand(environment))
    .command("remove", removeCommand(environment))
    .reset();
}

async function showSeeds(
  environment: Environment,
  flags: { readonly json?: boolean | undefined; readonly lan?: boolean | undefined },
): Promise<void> {
  const { values } = await loadSettings(environment, { ...flags });
  using interruption = interruptible(environment);
  const { signal } = interruption;
  const configured = await downloadSettingsOf(values);
  const settings = flags.lan
    ? { ...configured, seeds: await lanSeeds(environment, signal) }
    : configured;
  if (flags.lan && settings.seeds.length === 0 && !values.quiet) {
    writeLines(environment.stderr, [NOTHING_FOUND]);
  }
  const seeds = await environment.core.seedHealth(settings, interruption.signal);
  const { stdout } = environment;
  writeLines(stdout, flags.json ? [jsonLine({ seeds })] : renderSeeds(seeds, widthOf(stdout)));
  // For scripts: no seed can be used.
  if (seeds.length > 0 && seeds.every(({ ok }) => !ok)) {
    throw new ExitError(exitOfFailure("unreachable"));
  }
}

/** Longer than `get` waits: a slow machine should be in the list, too. */
const LAN_MS = 1000;

async function lanSeeds({ core }: Environment, signal: AbortSignal): Promise<SourceAddress[]> {
  const found = await core.nearbySeeds(LAN_MS, signal);
  return found.map(({ host, port, tls }) => ({ host, port, tls }));
}

type Change = (
  configured: readonly SourceAddress[],
  seeds: readonly SourceAddress[],
) => readonly SourceAddress[];

function addCommand(environment: Environment) {
  return changeCommand(environment, (configured, seeds) => {
    const all = [...configured, ...seeds];
    return all.filter((seed, i) => indexOfSeed(all, seed) === i);
  })
    .description("Adds seeds to config.json; configured ones keep their place.")
    .example("two seeds", "p2p seeds add nas1 nas2:7271")
    .example("one that speaks TLS", "p2p seeds add tls://files.example.org");
}

function removeCommand(environment: Environment) {
  return changeCommand(environment, (configured, seeds) => {
    const unknown = seeds.find((seed) => indexOfSeed(configured, seed) < 0);
    if (unknown === undefined) return configured.filter((seed) => indexOfSeed(seeds, seed) < 0);
    throw new CommandError(
      "usage",
      `Cannot remove seed "${formatSourceAddress(unknown)}": it is not configured`,
      "See the configured seeds with p2p seeds",
    );
  })
    .description("Removes seeds from config.json.")
    .example("one seed", "p2p seeds remove nas1")
    .example("one with its port", "p2p seeds remove nas2:7271");
}

function changeCommand(environment: Environment, change: Change) {
  return new Command()
    .type("seed", new ValueArgumentType(SEED))
    .arguments("<seed...:seed>")
    .action((_, ...seeds) => changeSeeds(environment, change, seeds));
}

async function changeSeeds(
  environment: Environment,
  change: Change,
  seeds: readonly SourceAddress[],
): Promise<void> {
  const { configPath, directories, values } = await loadSettings(environment, {});
  const text = await readConfigText(configPath);
  const written = configSource(text, configPath).textOf("seeds");
  const configured = written === undefined ? [] : SETTINGS.seeds.kind.parse(written);
  const next = change(configured, seeds);
  const config = withEntry(text, configPath, "seeds", next.map(encodeSourceAddress));
  await writeConfigText(configPath, directories.config, config);
  if (values.quiet) return;
  writeLines(environment.stderr, [
    `${configPath}: ${next.map(formatSourceAddress).join(", ") || "no seeds"}`,
    ...environment.env("P2P_SEEDS") ? ["P2P_SEEDS is set and overrides it"] : [],
  ]);
}

function indexOfSeed(seeds: readonly SourceAddress[], seed: SourceAddress): number {
  const text = formatSourceAddress(seed);
  return seeds.findIndex((each) => formatSourceAddress(each) === text);
}
