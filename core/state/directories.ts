/** Where a user's configuration, state and cache are: XDG, or the convention of the platform. */
import { join } from "node:path";
import { UsageError } from "../base/errors.ts";

/** The folders of a user's p2p. */
export interface Directories {
  /** Holds `config.json`. */
  readonly config: string;
  /** Holds records of runs and logs of tasks. */
  readonly state: string;
  /** Holds digests of served files; may be deleted at any time. */
  readonly cache: string;
}

type Kind = keyof Directories;

/** The defaults of the XDG Base Directory Specification 0.8, below the home folder. */
const XDG_DEFAULTS: Record<Kind, string> = {
  config: ".config",
  state: ".local/state",
  cache: ".cache",
};

/**
 * @param platform as `Deno.build.os` names it.
 * @param accountHome the home folder in the system's list of users, for when `HOME` is not set, as
 * under cron, systemd or in a container. @throws {UsageError} if there is none.
 */
export function directoriesOf(
  env: (name: string) => string | undefined,
  platform: string,
  accountHome: () => string | undefined,
): Directories {
  const of = (kind: Kind) => {
    const variable = `P2P_${kind.toUpperCase()}_DIR`;
    const folder = env(variable) || defaultFolder(kind, env, platform, accountHome);
    if (folder !== undefined) return folder;
    // Not below the current folder: the next command may run elsewhere.
    throw new UsageError(`Cannot find the ${kind} folder: there is no home folder`, {
      problem: "no-home",
    });
  };
  return { config: of("config"), state: of("state"), cache: of("cache") };
}

function defaultFolder(
  kind: Kind,
  env: (name: string) => string | undefined,
  platform: string,
  accountHome: () => string | undefined,
): string | undefined {
  const set = env(`XDG_${kind.toUpperCase()}_HOME`);
  // The specification says to ignore relative paths.
  if (set?.startsWith("/")) return join(set, "p2p");
  if (platform === "windows") {
    const base = env(kind === "config" ? "APPDATA" : "LOCALAPPDATA") || env("USERPROFILE") ||
      accountHome();
    return base === undefined ? undefined : join(base, "p2p", kind);
  }
  const named = env("HOME");
  const home = named?.startsWith("/") ? named : accountHome();
  if (home === undefined) return undefined;
  if (platform !== "darwin") return join(home, XDG_DEFAULTS[kind], "p2p");
  const library = join(home, "Library");
  return kind === "cache"
    ? join(library, "Caches", "p2p")
    : join(library, "Application Support", "p2p", kind);
}
