import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { sha256 } from "../../core/base/digest.ts";
import { ConflictError, DiskError } from "../../core/base/errors.ts";
import type { ConflictPolicy } from "../../core/config.ts";
import { type Disk, DiskFullError, realDisk } from "../../core/store/disk.ts";
import { DiskSpace } from "../../core/store/free_space.ts";
import { encodeIdentity, encodeRecord, parseJournal } from "../../core/store/journal.ts";
import { removeLeftovers, type StoredContent, StoredFile } from "../../core/store/stored_file.ts";
import { FrailDisk } from "./frail_disk.ts";
import {
  AFTER_REBOOT,
  begin,
  layoutFor,
  manifestFor,
  never,
  open,
  OPTIONS,
  pieceOf,
  TestAbort,
  unverified,
  verified,
} from "./support.ts";
import { bytesOf, textOf } from "../support/bytes.ts";
import { MemoryFolder } from "../support/temp_folder.ts";
import { symlink } from "../support/platform.ts";

const TEXT = "piece 0,piece 1,piece 2,pie";
const OTHER = "PIECE 0,PIECE 1,PIECE 2,PIE";
const CONTENT = verified(TEXT);
const SHA256 = sha256(bytesOf(TEXT)).toHex();
const PART = "a.txt.p2p-part";
const JOURNAL = "a.txt.p2p-journal";
const FINISH = { policy: "rename", sync: "finish", sha256: SHA256 } as const;

function fill(file: StoredFile, text = TEXT): void {
  for (const piece of file.missing) file.write(piece, pieceOf(text, piece));
}

/** The pieces that a run resumes with, and those that are missing. */
async function resumeOf(target: string, content: StoredContent = CONTENT, options = OPTIONS) {
  using file = await open(target, content, options);
  const { pieces, rehashed } = file.resumed;
  return { pieces, rehashed, missing: file.missing };
}

Deno.test("StoredFile.open() begins with all pieces missing when there is no part file", async () => {
  using folder = new MemoryFolder();
  using file = await open(folder.pathOf("a.txt"), CONTENT);
  assertEquals(file.resumed, { pieces: 0, bytes: 0, rehashed: 0 });
  assertEquals([file.missing, file.complete], [[0, 1, 2, 3], false]);
  assertEquals(folder.names(), [JOURNAL, PART]);
  assertEquals((await Deno.stat(folder.pathOf(PART))).size, TEXT.length);
});

Deno.test("StoredFile.write() completes the file in any order of the pieces", async () => {
  using folder = new MemoryFolder();
  using file = await open(folder.pathOf("a.txt"), CONTENT);
  for (const piece of [3, 1, 0]) file.write(piece, pieceOf(TEXT, piece));
  assertEquals([file.missing, file.complete], [[2], false]);
  file.write(2, pieceOf(TEXT, 2));
  assertEquals([file.missing, file.complete], [[], true]);
  assertEquals(folder.read(PART), TEXT);
  assertEquals(await file.sha256(never), SHA256);
});

Deno.test("StoredFile.read() returns the bytes of stored pieces", async () => {
  using folder = new MemoryFolder();
  using file = await open(folder.pathOf("a.txt"), CONTENT);
  for (const piece of [1, 2]) file.write(piece, pieceOf(TEXT, piece));
  assertEquals([0, 1, 2, 3].map((piece) => file.has(piece)), [false, true, true, false]);
  const bytes = new Uint8Array(12);
  file.read({ start: 10, end: 20 }, bytes);
  assertEquals(textOf(bytes), TEXT.slice(10, 20) + "\0\0");
});

Deno.test("StoredFile.read() throws DiskError when the part file was truncated", async () => {
  using folder = new MemoryFolder();
  using file = await open(folder.pathOf("a.txt"), CONTENT);
  file.write(1, pieceOf(TEXT, 1));
  Deno.truncateSync(folder.pathOf(PART), 12);
  assertThrows(() => file.read({ start: 8, end: 16 }, new Uint8Array(8)), DiskError, "too short");
});

Deno.test("StoredFile.write() records a piece after its bytes are written", async () => {
  using folder = new MemoryFolder();
  const claims: [string, number][] = [];
  const openSync = (path: string, options: Deno.OpenOptions) => {
    const journal = Deno.openSync(path, options);
    const write = journal.writeSync.bind(journal);
    journal.writeSync = (bytes) => {
      const piece = /"piece":(\d+)/.exec(new TextDecoder().decode(bytes));
      if (piece) claims.push([folder.read(PART), Number(piece[1])]);
      return write(bytes);
    };
    return journal;
  };
  using file = await open(folder.pathOf("a.txt"), CONTENT, {
    ...OPTIONS,
    disk: { ...realDisk, openSync },
  });
  file.write(1, pieceOf(TEXT, 1));
  assertEquals(claims, [["\0".repeat(8) + "piece 1," + "\0".repeat(11), 1]]);
});

for (const text of [TEXT, "tiny"]) {
  const [piece, whole] = text === TEXT ? [1, "piece 1,"] : [0, "tiny"] as const;
  Deno.test(`StoredFile.keepUnverified() keeps the beginning of a piece for the next run of a file of ${text.length} bytes`, async () => {
    using folder = new MemoryFolder();
    {
      using file = await open(folder.pathOf("a.txt"), verified(text));
      file.keepUnverified(piece, bytesOf(whole.slice(0, 2)));
      file.keepUnverified(piece, bytesOf(whole.slice(0, 3)));
      assertEquals([file.unverified, file.missing.includes(piece)], [
        new Map([[piece, 3]]),
        true,
      ]);
    }
    using file = await open(folder.pathOf("a.txt"), verified(text));
    assertEquals([file.resumed.pieces, file.unverified], [0, new Map([[piece, 3]])]);
    const into = new Uint8Array(whole.length);
    assertEquals([file.readUnverified(piece, into), textOf(into.subarray(0, 3))], [
      3,
      whole.slice(0, 3),
    ]);
    assertEquals(file.readUnverified(piece, into.subarray(0, 2)), 2);
    fill(file, text);
    assertEquals([file.unverified.size, file.complete], [0, true]);
    // A read that settles late must not tear a stored piece.
    file.keepUnverified(piece, bytesOf("??"));
    await file.finish({ ...FINISH, sha256: sha256(bytesOf(text)).toHex() }, never);
    assertEquals(folder.read("a.txt"), text);
  });
}

Deno.test("StoredFile.keepUnverified() keeps nothing for the next run when there is no manifest", async () => {
  using folder = new MemoryFolder();
  {
    using file = await open(folder.pathOf("a.txt"), unverified(TEXT));
    file.keepUnverified(1, bytesOf("pie"));
    assertEquals(file.readUnverified(1, new Uint8Array(8)), 3);
  }
  using file = await open(folder.pathOf("a.txt"), unverified(TEXT));
  assertEquals(file.unverified.size, 0);
});

interface Resume {
  readonly name: string;
  readonly stored: number[];
  readonly options?: typeof OPTIONS;
  readonly content?: StoredContent;
  /** Done to the folder between the two runs. */
  readonly damage?: (folder: MemoryFolder) => void;
  readonly want: { pieces: number; rehashed: number; missing: number[] };
}

function editPart(folder: MemoryFolder, at: number, text: string): void {
  using part = Deno.openSync(folder.pathOf(PART), { write: true });
  part.seekSync(at, Deno.SeekMode.Start);
  part.writeSync(bytesOf(text));
}

/** Puts the part and its journal back as a backup would: the same bytes in other files. */
function restore(folder: MemoryFolder, part = Deno.readFileSync(folder.pathOf(PART))): void {
  for (
    const [name, bytes] of [[PART, part], [JOURNAL, Deno.readFileSync(folder.pathOf(JOURNAL))]]
  ) {
    Deno.renameSync(folder.write("copy", bytes as Uint8Array), folder.pathOf(name as string));
  }
}

const resumes: Resume[] = [
  {
    name: "part file and journal were restored from a backup",
    stored: [2, 0],
    damage: (folder) => restore(folder),
    want: { pieces: 2, rehashed: 4, missing: [1, 3] },
  },
  {
    name: "the part is a copy that is older than the journal",
    stored: [2, 0],
    damage: (folder) => restore(folder, new Uint8Array(TEXT.length)),
    want: { pieces: 0, rehashed: 4, missing: [0, 1, 2, 3] },
  },
  {
    name: "the part was copied away and back, and the journal was not",
    stored: [0, 3],
    damage: (folder) =>
      Deno.renameSync(folder.write("copy", folder.read(PART)), folder.pathOf(PART)),
    want: { pieces: 2, rehashed: 4, missing: [1, 2] },
  },
  {
    name: "the boot is the same",
    stored: [2, 0],
    want: { pieces: 2, rehashed: 0, missing: [1, 3] },
  },
  {
    name: "the clock was corrected by some seconds",
    stored: [2, 0],
    options: { ...OPTIONS, boot: OPTIONS.boot - 4000 },
    want: { pieces: 2, rehashed: 0, missing: [1, 3] },
  },
  {
    name: "the machine was restarted and the bytes survived",
    stored: [2, 0],
    options: AFTER_REBOOT,
    want: { pieces: 2, rehashed: 2, missing: [1, 3] },
  },
  {
    name: "the machine was restarted and a piece is lost",
    stored: [2, 0],
    options: AFTER_REBOOT,
    damage: (folder) => editPart(folder, 17, "\0\0\0"),
    want: { pieces: 1, rehashed: 2, missing: [1, 2, 3] },
  },
  {
    name: "the part is cut short",
    stored: [0, 1],
    damage: (folder) => Deno.truncateSync(folder.pathOf(PART), 12),
    want: { pieces: 1, rehashed: 1, missing: [1, 2, 3] },
  },
  {
    name: "the part is longer than it should be",
    stored: [0, 3],
    damage: (folder) => Deno.truncateSync(folder.pathOf(PART), 100),
    want: { pieces: 2, rehashed: 4, missing: [1, 2] },
  },
  {
    name: "the part is gone and its journal is not",
    stored: [0, 1],
    damage: (folder) => Deno.removeSync(folder.pathOf(PART)),
    want: { pieces: 0, rehashed: 0, missing: [0, 1, 2, 3] },
  },
  {
    name: "the journal is gone and its part is not",
    stored: [0, 1],
    damage: (folder) => Deno.removeSync(folder.pathOf(JOURNAL)),
    want: { pieces: 2, rehashed: 4, missing: [2, 3] },
  },
  {
    name: "the journal's identity is damaged",
    stored: [0, 1],
    damage: (folder) => void folder.write(JOURNAL, "x" + folder.read(JOURNAL).slice(1)),
    want: { pieces: 2, rehashed: 4, missing: [2, 3] },
  },
  {
    name: "the journal is empty",
    stored: [0, 1],
    damage: (folder) => void folder.write(JOURNAL, ""),
    want: { pieces: 2, rehashed: 4, missing: [2, 3] },
  },
  {
    name: "the journal's last record is torn",
    stored: [0, 1],
    damage: (folder) => void folder.write(JOURNAL, folder.read(JOURNAL).slice(0, -3)),
    want: { pieces: 1, rehashed: 0, missing: [1, 2, 3] },
  },
  {
    name: "a folder has the journal's name",
    stored: [0, 1],
    damage: (folder) => {
      Deno.removeSync(folder.pathOf(JOURNAL));
      Deno.mkdirSync(folder.pathOf(JOURNAL));
    },
    want: { pieces: 2, rehashed: 4, missing: [2, 3] },
  },
  {
    name: "the download was begun without a manifest",
    stored: [0, 1],
    content: unverified(TEXT),
    damage: (folder) => editPart(folder, 0, "X"),
    want: { pieces: 1, rehashed: 4, missing: [0, 2, 3] },
  },
];
for (const { name, stored, options, content, damage, want } of resumes) {
  Deno.test(`StoredFile.open() trusts only proven pieces when ${name}`, async () => {
    using folder = new MemoryFolder();
    await begin(folder.pathOf("a.txt"), TEXT, stored, content);
    damage?.(folder);
    assertEquals(await resumeOf(folder.pathOf("a.txt"), CONTENT, options), want);
    // The next run finds the same pieces.
    const next = await resumeOf(folder.pathOf("a.txt"), CONTENT, options);
    assertEquals(next, { ...want, rehashed: next.rehashed });
    // Wrong pieces stay in the journal as doubted until they are downloaded again.
    assert(next.rehashed <= want.rehashed - want.pieces || next.rehashed === 0, "hashes again");
    using file = await open(folder.pathOf("a.txt"), CONTENT, options);
    fill(file);
    await file.finish(FINISH, never);
    assertEquals(folder.read("a.txt"), TEXT);
  });
}

Deno.test("StoredFile.open() hashes no piece that an earlier run hashed in the same boot", async () => {
  using folder = new MemoryFolder();
  await begin(folder.pathOf("a.txt"), TEXT, [0, 2]);
  await resumeOf(folder.pathOf("a.txt"), CONTENT, AFTER_REBOOT);
  assertEquals(await resumeOf(folder.pathOf("a.txt"), CONTENT, AFTER_REBOOT), {
    pieces: 2,
    rehashed: 0,
    missing: [1, 3],
  });
});

Deno.test("StoredFile.open() hashes nothing when the earlier run ended before its first piece", async () => {
  using folder = new MemoryFolder();
  await begin(folder.pathOf("a.txt"), TEXT, []);
  assertEquals((await resumeOf(folder.pathOf("a.txt"))).rehashed, 0);
});

Deno.test("StoredFile.open() trusts synced pieces after a reboot when only the rename failed", async () => {
  using folder = new MemoryFolder();
  folder.write("a.txt", "taken");
  {
    using file = await open(folder.pathOf("a.txt"), CONTENT);
    fill(file);
    await assertRejects(() => file.finish({ ...FINISH, policy: "fail" }, never), ConflictError);
  }
  assertEquals(await resumeOf(folder.pathOf("a.txt"), CONTENT, AFTER_REBOOT), {
    pieces: 4,
    rehashed: 0,
    missing: [],
  });
});

Deno.test("StoredFile.open() trusts unverified pieces in the same boot, and checks their CRC-32 in another one", async () => {
  using folder = new MemoryFolder();
  const content = unverified(TEXT);
  await begin(folder.pathOf("a.txt"), TEXT, [0, 1], content);
  const kept = await resumeOf(folder.pathOf("a.txt"), content);
  assertEquals(kept, { pieces: 2, rehashed: 0, missing: [2, 3] });
  editPart(folder, 9, "X");
  const checked = await resumeOf(folder.pathOf("a.txt"), content, AFTER_REBOOT);
  assertEquals(checked, { pieces: 1, rehashed: 2, missing: [1, 2, 3] });
});

const otherContents = [
  { name: "other bytes of the same size", content: verified(OTHER), mark: manifestFor(OTHER).id },
  { name: "a longer file", content: verified(TEXT + OTHER), mark: manifestFor(TEXT + OTHER).id },
  { name: "an unverified file of another size", content: unverified("short"), mark: "unverified" },
];
for (const { name, content, mark } of otherContents) {
  Deno.test(`StoredFile.open() quarantines part file and journal of ${name}`, async () => {
    using folder = new MemoryFolder();
    const { layout } = content;
    // Made by hand, so that it is not the code under test that says what a journal is.
    const identity = { id: content.manifest?.id ?? null, size: layout.size, pieceSize: 8 };
    const claims = encodeRecord({ run: OPTIONS }) + encodeRecord({ piece: 0 });
    const journal = encodeIdentity(identity) + claims;
    folder.write(JOURNAL, journal);
    folder.write(PART, "Z".repeat(layout.size));
    using file = await open(folder.pathOf("a.txt"), CONTENT);
    assertEquals(file.missing, [0, 1, 2, 3]);
    const aside = `a.txt~${mark.slice(0, mark === "unverified" ? 99 : 8)}`;
    assertEquals(folder.read(`${aside}.p2p-journal`), journal);
    assertEquals(folder.read(`${aside}.p2p-part`), "Z".repeat(layout.size));
  });
}

Deno.test("StoredFile.open() quarantines a verified part file when no source offers a manifest any more", async () => {
  using folder = new MemoryFolder();
  await begin(folder.pathOf("a.txt"), TEXT, [0, 1]);
  assertEquals((await resumeOf(folder.pathOf("a.txt"), unverified(TEXT))).pieces, 0);
  const aside = `a.txt~${CONTENT.manifest!.id.slice(0, 8)}.p2p-part`;
  assertEquals(folder.read(aside).slice(0, 16), TEXT.slice(0, 16));
});

Deno.test("StoredFile.open() numbers the part files that it quarantines", async () => {
  using folder = new MemoryFolder();
  for (const text of [TEXT, TEXT + 1, TEXT + 12, TEXT + 123]) {
    await begin(folder.pathOf("a.txt"), text, [0], unverified(text));
  }
  assertEquals(folder.names().filter((name) => /~.*part$/.test(name)), [
    "a.txt~unverified-2.p2p-part",
    "a.txt~unverified-3.p2p-part",
    "a.txt~unverified.p2p-part",
  ]);
});

Deno.test("StoredFile.open() quarantines a part file whose name has 255 bytes", async () => {
  using folder = new MemoryFolder();
  const name = "é".repeat(127);
  await begin(folder.pathOf(name), OTHER, [0, 1], verified(OTHER));
  using file = await open(folder.pathOf(name), CONTENT);
  fill(file);
  await file.finish(FINISH, never);
  assertEquals(folder.read(name), TEXT);
  assertEquals(folder.names().length, 3);
});

Deno.test("StoredFile.open() does not follow a link at the path of the journal", async () => {
  using folder = new MemoryFolder();
  await begin(folder.pathOf("a.txt"), TEXT, [0]);
  Deno.renameSync(folder.pathOf(JOURNAL), folder.pathOf("victim"));
  const before = folder.read("victim");
  symlink(folder.pathOf("victim"), folder.pathOf(JOURNAL));
  using file = await open(folder.pathOf("a.txt"), CONTENT);
  file.write(1, pieceOf(TEXT, 1));
  assertEquals(folder.read("victim"), before);
});

Deno.test("StoredFile.open() names the process that works on the same target", async () => {
  using folder = new MemoryFolder();
  await begin(folder.pathOf("a.txt"), TEXT, [0], CONTENT, { ...OPTIONS, pid: 1 });
  using _first = await open(folder.pathOf("a.txt"), CONTENT, { ...OPTIONS, pid: 12345 });
  await assertRejects(
    () => open(folder.pathOf("a.txt"), CONTENT, { ...OPTIONS, pid: 2 }),
    ConflictError,
    "another p2p (process 12345) works on it",
  );
});

Deno.test("StoredFile.open() throws ConflictError when another process works on a file of one piece", async () => {
  using folder = new MemoryFolder();
  using _first = await open(folder.pathOf("a.txt"), verified("tiny"));
  await assertRejects(
    () => open(folder.pathOf("a.txt"), verified("tiny")),
    ConflictError,
    "works on",
  );
});

Deno.test("StoredFile.open() throws the signal's reason when it aborts while hashing", async () => {
  using folder = new MemoryFolder();
  await begin(folder.pathOf("a.txt"), TEXT, [0, 1]);
  const aborted = AbortSignal.abort(new TestAbort());
  await assertRejects(
    () => open(folder.pathOf("a.txt"), CONTENT, AFTER_REBOOT, aborted),
    TestAbort,
  );
  // No piece was lost, and the file is not locked.
  assertEquals((await resumeOf(folder.pathOf("a.txt"))).pieces, 2);
});

Deno.test("StoredFile.open() throws DiskFullError when the missing bytes do not fit", async () => {
  using folder = new MemoryFolder();
  const size = 2 ** 52;
  const layout = { size, pieceSize: 2 ** 40, count: size / 2 ** 40 };
  await begin(folder.pathOf("a.txt"), TEXT, [0]);
  await assertRejects(
    () => open(folder.pathOf("a.txt"), { layout, manifest: undefined }),
    DiskFullError,
    "not enough disk space (4.0 PiB needed, ",
  );
});

for (const text of [TEXT, "tiny"]) {
  Deno.test(`StoredFile.open() leaves no part file when a new file of ${text.length} bytes does not fit`, async () => {
    using folder = new MemoryFolder();
    const space = new DiskSpace((id) => ({ id, free: 1, size: 1 }));
    const opened = () => open(folder.pathOf("a.txt"), verified(text), { ...OPTIONS, space });
    await assertRejects(opened, DiskFullError);
    assertEquals(folder.names(), []);
  });
}

for (const path of ["a.txt", "new.txt"]) {
  for (const mode of ["open", "write"] as const) {
    Deno.test(`StoredFile.open() closes all files when the journal of ${path} fails to ${mode}`, async () => {
      using folder = new MemoryFolder();
      await begin(folder.pathOf("a.txt"), TEXT, [0]);
      const openSync = (path: string, options: Deno.OpenOptions) => {
        if (mode === "open") throw new Deno.errors.PermissionDenied("no");
        const journal = Deno.openSync(path, options);
        journal.writeSync = () => {
          throw new Error("No space left on device (os error 28)");
        };
        return journal;
      };
      const disk = { ...realDisk, openSync };
      await assertRejects(
        () => open(folder.pathOf(path), CONTENT, { ...OPTIONS, disk }),
        DiskError,
      );
      assertEquals((await resumeOf(folder.pathOf("a.txt"))).pieces, 1);
    });
  }
}

Deno.test("StoredFile.finish() leaves only the complete file", async () => {
  using folder = new MemoryFolder();
  using file = await open(folder.pathOf("a.txt"), CONTENT);
  fill(file);
  const placed = await file.finish(FINISH, never);
  assertEquals(placed, { path: folder.pathOf("a.txt"), how: "downloaded" });
  assertEquals([folder.names(), folder.read("a.txt")], [["a.txt"], TEXT]);
});

const small = [
  { name: "empty", text: "" },
  { name: "of one piece", text: "tiny" },
  { name: "exactly one piece long", text: "8 bytes." },
];
for (const { name, text } of small) {
  Deno.test(`StoredFile writes no journal when the file is ${name}`, async () => {
    using folder = new MemoryFolder();
    using file = await open(folder.pathOf("a.txt"), verified(text));
    assertEquals(file.complete, text === "");
    fill(file, text);
    assertEquals(folder.names(), [PART]);
    await file.finish(FINISH, never);
    assertEquals([folder.names(), folder.read("a.txt")], [["a.txt"], text]);
  });
}

Deno.test("StoredFile.open() hashes the only piece when a run ended before the rename", async () => {
  using folder = new MemoryFolder();
  await begin(folder.pathOf("a.txt"), "tiny", [0]);
  const found = await resumeOf(folder.pathOf("a.txt"), verified("tiny"));
  assertEquals(found, { pieces: 1, rehashed: 1, missing: [] });
});

interface Ending {
  readonly policy: ConflictPolicy;
  /** What took the name while the download ran. */
  readonly taken: "same" | "other";
  readonly want: { how: string; at: string; there: string } | "conflict";
}
const mark = CONTENT.manifest!.id.slice(0, 8);
const shaMark = SHA256.slice(0, 8);
const endings: Ending[] = [
  { policy: "rename", taken: "other", want: { how: "downloaded", at: "a~.txt", there: OTHER } },
  { policy: "skip", taken: "other", want: { how: "skipped", at: "a.txt", there: OTHER } },
  { policy: "overwrite", taken: "other", want: { how: "downloaded", at: "a.txt", there: TEXT } },
  { policy: "fail", taken: "other", want: "conflict" },
  ...(["rename", "skip", "overwrite", "fail"] as const).map((policy): Ending => ({
    policy,
    taken: "same",
    want: { how: "already-there", at: "a.txt", there: TEXT },
  })),
];
for (const content of [CONTENT, unverified(TEXT)]) {
  const kind = content.manifest ? "a verified" : "an unverified";
  for (const { policy, taken, want } of endings) {
    Deno.test(`StoredFile.finish() resolves the conflict of ${kind} file with ${taken} bytes when the policy is ${policy}`, async () => {
      using folder = new MemoryFolder();
      using file = await open(folder.pathOf("a.txt"), content);
      fill(file);
      folder.write("a.txt", taken === "same" ? TEXT : OTHER);
      const finish = () => file.finish({ ...FINISH, policy }, never);
      if (want === "conflict") {
        await assertRejects(finish, ConflictError, "exists with different content");
        assertEquals(folder.names(), ["a.txt", JOURNAL, PART]);
        return;
      }
      const at = want.at.replace("~", `~${content.manifest ? mark : shaMark}`);
      assertEquals(await finish(), { path: folder.pathOf(at), how: want.how as "downloaded" });
      assertEquals(folder.read("a.txt"), want.there);
      if (want.how === "downloaded") assertEquals(folder.read(at), TEXT);
      assertEquals(folder.names(), [...new Set(["a.txt", at])]);
    });
  }
}

Deno.test("StoredFile.finish() resolves the conflict again when the name is taken just before the rename", async () => {
  using folder = new MemoryFolder();
  const linkSync: typeof realDisk.linkSync = (from, to) => {
    if (to === folder.pathOf("a.txt")) folder.write("a.txt", OTHER);
    Deno.linkSync(from, to);
  };
  const options = { ...OPTIONS, disk: { ...realDisk, linkSync } };
  using file = await open(folder.pathOf("a.txt"), CONTENT, options);
  fill(file);
  const { path } = (await file.finish(FINISH, never))!;
  assertEquals([path, folder.read("a.txt")], [folder.pathOf(`a~${mark}.txt`), OTHER]);
});

for (
  const [policy, want] of [["rename", "~"], ["skip", "skipped"], ["overwrite", "a.txt"]] as const
) {
  Deno.test(`StoredFile.finish() resolves the conflict with a dangling link when the policy is ${policy}`, async () => {
    using folder = new MemoryFolder();
    symlink("nowhere", folder.pathOf("a.txt"));
    using file = await open(folder.pathOf("a.txt"), CONTENT);
    fill(file);
    const placed = await file.finish({ ...FINISH, policy }, never);
    const isLink = Deno.lstatSync(folder.pathOf("a.txt")).isSymlink;
    assertEquals([isLink, folder.names().length], [policy !== "overwrite", want === "~" ? 2 : 1]);
    if (want === "skipped") assertEquals(placed?.how, "skipped");
    else assertEquals(Deno.readTextFileSync(placed!.path), TEXT);
  });
}

Deno.test("StoredFile.finish() succeeds when another run removed the linked part file", async () => {
  using folder = new MemoryFolder();
  using file = await open(folder.pathOf("a.txt"), CONTENT);
  fill(file);
  folder.write("a.txt", TEXT);
  removeLeftovers(folder.pathOf("a.txt"), CONTENT);
  assertEquals((await file.finish(FINISH, never))?.how, "already-there");
  assertEquals(folder.names(), ["a.txt"]);
});

for (const sync of ["finish", "never"] as const) {
  Deno.test(`StoredFile.finish() ${sync === "finish" ? "syncs before the name appears" : "syncs nothing"} when the policy is ${sync}`, async () => {
    using folder = new MemoryFolder();
    const story: string[] = [];
    const disk = {
      ...realDisk,
      openSync: (path: string, options: Deno.OpenOptions) => {
        const file = Deno.openSync(path, options);
        file.syncData = () => Promise.resolve(void story.push("sync"));
        file.sync = () => Promise.resolve(void story.push("sync folder"));
        return file;
      },
      linkSync: (from: string, to: string) => {
        story.push("name");
        Deno.linkSync(from, to);
      },
    };
    using file = await open(folder.pathOf("a.txt"), CONTENT, { ...OPTIONS, disk });
    fill(file);
    await file.finish({ ...FINISH, sync }, never);
    assertEquals(story, sync === "finish" ? ["sync", "name", "sync folder"] : ["name"]);
  });
}

Deno.test("StoredFile.finish() throws DiskError when the folder cannot be synced", async () => {
  using folder = new MemoryFolder();
  const disk: Disk = {
    ...realDisk,
    openSync: (path, options) => {
      const file = Deno.openSync(path, options);
      file.sync = () => Promise.reject(new Error("Input/output error (os error 5)"));
      return file;
    },
  };
  using file = await open(folder.pathOf("a.txt"), CONTENT, { ...OPTIONS, disk });
  fill(file);
  await assertRejects(() => file.finish(FINISH, never), DiskError, "Cannot sync folder");
});

Deno.test("StoredFile.reject() removes a file with a manifest", async () => {
  using folder = new MemoryFolder();
  using file = await open(folder.pathOf("a.txt"), CONTENT);
  fill(file);
  assertEquals([file.reject(), folder.names()], [undefined, []]);
});

for (const text of [TEXT, "tiny"]) {
  Deno.test(`StoredFile.reject() quarantines a file of ${text.length} bytes without a manifest, which the next run does not resume`, async () => {
    using folder = new MemoryFolder();
    {
      using file = await open(folder.pathOf("a.txt"), unverified(text));
      fill(file, text);
      assertEquals(file.reject(), folder.pathOf("a.txt~unverified.p2p-part"));
    }
    assertEquals(folder.names(), ["a.txt~unverified.p2p-part"]);
    assertEquals(folder.read("a.txt~unverified.p2p-part"), text);
    using file = await open(folder.pathOf("a.txt"), unverified(text));
    assertEquals(file.resumed.pieces, 0);
  });
}

const leftovers = [
  { name: "part and journal are left", left: [PART, JOURNAL], want: [] },
  { name: "only the journal is left", left: [JOURNAL], want: [] },
  { name: "only the part is left", left: [PART], want: [] },
  { name: "nothing is left", left: [], want: [] },
];
for (const { name, left, want } of leftovers) {
  Deno.test(`removeLeftovers() leaves only the file when ${name}`, async () => {
    using folder = new MemoryFolder();
    await begin(folder.pathOf("a.txt"), TEXT, [0, 1, 2, 3]);
    folder.write("a.txt", TEXT);
    for (const name of [PART, JOURNAL]) {
      if (!left.includes(name)) Deno.removeSync(folder.pathOf(name));
    }
    removeLeftovers(folder.pathOf("a.txt"), CONTENT);
    assertEquals(folder.names(), ["a.txt", ...want]);
  });
}

Deno.test("removeLeftovers() leaves part file and journal of another content", async () => {
  using folder = new MemoryFolder();
  await begin(folder.pathOf("a.txt"), OTHER, [0, 1], verified(OTHER));
  folder.write("a.txt", TEXT);
  removeLeftovers(folder.pathOf("a.txt"), CONTENT);
  assertEquals(folder.names(), ["a.txt", JOURNAL, PART]);
});

Deno.test("removeLeftovers() leaves a part file of another size without a journal", () => {
  using folder = new MemoryFolder();
  folder.write("a.txt", TEXT);
  folder.write(PART, "another file");
  removeLeftovers(folder.pathOf("a.txt"), CONTENT);
  assertEquals(folder.names(), ["a.txt", PART]);
});

Deno.test("StoredFile appends behind the last valid record of a torn journal", async () => {
  using folder = new MemoryFolder();
  await begin(folder.pathOf("a.txt"), TEXT, [0, 1]);
  folder.write(JOURNAL, folder.read(JOURNAL).slice(0, -3));
  await begin(folder.pathOf("a.txt"), TEXT, [2]);
  const journal = folder.read(JOURNAL);
  const content = parseJournal(journal)!;
  assertEquals([[...content.claims.keys()], content.length], [[0, 2], journal.length]);
});

Deno.test("StoredFile ignores the claims behind a damaged record", async () => {
  using folder = new MemoryFolder();
  await begin(folder.pathOf("a.txt"), TEXT, [0, 1, 2]);
  folder.write(JOURNAL, folder.read(JOURNAL).replace('"piece":0', '"piece":3'));
  await begin(folder.pathOf("a.txt"), TEXT, []);
  const journal = folder.read(JOURNAL);
  const content = parseJournal(journal)!;
  assertEquals([content.claims.size, content.length], [0, journal.length]);
});

/** A file system of `bytes`, or why there can be none. */
function mountTiny(path: string, bytes: number): string | undefined {
  if (Deno.build.os !== "linux") return "only Linux has tmpfs";
  const { success, stderr } = new Deno.Command("mount", {
    args: ["-t", "tmpfs", "-o", `size=${bytes}`, "tmpfs", path],
  }).outputSync();
  return success ? undefined : new TextDecoder().decode(stderr).trim();
}

function unmount(path: string): void {
  const { success } = new Deno.Command("umount", { args: [path] }).outputSync();
  assert(success, `cannot unmount ${path}`);
}

/** Tried once, before the tests: whether this machine lets us mount, and if not, why. */
const noTinyDisk = (() => {
  using folder = new MemoryFolder();
  const reason = mountTiny(folder.path, 65536);
  if (reason === undefined) unmount(folder.path);
  return reason;
})();

Deno.test({
  name: `StoredFile keeps its pieces when the disk fills up${
    noTinyDisk ? ` (not tried here: ${noTinyDisk})` : ""
  }`,
  ignore: noTinyDisk !== undefined,
  async fn() {
    using folder = new MemoryFolder();
    Deno.mkdirSync(folder.pathOf("disk"));
    mountTiny(folder.pathOf("disk"), 256 * 1024);
    try {
      await fillUpAndGoOn(folder);
    } finally {
      unmount(folder.pathOf("disk"));
    }
  },
});

/** 16 pieces of 8 KiB; another file takes the room in the middle, and goes again. */
async function fillUpAndGoOn(folder: MemoryFolder): Promise<void> {
  const [target, hog] = [folder.pathOf("disk/a"), folder.pathOf("disk/hog")];
  const layout = { ...layoutFor(16 * 8192), pieceSize: 8192, count: 16 };
  const bytes = new Uint8Array(8192).fill(7);
  {
    using file = await open(target, { layout, manifest: undefined });
    for (let piece = 0; piece < 4; piece++) file.write(piece, bytes);
    Deno.writeFileSync(hog, new Uint8Array(160 * 1024));
    assertThrows(
      () => file.missing.forEach((piece) => file.write(piece, bytes)),
      DiskFullError,
      "the disk is full",
    );
  }
  await assertRejects(() => open(target, { layout, manifest: undefined }), DiskFullError, "free");
  Deno.removeSync(hog);
  using file = await open(target, { layout, manifest: undefined });
  assert(file.resumed.pieces >= 4 && file.resumed.pieces < 16, `${file.resumed.pieces} pieces`);
  for (const piece of file.missing) file.write(piece, bytes);
  const sha = sha256(new Uint8Array(layout.size).fill(7)).toHex();
  assertEquals(await file.sha256(never), sha);
  assertEquals((await file.finish({ ...FINISH, sha256: sha }, never))?.how, "downloaded");
}

/** Runs `act` once for each operation of the disk that may fail, until it comes through without. @returns what it threw. */
async function failingAt(
  act: (disk: Disk, folder: MemoryFolder) => Promise<void>,
): Promise<unknown[]> {
  const thrown: unknown[] = [];
  for (let k = 1;; k++) {
    using folder = new MemoryFolder();
    await begin(folder.pathOf("a.txt"), TEXT, [2, 0]);
    const frail = new FrailDisk(k, "throws");
    await act(frail.disk, folder).catch((error) => thrown.push(error));
    if (frail.operations < k) return thrown;
  }
}

Deno.test("StoredFile.open() throws DiskError whichever disk operation fails while it hashes", async () => {
  const thrown = await failingAt(async (disk, folder) => {
    (await open(folder.pathOf("a.txt"), CONTENT, { ...AFTER_REBOOT, disk }))[Symbol.dispose]();
  });
  const others = thrown.filter((error) => !(error instanceof DiskError));
  assertEquals(others, []);
  const messages = thrown.map((error) => (error as Error).message);
  assert(messages.some((message) => message.startsWith("Cannot read")), messages.join("\n"));
});

for (const operation of ["seekSync", "read"] as const) {
  Deno.test(`StoredFile.sha256() throws DiskError when the disk fails to ${operation}`, async () => {
    using folder = new MemoryFolder();
    const disk: Disk = {
      ...realDisk,
      openSync(path, options) {
        const file = Deno.openSync(path, options);
        const fail = () => {
          throw new Error("Input/output error (os error 5)");
        };
        return Object.assign(file, { [operation]: fail });
      },
    };
    using file = await open(folder.pathOf("a.txt"), CONTENT, { ...OPTIONS, disk });
    await assertRejects(() => file.sha256(never), DiskError, "Cannot read");
  });
}
