import { assertEquals, assertRejects } from "@std/assert";
import { reusePieces } from "../../core/store/reuse.ts";
import { never, open, TestAbort, verified } from "./support.ts";
import { MemoryFolder } from "../support/temp_folder.ts";

// Four pieces of eight bytes, the last one short.
const TEXT = "piece 0,piece 1,piece 2,pie";

const cases = [
  { name: "the same bytes", old: TEXT, missing: [] },
  { name: "another piece in the middle", old: "piece 0,PIECE 1,piece 2,pie", missing: [1] },
  { name: "a longer file", old: `${TEXT}ce 3, and more`, missing: [] },
  { name: "a shorter file", old: "piece 0,piece 1,pi", missing: [2, 3] },
  { name: "bytes that moved", old: ` ${TEXT}`, missing: [0, 1, 2, 3] },
  { name: "an empty file", old: "", missing: [0, 1, 2, 3] },
];
for (const { name, old, missing } of cases) {
  Deno.test(`reusePieces() copies the pieces that are right: ${name}`, async () => {
    using folder = new MemoryFolder();
    folder.write("old", old);
    const content = verified(TEXT);
    using file = await open(folder.pathOf("a.txt"), content);
    const reused = await reusePieces(file, content.manifest!, folder.pathOf("old"), never);
    assertEquals(file.missing, missing);
    assertEquals(reused, file.held().bytes);
    assertEquals(folder.read("old"), old);
  });
}

Deno.test("reusePieces() copies nothing where there is no file, or a folder", async () => {
  using folder = new MemoryFolder();
  Deno.mkdirSync(folder.pathOf("folder"));
  const content = verified(TEXT);
  using file = await open(folder.pathOf("a.txt"), content);
  for (const name of ["nothing", "folder"]) {
    assertEquals(await reusePieces(file, content.manifest!, folder.pathOf(name), never), 0);
  }
});

Deno.test("reusePieces() reads only pieces that are missing", async () => {
  using folder = new MemoryFolder();
  folder.write("old", TEXT);
  const content = verified(TEXT);
  using file = await open(folder.pathOf("a.txt"), content);
  file.write(0, new TextEncoder().encode("piece 0,"));
  const reused = await reusePieces(file, content.manifest!, folder.pathOf("old"), never);
  assertEquals([reused, file.missing], [TEXT.length - 8, []]);
});

Deno.test("reusePieces() ends when its signal aborts", async () => {
  using folder = new MemoryFolder();
  folder.write("old", TEXT);
  const content = verified(TEXT);
  using file = await open(folder.pathOf("a.txt"), content);
  const signal = AbortSignal.abort(new TestAbort());
  const path = folder.pathOf("old");
  await assertRejects(() => reusePieces(file, content.manifest!, path, signal), TestAbort);
});
