/** Which p2p this is: its version, the commit that it was built from, and what it runs on. */

/** The build puts it, with the commit behind it, before the arguments of the user. */
export const BUILT_FROM = "--built-from=";

export interface Started {
  /** undefined for a run from the sources, or where the build knew none. */
  readonly commit: string | undefined;
  /** What the user said. */
  readonly args: readonly string[];
}

/** Tells what the build said from what the user says. */
export function startedWith(args: readonly string[], compiled: boolean): Started {
  const [first, ...rest] = args;
  return compiled && first?.startsWith(BUILT_FROM)
    ? { commit: first.slice(BUILT_FROM.length), args: rest }
    : { commit: undefined, args };
}

/** "0.1.0 (commit 0123456789ab, Deno 2.7.11, x86_64-unknown-linux-gnu)": all that a report of a fault needs. */
export function versionText(
  version: string,
  commit: string | undefined,
  runtime: { readonly deno: string; readonly target: string },
): string {
  const made = commit === undefined ? "" : `commit ${commit}, `;
  return `${version} (${made}Deno ${runtime.deno}, ${runtime.target})`;
}
