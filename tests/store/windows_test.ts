/** Downloads on a disk that behaves like Windows. */
import { assertEquals, assertThrows } from "@std/assert";
import { sha256 } from "../../core/base/digest.ts";
import { adoptPartial } from "../../core/store/partials.ts";
import { PartFile } from "../../core/store/part_file.ts";
import { type StoredContent, StoredFile } from "../../core/store/stored_file.ts";
import { never, OPTIONS, pieceOf, unverified, verified } from "./support.ts";
import { windowsDisk } from "./windows_disk.ts";
import { bytesOf } from "../support/bytes.ts";
import { MemoryFolder } from "../support/temp_folder.ts";

const TEXT = "piece 0,piece 1,piece 2,pie";
const OTHER = "PIECE 0,PIECE 1,PIECE 2,PIE";
const SHA256 = sha256(bytesOf(TEXT)).toHex();
const FINISH = { policy: "rename", sync: "finish", sha256: SHA256 } as const;

function open(folder: MemoryFolder, content: StoredContent, name = "a.txt"): Promise<StoredFile> {
  const options = { ...OPTIONS, disk: windowsDisk(), platform: "windows" };
  return StoredFile.open(folder.pathOf(name), content, options, never);
}

function fill(file: StoredFile, text = TEXT): void {
  for (const piece of file.missing) file.write(piece, pieceOf(text, piece));
}

const contents = [
  { what: "with a manifest", content: verified(TEXT) },
  { what: "without one", content: unverified(TEXT) },
];
for (const { what, content } of contents) {
  Deno.test(`StoredFile resumes and completes a file on Windows ${what}`, async () => {
    using folder = new MemoryFolder();
    {
      using file = await open(folder, content);
      file.write(1, pieceOf(TEXT, 1));
    }
    using file = await open(folder, content);
    assertEquals(file.missing, [0, 2, 3]);
    fill(file);
    assertEquals(await file.sha256(never), SHA256);
    const placed = await file.finish(FINISH, never);
    assertEquals(placed, { path: folder.pathOf("a.txt"), how: "downloaded" });
    assertEquals([folder.names(), folder.read("a.txt")], [["a.txt"], TEXT]);
  });
}

Deno.test("StoredFile.finish() replaces another file on Windows when the policy is overwrite", async () => {
  using folder = new MemoryFolder();
  using file = await open(folder, verified(TEXT));
  fill(file);
  folder.write("a.txt", "old");
  await file.finish({ ...FINISH, policy: "overwrite" }, never);
  assertEquals([folder.names(), folder.read("a.txt")], [["a.txt"], TEXT]);
});

Deno.test("StoredFile.finish() removes the part file on Windows when the target appeared meanwhile", async () => {
  using folder = new MemoryFolder();
  using file = await open(folder, verified(TEXT));
  fill(file);
  folder.write("a.txt", TEXT);
  assertEquals((await file.finish(FINISH, never))?.how, "already-there");
  assertEquals(folder.names(), ["a.txt"]);
});

for (const { what, content } of contents) {
  Deno.test(`StoredFile.reject() removes or quarantines a file on Windows ${what}`, async () => {
    using folder = new MemoryFolder();
    using file = await open(folder, content);
    fill(file);
    const kept = file.reject();
    assertEquals(folder.names(), content.manifest ? [] : ["a.txt~unverified.p2p-part"]);
    assertEquals(kept, content.manifest ? undefined : folder.pathOf("a.txt~unverified.p2p-part"));
  });
}

Deno.test("StoredFile.open() quarantines another content's part file on Windows", async () => {
  using folder = new MemoryFolder();
  {
    using other = await open(folder, verified(OTHER));
    other.write(0, pieceOf(OTHER, 0));
  }
  using file = await open(folder, verified(TEXT));
  fill(file);
  await file.finish(FINISH, never);
  const mark = verified(OTHER).manifest!.id.slice(0, 8);
  assertEquals(folder.names(), [
    "a.txt",
    `a.txt~${mark}.p2p-journal`,
    `a.txt~${mark}.p2p-part`,
  ]);
});

Deno.test("adoptPartial() moves a part file to another name on Windows", async () => {
  using folder = new MemoryFolder();
  {
    using file = await open(folder, verified(TEXT), "b.txt");
    file.write(2, pieceOf(TEXT, 2));
  }
  const options = { disk: windowsDisk(), platform: "windows" };
  adoptPartial(
    folder.pathOf("a.txt"),
    verified(TEXT),
    { others: [folder.pathOf("b.txt")] },
    options,
  );
  using file = await open(folder, verified(TEXT));
  assertEquals(file.missing, [0, 1, 3]);
});

for (const platform of ["linux", "darwin"]) {
  Deno.test(`PartFile.moveTo() keeps the lock when the platform is ${platform}`, () => {
    using folder = new MemoryFolder();
    using part = PartFile.open(folder.pathOf("a.part"), { platform });
    part.moveTo(folder.pathOf("b.part"));
    assertThrows(
      () => PartFile.open(folder.pathOf("b.part"), { platform }),
      Error,
      "another p2p works on it",
    );
  });
}
