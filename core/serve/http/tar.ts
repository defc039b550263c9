/** Headers of tar archives: POSIX ustar, with pax headers for what does not fit (POSIX.1-2017, pax). Pure. */

export const TAR_BLOCK_BYTES = 512;
/** Two empty blocks end an archive. */
export const TAR_END = new Uint8Array(2 * TAR_BLOCK_BYTES);

const NAME_BYTES = 100;
const PREFIX_BYTES = 155;
/** Eleven octal digits. */
const MAX_USTAR_NUMBER = 0o77777777777;

const ENCODER = new TextEncoder();

export interface TarEntry {
  readonly name: string;
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly modified: number;
}

/** What precedes the bytes of a regular file: one block, or three and more with a pax header. */
export function tarHeader({ name, size, modified }: TarEntry): Uint8Array {
  const seconds = Math.max(0, Math.floor(modified / 1000));
  const split = splitName(name);
  const records = [
    ...split ? [] : [paxRecord("path", name)],
    ...size > MAX_USTAR_NUMBER ? [paxRecord("size", String(size))] : [],
    ...seconds > MAX_USTAR_NUMBER ? [paxRecord("mtime", String(seconds))] : [],
  ];
  const fallback = { prefix: "", name: truncated(name) };
  const block = headerBlock(split ?? fallback, size, seconds, "0");
  if (records.length === 0) return block;
  const pax = ENCODER.encode(records.join(""));
  const paxBlock = headerBlock({ prefix: "", name: "PaxHeader" }, pax.length, seconds, "x");
  const all = new Uint8Array(2 * TAR_BLOCK_BYTES + pax.length + paddingOf(pax.length));
  all.set(paxBlock);
  all.set(pax, TAR_BLOCK_BYTES);
  all.set(block, all.length - TAR_BLOCK_BYTES);
  return all;
}

/** Zeros behind a file, up to the next block. */
export function paddingOf(size: number): number {
  return (TAR_BLOCK_BYTES - size % TAR_BLOCK_BYTES) % TAR_BLOCK_BYTES;
}

interface SplitName {
  readonly prefix: string;
  readonly name: string;
}

/** undefined if the name fits nowhere, or is not ASCII: the encoding of a ustar name is not defined. */
function splitName(name: string): SplitName | undefined {
  if (!/^[\x20-\x7e]*$/.test(name)) return undefined;
  if (name.length <= NAME_BYTES) return { prefix: "", name };
  // The first slash that leaves a name which is short enough.
  const at = name.indexOf("/", name.length - NAME_BYTES - 1);
  if (at <= 0 || at > PREFIX_BYTES || at === name.length - 1) return undefined;
  return { prefix: name.slice(0, at), name: name.slice(at + 1) };
}

/** For programs that do not know pax. */
function truncated(name: string): string {
  return name.replace(/[^\x20-\x7e]/g, "_").slice(-NAME_BYTES).replace(/^\/+/, "");
}

/** `<length> <key>=<value>` LF, where the length counts its own digits. */
function paxRecord(key: string, value: string): string {
  const rest = ENCODER.encode(` ${key}=${value}\n`).length;
  let length = rest + String(rest).length;
  if (rest + String(length).length > length) length++;
  return `${length} ${key}=${value}\n`;
}

function headerBlock(
  { prefix, name }: SplitName,
  size: number,
  seconds: number,
  type: string,
): Uint8Array {
  const block = new Uint8Array(TAR_BLOCK_BYTES);
  const put = (text: string, at: number) => void ENCODER.encodeInto(text, block.subarray(at));
  put(name, 0);
  put("0000644\0", 100);
  put("0000000\0", 108);
  put("0000000\0", 116);
  put(octal(size), 124);
  put(octal(seconds), 136);
  put("        ", 148);
  put(type, 156);
  put("ustar\x0000", 257);
  put(prefix, 345);
  const sum = block.reduce((total, byte) => total + byte, 0);
  put(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}

/** A number that is too large is in the pax header. */
function octal(number: number): string {
  const fits = number <= MAX_USTAR_NUMBER ? number : 0;
  return `${fits.toString(8).padStart(11, "0")}\0`;
}
