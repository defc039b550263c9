/** `config.json`: one object whose keys are the names of the settings. */
import { join } from "node:path";
import { DiskError, printable, reasonOf, UsageError } from "../core/mod.ts";
import { isSettingName, SETTING_NAMES, settingOf, type SettingSource } from "./settings.ts";
import { CommandError, didYouMean } from "./ui/hints.ts";

const HELP = "See p2p help config for all settings";
const EXAMPLE = 'Write it like {"max": 5, "seeds": ["nas1"]}; see p2p help config';

export function configPathIn(folder: string): string {
  return join(folder, "config.json");
}

export async function readConfigText(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw new UsageError(`Cannot read ${path}: ${reasonOf(error)}`, { cause: error });
  }
}

/** @throws {CommandError} unless `text` is an object of known settings, each of its JSON type. */
export function configSource(text: string | undefined, path: string): SettingSource {
  const texts = new Map<string, string>();
  const placeOf = (key: string) => placeOfKey(text ?? "", key, path);
  for (const [key, value] of Object.entries(parseConfig(text, path))) {
    texts.set(key, textOfEntry(key, value, placeOf(key)));
  }
  return {
    where: (name) => `"${name}" in ${path}`,
    hint: HELP,
    faultAt: (name) => `"${name}" in ${placeOf(name)}`,
    // An empty list counts as a missing one.
    textOf: (name) => texts.get(name) || undefined,
  };
}

/** The object in the file; keys keep their order. @throws {CommandError} */
function parseConfig(text: string | undefined, path: string): Record<string, unknown> {
  if (text === undefined || text.trim() === "") return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new CommandError("usage", `Cannot use ${path}: ${reasonOf(error)}`, EXAMPLE);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new CommandError("usage", `Cannot use ${path}: it must be one JSON object`, EXAMPLE);
  }
  return value as Record<string, unknown>;
}

/** The file and the line of the key. */
function placeOfKey(text: string, key: string, path: string): string {
  const escaped = JSON.stringify(key).replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&");
  const at = text.search(new RegExp(`${escaped}\\s*:`));
  return at < 0 ? path : `${path}, line ${text.slice(0, at).split("\n").length}`;
}

/** @param place of the key, for messages. */
function textOfEntry(key: string, value: unknown, place: string): string {
  if (!isSettingName(key)) {
    throw new CommandError(
      "usage",
      `Cannot use "${printable(key)}" in ${place}: there is no such setting`,
      didYouMean(key, SETTING_NAMES) ?? "See every setting with p2p config",
    );
  }
  const { kind } = settingOf(key);
  const text = kind.fromJson(value);
  if (text !== undefined) return text;
  const shown = printable(JSON.stringify(value));
  throw new CommandError(
    "usage",
    `Cannot use ${shown} from "${key}" in ${place}: it must be ${kind.allowed}`,
    HELP,
  );
}

/** `text` with `key` set to `value`; other keys and the indentation are kept. */
export function withEntry(
  text: string | undefined,
  path: string,
  key: string,
  value: unknown,
): string {
  const config = { ...parseConfig(text, path), [key]: value };
  const indent = text?.match(/^[ \t]+(?=")/m)?.[0] ?? "  ";
  return JSON.stringify(config, null, indent) + "\n";
}

/** Replaces the file atomically. @throws {DiskError} */
export async function writeConfigText(path: string, folder: string, text: string): Promise<void> {
  const draft = `${path}.${crypto.randomUUID()}.tmp`;
  try {
    await Deno.mkdir(folder, { recursive: true });
    // If the file is a link to settings kept elsewhere, it stays one.
    const target = await Deno.realPath(path).catch(() => path);
    await Deno.writeTextFile(draft, text, { createNew: true });
    using file = await Deno.open(draft, { write: true });
    // Without it, a crash right after the rename could leave an empty file.
    await file.sync();
    await Deno.rename(draft, target);
  } catch (error) {
    await Deno.remove(draft).catch(() => {});
    throw new DiskError(`Cannot write ${path}: ${reasonOf(error)}`, { cause: error });
  }
}
