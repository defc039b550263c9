/** The version of p2p, the commit that it was built from, and what it runs on. */

/** The build embeds it, followed by the commit, before the user's arguments. */
export const BUILT_FROM = "--built-from=";

/** Separates the embedded arguments from the user's. */
export function startedWith(
  args: readonly string[],
  compiled: boolean,
): { readonly commit: string | undefined; readonly args: readonly string[] } {
  const [first, ...rest] = args;
  return compiled && first?.startsWith(BUILT_FROM)
    ? { commit: first.slice(BUILT_FROM.length), args: rest }
    : { commit: undefined, args };
}

/** "0.1.0 (commit 0123456789ab, Deno 2.7.11, x86_64-unknown-linux-gnu)": all that a bug report needs. */
export function versionText(
  version: string,
  commit: string | undefined,
  runtime: { readonly deno: string; readonly target: string },
): string {
  const made = commit === undefined ? "" : `commit ${commit}, `;
  return `${version} (${made}Deno ${runtime.deno}, ${runtime.target})`;
}

const VERSION_FLAGS = ["-V", "--version"];

export function isVersionFlag(word: string): boolean {
  return VERSION_FLAGS.includes(word);
}

export function versionLine(version: string): string {
  return `p2p ${version}\n`;
}
