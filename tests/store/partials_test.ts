/** Part files of other contents are quarantined, used when their content is wanted again, and removed in the end. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { ConflictError } from "../../core/base/errors.ts";
import {
  quarantinedPartsIn,
  removeOldQuarantined,
  removePartial,
  removeQuarantined,
} from "../../core/store/partials.ts";
import { parseQuarantined, quarantineTarget } from "../../core/store/paths.ts";
import { StoredFile } from "../../core/store/stored_file.ts";
import { begin, never, OPTIONS, runDownload, unverified, verified } from "./support.ts";
import { MemoryFolder } from "../support/temp_folder.ts";

const TEXT = "piece 0,piece 1,piece 2,pie";
const OTHER = "PIECE 0,PIECE 1,PIECE 2,PIE";
const ID = verified(TEXT).manifest!.id;
const MARK = ID.slice(0, 8);
const DAY_MS = 24 * 60 * 60 * 1000;

/** The number of part files in quarantine that are marked with this content. */
function partsOf(folder: MemoryFolder, id: string): number {
  const mark = id.slice(0, 8);
  return folder.names().filter((name) =>
    parseQuarantined(name)?.mark === mark && /part$/.test(name)
  )
    .length;
}

const places = [
  { name: "a.txt", renamed: `a~${MARK}.txt` },
  { name: "a", renamed: `a~${MARK}` },
  { name: "é".repeat(127), renamed: undefined },
];
for (const { name, renamed } of places) {
  Deno.test(`StoredFile.open() adopts a quarantined part file of "${name.slice(0, 9)}" when its content is wanted again`, async () => {
    using folder = new MemoryFolder();
    const target = folder.pathOf(name);
    await begin(target, TEXT, [0, 2]);
    await runDownload({ target, text: OTHER, content: verified(OTHER) }, OPTIONS);
    assertEquals(partsOf(folder, ID), 1);
    // The name is taken now, so this content gets another one.
    const second = folder.pathOf(renamed ?? "other");
    const hints = { requested: target };
    using file = await StoredFile.open(second, verified(TEXT), OPTIONS, never, hints);
    assertEquals([file.resumed.pieces, file.resumed.rehashed, file.missing], [2, 0, [1, 3]]);
    // The other file, and the part and journal of this one.
    assertEquals(folder.names().length, 3);
  });
}

Deno.test("StoredFile.open() adopts a quarantined part file when another content is unfinished in its place", async () => {
  using folder = new MemoryFolder();
  const target = folder.pathOf("a.txt");
  await begin(target, TEXT, [0, 2]);
  await begin(target, OTHER, [1], verified(OTHER));
  using file = await StoredFile.open(target, verified(TEXT), OPTIONS, never);
  assertEquals([file.resumed.pieces, file.missing], [2, [1, 3]]);
  assertEquals(partsOf(folder, verified(OTHER).manifest!.id), 1);
});

Deno.test("StoredFile.open() adopts a part file that version 0.1.0 quarantined", async () => {
  using folder = new MemoryFolder();
  await begin(folder.pathOf("a"), TEXT, [0, 2]);
  for (const suffix of [".p2p-part", ".p2p-journal"]) {
    Deno.renameSync(folder.pathOf(`a${suffix}`), folder.pathOf(`a~${MARK}${suffix}`));
  }
  using file = await StoredFile.open(folder.pathOf("a"), verified(TEXT), OPTIONS, never);
  assertEquals(file.resumed.pieces, 2);
});

Deno.test("StoredFile.open() leaves a quarantined part file whose journal is of another content", async () => {
  using folder = new MemoryFolder();
  const target = folder.pathOf("a.txt");
  await begin(quarantineTarget(target, MARK), OTHER, [0], verified(OTHER));
  using file = await StoredFile.open(target, verified(TEXT), OPTIONS, never);
  assertEquals([file.resumed.pieces, partsOf(folder, ID)], [0, 1]);
});

/** Quarantines part files of "a.txt" and "a", and adds files with similar names. */
async function quarantineSome(folder: MemoryFolder): Promise<void> {
  for (const name of ["a.txt", "a"]) {
    await begin(folder.pathOf(name), TEXT, [0]);
    await begin(folder.pathOf(name), OTHER, [0], verified(OTHER));
    await begin(folder.pathOf(name), TEXT, [0], unverified(TEXT));
  }
  folder.write(`a~${MARK}.p2p-part`, "a download of other bytes than are at a");
  folder.write(`a.txt~${MARK}`, "a file");
}

Deno.test("removePartial() removes what was quarantined for the target, and nothing else", async () => {
  using folder = new MemoryFolder();
  await quarantineSome(folder);
  removePartial(folder.pathOf("a.txt"));
  removePartial(folder.pathOf("a"));
  assertEquals(folder.names(), [`a.txt~${MARK}`, `a~${MARK}.p2p-part`]);
});

Deno.test("removeQuarantined() leaves the part files of another target", async () => {
  using folder = new MemoryFolder();
  await quarantineSome(folder);
  const before = folder.names().filter((name) => !name.startsWith("a.txt~"));
  removeQuarantined(folder.pathOf("a.txt"));
  assertEquals(folder.names(), [...before, `a.txt~${MARK}`].sort());
});

Deno.test("quarantinedPartsIn() lists the quarantined part files of a folder", async () => {
  using folder = new MemoryFolder();
  await quarantineSome(folder);
  const found = quarantinedPartsIn(folder.path);
  assertEquals(found.length, 4);
  assert(found.every(({ path, since }) => /~.*p2p-part$/.test(path) && since > 0));
  assertEquals(quarantinedPartsIn(folder.pathOf("nowhere")), []);
});

Deno.test("removeOldQuarantined() removes files that were quarantined 30 days ago, and nothing else", async () => {
  using folder = new MemoryFolder();
  await quarantineSome(folder);
  const before = folder.names();
  const now = Date.now();
  await removeOldQuarantined(folder.path, now + 29 * DAY_MS, undefined, never);
  assertEquals(folder.names(), before);
  const otherUser = { uid: (Deno.uid() ?? 0) + 1, umask: 0 };
  await removeOldQuarantined(folder.path, now + 31 * DAY_MS, otherUser, never);
  assertEquals(folder.names(), before);
  await removeOldQuarantined(folder.path, now + 31 * DAY_MS, undefined, never);
  const left = before.filter((name) =>
    !/~~|txt~|unverified/.test(name) || name === `a.txt~${MARK}`
  );
  assertEquals(folder.names(), left);
});

Deno.test("StoredFile quarantines no journal that is torn", async () => {
  using folder = new MemoryFolder();
  await begin(folder.pathOf("a.txt"), TEXT, [0]);
  Deno.writeTextFileSync(folder.pathOf("a.txt.p2p-journal"), "torn");
  await runDownload(
    { target: folder.pathOf("a.txt"), text: TEXT, content: verified(TEXT) },
    OPTIONS,
  );
  assertEquals(folder.names(), ["a.txt"]);
});

Deno.test("removePartial() throws ConflictError while another download works on the part file", async () => {
  using folder = new MemoryFolder();
  await begin(folder.pathOf("a.txt"), TEXT, [0]);
  using _other = await StoredFile.open(folder.pathOf("a.txt"), verified(TEXT), OPTIONS, never);
  assertThrows(
    () => removePartial(folder.pathOf("a.txt")),
    ConflictError,
    "another p2p works on it",
  );
  assertEquals(folder.names().length, 2);
});
