/** `config.json`: one object whose keys are the names of the settings. */
import { DiskError, printable, reasonOf, UsageError } from "../core/mod.ts";
import { join } from "@std/path";
import { type SettingSource } from "./setting_sources.ts";
import { closest, CommandError } from "./ui/hints.ts";
import { isSettingName, SETTING_NAMES, settingOf } from "./settings.ts";

export function configPathIn(folder: string): string {
  return join(folder, "config.json");
}

/** The text of the file, or undefined when there is none. */
export async function readConfigText(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw new UsageError(`Cannot read ${path}: ${reasonOf(error)}`, { cause: error });
  }
}

/** @throws {UsageError} if `text` is no object of known settings, each of its JSON type. */
export function configSource(text: string | undefined, path: string): SettingSource {
  const texts = new Map<string, string>();
  for (const [key, value] of Object.entries(parseConfig(text, path))) {
    texts.set(key, textOfEntry(key, value, placeOfKey(text ?? "", key, path)));
  }
  return {
    where: (name) => `"${name}" in ${path}`,
    hint: MORE,
    faultAt: (name) => `"${name}" in ${placeOfKey(text ?? "", name, path)}`,
    // An empty list says no more than a missing one.
    textOf: (name) => texts.get(name) || undefined,
  };
}

const MORE = "See p2p help config for all settings";
const EXAMPLE = 'Write it such as {"max": 5, "seeds": ["nas1"]}; see p2p help config';

/** The object that the file holds; keys stay as they are. @throws {UsageError} */
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

/** The file and the line in it that the key stands on. */
function placeOfKey(text: string, key: string, path: string): string {
  const at = text.search(new RegExp(`${escaped(JSON.stringify(key))}\\s*:`));
  return at < 0 ? path : `${path}, line ${text.slice(0, at).split("\n").length}`;
}

function escaped(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}

/** @param place of the key, for messages. */
function textOfEntry(key: string, value: unknown, place: string): string {
  if (!isSettingName(key)) {
    const near = closest(key, SETTING_NAMES);
    throw new CommandError(
      "usage",
      `Cannot use "${printable(key)}" in ${place}: there is no such setting`,
      near ? `Did you mean "${near}"?` : "See every setting with p2p config",
    );
  }
  const { kind } = settingOf(key);
  const text = kind.fromJson(value);
  if (text === undefined) {
    const shown = printable(JSON.stringify(value));
    throw new CommandError(
      "usage",
      `Cannot use ${shown} from "${key}" in ${place}: it must be ${kind.allowed}`,
      MORE,
    );
  }
  return text;
}

/** `text` with `key` set to `value`, the other keys and the indentation kept. */
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

/** Replaces the file in one step: a reader sees the old text or the new one. @throws {DiskError} */
export async function writeConfigText(path: string, folder: string, text: string): Promise<void> {
  const draft = `${path}.${crypto.randomUUID()}.tmp`;
  try {
    await Deno.mkdir(folder, { recursive: true });
    // A link, as those who keep their settings elsewhere have, stays one.
    const target = await Deno.realPath(path).catch(() => path);
    await writeSynced(draft, text);
    await Deno.rename(draft, target);
  } catch (error) {
    await Deno.remove(draft).catch(() => {});
    throw new DiskError(`Cannot write ${path}: ${reasonOf(error)}`, { cause: error });
  }
}

/** Without the sync, a crash right after the rename could leave an empty file. */
async function writeSynced(path: string, text: string): Promise<void> {
  await Deno.writeTextFile(path, text, { createNew: true });
  using file = await Deno.open(path, { write: true });
  await file.sync();
}
