/**
 * Finds parsers that take more than linear time. Random inputs seldom do: what is
 * slow is long and regular. So each pattern here is repeated to two lengths, and the
 * time may grow little more than the length.
 */
import { leastCpuMs, runOnce } from "./fuzzer.ts";
import { bytesOf, type Target } from "./target.ts";

/** Makes a text of about `length` characters. */
type Pattern = (length: number) => string;

function repeated(unit: string, before = "", behind = ""): Pattern {
  return (length) => before + unit.repeat(Math.ceil(length / unit.length)) + behind;
}

function nested(open: string, inner: string, close: string): Pattern {
  return (length) => {
    const depth = Math.ceil(length / (open.length + close.length));
    return open.repeat(depth) + inner + close.repeat(depth);
  };
}

function numbered(unit: (i: number) => string, before = "", behind = ""): Pattern {
  return (length) => {
    const count = Math.ceil(length / unit(100_000).length);
    return before + Array.from({ length: count }, (_, i) => unit(i)).join("") + behind;
  };
}

export const PATTERNS: Readonly<Record<string, Pattern>> = {
  "escaped quotes in a string that is not closed": repeated('\\"', '"'),
  "escaped quotes in a string": repeated('\\"', '{"a":"', '"}\n'),
  "backslashes": repeated("\\"),
  "quotes": repeated('"'),
  "escaped characters": repeated("\\u0061", '{"name":"', '","size":1,"modified":1}\n'),
  "nested arrays": nested("[", "1", "]"),
  "arrays that are not closed": repeated("["),
  "nested objects": nested('{"a":', "1", "}"),
  "nested objects in lines": (length) => nested('{"a":', "1", "}")(length) + "\n",
  "a long number": repeated("1", '{"size":', "}\n"),
  "a long fraction": repeated("1", '{"size":0.', "}\n"),
  "digits": repeated("9"),
  "many numbers": repeated("1,", "[", "1]"),
  "many keys": numbered((i) => `"k${i}":1,`, "{", '"k":1}'),
  "many numeric keys": numbered((i) => `"${i * 7919}":1,`, "{", '"k":1}'),
  "the same key again": repeated('"a":1,', "{", '"a":1}'),
  "empty lines": repeated("\n"),
  "lines that end in CR": repeated("\r\n"),
  "CR": repeated("\r"),
  "spaces": repeated(" "),
  "spaces before another character": repeated(" ", "", "x"),
  "spaces and line ends": repeated(" \n"),
  "NUL": repeated("\0"),
  "pairs": numbered((i) => `k${i}=1 `, "OK 0 "),
  "bars": repeated("|", "DOWNLOAD "),
  "slashes": repeated("/"),
  "parts of a name": repeated("a/"),
  "dots": repeated("."),
  "tildes": repeated("~0"),
  "colons": repeated(":"),
  "minus signs": repeated("-"),
  "letters": repeated("a"),
  "commas": repeated(","),
  "replies": repeated("OK 0\n"),
  "sizes": repeated("SIZE:"),
  "errors": repeated("ERROR:"),
  "error numbers": repeated(" (os error 1"),
  "names in lines": numbered((i) => `n${i}\n`),
  "entries": numbered((i) => `{"name":"n${1e6 + i}","size":1,"modified":1}\n`),
  "characters of two units": repeated("😀"),
  "lone surrogates": repeated("\\ud800", '"', '"'),
  "bytes that are not UTF-8": repeated("\ufffd"),
};

const LENGTH = 32 * 1024;
const FACTOR = 16;
/** Allowed besides linear growth: caches, and memory that has to be collected. */
const SLACK = 4;
/** What is below is not worth measuring again: quadratic time takes much longer for this length. */
const QUICK_MS = 30;

/** Why `target` takes too long for the pattern, alone or inside a good input; undefined when it does not. */
export async function growthFault(target: Target, pattern: Pattern): Promise<string | undefined> {
  for (const around of [new Uint8Array(), target.seeds[0]!]) {
    const short = inserted(around, bytesOf(pattern(LENGTH / FACTOR)));
    const long = inserted(around, bytesOf(pattern(LENGTH)));
    if (!isMore(await wallMs(target, long), await wallMs(target, short))) continue;
    const [longMs, shortMs] = [await leastCpuMs(target, long), await leastCpuMs(target, short)];
    if (!isMore(longMs, shortMs)) continue;
    return `${short.length} bytes take ${shortMs.toFixed(1)} ms, ${long.length} take ${
      longMs.toFixed(1)
    } ms`;
  }
  return undefined;
}

function isMore(longMs: number, shortMs: number): boolean {
  return longMs > QUICK_MS + shortMs * FACTOR * SLACK;
}

async function wallMs(target: Target, input: Uint8Array): Promise<number> {
  const startedAt = performance.now();
  await runOnce(target, input);
  return performance.now() - startedAt;
}

/** `part` in the middle of `around`. */
function inserted(around: Uint8Array, part: Uint8Array): Uint8Array {
  const at = around.length >> 1;
  const all = new Uint8Array(around.length + part.length);
  all.set(around.subarray(0, at));
  all.set(part, at);
  all.set(around.subarray(at), at + part.length);
  return all;
}
