/** Whether what was downloaded is what was offered, byte by byte, and nothing besides. */
import { Buffer } from "node:buffer";
import { join } from "@std/path";

const BLOCK_BYTES = 1024 * 1024;

/** @throws {Error} naming the first difference between the files `names` of `source` and all of `out`. */
export function compareFolders(source: string, out: string, names: readonly string[]): void {
  const wanted = new Set(names);
  const there = new Set(Array.from(Deno.readDirSync(out), ({ name }) => name));
  const extra = there.difference(wanted).values().next().value;
  if (extra !== undefined) throw new Error(`"${extra}" was left behind in "${out}"`);
  const blocks = [new Uint8Array(BLOCK_BYTES), new Uint8Array(BLOCK_BYTES)] as const;
  for (const name of names) {
    if (!there.has(name)) throw new Error(`"${name}" did not arrive in "${out}"`);
    compareFiles(join(source, name), join(out, name), blocks);
  }
}

type Blocks = readonly [Uint8Array, Uint8Array];

function compareFiles(source: string, copy: string, [want, got]: Blocks): void {
  using ours = Deno.openSync(source);
  using theirs = Deno.openSync(copy);
  for (let at = 0;; at += want.length) {
    const wanted = want.subarray(0, fill(ours, want));
    const gotten = got.subarray(0, fill(theirs, got));
    if (Buffer.compare(wanted, gotten) !== 0) {
      throw new Error(`"${copy}" has other bytes than its source, at ${at} or soon after`);
    }
    if (wanted.length < want.length) return;
  }
}

/** How much could be read, less than asked for only at the end of the file. */
function fill(file: Deno.FsFile, into: Uint8Array): number {
  let count = 0;
  while (count < into.length) {
    const more = file.readSync(into.subarray(count));
    if (more === null) break;
    count += more;
  }
  return count;
}
