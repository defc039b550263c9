/**
 * Every setting: flag, help, environment variable, key in `config.json`, type and default all come
 * from this table.
 */
import {
  DEFAULT_PORT,
  DOWNLOAD_DEFAULTS,
  LEVELS,
  SERVE_DEFAULTS,
  type SourceAddress,
} from "../core/mod.ts";
import {
  ADDRESS,
  choice,
  DURATION,
  ON_OFF,
  RATE,
  SEED,
  SIZE,
  SWITCH,
  text,
  type ValueType,
  wholeNumber,
  wholeNumberOr,
} from "./value_types.ts";

export type CommandName = "get" | "cat" | "list" | "serve" | "sync" | "verify";

export interface Setting<T> {
  readonly kind: ValueType<T>;
  readonly default: T | undefined;
  /** The commands that have a flag for it; "all" is the root. */
  readonly commands: readonly CommandName[] | "all";
  readonly help: string;
  /** If the flag is not named like the setting. */
  readonly flag?: string;
  readonly short?: string;
  /** Shown instead of the default's own text. */
  readonly defaultText?: string;
}

type Extras = Pick<Setting<unknown>, "flag" | "short" | "defaultText">;

function setting<T>(
  kind: ValueType<T>,
  preset: NoInfer<T> | undefined,
  commands: Setting<T>["commands"],
): { help(help: string, extras?: Extras): Setting<T> } {
  return { help: (help, extras) => ({ kind, default: preset, commands, help, ...extras }) };
}

/** More would leave each download almost nothing of the line. */
export const MAX_DOWNLOADS = 1000;
const COUNT = wholeNumber(1, 100_000);
const CLIENTS = ["get", "cat", "list", "verify"] as const;
const TRANSFERS = ["get", "cat"] as const;
const LOCALHOST: readonly SourceAddress[] = [{ host: "127.0.0.1", port: DEFAULT_PORT, tls: false }];

/** In the order of the help; only `seeds` is a list. */
export const SETTINGS = {
  seeds: setting(listOf(SEED), LOCALHOST, CLIENTS)
    .help("Where to ask; may be given several times", { flag: "seed", short: "s" }),
  max: setting(wholeNumber(1, MAX_DOWNLOADS), DOWNLOAD_DEFAULTS.max, ["get"])
    .help("Downloads at a time; the rest wait in the order given", { short: "m" }),
  out: setting(text("dir"), ".", ["get"])
    .help("Folder for the files, made if missing; - is standard output", { short: "o" }),
  "require-verified": setting(SWITCH, DOWNLOAD_DEFAULTS.requireVerified, TRANSFERS)
    .help("Refuse seeds that offer no digests"),
  "seed-connections": setting(
    wholeNumberOr("auto", 1, 64),
    DOWNLOAD_DEFAULTS.seedConnections,
    TRANSFERS,
  ).help("Connections to one seed, over all downloads; auto opens as many as help, at most 16"),
  memory: setting(SIZE, DOWNLOAD_DEFAULTS.memory, TRANSFERS)
    .help(
      "Memory for data that is on its way, over all downloads; fast links with long delays need more",
    ),
  limit: setting(RATE, DOWNLOAD_DEFAULTS.limit, [...TRANSFERS, "serve"])
    .help("Limit the total rate, over all downloads (get) or clients (serve)"),
  "task-limit": setting(RATE, DOWNLOAD_DEFAULTS.taskLimit, ["get"])
    .help("Limit the rate of each download"),
  stall: setting(DURATION, DOWNLOAD_DEFAULTS.stallMs, TRANSFERS)
    .help("Treat a seed as stalled after this long without data"),
  "give-up": setting(DURATION, DOWNLOAD_DEFAULTS.giveUpMs, TRANSFERS)
    .help("Fail a download after this long without progress"),
  "on-conflict": setting(
    choice("fail", "rename", "skip", "overwrite"),
    DOWNLOAD_DEFAULTS.onConflict,
    ["get"],
  ).help("What to do when the target exists with different content"),
  sync: setting(choice("finish", "never"), DOWNLOAD_DEFAULTS.sync, ["get"])
    .help("Sync a file to the disk before its final name appears, or leave that to the system"),
  times: setting(SWITCH, true, ["get"])
    .help("Keep the time and the executable permission of files taken by --all, glob or folder"),
  share: setting(SWITCH, DOWNLOAD_DEFAULTS.share, ["get"])
    .help("Offer verified pieces to others that download the same, and use theirs"),
  "share-port": setting(wholeNumber(0, 65_535), DOWNLOAD_DEFAULTS.sharePort, ["get"])
    .help("Port that others connect to; 0 is any free one"),
  "share-limit": setting(RATE, DOWNLOAD_DEFAULTS.shareLimit, ["get"])
    .help("Limit the rate of what is sent to others"),
  "share-for": setting(DURATION, DOWNLOAD_DEFAULTS.shareForMs, ["get"])
    .help("Offer finished files for this long after the last download"),
  progress: setting(choice("auto", "bar", "plain", "none"), "auto", TRANSFERS)
    .help("Bars on a terminal, or plain lines"),
  host: setting(text("host"), SERVE_DEFAULTS.host, ["serve"])
    .help("Address to listen on; :: is all addresses, IPv6 and IPv4"),
  port: setting(wholeNumber(0, 65_535), DEFAULT_PORT, ["serve"])
    .help("Port to listen on; 0 is any free one", { short: "p" }),
  "max-connections": setting(COUNT, SERVE_DEFAULTS.maxConnections, ["serve"])
    .help("Maximum connections; others are asked to retry"),
  "client-connections": setting(COUNT, SERVE_DEFAULTS.clientConnections, ["serve"])
    .help("The same for one client address"),
  uploads: setting(COUNT, SERVE_DEFAULTS.uploads, ["serve"])
    .help("Maximum simultaneous uploads, shared fairly between clients"),
  "client-limit": setting(RATE, SERVE_DEFAULTS.clientLimit, ["serve"])
    .help("Limit the rate to one client address, over all its connections"),
  chunk: setting(SIZE, SERVE_DEFAULTS.chunkBytes, ["serve"])
    .help("Maximum size of one reply to an old client"),
  "token-file": setting<string | undefined>(text("file"), undefined, [...CLIENTS, "serve"])
    .help("File with the secret that seed and client share"),
  "tls-ca": setting<string | undefined>(text("file"), undefined, CLIENTS)
    .help("Certificates (PEM) to trust besides the system's, for tls:// seeds", {
      defaultText: "the system's",
    }),
  "tls-cert": setting<string | undefined>(text("file"), undefined, ["serve"])
    .help("Certificate (PEM): serve TLS; needs --tls-key"),
  "tls-key": setting<string | undefined>(text("file"), undefined, ["serve"])
    .help("Private key (PEM) of that certificate"),
  hidden: setting(SWITCH, SERVE_DEFAULTS.hidden, ["serve"])
    .help("Include hidden files: names that begin with a dot"),
  swarm: setting(ON_OFF, SERVE_DEFAULTS.swarm, ["serve"])
    .help("Let receivers that share the same file find each other through this seed"),
  announce: setting(ON_OFF, SERVE_DEFAULTS.announce, ["serve"])
    .help("Let others find this seed on the local network; never with a --host of this computer"),
  discover: setting(ON_OFF, true, CLIENTS)
    .help("Without a configured seed, also ask those that announce themselves nearby"),
  http: setting(ON_OFF, SERVE_DEFAULTS.http, ["serve"])
    .help("Answer browsers and other HTTP clients on the same port"),
  "http-host": setting(listOf(text("name")), SERVE_DEFAULTS.httpHosts, ["serve"])
    .help(
      "Name that HTTP requests may be for, besides this computer's own; may be given several times",
      { defaultText: "none" },
    ),
  metrics: setting(ADDRESS, SERVE_DEFAULTS.metrics, ["serve"])
    .help("Where to offer metrics for Prometheus, as http://<host:port>/metrics", {
      defaultText: "off",
    }),
  "log-level": setting(choice(...LEVELS), "info", "all").help("Log level for stderr"),
  quiet: setting(SWITCH, false, "all").help("Nothing on stderr but errors", { short: "q" }),
} as const;

export type SettingName = keyof typeof SETTINGS;
export type Values = {
  readonly [Name in SettingName]: typeof SETTINGS[Name] extends Setting<infer T> ? T : never;
};

/** A place that gives settings as texts. */
export interface SettingSource {
  /** Names the place of a setting in messages and in `p2p config`. */
  where(name: SettingName): string;
  textOf(name: SettingName): string | undefined;
  /** As `where`, with more detail for an error. */
  faultAt?(name: SettingName): string;
  /** The next step for an error, where the help of the command would not help. */
  readonly hint?: string;
}

export const SETTING_NAMES = Object.keys(SETTINGS) as SettingName[];

export function isSettingName(text: string): text is SettingName {
  return Object.hasOwn(SETTINGS, text);
}

/** A setting without its type, for code that treats all of them alike. */
export function settingOf(name: SettingName): Setting<unknown> {
  return SETTINGS[name] as Setting<unknown>;
}

export function flagOf(name: SettingName): string {
  return settingOf(name).flag ?? name;
}

/** `--max` → `P2P_MAX`. */
export function variableOf(name: SettingName): string {
  return `P2P_${name.toUpperCase().replaceAll("-", "_")}`;
}

/** Settings of `get` that make no sense for `sync`: it overwrites, and compares times. */
const DECIDED_BY_SYNC: readonly SettingName[] = ["on-conflict", "times"];

export function settingsOfCommand(command: CommandName | "all"): SettingName[] {
  return SETTING_NAMES.filter((name) => {
    const { commands } = settingOf(name);
    if (commands === "all" || command === "all") return commands === command;
    return command === "sync"
      ? commands.includes("get") && !DECIDED_BY_SYNC.includes(name)
      : commands.includes(command);
  });
}

/** Several values, separated by commas; an array in `config.json`. */
function listOf<T>(kind: ValueType<T>): ValueType<readonly T[]> {
  return {
    placeholder: kind.placeholder,
    allowed: kind.allowed,
    parse: (text) => text.split(",").map((each) => kind.parse(each.trim())),
    fromJson: (value) =>
      Array.isArray(value) &&
        value.every((each) => typeof each === "string" && !each.includes(","))
        ? value.join(",")
        : undefined,
    format: (values) => values.map((value) => kind.format(value)).join(","),
  };
}
