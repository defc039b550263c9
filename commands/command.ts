/** What all commands have in common: how a setting becomes a flag. */
import { SettingType } from "./options.ts";
import {
  type CommandName,
  flagOf,
  type SettingName,
  settingOf,
  settingsOfCommand,
  variableOf,
} from "./settings.ts";

/** The part of a command that takes flags made while running; their types are the settings table's. */
interface FlagTaker {
  type(name: string, type: SettingType): unknown;
  globalType(name: string, type: SettingType): unknown;
  option(flags: string, help: string, options: object): unknown;
}

/** Adds a flag for each setting of `name`; their values are texts until `loadSettings`. */
export function withSettings<C extends FlagTaker>(
  command: C,
  name: CommandName | "all",
): C {
  for (const setting of settingsOfCommand(name)) {
    addFlag(command, setting, name === "all");
  }
  return command;
}

function addFlag(command: FlagTaker, name: SettingName, global: boolean): void {
  const { kind, short, default: preset } = settingOf(name);
  const flags = [...short === undefined ? [] : [`-${short}`], `--${flagOf(name)}`]
    .join(", ");
  const collect = Array.isArray(preset);
  if (kind.placeholder === "") {
    command.option(flags, helpOf(name), { global });
    // Undoes what the environment or config.json says.
    command.option(`--no-${flagOf(name)}`, `Undoes --${flagOf(name)}`, { global, hidden: true });
    return;
  }
  const type = `setting-${name}`;
  // A global flag may stand behind any command, and its type must be known there.
  if (global) command.globalType(type, new SettingType());
  else command.type(type, new SettingType());
  command.option(`${flags} <${kind.placeholder}:${type}>`, helpOf(name), {
    global,
    collect,
  });
}

/** The sentence about a setting, with its default and the variable that sets it too. */
function helpOf(name: SettingName): string {
  const { help } = settingOf(name);
  return `${help} (default ${defaultTextOf(name)}; ${variableOf(name)})`;
}

export function defaultTextOf(name: SettingName): string {
  const { kind, default: preset, defaultText } = settingOf(name);
  if (preset === false) return "off";
  return defaultText ?? (preset === undefined ? "none" : kind.format(preset));
}
