import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { RunningDigest, sha256 } from "../../../core/base/digest.ts";
import { type Hasher, HasherPool, mainThreadHasher } from "../../../core/hash/pool.ts";
import { openRoot } from "../../../core/serve/files/root.ts";
import { hashFile } from "../../../core/serve/manifests/hash_file.ts";
import {
  BLOCK_BYTES,
  type BorrowedHasher,
  HashWorkers,
} from "../../../core/serve/manifests/hash_workers.ts";
import { FileChangedError, openServed } from "../../../core/serve/files/open_file.ts";
import { startHasher } from "../../hash/support.ts";
import { patternOf, TempFolder, test } from "../support.ts";

const MIB = 1_048_576;
const CONTENT = patternOf(7 * MIB + 5);

const kinds: { what: string; make: () => Hasher & Partial<Disposable> }[] = [
  { what: "this thread", make: () => mainThreadHasher },
  { what: "one thread", make: () => new HasherPool(1, startHasher) },
  { what: "two threads", make: () => new HasherPool(2, startHasher) },
];

/** As `HashingThreads` lend them. */
function lentOf(hashers: Hasher): BorrowedHasher {
  const shared = () => new Uint8Array(new SharedArrayBuffer(BLOCK_BYTES));
  const blocks = Array.from({ length: hashers === mainThreadHasher ? 1 : 3 }, shared);
  return { hashers, blocks, [Symbol.dispose]() {} };
}

const calm = new AbortController().signal;

for (const { what, make } of kinds) {
  test(`hashFile() gives the digests of all pieces and of the whole when ${what} hashes`, async () => {
    using folder = new TempFolder();
    folder.write("a", CONTENT);
    using file = openServed(openRoot(folder.path, false), "a");
    const hashers = make();
    const progress: number[] = [];
    const manifest = await hashFile(file, lentOf(hashers), calm, (done) => progress.push(done));
    hashers[Symbol.dispose]?.();
    const whole = new RunningDigest();
    whole.update(CONTENT);
    assertEquals(manifest.sha256, whole.hex());
    const pieces = Array.from({ length: 8 }, (_, i) => CONTENT.subarray(i * MIB, (i + 1) * MIB));
    const digests = pieces.map((piece) => sha256(piece).toHex()).join("");
    assertEquals(manifest.digests.toHex(), digests);
    assertEquals(progress, pieces.map((_, i) => Math.min((i + 1) * MIB, CONTENT.length)));
  });

  test(`hashFile() throws FileChangedError when the file changes while ${what} hashes`, async () => {
    using folder = new TempFolder();
    folder.write("a", CONTENT);
    using file = openServed(openRoot(folder.path, false), "a");
    const hashers = make();
    const change = (done: number) => {
      if (done === 2 * MIB) folder.write("a", patternOf(CONTENT.length, 2));
    };
    await assertRejects(() => hashFile(file, lentOf(hashers), calm, change), FileChangedError);
    hashers[Symbol.dispose]?.();
  });

  test(`hashFile() throws the signal's reason when it aborts while ${what} hashes`, async () => {
    using folder = new TempFolder();
    folder.write("a", CONTENT);
    using file = openServed(openRoot(folder.path, false), "a");
    const hashers = make();
    const stop = new AbortController();
    const progress = () => stop.abort(new Error("enough"));
    await assertRejects(
      () => hashFile(file, lentOf(hashers), stop.signal, progress),
      Error,
      "enough",
    );
    hashers[Symbol.dispose]?.();
  });
}

test("HashingThreads.lend() makes threads for large files only, and ends them with the last one", () => {
  const made: HasherPool[] = [];
  const threads = new HashWorkers(() => {
    made.push(new HasherPool(0, startHasher));
    return made.at(-1)!;
  });
  const small = threads.lend(32 * MIB);
  assertEquals([small.hashers, made.length], [mainThreadHasher, 0]);
  small[Symbol.dispose]();
  assertStrictEquals(threads.lend(5).blocks[0], small.blocks[0]);
  const [one, two] = [threads.lend(33 * MIB), threads.lend(1e12)];
  assertEquals([one.hashers === two.hashers, made.length], [true, 1]);
  one[Symbol.dispose]();
  threads.lend(33 * MIB)[Symbol.dispose]();
  assertEquals(made.length, 1);
  two[Symbol.dispose]();
  threads.lend(33 * MIB)[Symbol.dispose]();
  assertEquals(made.length, 2);
});
