/** `p2p config`: every setting, its value, and where it came from. */
import { Command } from "@cliffy/command";
import { printable } from "../core/mod.ts";
import { defaultTextOf } from "./options.ts";
import { type Environment, writeLines } from "./environment.ts";
import { RATE, SIZE } from "./value_types.ts";
import { type LoadedSettings, loadSettings } from "./load_settings.ts";
import { jsonLine } from "./ui/json.ts";
import { renderTable } from "./ui/table.ts";
import { formatBytes } from "./ui/units.ts";
import { SETTING_NAMES, type SettingName, settingOf } from "./settings.ts";

const DESCRIPTION = `Shows every setting, its value and where it came from.

A setting comes from its flag, else from the environment (P2P_MAX for --max),
else from config.json, else from its default.`;

export function configCommand(environment: Environment) {
  return new Command()
    .description(DESCRIPTION)
    .example("all settings", "p2p config")
    .example("the effect of a variable", "P2P_MAX=5 p2p config")
    .example("where the file is", "p2p config --json | jq -r .file")
    .option("--json", "One JSON object on standard output")
    .action(async ({ json }) => {
      const loaded = await loadSettings(environment, {});
      writeLines(environment.stdout, json ? [jsonOf(loaded)] : linesOf(loaded));
    });
}

function linesOf(loaded: LoadedSettings): string[] {
  const columns = [
    { title: "SETTING", text: (name: SettingName) => name },
    { title: "VALUE", text: (name: SettingName) => valueText(loaded, name) },
    { title: "FROM", text: (name: SettingName) => loaded.origins[name] },
  ];
  const { config, state, cache } = loaded.directories;
  return [
    ...renderTable(columns, SETTING_NAMES),
    "",
    `file: ${loaded.configPath}`,
    `config folder: ${config}`,
    `state folder: ${state}`,
    `cache folder: ${cache}`,
  ].map(printable);
}

function valueText({ values }: LoadedSettings, name: SettingName): string {
  const value = values[name];
  if (value === undefined || isEmptyList(value)) return defaultTextOf(name);
  const { kind } = settingOf(name);
  const text = kind.format(value);
  const counted = (kind === SIZE || kind === RATE) && HARD_TO_READ.test(text);
  return counted ? `${text} (${formatBytes(Number(value))})` : text;
}

/** Its text is empty, which a list of one empty text has, too. */
function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

/** A size that is not short in any unit. */
const HARD_TO_READ = /^(?:\d+$|\d{5})/;

function jsonOf(loaded: LoadedSettings): string {
  const { values, origins, configPath, directories } = loaded;
  return jsonLine({
    settings: SETTING_NAMES.map((name) => ({
      name,
      value: jsonValue(values[name], name),
      origin: origins[name],
    })),
    file: configPath,
    directories,
  });
}

/** Lists, counts and switches as JSON values; other values as the user writes them. */
function jsonValue(value: unknown, name: SettingName): unknown {
  if (value === undefined) return null;
  const { kind } = settingOf(name);
  if (isEmptyList(value)) return [];
  if (Array.isArray(value)) return kind.format(value).split(",");
  const text = kind.format(value);
  return typeof value === "boolean" || String(value) === text ? value : text;
}
