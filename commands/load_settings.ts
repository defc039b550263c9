/** Settings from flags, environment and `config.json`: which one wins, and what core receives. */
import {
  type Directories,
  DOWNLOAD_DEFAULTS,
  type DownloadSettings,
  plainReasonOf,
  UsageError,
} from "../core/mod.ts";
import { configPathIn, configSource, readConfigText } from "./config_file.ts";
import { directoriesIn, type Environment } from "./environment.ts";
import {
  flagOf,
  SETTING_NAMES,
  type SettingName,
  settingOf,
  type SettingSource,
  type Values,
  variableOf,
} from "./settings.ts";
import { CommandError } from "./ui/hints.ts";
import { parseValue } from "./value_types.ts";

export interface LoadedSettings {
  readonly values: Values;
  /** "default", or the place that gave the value. */
  readonly origins: Readonly<Record<SettingName, string>>;
  readonly directories: Directories;
  readonly configPath: string;
}

/** @throws {UsageError} naming the place of a value that is not allowed. */
export async function loadSettings(
  environment: Environment,
  options: Readonly<Record<string, unknown>>,
): Promise<LoadedSettings> {
  const directories = directoriesIn(environment);
  const configPath = configPathIn(directories.config);
  const text = await readConfigText(configPath);
  const resolved = resolveSettings([
    flagSource(options),
    environmentSource(environment.env),
    configSource(text, configPath),
  ]);
  return { ...resolved, directories, configPath };
}

/** @param sources the first wins. @throws {CommandError} naming the place of a value that is not allowed. */
export function resolveSettings(
  sources: readonly SettingSource[],
): Pick<LoadedSettings, "values" | "origins"> {
  const values: Partial<Record<SettingName, unknown>> = {};
  const origins: Partial<Record<SettingName, string>> = {};
  for (const name of SETTING_NAMES) {
    values[name] = settingOf(name).default;
    origins[name] = "default";
    // Weakest first, so that every place is checked even if a stronger one wins.
    for (const source of sources.toReversed()) {
      const text = source.textOf(name);
      if (text === undefined) continue;
      const where = source.faultAt?.(name) ?? source.where(name);
      values[name] = parseValue(settingOf(name).kind, text, `from ${where}`, source.hint);
      origins[name] = source.where(name);
    }
  }
  return { values: values as Values, origins: origins as Record<SettingName, string> };
}

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

function camelCase(flag: string): string {
  return flag.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}

/** The environment; an empty variable counts as unset. */
export function environmentSource(env: (name: string) => string | undefined): SettingSource {
  return {
    where: variableOf,
    hint: "See p2p help config for all variables",
    textOf: (name) => env(variableOf(name)) || undefined,
  };
}

export async function downloadSettingsOf(values: Values): Promise<DownloadSettings> {
  const ca = values["tls-ca"];
  return {
    seeds: values.seeds,
    max: values.max,
    seedConnections: values["seed-connections"],
    memory: values.memory,
    requireVerified: values["require-verified"],
    requireAgreement: DOWNLOAD_DEFAULTS.requireAgreement,
    stallMs: values.stall,
    giveUpMs: values["give-up"],
    onConflict: values["on-conflict"],
    sync: values.sync,
    limit: values.limit,
    taskLimit: values["task-limit"],
    share: values.share,
    sharePort: values["share-port"],
    shareLimit: values["share-limit"],
    shareForMs: values["share-for"],
    httpHeaders: DOWNLOAD_DEFAULTS.httpHeaders,
    token: await tokenIn(values["token-file"]),
    caCerts: ca === undefined
      ? DOWNLOAD_DEFAULTS.caCerts
      : [await pemIn("tls-ca", ca, "CERTIFICATE")],
  };
}

/** The secret in a file, without trailing line ends; spaces are part of it. */
export async function tokenIn(path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined;
  const text = await readSettingFile("token-file", path);
  // A regular expression would take quadratic time for a file of line ends.
  let end = text.length;
  while (end > 0 && "\r\n".includes(text.charAt(end - 1))) end--;
  if (end === 0) throw new UsageError(`Cannot use the token in ${path}: the file is empty`);
  return text.slice(0, end);
}

/** The text of a PEM file that contains `what`. @throws {CommandError} */
export async function pemIn(
  name: string,
  path: string,
  what: "CERTIFICATE" | "PRIVATE KEY",
): Promise<string> {
  const text = await readSettingFile(name, path);
  if (new RegExp(`^-----BEGIN ([A-Z]+ )?${what}-----`, "m").test(text)) return text;
  throw new CommandError(
    "usage",
    `Cannot use the file of --${name}, ${path}: there is no ${what} in it`,
    `It must be PEM, with a line -----BEGIN ${what}-----`,
  );
}

async function readSettingFile(name: string, path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    throw new CommandError(
      "usage",
      `Cannot read the file of --${name}, ${path}: ${plainReasonOf(error)}`,
      "Name a file that exists and that you may read",
      { cause: error },
    );
  }
}
