/** `p2p seeds`: the configured seeds, how each is doing, and changing them. */
import { Command } from "@cliffy/command";
import { formatSeedAddress, type SeedAddress } from "../core/mod.ts";
import { configSource, readConfigText, withEntry, writeConfigText } from "./config_file.ts";
import { ValueArgumentType, withSettings } from "./options.ts";
import { ExitError, interruptible } from "./exit.ts";
import { exitOfFailure } from "./ui/failure.ts";
import { type Environment, widthOf, writeLines } from "./environment.ts";
import { SEED } from "./value_types.ts";
import { downloadSettingsOf, type LoadedSettings, loadSettings } from "./load_settings.ts";
import { CommandError } from "./ui/hints.ts";
import { jsonLine } from "./ui/json.ts";
import { renderSeeds } from "./ui/list.ts";
import { SETTINGS } from "./settings.ts";

export function seedsCommand(environment: Environment) {
  return withSettings(new Command(), "list")
    .description("Shows the configured seeds, or those of --seed, and how each is doing.")
    .example("how they are", "p2p seeds")
    .example("ask these from now on", "p2p seeds add nas1 nas2:7271")
    .example("not this one any more", "p2p seeds remove nas1")
    .option("--json", "One JSON object on standard output")
    .action((flags) => showSeeds(environment, flags))
    .command("add", changeCommand(environment, ADD))
    .command("remove", changeCommand(environment, REMOVE))
    .reset();
}

async function showSeeds(
  environment: Environment,
  flags: { readonly json?: boolean | undefined },
): Promise<void> {
  const { values } = await loadSettings(environment, { ...flags });
  const settings = await downloadSettingsOf(values);
  using interruption = interruptible(environment);
  const seeds = await environment.core.seedHealth(settings, interruption.signal);
  const { stdout } = environment;
  writeLines(stdout, flags.json ? [jsonLine({ seeds })] : renderSeeds(seeds, widthOf(stdout)));
  // For scripts: not one of them can be used.
  if (seeds.length > 0 && seeds.every(({ ok }) => !ok)) {
    throw new ExitError(exitOfFailure("unreachable"));
  }
}

/** One way to change the list. */
interface Change {
  readonly description: string;
  readonly examples: readonly (readonly [string, string])[];
  apply(configured: readonly SeedAddress[], seeds: readonly SeedAddress[]): readonly SeedAddress[];
}

const ADD: Change = {
  description: "Adds seeds to config.json; those that are there stay where they are.",
  examples: [
    ["two seeds", "p2p seeds add nas1 nas2:7271"],
    ["one that speaks TLS", "p2p seeds add tls://files.example.org"],
  ],
  apply(configured, seeds) {
    const all = [...configured, ...seeds];
    return all.filter((seed, i) => indexOfSeed(all, seed) === i);
  },
};

const REMOVE: Change = {
  description: "Removes seeds from config.json.",
  examples: [
    ["one seed", "p2p seeds remove nas1"],
    ["one with its port", "p2p seeds remove nas2:7271"],
  ],
  apply(configured, seeds) {
    const unknown = seeds.find((seed) => indexOfSeed(configured, seed) < 0);
    if (unknown !== undefined) {
      throw new CommandError(
        "usage",
        `Cannot remove seed "${formatSeedAddress(unknown)}": it is not configured`,
        "See the configured seeds with p2p seeds",
      );
    }
    return configured.filter((seed) => indexOfSeed(seeds, seed) < 0);
  },
};

function changeCommand(environment: Environment, change: Change) {
  const command = new Command()
    .description(change.description)
    .type("seed", new ValueArgumentType(SEED))
    .arguments("<seed...:seed>")
    .action((_, ...seeds) => changeSeeds(environment, change, seeds));
  for (const [title, line] of change.examples) command.example(title, line);
  return command;
}

async function changeSeeds(
  environment: Environment,
  change: Change,
  seeds: readonly SeedAddress[],
): Promise<void> {
  const loaded = await loadSettings(environment, {});
  const { configPath, directories } = loaded;
  const text = await readConfigText(configPath);
  const written = configSource(text, configPath).textOf("seeds");
  const configured = written === undefined ? [] : SETTINGS.seeds.kind.parse(written);
  const next = change.apply(configured, seeds).map(formatSeedAddress);
  await writeConfigText(configPath, directories.config, withEntry(text, configPath, "seeds", next));
  tellChange(environment, loaded, next);
}

function tellChange(
  { env, stderr }: Environment,
  { configPath, values }: LoadedSettings,
  seeds: readonly string[],
): void {
  if (values.quiet) return;
  writeLines(stderr, [
    `${configPath}: ${seeds.join(", ") || "no seeds"}`,
    ...env("P2P_SEEDS") ? ["P2P_SEEDS is set, and wins over it"] : [],
  ]);
}

function indexOfSeed(seeds: readonly SeedAddress[], seed: SeedAddress): number {
  const text = formatSeedAddress(seed);
  return seeds.findIndex((each) => formatSeedAddress(each) === text);
}
