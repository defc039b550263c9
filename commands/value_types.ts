/**
 * The types of values that users write, each parsed in one place: a text of a flag or a variable, or
 * a value of `config.json`, becomes a checked value.
 */
import {
  DEFAULT_PORT,
  formatSourceAddress,
  invalidNameReason,
  isLink,
  parseLink,
  parseSourceAddress,
  printable,
  type SourceAddress,
  UsageError,
} from "../core/mod.ts";
import { CommandError, hintOf, shellWord } from "./ui/hints.ts";

/** Thrown by `ValueType.parse`; the message says what is allowed. */
export class InvalidValueError extends Error {
  /** @param hint what to write instead, if known. */
  constructor(message: string, readonly hint?: string) {
    super(message);
  }
}

export interface ValueType<T> {
  /** Stands for the value in help: `<size>`. */
  readonly placeholder: string;
  /** Ends the sentence "it must be …". */
  readonly allowed: string;
  /** @throws {InvalidValueError} */
  parse(text: string): T;
  /** The text of a value of `config.json`, or undefined if its JSON type is wrong. */
  fromJson(value: unknown): string | undefined;
  format(value: T): string;
  /** All allowed values, if there are only a few. */
  readonly choices?: readonly string[];
}

/** @param parse returns undefined for what is not allowed, or throws an `InvalidValueError`. */
function valueType<T>(
  placeholder: string,
  allowed: string,
  parse: (text: string) => { readonly value: T } | undefined,
  more: Partial<Pick<ValueType<T>, "fromJson" | "format" | "choices">> = {},
): ValueType<T> {
  return {
    placeholder,
    allowed,
    parse(text) {
      const parsed = parse(text);
      if (parsed === undefined) throw new InvalidValueError(allowed);
      return parsed.value;
    },
    fromJson: textOnly,
    format: String,
    ...more,
  };
}

const textOnly = (value: unknown) => typeof value === "string" ? value : undefined;
const textOrNumber = (value: unknown) =>
  typeof value === "number" ? String(value) : textOnly(value);

/**
 * @param place where `text` was written, such as "from P2P_MAX".
 * @param hint the next step, unless the type knows a better one.
 * @throws {CommandError}
 */
export function parseValue<T>(type: ValueType<T>, text: string, place: string, hint?: string): T {
  try {
    return type.parse(text);
  } catch (error) {
    if (!(error instanceof InvalidValueError)) throw error;
    const message = `Cannot use "${printable(text)}" ${place}: it must be ${error.message}`;
    throw new CommandError("usage", message, error.hint ?? hint);
  }
}

export function wholeNumber(from: number, to: number): ValueType<number> {
  return valueType("n", `a whole number from ${from} to ${to}`, (text) => {
    const value = Number(text);
    return /^\d{1,15}$/.test(text) && value >= from && value <= to ? { value } : undefined;
  }, { fromJson: (value) => typeof value === "number" ? String(value) : undefined });
}

/** A whole number, or `word`. */
export function wholeNumberOr<Word extends string>(
  word: Word,
  from: number,
  to: number,
): ValueType<number | Word> {
  const number = wholeNumber(from, to);
  return {
    ...number,
    placeholder: `n|${word}`,
    allowed: `${word} or ${number.allowed}`,
    parse(text) {
      if (text === word) return word;
      try {
        return number.parse(text);
      } catch {
        throw new InvalidValueError(this.allowed);
      }
    },
    fromJson: (value) => value === word ? word : number.fromJson(value),
    format: String,
    choices: [word],
  };
}

export function choice<T extends string>(...choices: readonly T[]): ValueType<T> {
  return valueType(choices.join("|"), `one of ${choices.join(", ")}`, (text) => {
    const value = choices.find((each) => each === text);
    return value === undefined ? undefined : { value };
  }, { choices });
}

const ON = ["on", "yes", "true", "1"];
const OFF = ["off", "no", "false", "0"];
function parseSwitch(text: string): { readonly value: boolean } | undefined {
  const value = ON.includes(text.toLowerCase());
  return value || OFF.includes(text.toLowerCase()) ? { value } : undefined;
}

const formatSwitch = (value: boolean) => value ? "on" : "off";

/** On or off, in any case; a flag that needs the value. */
export const ON_OFF: ValueType<boolean> = valueType("on|off", "on or off", parseSwitch, {
  choices: ["on", "off"],
  format: formatSwitch,
});

/** On or off, in any case; a flag without a value. */
export const SWITCH: ValueType<boolean> = valueType("", "on or off", parseSwitch, {
  choices: ["on", "off"],
  fromJson: (value) => typeof value === "boolean" ? formatSwitch(value) : textOnly(value),
  format: formatSwitch,
});

export function text(placeholder: string): ValueType<string> {
  return valueType(
    placeholder,
    "a text that is not empty",
    (value) => value === "" || value.includes("\0") ? undefined : { value },
  );
}

const SIZE_UNITS: Readonly<Record<string, number>> = {
  ...{ "": 1, B: 1, kB: 1e3, KB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12 },
  ...{ KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 },
};

function parseSize(text: string): { readonly value: number } | undefined {
  const [, number, unit = "?"] = text.match(/^(\d+(?:\.\d+)?)([a-zA-Z]*)$/) ?? [];
  const factor = Object.hasOwn(SIZE_UNITS, unit) ? SIZE_UNITS[unit]! : NaN;
  const value = Math.round(Number(number) * factor);
  const wholeBytes = factor !== 1 || !number!.includes(".");
  return Number.isSafeInteger(value) && value >= 1 && wholeBytes ? { value } : undefined;
}

/** In the largest unit that is exact. */
function formatSize(bytes: number): string {
  const unit = ["TiB", "GiB", "MiB", "KiB"].find((unit) => bytes % SIZE_UNITS[unit]! === 0) ?? "";
  return `${bytes / SIZE_UNITS[unit]!}${unit}`;
}

/** Bytes, at least 1. */
export const SIZE: ValueType<number> = valueType(
  "size",
  'a size such as "512", "64KiB" or "1.5GB"',
  parseSize,
  { fromJson: textOrNumber, format: formatSize },
);

/** As a size, and 0. */
export const OFFSET: ValueType<number> = {
  ...SIZE,
  parse: (text) => /^0+$/.test(text) ? 0 : SIZE.parse(text),
};

/** Bytes a second; undefined is no limit, so that a flag can lift the limit of a file. */
export const RATE: ValueType<number | undefined> = valueType(
  "rate",
  'a rate a second such as "500KiB" or "10MiB", or "none"',
  (text) => text === "none" ? { value: undefined } : parseSize(text),
  {
    fromJson: textOrNumber,
    format: (value) => value === undefined ? "none" : formatSize(value),
  },
);

const DURATION_UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;
/** The platform's timers take at most 2³¹ ms. */
const MAX_DURATION_MS = 500 * DURATION_UNITS.h;

/** Milliseconds, at least 1. */
export const DURATION: ValueType<number> = valueType(
  "duration",
  'a duration up to 500h such as "500ms", "5s", "2m" or "1h"',
  (text) => {
    const [, number, unit] = text.match(/^(\d+(?:\.\d+)?)(ms|s|m|h)$/) ?? [];
    const factor = DURATION_UNITS[unit as keyof typeof DURATION_UNITS];
    const value = Math.round(Number(number) * factor);
    return value >= 1 && value <= MAX_DURATION_MS ? { value } : undefined;
  },
  {
    format(ms) {
      if (ms % DURATION_UNITS.h === 0) return `${ms / DURATION_UNITS.h}h`;
      if (ms % DURATION_UNITS.m === 0) return `${ms / DURATION_UNITS.m}m`;
      return ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`;
    },
  },
);

const SEED_FORMS =
  "host, host:port, [v6]:port, tls://host:port, https://host/folder/ or s3://bucket/";

export const SEED: ValueType<SourceAddress> = valueType(
  "seed",
  SEED_FORMS,
  (text) => {
    try {
      return { value: parseSourceAddress(text) };
    } catch (error) {
      if (!(error instanceof UsageError) || error.problem !== "address-scheme") return undefined;
      throw new InvalidValueError(SEED_FORMS, hintOf(error));
    }
  },
  { format: formatSourceAddress },
);

/** Where to listen; undefined is nowhere, so that a flag can undo a file. The placeholder has no colon, which the command line library would take for a type. */
export const ADDRESS: ValueType<{ readonly host: string; readonly port: number } | undefined> =
  valueType("address", 'host:port or [v6]:port such as "127.0.0.1:9270", or "off"', (text) => {
    if (text === "off") return { value: undefined };
    const [, v6, name, digits] = text.match(/^(?:\[([^\[\]]+)\]|([^:\s[\]]+)):(\d{1,5})$/) ?? [];
    const host = v6 ?? name;
    const port = Number(digits);
    return host !== undefined && port <= 65_535 ? { value: { host, port } } : undefined;
  }, {
    format(value) {
      if (value === undefined) return "off";
      const { host, port } = value;
      return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
    },
  });

/** From `least` to 64 hexadecimal digits. */
export function hex(least: number): ValueType<string> {
  const allowed = least === 64 ? "64 hexadecimal digits" : `${least} to 64 hexadecimal digits`;
  return valueType(
    "hex",
    allowed,
    (text) =>
      /^[0-9a-f]{1,64}$/i.test(text) && text.length >= least
        ? { value: text.toLowerCase() }
        : undefined,
  );
}

/** A folder on the seeds, with or without a slash at its end. */
export const FOLDER: ValueType<string> = valueType(
  "folder",
  "a folder below the served one",
  (text) => {
    const name = text.replace(/\/$/, "");
    return invalidNameReason(name) === undefined ? { value: name } : undefined;
  },
);

const NAME_ALLOWED = "a path below the served folder";

/** A file's name on the seeds, a glob over such names, or a folder, `photos/`, which becomes `photos/**`. */
export const NAME: ValueType<string> = valueType("name", NAME_ALLOWED, (text) => {
  const isFolder = text.endsWith("/") && invalidNameReason(text.slice(0, -1)) === undefined;
  if (isFolder) return { value: `${text}**` };
  const reason = invalidNameReason(text);
  if (reason === undefined) return { value: text };
  throw new InvalidValueError(`${NAME_ALLOWED}, but ${reason}`, nameHint(text));
});

/** The path of a manifest file; one without a folder in front would also be a name on a seed. */
const MANIFEST_PATH = /^(?:\.{0,2}[/\\]|[a-z]:[/\\]).*\.p2p$/is;

/** Whether `get` takes a text for a link or a manifest file, and not for a name on the seeds. */
export function isLinkOrFile(text: string): boolean {
  return isLink(text) || MANIFEST_PATH.test(text);
}

const WANTED_ALLOWED = "a path below the served folder, a link, or the path of a .p2p file";

/** What `get` downloads: a name, a glob, a link, or the path of a manifest file. */
export const WANTED: ValueType<string> = valueType("name", WANTED_ALLOWED, (text) => {
  if (!isLinkOrFile(text)) return { value: NAME.parse(text) };
  // Its error says what is wrong with the link.
  if (isLink(text)) parseLink(text);
  return { value: text };
});

/** A field of HTTP; the value may be secret and is never shown. */
export const HEADER: ValueType<readonly [name: string, value: string]> = valueType(
  "field",
  '"Name: value", with a name that p2p does not set itself',
  (text) => {
    const [, name = "", value = ""] =
      text.match(/^([!#$%&'*+.^\w|~-]+):[ \t]*([^\0\r\n]*?)[ \t]*$/) ?? [];
    if (name === "" || OWN_FIELDS.test(name)) return undefined;
    return { value: [name.toLowerCase(), value] as const };
  },
  { format: ([name]) => `${name}: …` },
);

/** Other values of these would break the transfer. */
const OWN_FIELDS =
  /^(?:accept-encoding|connection|content-length|host|if-.*|range|transfer-encoding)$/i;

/** A hint for a URL, or for a path that a shell completed; neither is a name on a seed. */
function nameHint(text: string): string | undefined {
  if (/^(?:https?|tls|p2p):\/\//i.test(text)) return urlHint(text);
  const parts = text.split("/").filter((part) => part !== "" && part !== ".");
  const name = parts.join("/") + (text.endsWith("/") ? "/" : "");
  return invalidNameReason(parts.join("/")) !== undefined
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
    const address = formatSourceAddress(parseSourceAddress(seed)).replace(`:${DEFAULT_PORT}`, "");
    return `Give name and seed apart: p2p get ${shellWord(name)} --seed ${shellWord(address)}`;
  } catch {
    return undefined;
  }
}
