/** Files to download: the same bytes every time, and such that no compression helps. */
import { createHash } from "node:crypto";
import { join } from "@std/path";

export interface MadeFile {
  readonly name: string;
  readonly size: number;
  /** Hex. */
  readonly sha256: string;
}

const BLOCK_BYTES = 1024 * 1024;

/** Makes `count` files of `size` bytes in the new folder `dir`; `stem` begins their names. */
export function makeFiles(
  dir: string,
  stem: string,
  { count, size }: { readonly count: number; readonly size: number },
): MadeFile[] {
  Deno.mkdirSync(dir, { recursive: true });
  const digits = String(count - 1).length;
  return Array.from({ length: count }, (_, i) => {
    const name = `${stem}-${String(i).padStart(digits, "0")}`;
    return { name, size, sha256: makeFile(join(dir, name), size, i + 1) };
  });
}

/** @param dice not 0; another one, other bytes. @returns the digest. */
function makeFile(path: string, size: number, dice: number): string {
  using file = Deno.openSync(path, { write: true, createNew: true });
  const hash = createHash("sha256");
  const words = new Uint32Array(BLOCK_BYTES / 4);
  const bytes = new Uint8Array(words.buffer);
  let state = Math.imul(dice, 0x9E3779B1) | 0;
  for (let left = size; left > 0; left -= BLOCK_BYTES) {
    state = scatter(words, state);
    const block = bytes.subarray(0, Math.min(left, BLOCK_BYTES));
    hash.update(block);
    for (let at = 0; at < block.length;) at += file.writeSync(block.subarray(at));
  }
  return hash.digest("hex");
}

/** Xorshift, which comes round only after 16 GiB; several times as fast here as a cipher. @returns the state to go on from. */
function scatter(words: Uint32Array, state: number): number {
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  return state;
}
