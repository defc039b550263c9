/** From what was written (flags, environment, files) to the settings that core takes. */
import {
  type Directories,
  DOWNLOAD_DEFAULTS,
  type DownloadSettings,
  plainReasonOf,
  UsageError,
} from "../core/mod.ts";
import { configPathIn, configSource, readConfigText } from "./config_file.ts";
import type { Environment } from "./environment.ts";
import {
  environmentSource,
  flagSource,
  type ResolvedSettings,
  resolveSettings,
} from "./setting_sources.ts";
import { type Values } from "./settings.ts";
import { CommandError } from "./ui/hints.ts";

export interface LoadedSettings extends ResolvedSettings {
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

export function directoriesIn({ core, env, platform }: Environment): Directories {
  return core.directoriesOf(env, platform);
}

export async function downloadSettingsOf(values: Values): Promise<DownloadSettings> {
  const ca = values["tls-ca"];
  return {
    seeds: values.seeds,
    max: values.max,
    seedConnections: values["seed-connections"],
    requireVerified: values["require-verified"],
    stallMs: values.stall,
    giveUpMs: values["give-up"],
    onConflict: values["on-conflict"],
    sync: values.sync,
    limit: values.limit,
    taskLimit: values["task-limit"],
    token: await tokenIn(values["token-file"]),
    caCerts: ca === undefined
      ? DOWNLOAD_DEFAULTS.caCerts
      : [await pemIn("tls-ca", ca, "CERTIFICATE")],
  };
}

/** The secret in a file, without the line ends that editors add; a space is part of it. */
export async function tokenIn(path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined;
  const token = withoutLineEnds(await readSettingFile("token-file", path));
  if (token === "") {
    throw new UsageError(`Cannot use the token in ${path}: the file is empty`);
  }
  return token;
}

/** PEM that holds `what`. @throws {UsageError} if the file that a setting names holds none. */
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

/** @throws {UsageError} if the file that a setting names cannot be read. */
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

/** A regular expression would take quadratic time for a file of line ends. */
function withoutLineEnds(text: string): string {
  let end = text.length;
  while (end > 0 && "\r\n".includes(text.charAt(end - 1))) end--;
  return text.slice(0, end);
}
