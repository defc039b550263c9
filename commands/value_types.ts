/**
 * The kinds of values that people write, each parsed in one place: text from a
 * flag or the environment, or a value of `config.json`, becomes a checked value.
 */
import {
  DEFAULT_PORT,
  formatSeedAddress,
  invalidNameReason,
  parseSeedAddress,
  printable,
  type SeedAddress,
} from "../core/mod.ts";
import { CommandError, shellWord } from "./ui/hints.ts";

/** Thrown by a kind; says what is allowed, and leaves the place to `parseValue`. */
export class InvalidValueError extends Error {
  /** @param hint what to write instead, where that can be told. */
  constructor(message: string, readonly hint?: string) {
    super(message);
  }
}

export interface ValueType<T> {
  /** What stands for the value in help: `<size>`. */
  readonly placeholder: string;
  /** Ends the sentence "it must be …". */
  readonly allowed: string;
  /** @throws {InvalidValueError} */
  parse(text: string): T;
  /** The text of a value of `config.json`, or undefined where its JSON type is wrong. */
  fromJson(value: unknown): string | undefined;
  format(value: T): string;
  /** Where only these are allowed. */
  readonly choices?: readonly string[];
}

/**
 * @param place where `text` was written, such as "from P2P_MAX".
 * @param hint what to do about a fault, where the kind does not know better.
 * @throws {CommandError}
 */
export function parseValue<T>(kind: ValueType<T>, text: string, place: string, hint?: string): T {
  try {
    return kind.parse(text);
  } catch (error) {
    if (!(error instanceof InvalidValueError)) throw error;
    const message = `Cannot use "${printable(text)}" ${place}: it must be ${error.message}`;
    throw new CommandError("usage", message, error.hint ?? hint);
  }
}

const textOnly = (value: unknown) => typeof value === "string" ? value : undefined;
const textOrNumber = (value: unknown) =>
  typeof value === "number" ? String(value) : textOnly(value);

export function wholeNumber(from: number, to: number): ValueType<number> {
  const allowed = `a whole number from ${from} to ${to}`;
  return {
    placeholder: "n",
    allowed,
    parse(text) {
      const number = Number(text);
      if (!/^\d{1,15}$/.test(text) || number < from || number > to) {
        throw new InvalidValueError(allowed);
      }
      return number;
    },
    fromJson: (value) => typeof value === "number" ? String(value) : undefined,
    format: String,
  };
}

export function choice<T extends string>(...choices: readonly T[]): ValueType<T> {
  const allowed = `one of ${choices.join(", ")}`;
  return {
    placeholder: choices.join("|"),
    allowed,
    choices,
    parse(text) {
      const found = choices.find((each) => each === text);
      if (found === undefined) throw new InvalidValueError(allowed);
      return found;
    },
    fromJson: textOnly,
    format: String,
  };
}

const ON = ["on", "yes", "true", "1"];
const OFF = ["off", "no", "false", "0"];

function formatSwitch(value: boolean): string {
  return value ? "on" : "off";
}

/** On or off, in any case; a flag without a value. */
export const SWITCH: ValueType<boolean> = {
  placeholder: "",
  allowed: "on or off",
  choices: ["on", "off"],
  parse(text) {
    const value = text.toLowerCase();
    if (ON.includes(value)) return true;
    if (OFF.includes(value)) return false;
    throw new InvalidValueError(this.allowed);
  },
  fromJson: (value) => typeof value === "boolean" ? formatSwitch(value) : textOnly(value),
  format: formatSwitch,
};

export function text(placeholder: string): ValueType<string> {
  const allowed = "a text that is not empty";
  return {
    placeholder,
    allowed,
    parse(value) {
      if (value === "" || value.includes("\0")) throw new InvalidValueError(allowed);
      return value;
    },
    fromJson: textOnly,
    format: String,
  };
}

const SIZE_UNITS: Readonly<Record<string, number>> = {
  "": 1,
  B: 1,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

function parseSize(text: string, allowed: string): number {
  const [, number, unit] = text.match(/^(\d+(?:\.\d+)?)([a-zA-Z]*)$/) ?? [];
  const factor = Object.hasOwn(SIZE_UNITS, unit ?? "?") ? SIZE_UNITS[unit!] : undefined;
  const bytes = Math.round(Number(number) * (factor ?? NaN));
  const wholeBytes = factor !== 1 || !number!.includes(".");
  if (!Number.isSafeInteger(bytes) || bytes < 1 || !wholeBytes) {
    throw new InvalidValueError(allowed);
  }
  return bytes;
}

/** In the largest unit that says it exactly. */
function formatSize(bytes: number): string {
  const unit = ["TiB", "GiB", "MiB", "KiB"]
    .find((unit) => bytes % SIZE_UNITS[unit]! === 0) ?? "";
  return `${bytes / SIZE_UNITS[unit]!}${unit}`;
}

/** Bytes, from 1 on. */
export const SIZE: ValueType<number> = {
  placeholder: "size",
  allowed: 'a size such as "512", "64KiB" or "1.5GB"',
  parse(text) {
    return parseSize(text, this.allowed);
  },
  fromJson: textOrNumber,
  format: formatSize,
};

/** Bytes a second; undefined is no limit, which a flag must be able to say against a file. */
export const RATE: ValueType<number | undefined> = {
  placeholder: "rate",
  allowed: 'a rate a second such as "500KiB" or "10MiB", or "none"',
  parse(text) {
    return text === "none" ? undefined : parseSize(text, this.allowed);
  },
  fromJson: textOrNumber,
  format: (value) => value === undefined ? "none" : formatSize(value),
};

const DURATION_UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;
/** The platform's timers take no more than 2³¹ ms. */
const MAX_DURATION_MS = 500 * DURATION_UNITS.h;

/** Milliseconds, from 1 on. */
export const DURATION: ValueType<number> = {
  placeholder: "duration",
  allowed: 'a duration up to 500h such as "500ms", "5s", "2m" or "1h"',
  parse(text) {
    const [, number, unit] = text.match(/^(\d+(?:\.\d+)?)(ms|s|m|h)$/) ?? [];
    const ms = Math.round(Number(number) * DURATION_UNITS[unit as keyof typeof DURATION_UNITS]);
    if (!(ms >= 1 && ms <= MAX_DURATION_MS)) throw new InvalidValueError(this.allowed);
    return ms;
  },
  fromJson: textOnly,
  format(ms) {
    if (ms % DURATION_UNITS.h === 0) return `${ms / DURATION_UNITS.h}h`;
    if (ms % DURATION_UNITS.m === 0) return `${ms / DURATION_UNITS.m}m`;
    return ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`;
  },
};

export const SEED: ValueType<SeedAddress> = {
  placeholder: "seed",
  allowed: "host, host:port, [v6]:port or tls://host:port",
  parse(text) {
    try {
      return parseSeedAddress(text);
    } catch {
      throw new InvalidValueError(this.allowed);
    }
  },
  fromJson: textOnly,
  format: formatSeedAddress,
};

/** Where to listen; undefined is nowhere, which a flag must be able to say against a file. */
export const ADDRESS: ValueType<{ readonly host: string; readonly port: number } | undefined> = {
  // The command line library would take what is behind a colon for a type.
  placeholder: "address",
  allowed: 'host:port or [v6]:port such as "127.0.0.1:9270", or "off"',
  parse(text) {
    if (text === "off") return undefined;
    const [, v6, name, digits] = text.match(/^(?:\[([^\[\]]+)\]|([^:\s[\]]+)):(\d{1,5})$/) ?? [];
    const host = v6 ?? name;
    const port = Number(digits);
    if (host === undefined || !(port <= 65_535)) throw new InvalidValueError(this.allowed);
    return { host, port };
  },
  fromJson: textOnly,
  format(value) {
    if (value === undefined) return "off";
    const { host, port } = value;
    return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
  },
};

/** Hexadecimal digits, as many as `least` to 64. */
export function hex(least: number): ValueType<string> {
  const allowed = least === 64 ? "64 hexadecimal digits" : `${least} to 64 hexadecimal digits`;
  return {
    placeholder: "hex",
    allowed,
    parse(text) {
      if (!/^[0-9a-f]{1,64}$/i.test(text) || text.length < least) {
        throw new InvalidValueError(allowed);
      }
      return text.toLowerCase();
    },
    fromJson: textOnly,
    format: String,
  };
}

/** A file's name on the seeds, or a glob over such names: neither may hold what no name can. */
export const NAME: ValueType<string> = {
  placeholder: "name",
  allowed: "a path below the served folder",
  parse(text) {
    const fault = invalidNameReason(text);
    if (fault !== undefined) {
      throw new InvalidValueError(`${this.allowed}, but ${fault}`, nameHint(text));
    }
    return text;
  },
  fromJson: textOnly,
  format: String,
};

/** A hint for a URL, or for a path that a shell completed; neither is a seed's name. */
function nameHint(text: string): string | undefined {
  if (/^(?:https?|tls|p2p):\/\//i.test(text)) return urlHint(text);
  const parts = text.split("/").filter((part) => part !== "" && part !== ".");
  if (text.endsWith("/")) parts.push("**");
  const name = parts.join("/");
  return name === "**" || invalidNameReason(name) !== undefined
    ? undefined
    : `Names begin at the served folder, without "./" or "/": ${shellWord(name)}`;
}

/** The command for the file and the seed of a URL, such as one from a browser. */
function urlHint(text: string): string | undefined {
  try {
    const { protocol, hostname, port, pathname } = new URL(text);
    const name = decodeURIComponent(pathname).replace(/^\/+/, "");
    const scheme = protocol === "tls:" ? "tls://" : "";
    const seed = `${scheme}${hostname}:${port || DEFAULT_PORT}`;
    if (hostname === "" || invalidNameReason(name) !== undefined) return undefined;
    const address = formatSeedAddress(parseSeedAddress(seed)).replace(`:${DEFAULT_PORT}`, "");
    return `Give name and seed apart: p2p get ${shellWord(name)} --seed ${shellWord(address)}`;
  } catch {
    return undefined;
  }
}
