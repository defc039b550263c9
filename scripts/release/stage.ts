/**
 * The sources of a release: as they were committed, and of one age.
 *
 * `deno compile` writes the time of change of each file into the program. So that the same commit
 * gives the same bytes wherever and whenever it is built, all files get the time of the commit.
 */

import { dirname, fromFileUrl } from "@std/path";
import { depsFlags } from "../offline/ask_deps.ts";
import type { Commit } from "../commit.ts";
import { filesBelow, ROOT } from "../source_files.ts";
import { output } from "./tools.ts";

/** Fills the folder `into`, which must be there and empty. */
export async function stageSources(commit: Commit, into: string): Promise<void> {
  const tar = `${into}.tar`;
  await output("git", ["archive", "--format=tar", `--output=${tar}`, commit.hash], ROOT);
  await output("tar", ["-xf", tar, "-C", into], ROOT);
  await Deno.remove(tar);
  for (const folder of await packageFolders()) await copyFolder(folder, into);
  for (const file of filesBelow(into)) await Deno.utime(file, commit.timeS, commit.timeS);
}

/** What packages consist of. The compiler writes where any other file lies, which must not matter. */
const PACKAGE_FILE = /\.(?:[cm]?js|json|d\.[cm]?ts)$|\/\.[^/]*$/;

/**
 * Fills the new folder `into` with a cache of Deno that has the same packages of npm as this user's,
 * of the age of the commit.
 */
export async function stagePackages(commit: Commit, sources: URL, into: string): Promise<void> {
  const flags = await depsFlags();
  // Whatever is not cached yet would be downloaded by the compiler, with the time of now.
  await output(Deno.execPath(), ["cache", "--quiet", ...flags, "main.ts"], sources);
  const cache = JSON.parse(await output(Deno.execPath(), ["info", "--json"], ROOT)).denoDir;
  await Deno.mkdir(into);
  for (const { name } of [...Deno.readDirSync(cache)]) {
    // The base runtimes of other platforms are large.
    if (name === "dl") await Deno.symlink(`${cache}/${name}`, `${into}/${name}`, { type: "dir" });
  }
  const packages = `${cache}/npm`;
  for (const file of filesBelow(packages)) {
    if (!PACKAGE_FILE.test(file)) continue;
    const path = `${into}/npm${file.slice(packages.length)}`;
    await Deno.mkdir(dirname(path), { recursive: true });
    await Deno.copyFile(file, path);
    await Deno.utime(path, commit.timeS, commit.timeS);
  }
}

/** Below the repository; none where the packages come from JSR. */
async function packageFolders(): Promise<string[]> {
  return (await depsFlags()).flatMap((flag) => {
    const [, folder] = flag.match(/^--import-map=(.+)\/[^/]+$/) ?? [];
    return folder === undefined ? [] : [folder];
  });
}

async function copyFolder(folder: string, into: string): Promise<void> {
  const root = fromFileUrl(new URL(folder, ROOT));
  for (const file of filesBelow(root)) {
    const path = `${into}/${folder}${file.slice(root.length)}`;
    await Deno.mkdir(dirname(path), { recursive: true });
    await Deno.copyFile(file, path);
  }
}
