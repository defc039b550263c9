/** The flags and arguments of the command line library: one flag for each setting, one argument type for each kind of value. */
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

/** A value of one kind. */
export class ValueArgumentType<T> extends Type<T> {
  constructor(readonly kind: ValueType<T>) {
    super();
  }

  override parse({ label, name, value }: ArgumentValue): T {
    rejectFlag(value);
    const place = label === "Option" ? `--${name.replace(/^-+/, "")}` : name;
    return parseValue(this.kind, value, `as ${place}`);
  }
}

/** Part of the help of each command that takes a task. */
export const ABOUT_TASK =
  "A task is an id, a unique id prefix, or a file name or its last part (the newest unfinished match wins).";

/** An argument that names a task; core finds the task. */
export class TaskType extends ValueArgumentType<string> {
  constructor() {
    super(text("task"));
  }
}

/** The text of a setting. `resolveSettings` parses it together with the environment and config.json. */
class SettingType extends Type<string> {
  override parse({ value }: ArgumentValue): string {
    rejectFlag(value);
    return value;
  }
}

/** The library takes an unknown flag for a value where an argument may follow: `p2p get a.iso --maxx`. */
function rejectFlag(value: string): void {
  // A dash alone stands for standard input or output.
  if (!value.startsWith("-") || value === "-") return;
  const [flag = value] = value.split("=");
  throw new ValidationError(`Unknown option "${printable(flag)}".`);
}

/** The part of a command that takes flags made at run time; their types come from the settings table. */
interface FlagTaker {
  type(name: string, type: SettingType): unknown;
  globalType(name: string, type: SettingType): unknown;
  option(flags: string, help: string, options: object): unknown;
}

/** Adds a flag for each setting of `name`; the values are texts until `loadSettings`. */
export function withSettings<C extends FlagTaker>(command: C, name: CommandName | "all"): C {
  for (const setting of settingsOfCommand(name)) addFlag(command, setting, name === "all");
  return command;
}

function addFlag(command: FlagTaker, name: SettingName, global: boolean): void {
  const { kind, short, help, default: preset } = settingOf(name);
  const flag = `--${flagOf(name)}`;
  const flags = short === undefined ? flag : `-${short}, ${flag}`;
  const about = `${help} (default ${defaultTextOf(name)}; ${variableOf(name)})`;
  if (kind.placeholder === "") {
    command.option(flags, about, { global });
    // Undoes the environment or config.json.
    command.option(`--no-${flagOf(name)}`, `Undoes ${flag}`, { global, hidden: true });
    return;
  }
  const type = `setting-${name}`;
  // A global flag may follow any command, so every command must know its type.
  if (global) command.globalType(type, new SettingType());
  else command.type(type, new SettingType());
  const collect = Array.isArray(preset);
  command.option(`${flags} <${kind.placeholder}:${type}>`, about, { global, collect });
}

export function defaultTextOf(name: SettingName): string {
  const { kind, default: preset, defaultText } = settingOf(name);
  if (preset === false) return "off";
  return defaultText ?? (preset === undefined ? "none" : kind.format(preset));
}
