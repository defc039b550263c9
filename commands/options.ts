/** Kinds of values as argument types of the command line. */
import { type ArgumentValue, Type, ValidationError } from "@cliffy/command";
import { printable } from "../core/mod.ts";
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
