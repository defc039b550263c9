/** Where a user's configuration, state and cache live: XDG, or the platform's own habit. */
import { join } from "@std/path";
import { UsageError } from "../base/errors.ts";

export interface Directories {
  /** Holds `config.json`. */
  readonly config: string;
  /** Records of runs, and the tasks' logs. */
  readonly state: string;
  /** Digests of served files: may be deleted at any time. */
  readonly cache: string;
}

type Kind = keyof Directories;

/** XDG Base Directory Specification 0.8, and its defaults below the home folder. */
const XDG: Record<Kind, { variable: string; home: string[] }> = {
  config: { variable: "XDG_CONFIG_HOME", home: [".config"] },
  state: { variable: "XDG_STATE_HOME", home: [".local", "state"] },
  cache: { variable: "XDG_CACHE_HOME", home: [".cache"] },
};

/**
 * @param platform as `Deno.build.os` names it.
 * @param accountHome the home folder that the system knows of this user, for where `HOME` is not
 * set, as under cron, systemd or in a container. @throws {UsageError} where nobody knows one.
 */
export function directoriesOf(
  env: (name: string) => string | undefined,
  platform: string,
  accountHome: () => string | undefined,
): Directories {
  const of = (kind: Kind) => {
    const variable = `P2P_${kind.toUpperCase()}_DIR`;
    const folder = env(variable) || usual(kind, env, platform, accountHome);
    if (folder !== undefined) return folder;
    // Never a folder below the current one: the next command may run elsewhere.
    throw new UsageError(`Cannot find the ${kind} folder: there is no home folder`, {
      problem: "no-home",
    });
  };
  return { config: of("config"), state: of("state"), cache: of("cache") };
}

function usual(
  kind: Kind,
  env: (name: string) => string | undefined,
  platform: string,
  accountHome: () => string | undefined,
): string | undefined {
  const { variable, home: below } = XDG[kind];
  const set = env(variable);
  // The specification: a path that is not absolute is to be ignored.
  if (set?.startsWith("/")) return join(set, "p2p");
  if (platform === "windows") {
    const base = env(kind === "config" ? "APPDATA" : "LOCALAPPDATA") || env("USERPROFILE") ||
      accountHome();
    return base === undefined ? undefined : join(base, "p2p", kind);
  }
  const named = env("HOME");
  const home = named?.startsWith("/") ? named : accountHome();
  if (home === undefined) return undefined;
  if (platform === "darwin") {
    return join(
      home,
      "Library",
      kind === "cache" ? "Caches" : "Application Support",
      "p2p",
      kind === "cache" ? "" : kind,
    );
  }
  return join(home, ...below, "p2p");
}
