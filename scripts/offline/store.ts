/** The folder of what came from npm. A folder inside it is whole or not there at all. */

import { exists } from "./probe.ts";

export type Bytes = Uint8Array<ArrayBuffer>;
export type Files = ReadonlyMap<string, string | Bytes>;

const ROOT = new URL("../../", import.meta.url);
// Git and deno.json exclude it.
const STORE = ".npm-only";

/** Relative to the repository, where all tasks run. */
export function storePath(path: string): string {
  return `${STORE}/${path}`;
}

export function storeUrl(path: string): URL {
  return new URL(storePath(path), ROOT);
}

/**
 * Makes the folder `name` with `files`, bytes as executables. Several processes may place the
 * same folder at once: each fills its own draft, one renames first, the others drop theirs.
 */
export async function place(name: string, files: Files): Promise<void> {
  const target = storeUrl(`${name}/`);
  const draft = storeUrl(`${name}.${crypto.randomUUID()}/`);
  try {
    await fill(draft, files);
    await Deno.rename(draft, target);
  } catch (error) {
    await Deno.remove(draft, { recursive: true }).catch(() => {});
    if (!await exists(target)) throw error;
  }
}

async function fill(folder: URL, files: Files): Promise<void> {
  for (const [path, content] of files) {
    const file = new URL(path, folder);
    await Deno.mkdir(new URL("./", file), { recursive: true });
    if (typeof content === "string") await Deno.writeTextFile(file, content);
    else await Deno.writeFile(file, content, { mode: 0o755 });
  }
}
