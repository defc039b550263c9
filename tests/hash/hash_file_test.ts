import { clearImmediate, setImmediate } from "node:timers";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { sha256 } from "../../core/base/digest.ts";
import { layoutOf, rangeOfPiece } from "../../core/base/pieces.ts";
import { hashFile, mapPieces, type ReadAt } from "../../core/hash/hash_file.ts";
import { type Hasher, HasherPool, mainThreadHasher } from "../../core/hash/pool.ts";
import { readerOf as diskReader } from "../../core/store/hashing.ts";
import { startHasher } from "../support/hasher.ts";
import { patternOf } from "../support/bytes.ts";

const MIB = 1_048_576;
const CONTENT = patternOf(7 * MIB + 5);
const LAYOUT = layoutOf(CONTENT.length);
const PIECES = Array.from({ length: LAYOUT.count }, (_, piece) => piece);
const never = new AbortController().signal;

const kinds: { what: string; make: () => Hasher & Partial<Disposable> }[] = [
  { what: "this thread", make: () => mainThreadHasher },
  { what: "one worker", make: () => new HasherPool(1, startHasher, 0) },
  { what: "two workers", make: () => new HasherPool(2, startHasher, 0) },
];

/** Reads `content` as if it were a file. */
function readerOf(content: Uint8Array): ReadAt {
  return (into, position) => {
    const bytes = content.subarray(position, position + into.length);
    into.set(bytes);
    return Promise.resolve(bytes.length);
  };
}

function pieceOf(piece: number): Uint8Array {
  const { start, end } = rangeOfPiece(LAYOUT, piece);
  return CONTENT.subarray(start, end);
}

for (const { what, make } of kinds) {
  Deno.test(`hashFile() returns the digests of all pieces and of the whole when it uses ${what}`, async () => {
    const hasher = make();
    const progress: number[] = [];
    const onProgress = (done: number) => void progress.push(done);
    const read = readerOf(CONTENT);
    const digests = await hashFile(read, CONTENT.length, { hasher, signal: never, onProgress });
    assertEquals(digests.sha256, sha256(CONTENT).toHex());
    const pieces = PIECES.map((piece) => sha256(pieceOf(piece)).toHex());
    assertEquals(digests.pieces.toHex(), pieces.join(""));
    assertEquals(progress, PIECES.map((piece) => rangeOfPiece(LAYOUT, piece).end));
    const whole = await hashFile(read, CONTENT.length, { hasher, signal: never, pieces: false });
    assertEquals(whole.sha256, digests.sha256);
    hasher[Symbol.dispose]?.();
  });

  Deno.test(`hashFile() throws what a read throws when it uses ${what}`, async () => {
    const hasher = make();
    const read: ReadAt = (into, position) =>
      position < 2 * MIB
        ? readerOf(CONTENT)(into, position)
        : Promise.reject(new Error("it changed"));
    const hashing = hashFile(read, CONTENT.length, { hasher, signal: never });
    await assertRejects(() => hashing, Error, "it changed");
    hasher[Symbol.dispose]?.();
  });

  Deno.test(`hashFile() throws the signal's reason when it aborts and ${what} hashes`, async () => {
    const hasher = make();
    const stop = new AbortController();
    const onProgress = () => stop.abort(new Error("enough"));
    const options = { hasher, signal: stop.signal, onProgress };
    const hashing = hashFile(readerOf(CONTENT), CONTENT.length, options);
    await assertRejects(() => hashing, Error, "enough");
    hasher[Symbol.dispose]?.();
  });

  Deno.test(`mapPieces() yields the chosen pieces in order, the last one cut short, when it uses ${what}`, async () => {
    const hasher = make();
    const read = readerOf(CONTENT.subarray(0, 6 * MIB + 1));
    const work = (bytes: Uint8Array) => hasher.sha256(bytes);
    const seen: [number, number][] = [];
    for await (
      const { piece, bytes, result } of mapPieces(read, LAYOUT, [5, 0, 1, 2, 3, 6], work, {
        hasher,
        signal: never,
      })
    ) {
      assertEquals(result.toHex(), sha256(bytes).toHex());
      assertEquals(bytes, pieceOf(piece).subarray(0, bytes.length));
      seen.push([piece, bytes.length]);
    }
    assertEquals(seen, [[5, MIB], [0, MIB], [1, MIB], [2, MIB], [3, MIB], [6, 1]]);
    hasher[Symbol.dispose]?.();
  });
}

Deno.test("mapPieces() reads ahead of the piece that is hashed, and not while the caller handles one", async () => {
  const hasher: Hasher = { ...mainThreadHasher, usesWorker: () => true };
  let reads = 0;
  let reading = 0;
  const read: ReadAt = async (into, position) => {
    reads++;
    reading++;
    const count = await readerOf(CONTENT)(into, position);
    reading--;
    return count;
  };
  const readsBefore: number[] = [];
  const work = (bytes: Uint8Array) => hasher.sha256(bytes);
  for await (const _ of mapPieces(read, LAYOUT, PIECES, work, { hasher, signal: never })) {
    readsBefore.push(reads);
    assertEquals(reading, 0);
  }
  assertEquals(readsBefore, PIECES.map((piece) => Math.min(piece + 3, PIECES.length)));
});

Deno.test("hashFile() handles other events between any two pieces of a file", async () => {
  using hasher = new HasherPool(1, startHasher, 0);
  const path = Deno.makeTempFileSync();
  Deno.writeFileSync(path, CONTENT);
  using file = Deno.openSync(path);
  Deno.removeSync(path);
  let turns = 0;
  let turn = setImmediate(function next() {
    turns++;
    turn = setImmediate(next);
  });
  const turnsAt: number[] = [];
  const onProgress = () => void turnsAt.push(turns);
  const options = { hasher, signal: never, onProgress };
  const { sha256: digest } = await hashFile(diskReader(file), CONTENT.length, options);
  clearImmediate(turn);
  assertEquals(digest, sha256(CONTENT).toHex());
  assert(turns >= PIECES.length, turnsAt.join());
});
