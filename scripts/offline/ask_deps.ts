/** The answers of scripts/offline/deps.ts, for the scripts that start Deno themselves. */

import { ROOT } from "../source_files.ts";

/** The flags that make Deno find the packages; none where JSR serves them. */
export async function depsFlags(): Promise<string[]> {
  return (await ask()).split(" ").filter((flag) => flag !== "");
}

/**
 * The environment that `deno compile` needs for `target`, as `Deno.build.target` names it. An
 * empty DENORT_BIN would be taken for a path.
 */
export async function compileEnv(target: string): Promise<Record<string, string>> {
  const denort = await ask("denort", target);
  return denort === "" ? {} : { DENORT_BIN: denort };
}

/** A process of its own, since only --cached-only lets deps.ts see what is cached. */
async function ask(...args: string[]): Promise<string> {
  const { success, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--cached-only", "-A", "scripts/offline/deps.ts", ...args],
    cwd: ROOT,
    stderr: "inherit",
  }).output();
  if (!success) {
    throw new Error("Cannot find the packages: scripts/offline/deps.ts failed");
  }
  return new TextDecoder().decode(stdout).trim();
}
