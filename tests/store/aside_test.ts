/** Parts of other contents stay, are used when their content is wanted again, and go in the end. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { ConflictError } from "../../core/base/errors.ts";
import {
  asidesIn,
  asidesWith,
  asideTarget,
  removeAsides,
  removeOldAsides,
} from "../../core/store/aside.ts";
import { removePartial } from "../../core/store/partial.ts";
import { StoredFile } from "../../core/store/stored_file.ts";
import { begin, never, runDownload, TempFolder, TERMS, unverified, verified } from "./support.ts";

const TEXT = "piece 0,piece 1,piece 2,pie";
const OTHER = "PIECE 0,PIECE 1,PIECE 2,PIE";
const ID = verified(TEXT).manifest!.id;
const MARK = ID.slice(0, 8);
const DAY_MS = 24 * 60 * 60 * 1000;

const places = [
  { name: "a.txt", renamed: `a~${MARK}.txt` },
  { name: "a", renamed: `a~${MARK}` },
  { name: "é".repeat(127), renamed: undefined },
];
for (const { name, renamed } of places) {
  Deno.test(`a part of "${name.slice(0, 9)}" that was set aside is used when its content is wanted again`, async () => {
    using folder = new TempFolder();
    const target = folder.of(name);
    await begin(target, TEXT, [0, 2]);
    await runDownload({ target, text: OTHER, content: verified(OTHER) }, TERMS);
    assertEquals(asidesWith(ID, target).length, 1);
    // The name is taken now, so this content gets another one.
    const second = folder.of(renamed ?? "other");
    using file = await StoredFile.open(
      second,
      verified(TEXT),
      TERMS,
      never,
      asidesWith(ID, target),
    );
    assertEquals([file.resumed.pieces, file.resumed.rehashed, file.missing], [2, 0, [1, 3]]);
    // The other file, and the part and journal of this one.
    assertEquals(folder.names().length, 3);
  });
}

Deno.test("a part that was set aside is used when another content is unfinished in its place", async () => {
  using folder = new TempFolder();
  const target = folder.of("a.txt");
  await begin(target, TEXT, [0, 2]);
  await begin(target, OTHER, [1], verified(OTHER));
  const asides = asidesWith(ID, target);
  using file = await StoredFile.open(target, verified(TEXT), TERMS, never, asides);
  assertEquals([file.resumed.pieces, file.missing], [2, [1, 3]]);
  assertEquals(asidesWith(verified(OTHER).manifest!.id, target).length, 1);
});

Deno.test("a part that version 0.1.0 set aside is used when its content is wanted again", async () => {
  using folder = new TempFolder();
  await begin(folder.of("a"), TEXT, [0, 2]);
  for (const suffix of [".p2p-part", ".p2p-journal"]) {
    Deno.renameSync(folder.of(`a${suffix}`), folder.of(`a~${MARK}${suffix}`));
  }
  const asides = asidesWith(ID, folder.of("a"));
  using file = await StoredFile.open(folder.of("a"), verified(TEXT), TERMS, never, asides);
  assertEquals(file.resumed.pieces, 2);
});

Deno.test("a part that was set aside stays there when its journal is of another content", async () => {
  using folder = new TempFolder();
  const target = folder.of("a.txt");
  await begin(asideTarget(target, MARK), OTHER, [0], verified(OTHER));
  using file = await StoredFile.open(
    target,
    verified(TEXT),
    TERMS,
    never,
    asidesWith(ID, target),
  );
  assertEquals([file.resumed.pieces, asidesWith(ID, target).length], [0, 1]);
});

/** Set-aside parts of "a.txt" and "a", and what looks like some and is none. */
async function setAsides(folder: TempFolder): Promise<void> {
  for (const name of ["a.txt", "a"]) {
    await begin(folder.of(name), TEXT, [0]);
    await begin(folder.of(name), OTHER, [0], verified(OTHER));
    await begin(folder.of(name), TEXT, [0], unverified(TEXT));
  }
  folder.write(`a~${MARK}.p2p-part`, "a download of other bytes than are at a");
  folder.write(`a.txt~${MARK}`, "a file");
}

Deno.test("removePartial() removes what was set aside for the target, and nothing else", async () => {
  using folder = new TempFolder();
  await setAsides(folder);
  removePartial(folder.of("a.txt"));
  removePartial(folder.of("a"));
  assertEquals(folder.names(), [`a.txt~${MARK}`, `a~${MARK}.p2p-part`]);
});

Deno.test("removeAsides() leaves the parts of another target", async () => {
  using folder = new TempFolder();
  await setAsides(folder);
  const before = folder.names().filter((name) => !name.startsWith("a.txt~"));
  removeAsides(folder.of("a.txt"));
  assertEquals(folder.names(), [...before, `a.txt~${MARK}`].sort());
});

Deno.test("asidesIn() lists what was set aside in a folder", async () => {
  using folder = new TempFolder();
  await setAsides(folder);
  const found = asidesIn(folder.path);
  assertEquals(found.length, 4);
  assert(found.every(({ path, since }) => /~.*p2p-part$/.test(path) && since > 0));
  assertEquals(asidesIn(folder.of("nowhere")), []);
});

Deno.test("forgetOldAsides() removes what was set aside 30 days ago, and nothing else", async () => {
  using folder = new TempFolder();
  await setAsides(folder);
  const before = folder.names();
  const now = Date.now();
  await removeOldAsides(folder.path, now + 29 * DAY_MS, undefined, never);
  assertEquals(folder.names(), before);
  const stranger = { uid: (Deno.uid() ?? 0) + 1, umask: 0 };
  await removeOldAsides(folder.path, now + 31 * DAY_MS, stranger, never);
  assertEquals(folder.names(), before);
  await removeOldAsides(folder.path, now + 31 * DAY_MS, undefined, never);
  const left = before.filter((name) =>
    !/~~|txt~|unverified/.test(name) || name === `a.txt~${MARK}`
  );
  assertEquals(folder.names(), left);
});

Deno.test("StoredFile leaves no journal aside when the journal is not of its part", async () => {
  using folder = new TempFolder();
  await begin(folder.of("a.txt"), TEXT, [0]);
  Deno.writeTextFileSync(folder.of("a.txt.p2p-journal"), "torn");
  await runDownload({ target: folder.of("a.txt"), text: TEXT, content: verified(TEXT) }, TERMS);
  assertEquals(folder.names(), ["a.txt"]);
});

Deno.test("removePartial() leaves what another download works on", async () => {
  using folder = new TempFolder();
  await begin(folder.of("a.txt"), TEXT, [0]);
  using _other = await StoredFile.open(folder.of("a.txt"), verified(TEXT), TERMS, never);
  assertThrows(() => removePartial(folder.of("a.txt")), ConflictError, "another p2p works on it");
  assertEquals(folder.names().length, 2);
});
