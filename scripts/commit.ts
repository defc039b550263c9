/** The commit that the sources are of. */

import { ROOT } from "./source_files.ts";

export interface Commit {
  readonly hash: string;
  /** When it was made, in seconds since 1970. */
  readonly timeS: number;
}

/** A length of our own: git's short form grows with the repository. Twelve digits are unique in the largest. */
const SHOWN = 12;

/** undefined where the sources did not come with git. */
export async function currentCommit(): Promise<Commit | undefined> {
  const [hash, time] = (await git("log", "-1", "--format=%H %ct"))?.split(" ") ?? [];
  return hash && time ? { hash, timeS: Number(time) } : undefined;
}

export function shortHash({ hash }: Commit): string {
  return hash.slice(0, SHOWN);
}

/** "0123456789ab", or "0123456789ab with changes" where one of `files` is not as it was committed. */
export async function describeSources(files: readonly string[]): Promise<string | undefined> {
  const commit = await currentCommit();
  if (commit === undefined) return undefined;
  const changes = await git("status", "--porcelain", "--", ...files);
  return changes === "" ? shortHash(commit) : `${shortHash(commit)} with changes`;
}

/** What git says, or undefined where it cannot. */
async function git(...args: string[]): Promise<string | undefined> {
  try {
    const { success, stdout } = await new Deno.Command("git", { args, cwd: ROOT, stderr: "null" })
      .output();
    return success ? new TextDecoder().decode(stdout).trim() : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
