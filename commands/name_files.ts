/** Files that say what to get: names or links, one a line, and the digests that `sha256sum` writes. */
import { P2pError, printable, reasonOf, UsageError } from "../core/mod.ts";
import type { Environment } from "./environment.ts";
import { CommandError } from "./ui/hints.ts";
import { NAME, parseValue, type ValueType, WANTED } from "./value_types.ts";

/** Standard input, in place of a file's path. */
const STANDARD_INPUT = "-";

/** A hundred thousand long names; more is another file by mistake. */
const MAX_NAME_FILE_BYTES = 16 * 1024 * 1024;

/** The text of such a file; of standard input for `-`. @throws {P2pError} if it cannot be read or is too long */
export async function readNameFile(
  { stdin }: Pick<Environment, "stdin">,
  path: string,
  signal: AbortSignal,
): Promise<string> {
  const parts: Uint8Array[] = [];
  let length = 0;
  try {
    const bytes = path === STANDARD_INPUT
      ? stdin.read(signal)
      : (await Deno.open(path, { read: true })).readable;
    for await (const part of bytes) {
      length += part.length;
      if (length > MAX_NAME_FILE_BYTES) {
        throw new UsageError(`Cannot use "${printable(path)}": it is longer than 16 MiB`);
      }
      parts.push(part);
    }
  } catch (error) {
    if (error instanceof P2pError) throw error;
    throw new CommandError("disk", `Cannot read "${printable(path)}": ${reasonOf(error)}`);
  }
  return await new Blob(parts as BlobPart[]).text();
}

interface Line {
  readonly text: string;
  /** From 1. */
  readonly number: number;
}

/**
 * The names, globs, folders and links of a file. Empty lines do not count, nor do those that begin
 * with `#`.
 *
 * @param file how messages name it.
 * @throws {CommandError} that names the line which is not valid.
 */
export function namesIn(text: string, file: string): string[] {
  const lines = linesOf(text, file).filter(({ text }) => !text.startsWith("#"));
  return Array.from(new Set(lines.map((line) => valid(WANTED, line.text, line, file))));
}

const HEX = "([0-9a-f]{64})";
/** `<digest> *<name>`, where a backslash in front says that the name is escaped. */
const GNU_LINE = new RegExp(String.raw`^(\\?)${HEX} [ *](.+)$`, "i");
const BSD_LINE = new RegExp(String.raw`^SHA256 \((.+)\) = ${HEX}$`, "i");

/**
 * The digests of a file that `sha256sum`, `shasum -a 256` or `sha256sum --tag` wrote, by name.
 *
 * @param file how messages name it.
 * @throws {CommandError} that names the line which is not valid.
 */
export function sumsIn(text: string, file: string): Map<string, string> {
  const sums = new Map<string, string>();
  for (const line of linesOf(text, file)) {
    if (line.text.startsWith("#")) continue;
    const { name, sha256 } = sumOf(line, file);
    const known = sums.get(name);
    if (known !== undefined && known !== sha256) {
      throw unusable(line, file, `"${printable(name)}" has another digest in a line before`);
    }
    sums.set(name, sha256);
  }
  if (sums.size === 0) throw new UsageError(`Cannot use "${printable(file)}": it has no digests`);
  return sums;
}

/** A line as `sha256sum` writes it. */
export function sumLine(name: string, sha256: string): string {
  const escaped = name.replace(
    /[\\\n\r]/g,
    (c) => c === "\\" ? "\\\\" : c === "\n" ? "\\n" : "\\r",
  );
  return `${escaped === name ? "" : "\\"}${sha256}  ${escaped}`;
}

function sumOf(line: Line, file: string): { readonly name: string; readonly sha256: string } {
  const [, escape, sha256, name] = line.text.match(GNU_LINE) ?? [];
  const [, tagged, digest] = line.text.match(BSD_LINE) ?? [];
  const written = escape === "\\" ? unescaped(name!) : name ?? tagged;
  if (written === undefined) throw unusable(line, file, "it must be a SHA-256 and a name");
  return {
    name: valid(NAME, written.replace(/^(?:\.\/)+/, ""), line, file),
    sha256: (sha256 ?? digest!).toLowerCase(),
  };
}

function unescaped(name: string): string {
  return name.replace(/\\(.)/g, (_, c) => c === "n" ? "\n" : c === "r" ? "\r" : c);
}

/** Lines that are not empty, without the ends of lines of either kind and a byte order mark. */
function linesOf(text: string, file: string): Line[] {
  if (text.includes("\0")) {
    throw new UsageError(`Cannot use "${printable(file)}": it is no text`);
  }
  return text.replace(/^\ufeff/, "").split("\n")
    .map((text, i) => ({ text: text.replace(/\r$/, ""), number: i + 1 }))
    .filter(({ text }) => text.trim() !== "");
}

function valid<T>(type: ValueType<T>, text: string, line: Line, file: string): T {
  try {
    return parseValue(type, text, "as name");
  } catch (error) {
    if (!(error instanceof P2pError)) throw error;
    throw unusable(line, file, error.message.replace(/^Cannot use /, ""));
  }
}

function unusable({ number }: Line, file: string, reason: string): CommandError {
  return new CommandError("usage", `Cannot use line ${number} of "${printable(file)}": ${reason}`);
}
