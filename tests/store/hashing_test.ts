import { assertEquals, assertRejects } from "@std/assert";
import { sha256 } from "../../core/base/digest.ts";
import { realDisk } from "../../core/store/disk.ts";
import { checkPieces, holds, sha256OfFile } from "../../core/store/hashing.ts";
import { manifestFor, never, TestAbort } from "./support.ts";
import { bytesOf } from "../support/bytes.ts";
import { MemoryFolder } from "../support/temp_folder.ts";

const TEXT = "the quick brown fox jumps";

const sizes = [
  { name: "empty", bytes: new Uint8Array() },
  { name: "shorter than a read", bytes: bytesOf(TEXT) },
  { name: "longer than a read", bytes: new Uint8Array(1024 * 1024 + 1).fill(7) },
];
for (const { name, bytes } of sizes) {
  Deno.test(`sha256OfFile() returns the digest of the whole file when it is ${name}`, async () => {
    using folder = new MemoryFolder();
    const digest = await sha256OfFile(folder.write("a", bytes), never);
    assertEquals(digest, sha256(bytes).toHex());
  });
}

Deno.test("sha256OfFile() throws the signal's reason when it aborts", async () => {
  using folder = new MemoryFolder();
  const path = folder.write("a", TEXT);
  const reason = new TestAbort("enough");
  await assertRejects(
    () => sha256OfFile(path, AbortSignal.abort(reason)),
    TestAbort,
    "enough",
  );
});

const contents = [
  { name: "the same bytes", text: TEXT, want: true },
  { name: "one byte less", text: TEXT.slice(0, -1), want: false },
  { name: "one byte more", text: TEXT + ".", want: false },
  { name: "another first byte", text: "T" + TEXT.slice(1), want: false },
  { name: "another last byte", text: TEXT.slice(0, -1) + "S", want: false },
  { name: "nothing", text: "", want: false },
];
for (const { name, text, want } of contents) {
  Deno.test(`holds() returns ${want} when the file has ${name}`, async () => {
    using folder = new MemoryFolder();
    assertEquals(await holds(folder.write("a", text), manifestFor(TEXT), never), want);
  });
}

Deno.test("holds() returns true when the file and the manifest are empty", async () => {
  using folder = new MemoryFolder();
  assertEquals(await holds(folder.write("a", ""), manifestFor(""), never), true);
});

Deno.test("holds() stops reading when a piece differs", async () => {
  using folder = new MemoryFolder();
  const path = folder.write("a", "T" + TEXT.slice(1));
  let reads = 0;
  const openSync = (path: string, options: Deno.OpenOptions) => {
    const file = Deno.openSync(path, options);
    const read = file.read.bind(file);
    file.read = (into) => (reads++, read(into));
    return file;
  };
  assertEquals(
    await holds(path, manifestFor(TEXT), never, { disk: { ...realDisk, openSync } }),
    false,
  );
  assertEquals(reads, 1);
});

Deno.test("checkPieces() judges all pieces, in order, when some are wrong or missing", async () => {
  using folder = new MemoryFolder();
  // Piece 1 is wrong, piece 3 is cut short.
  const path = folder.write("a", "the quic" + "XXXXXXXX" + "fox jump".padEnd(8));
  using file = await Deno.open(path, { read: true });
  const manifest = manifestFor("the quic" + "k brown " + "fox jump" + "s");
  const seen = [];
  for await (const verdict of checkPieces(file, manifest, never)) seen.push(verdict);
  assertEquals(seen, [
    { piece: 0, right: true },
    { piece: 1, right: false },
    { piece: 2, right: true },
    { piece: 3, right: false },
  ]);
});

Deno.test("checkPieces() throws the signal's reason when it aborts between two pieces", async () => {
  using folder = new MemoryFolder();
  using file = await Deno.open(folder.write("a", TEXT), { read: true });
  const stop = new AbortController();
  const judged: number[] = [];
  await assertRejects(async () => {
    for await (const { piece } of checkPieces(file, manifestFor(TEXT), stop.signal)) {
      judged.push(piece);
      stop.abort(new TestAbort("enough"));
    }
  }, TestAbort);
  assertEquals(judged, [0]);
});
