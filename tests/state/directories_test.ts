import { assertEquals, assertThrows } from "@std/assert";
import { SEPARATOR } from "@std/path";
import { UsageError } from "../../core/base/errors.ts";
import { type Directories, directoriesOf } from "../../core/state/directories.ts";

interface Case {
  readonly name: string;
  readonly platform: string;
  readonly env: Record<string, string>;
  /** The home folder in the system's list of users. */
  readonly account?: string;
  readonly want: Directories;
}

const below = (config: string, state: string, cache: string): Directories => ({
  config,
  state,
  cache,
});
const linuxHome = below("/h/.config/p2p", "/h/.local/state/p2p", "/h/.cache/p2p");

const cases: Case[] = [
  { name: "only HOME is set", platform: "linux", env: { HOME: "/h" }, want: linuxHome },
  {
    name: "XDG folders are set",
    platform: "linux",
    env: { HOME: "/h", XDG_CONFIG_HOME: "/c", XDG_STATE_HOME: "/s", XDG_CACHE_HOME: "/k" },
    want: below("/c/p2p", "/s/p2p", "/k/p2p"),
  },
  {
    name: "XDG folders are not absolute, or empty",
    platform: "linux",
    env: { HOME: "/h", XDG_CONFIG_HOME: "c", XDG_STATE_HOME: "./s", XDG_CACHE_HOME: "" },
    want: linuxHome,
  },
  {
    name: "P2P folders are set, too",
    platform: "linux",
    env: {
      HOME: "/h",
      XDG_STATE_HOME: "/s",
      P2P_CONFIG_DIR: "/1",
      P2P_STATE_DIR: "2",
      P2P_CACHE_DIR: "/3",
    },
    want: below("/1", "2", "/3"),
  },
  {
    name: "a P2P folder is empty",
    platform: "linux",
    env: { HOME: "/h", P2P_STATE_DIR: "" },
    want: linuxHome,
  },
  {
    name: "HOME is not set: the account's home folder",
    platform: "freebsd",
    env: {},
    account: "/h",
    want: linuxHome,
  },
  {
    name: "HOME is relative: the account's home folder",
    platform: "linux",
    env: { HOME: "." },
    account: "/h",
    want: linuxHome,
  },
  {
    name: "there is no home folder, and all folders are set",
    platform: "linux",
    env: { P2P_CONFIG_DIR: "/1", P2P_STATE_DIR: "/2", P2P_CACHE_DIR: "/3" },
    want: below("/1", "/2", "/3"),
  },
  {
    name: "the platform is macOS",
    platform: "darwin",
    env: { HOME: "/h" },
    want: below(
      "/h/Library/Application Support/p2p/config",
      "/h/Library/Application Support/p2p/state",
      "/h/Library/Caches/p2p",
    ),
  },
  {
    name: "the platform is macOS and XDG is set",
    platform: "darwin",
    env: { HOME: "/h", XDG_STATE_HOME: "/s" },
    want: below("/h/Library/Application Support/p2p/config", "/s/p2p", "/h/Library/Caches/p2p"),
  },
  {
    name: "the platform is Windows",
    platform: "windows",
    env: { APPDATA: "/roam", LOCALAPPDATA: "/local", USERPROFILE: "/user" },
    want: below("/roam/p2p/config", "/local/p2p/state", "/local/p2p/cache"),
  },
  {
    name: "the platform is Windows without its folders",
    platform: "windows",
    env: { USERPROFILE: "/user" },
    want: below("/user/p2p/config", "/user/p2p/state", "/user/p2p/cache"),
  },
];
for (const { name, platform, env, account, want } of cases) {
  Deno.test(`directoriesOf() returns the folders when ${name} (${platform})`, () => {
    const found = directoriesOf((variable) => env[variable], platform, () => account);
    // The separator is that of the platform which runs this.
    const plain = Object.entries(found).map((
      [kind, path],
    ) => [kind, path.replaceAll(SEPARATOR, "/")]);
    assertEquals(Object.fromEntries(plain), { ...want });
  });
}

for (const platform of ["linux", "darwin", "windows"]) {
  Deno.test(`directoriesOf() throws UsageError without a home folder (${platform})`, () => {
    const error = assertThrows(
      () => directoriesOf(() => undefined, platform, () => undefined),
      UsageError,
    );
    assertEquals(error.problem, "no-home");
  });
}
