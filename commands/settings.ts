/**
 * Every setting, declared once: its flag with help, its environment variable,
 * its key in `config.json`, its kind and its default all come from this table.
 */
import {
  DEFAULT_PORT,
  DOWNLOAD_DEFAULTS,
  LEVELS,
  type SeedAddress,
  SERVE_DEFAULTS,
} from "../core/mod.ts";
import {
  ADDRESS,
  choice,
  DURATION,
  RATE,
  SEED,
  SIZE,
  SWITCH,
  text,
  type ValueType,
  wholeNumber,
} from "./value_types.ts";

export type CommandName = "get" | "list" | "serve" | "verify";

export interface Setting<T> {
  readonly kind: ValueType<T>;
  readonly default: NoInfer<T> | undefined;
  /** Shown in place of the default's own text. */
  readonly defaultText?: string;
  /** The commands with a flag for it; "all" is the root. */
  readonly commands: readonly CommandName[] | "all";
  readonly help: string;
  /** Where the flag is not called like the setting. */
  readonly flag?: string;
  readonly short?: string;
}

function setting<T>(setting: Setting<T>): Setting<T> {
  return setting;
}

/** More would share one line among so many that none gets anywhere. */
export const MAX_DOWNLOADS = 1000;
const COUNT = wholeNumber(1, 100_000);

/** In the order of the help; `seeds` alone is a list. */
export const SETTINGS = {
  seeds: setting<readonly SeedAddress[]>({
    kind: listOf(SEED),
    default: [{ host: "127.0.0.1", port: DEFAULT_PORT, tls: false }],
    commands: ["get", "list", "verify"],
    help: "Where to ask; may be given several times",
    flag: "seed",
    short: "s",
  }),
  max: setting({
    kind: wholeNumber(1, MAX_DOWNLOADS),
    default: DOWNLOAD_DEFAULTS.max,
    commands: ["get"],
    help: "Downloads at a time; the rest wait in the order given",
    short: "m",
  }),
  out: setting({
    kind: text("dir"),
    default: ".",
    commands: ["get"],
    help: "Folder for the files, made when missing",
    short: "o",
  }),
  "require-verified": setting({
    kind: SWITCH,
    default: DOWNLOAD_DEFAULTS.requireVerified,
    commands: ["get"],
    help: "Refuse seeds that offer no digests",
  }),
  "seed-connections": setting({
    kind: wholeNumber(1, 64),
    default: DOWNLOAD_DEFAULTS.seedConnections,
    commands: ["get"],
    help: "Connections to one seed, over all downloads",
  }),
  limit: setting({
    kind: RATE,
    default: DOWNLOAD_DEFAULTS.limit,
    commands: ["get", "serve"],
    help: "Limit the total rate, over all downloads (get) or clients (serve)",
  }),
  "task-limit": setting({
    kind: RATE,
    default: DOWNLOAD_DEFAULTS.taskLimit,
    commands: ["get"],
    help: "Limit the rate of each download",
  }),
  stall: setting({
    kind: DURATION,
    default: DOWNLOAD_DEFAULTS.stallMs,
    commands: ["get"],
    help: "Treat a seed as stalled after this long without data",
  }),
  "give-up": setting({
    kind: DURATION,
    default: DOWNLOAD_DEFAULTS.giveUpMs,
    commands: ["get"],
    help: "A download without progress for this long fails",
  }),
  "on-conflict": setting({
    kind: choice("fail", "rename", "skip", "overwrite"),
    default: DOWNLOAD_DEFAULTS.onConflict,
    commands: ["get"],
    help: "What to do when the target exists with different content",
  }),
  sync: setting({
    kind: choice("finish", "never"),
    default: DOWNLOAD_DEFAULTS.sync,
    commands: ["get"],
    help:
      "Whether the bytes must be on the disk before the final name appears, or the system decides",
  }),
  progress: setting({
    kind: choice("auto", "bar", "plain", "none"),
    default: "auto",
    commands: ["get"],
    help: "Bars on a terminal, or plain lines",
  }),
  host: setting({
    kind: text("host"),
    default: SERVE_DEFAULTS.host,
    commands: ["serve"],
    help: "Address to listen on; :: is every one, of IPv6 and IPv4",
  }),
  port: setting({
    kind: wholeNumber(0, 65_535),
    default: DEFAULT_PORT,
    commands: ["serve"],
    help: "Port to listen on; 0 is any free one",
    short: "p",
  }),
  "max-connections": setting({
    kind: COUNT,
    default: SERVE_DEFAULTS.maxConnections,
    commands: ["serve"],
    help: "Maximum connections; others are asked to retry",
  }),
  "client-connections": setting({
    kind: COUNT,
    default: SERVE_DEFAULTS.clientConnections,
    commands: ["serve"],
    help: "The same for one client address",
  }),
  uploads: setting({
    kind: COUNT,
    default: SERVE_DEFAULTS.uploads,
    commands: ["serve"],
    help: "Maximum simultaneous uploads, shared fairly between clients",
  }),
  "client-limit": setting({
    kind: RATE,
    default: SERVE_DEFAULTS.clientLimit,
    commands: ["serve"],
    help: "Limit the rate to one client address, over all its connections",
  }),
  chunk: setting({
    kind: SIZE,
    default: SERVE_DEFAULTS.chunkBytes,
    commands: ["serve"],
    help: "What one answer to an old client holds at most",
  }),
  "token-file": setting<string | undefined>({
    kind: text("file"),
    default: undefined,
    commands: ["get", "list", "serve", "verify"],
    help: "File with the secret that seed and client share",
  }),
  "tls-ca": setting<string | undefined>({
    kind: text("file"),
    default: undefined,
    defaultText: "the system's",
    commands: ["get", "list", "verify"],
    help: "Certificates (PEM) to trust besides the system's, for tls:// seeds",
  }),
  "tls-cert": setting<string | undefined>({
    kind: text("file"),
    default: undefined,
    commands: ["serve"],
    help: "Certificate (PEM): serve TLS; needs --tls-key",
  }),
  "tls-key": setting<string | undefined>({
    kind: text("file"),
    default: undefined,
    commands: ["serve"],
    help: "Private key (PEM) of that certificate",
  }),
  hidden: setting({
    kind: SWITCH,
    default: SERVE_DEFAULTS.hidden,
    commands: ["serve"],
    help: "Include hidden files: names that begin with a dot",
  }),
  metrics: setting({
    kind: ADDRESS,
    default: SERVE_DEFAULTS.metrics,
    defaultText: "off",
    commands: ["serve"],
    help: "Where to offer metrics for Prometheus, as http://<host:port>/metrics",
  }),
  "log-level": setting({
    kind: choice(...LEVELS),
    default: "info",
    commands: "all",
    help: "Log level for stderr",
  }),
  quiet: setting({
    kind: SWITCH,
    default: false,
    commands: "all",
    help: "Nothing on stderr but errors",
    short: "q",
  }),
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

/** A setting without its type, for code that treats all alike. */
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

export function settingsOfCommand(command: CommandName | "all"): SettingName[] {
  return SETTING_NAMES.filter((name) => {
    const { commands } = settingOf(name);
    return commands === "all" ? command === "all" : command !== "all" && commands.includes(command);
  });
}

/** Values of `kind` with commas between, as in the environment; an array in `config.json`. */
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
