/**
 * Touches memory again before a timed run. On a virtual machine, memory that was freed some seconds
 * ago is slow to touch (measured: 0.35 s a GiB written, more than most differences between the
 * programs), so without this the runs fall into a fast and a slow group by chance.
 */
import { join } from "@std/path";

const MIB = 1024 * 1024;
/** Beyond what the run writes: its source's readers, buffers and tables. */
const SPARE_BYTES = 1024 * MIB;
const BLOCK_BYTES = 4 * MIB;

/** How much to touch for a run that writes `bytes`, on a machine with so much memory to spare. */
export function warmBytesFor(bytes: number, available: number): number {
  const wanted = bytes + Math.min(bytes, SPARE_BYTES) + 64 * MIB;
  return Math.min(wanted, Math.floor(available / 2));
}

/** Writes so many zeros into a file of `dir` and removes it, which leaves just-used memory behind. */
export function warm(dir: string, bytes: number): void {
  const path = join(dir, "warm");
  const zeros = new Uint8Array(BLOCK_BYTES);
  try {
    using file = Deno.openSync(path, { write: true, create: true, truncate: true });
    for (let left = bytes; left > 0;) {
      left -= file.writeSync(zeros.subarray(0, Math.min(left, BLOCK_BYTES)));
    }
  } finally {
    Deno.removeSync(path);
  }
}
