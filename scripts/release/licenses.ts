/** The licences of the packages of npm that are part of the program. */

import { depsFlags } from "../offline/ask_deps.ts";
import { filesBelow, ROOT } from "../source_files.ts";
import { output } from "./tools.ts";

export interface License {
  /** Name and version of the package. */
  readonly name: string;
  readonly text: string;
}

const LICENSE_FILE = /\/licen[cs]e(?:\.\w+)?$/i;
const PACKAGE_FOLDER = /\/((?:@[^/]+\/)?[^/@]+)\/(\d+\.\d+\.\d+[^/]*)$/;

/** In the order of their names. @throws {Error} if a package has none. */
export async function packageLicenses(): Promise<License[]> {
  const info = JSON.parse(
    await output(Deno.execPath(), ["info", "--json", ...await depsFlags(), "main.ts"], ROOT),
  );
  const cache = JSON.parse(await output(Deno.execPath(), ["info", "--json"], ROOT)).denoDir;
  const used: readonly { readonly name: string; readonly version: string }[] = Object.values(
    info.npmPackages ?? {},
  );
  const names = new Set(used.map(({ name, version }) => `${name}@${version}`));
  const texts = new Map<string, string>();
  for (const file of filesBelow(`${cache}/npm`)) {
    const folder = file.slice(0, file.lastIndexOf("/"));
    const [, name, version] = folder.match(PACKAGE_FOLDER) ?? [];
    const id = `${name}@${version}`;
    if (LICENSE_FILE.test(file) && names.has(id)) texts.set(id, await Deno.readTextFile(file));
  }
  const missing = [...names].filter((id) => !texts.has(id));
  if (missing.length > 0) throw new Error(`Cannot find the licence of ${missing.join(", ")}`);
  return [...texts].map(([name, text]) => ({ name, text })).sort((a, b) =>
    a.name < b.name ? -1 : 1
  );
}
