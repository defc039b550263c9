/** Flags and arguments of the command line library: one flag for each setting, one argument type for each kind of value. */
import { type ArgumentValue, Type, ValidationError } from "@cliffy/command";
import { printable } from "../core/mod.ts";
import {
  type CommandName,
  flagOf,
  type SettingName,
  settingOf,
  settingsOfCommand,
  variableOf,
} from "./settings.ts";
import { parseValue, text, type ValueType } from "./value_types.ts";

/**
 * A value of one kind. A value that begins with "-" is a mistyped flag: one
 * release of the command line library would take it for an argument.
 */
export class ValueArgumentType<T> extends Type<T> {
  constructor(readonly kind: ValueType<T>) {
    super();
  }

  override parse({ label, name, value }: ArgumentValue): T {
    refuseFlag(value);
    const place = label === "Option" ? `--${name.replace(/^-+/, "")}` : name;
    return parseValue(this.kind, value, `as ${place}`);
  }
}

/** What the help of each command that takes a task says of it. */
export const ABOUT_TASK =
  "A task is its id, the beginning of its id, or a file name or the last part of one: then its newest task that is not over.";

/** An argument that names a task; which one that is, core finds out. */
export class TaskType extends ValueArgumentType<string> {
  constructor() {
    super(text("task"));
  }
}

/**
 * The text of a setting: only checked here against being a flag. It is parsed
 * with the settings of all other places, so that there is one parser for all.
 */
export class SettingType extends Type<string> {
  override parse({ value }: ArgumentValue): string {
    refuseFlag(value);
    return value;
  }
}

function refuseFlag(value: string): void {
  if (value.startsWith("-")) {
    const [flag = value] = value.split("=");
    throw new ValidationError(`Unknown option "${printable(flag)}".`);
  }
}

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
