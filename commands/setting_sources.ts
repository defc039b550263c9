/** The places that settings come from, and which of them wins: decided here alone. */
import { parseValue } from "./value_types.ts";
import {
  flagOf,
  SETTING_NAMES,
  type SettingName,
  settingOf,
  type Values,
  variableOf,
} from "./settings.ts";

/** Where values can come from, the first winning over the next; each is a text by setting. */
export interface SettingSource {
  /** Names the place of one setting in messages and in `p2p config`. */
  where(name: SettingName): string;
  textOf(name: SettingName): string | undefined;
  /** The same as `where`, and nearer still where that helps to mend a fault. */
  faultAt?(name: SettingName): string;
  /** What to do about a fault there, where the help of the command would not tell. */
  readonly hint?: string;
}

export interface ResolvedSettings {
  readonly values: Values;
  /** "default", or the place that gave the value. */
  readonly origins: Readonly<Record<SettingName, string>>;
}

/** @throws {UsageError} naming the place of the first value that is not allowed. */
export function resolveSettings(places: readonly SettingSource[]): ResolvedSettings {
  const values: Partial<Record<SettingName, unknown>> = {};
  const origins: Partial<Record<SettingName, string>> = {};
  for (const name of SETTING_NAMES) {
    values[name] = settingOf(name).default;
    origins[name] = "default";
    // Weakest first, so that every place is checked, also where a stronger one wins.
    for (const place of places.toReversed()) {
      const text = place.textOf(name);
      if (text === undefined) continue;
      const where = place.faultAt?.(name) ?? place.where(name);
      values[name] = parseValue(settingOf(name).kind, text, `from ${where}`, place.hint);
      origins[name] = place.where(name);
    }
  }
  return { values: values as Values, origins: origins as Record<SettingName, string> };
}

/** What the flags of this run say. */
export function flagSource(options: Readonly<Record<string, unknown>>): SettingSource {
  return {
    where: (name) => `--${flagOf(name)}`,
    textOf(name) {
      const value = options[camelCase(flagOf(name))];
      if (value === undefined) return undefined;
      return Array.isArray(value) ? value.join(",") : String(value);
    },
  };
}

/** What the environment says; an empty variable is an unset one. */
export function environmentSource(env: (name: string) => string | undefined): SettingSource {
  return {
    where: variableOf,
    hint: "See p2p help config for all variables",
    textOf: (name) => env(variableOf(name)) || undefined,
  };
}

function camelCase(flag: string): string {
  return flag.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}
