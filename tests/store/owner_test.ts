/** Part files that other users can have written are hashed and copied, and never become the target. */
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ConflictError } from "../../core/base/errors.ts";
import { sha256 } from "../../core/base/digest.ts";
import { type Disk, type DiskFile, isWrittenOnlyBy, realDisk } from "../../core/store/disk.ts";
import { encodeIdentity, encodeRecord } from "../../core/store/journal.ts";
import { PartFile } from "../../core/store/part_file.ts";
import { begin, never, open, OPTIONS, pieceOf, unverified, verified } from "./support.ts";
import { bytesOf } from "../support/bytes.ts";
import { MemoryFolder } from "../support/temp_folder.ts";

const TEXT = "piece 0,piece 1,piece 2,pie";
const EVIL = "EVIL  0,EVIL  1,piece 2,pie";
const CONTENT = verified(TEXT);
const PART = "a.txt.p2p-part";
const JOURNAL = "a.txt.p2p-journal";
const SHA256 = sha256(bytesOf(TEXT)).toHex();
const FINISH = { policy: "rename", sync: "never", sha256: SHA256 } as const;
const US = 1001;
const UNREACHABLE = 65534;
const USER = { uid: US, umask: 0o022 };

/** The real disk with other owners and modes; files that `owners` does not name are the user's. */
function ownedDisk(
  owners: ReadonlyMap<number, { uid?: number; mode?: number }>,
  others: { uid?: number; mode?: number } = {},
): Disk {
  const owned = (info: Deno.FileInfo): Deno.FileInfo => {
    const { uid = US, mode } = owners.get(info.ino!) ?? others;
    return { ...info, uid, mode: mode ?? (info.isFile ? 0o100644 : 0o40755) };
  };
  return {
    ...realDisk,
    lstatSync: (path) => owned(Deno.lstatSync(path)),
    openSync(path, options): DiskFile {
      const file = Deno.openSync(path, options);
      const { statSync } = file;
      file.statSync = () => owned(statSync.call(file));
      return file;
    },
  };
}

function inodeOf(folder: MemoryFolder, name: string): number {
  return Deno.lstatSync(folder.pathOf(name)).ino!;
}

/** A part file and a journal as an attacker who knows the manifest would make them. */
function plant(folder: MemoryFolder): void {
  folder.write(PART, EVIL);
  const { mtime } = Deno.statSync(folder.pathOf(PART));
  const run = { ...OPTIONS, inode: inodeOf(folder, PART), mtime: mtime!.getTime() };
  const identity = { id: CONTENT.manifest!.id, size: TEXT.length, pieceSize: 8 };
  const claims = [0, 1, 2, 3].map((piece) => encodeRecord({ piece }));
  folder.write(JOURNAL, encodeIdentity(identity) + encodeRecord({ run }) + claims.join(""));
}

interface Plant {
  readonly name: string;
  readonly part?: { uid?: number; mode?: number };
  readonly journal?: { uid?: number; mode?: number };
  /** The part must be another file. */
  readonly copied: boolean;
}
const plants: Plant[] = [
  {
    name: "part and journal belong to another user",
    part: { uid: UNREACHABLE, mode: 0o100666 },
    journal: { uid: UNREACHABLE },
    copied: true,
  },
  { name: "the part is another user's", part: { uid: UNREACHABLE }, copied: true },
  { name: "the journal is another user's", journal: { uid: UNREACHABLE }, copied: false },
  { name: "the journal is for everyone to write", journal: { mode: 0o100646 }, copied: false },
  { name: "the part is for everyone to write", part: { mode: 0o100646 }, copied: true },
  { name: "the part is for the group to write", part: { mode: 0o100664 }, copied: true },
];
for (const { name, part, journal, copied } of plants) {
  Deno.test(`StoredFile trusts only hashed pieces, in a file of its own, when ${name}`, async () => {
    using folder = new MemoryFolder();
    plant(folder);
    const planted = inodeOf(folder, PART);
    const disk = ownedDisk(
      new Map([[planted, part ?? {}], [inodeOf(folder, JOURNAL), journal ?? {}]]),
    );
    using file = await open(folder.pathOf("a.txt"), CONTENT, { ...OPTIONS, disk, user: USER });
    assertEquals([file.resumed.rehashed, file.missing], [4, [0, 1]]);
    assertEquals(inodeOf(folder, PART) !== planted, copied);
    for (const piece of file.missing) file.write(piece, pieceOf(TEXT, piece));
    await file.finish(FINISH, never);
    assertEquals([folder.names(), folder.read("a.txt")], [["a.txt"], TEXT]);
  });
}

Deno.test("StoredFile writes to the part file when the user's own umask lets others write to it", async () => {
  using folder = new MemoryFolder();
  await begin(folder.pathOf("a.txt"), TEXT, [0, 2]);
  const inode = inodeOf(folder, PART);
  const disk = ownedDisk(new Map([[inode, { mode: 0o100664 }]]));
  const user = { uid: US, umask: 0o002 };
  using file = await open(folder.pathOf("a.txt"), CONTENT, { ...OPTIONS, disk, user });
  assertEquals([file.resumed.rehashed, inodeOf(folder, PART)], [0, inode]);
});

for (const all of [{ uid: UNREACHABLE }, { mode: 0o100777 }]) {
  Deno.test(`StoredFile hashes the part file and writes to it when all files of the disk have ${Object.keys(all)} ${Object.values(all)}`, async () => {
    using folder = new MemoryFolder();
    plant(folder);
    const planted = inodeOf(folder, PART);
    const disk = ownedDisk(new Map(), all);
    using file = await open(folder.pathOf("a.txt"), CONTENT, { ...OPTIONS, disk, user: USER });
    assertEquals([file.resumed.rehashed, file.missing], [4, [0, 1]]);
    assertEquals([inodeOf(folder, PART), folder.names()], [planted, [JOURNAL, PART]]);
    for (const piece of file.missing) file.write(piece, pieceOf(TEXT, piece));
    await file.finish(FINISH, never);
    assertEquals([folder.names(), folder.read("a.txt")], [["a.txt"], TEXT]);
  });
}

Deno.test("StoredFile copies the valid piece of a small file when the part file is another user's", async () => {
  using folder = new MemoryFolder();
  folder.write(PART, "tiny");
  const planted = inodeOf(folder, PART);
  const disk = ownedDisk(new Map([[planted, { uid: UNREACHABLE }]]));
  using file = await open(folder.pathOf("a.txt"), verified("tiny"), {
    ...OPTIONS,
    disk,
    user: USER,
  });
  assertEquals([file.complete, inodeOf(folder, PART) !== planted], [true, true]);
  await file.finish({ ...FINISH, sha256: sha256(bytesOf("tiny")).toHex() }, never);
  assertEquals([folder.names(), folder.read("a.txt")], [["a.txt"], "tiny"]);
});

Deno.test("StoredFile quarantines another user's part file when there is no manifest", async () => {
  using folder = new MemoryFolder();
  plant(folder);
  const disk = ownedDisk(
    new Map([[inodeOf(folder, PART), { uid: UNREACHABLE }], [inodeOf(folder, JOURNAL), {}]]),
  );
  const content = unverified(TEXT);
  Deno.removeSync(folder.pathOf(JOURNAL));
  using file = await open(folder.pathOf("a.txt"), content, { ...OPTIONS, disk, user: USER });
  assertEquals(file.missing, [0, 1, 2, 3]);
  assertEquals(folder.read("a.txt~unverified.p2p-part"), EVIL);
});

Deno.test("StoredFile leaves no copy when another user's part file cannot be replaced", async () => {
  using folder = new MemoryFolder();
  plant(folder);
  const disk = {
    ...ownedDisk(new Map([[inodeOf(folder, PART), { uid: UNREACHABLE }]])),
    renameSync: () => {
      throw new Error("Operation not permitted (os error 1)");
    },
  };
  const before = folder.names();
  await assertRejects(
    () => open(folder.pathOf("a.txt"), CONTENT, { ...OPTIONS, disk, user: USER }),
    ConflictError,
    "it is another user's",
  );
  assertEquals(folder.names(), before);
});

for (const content of [CONTENT, unverified(TEXT)]) {
  const kind = content.manifest ? "a verified" : "an unverified";
  Deno.test(`StoredFile loses nothing of ${kind} file when a snapshot has a hard link to the part file`, async () => {
    using folder = new MemoryFolder();
    await begin(folder.pathOf("a.txt"), TEXT, [0, 2, 3], content);
    Deno.mkdirSync(folder.pathOf("snapshot"));
    const link = folder.pathOf("snapshot/part");
    Deno.linkSync(folder.pathOf(PART), link);
    const before = Deno.readTextFileSync(link);
    using file = await open(folder.pathOf("a.txt"), content);
    assertEquals(file.missing, [1]);
    file.write(1, pieceOf(TEXT, 1));
    await file.finish(FINISH, never);
    assertEquals([folder.read("a.txt"), Deno.readTextFileSync(link)], [TEXT, before]);
    assertEquals(folder.names(), ["a.txt", "snapshot"]);
  });
}

Deno.test("StoredFile resumes when an earlier copy of a linked part file was interrupted", async () => {
  using folder = new MemoryFolder();
  await begin(folder.pathOf("a.txt"), TEXT, [0, 2]);
  Deno.linkSync(folder.pathOf(PART), folder.pathOf("link"));
  folder.write("a.txt~copy.p2p-part", "torn");
  using file = await open(folder.pathOf("a.txt"), CONTENT);
  assertEquals(file.missing, [1, 3]);
  assertEquals(folder.names(), [JOURNAL, PART, "link"]);
});

const rights = [
  { mode: 0o100644, folder: 0o40755, umask: 0o022, want: true },
  { mode: 0o100664, folder: 0o40755, umask: 0o022, want: false },
  { mode: 0o100646, folder: 0o40755, umask: 0o022, want: false },
  { mode: 0o100666, folder: 0o40700, umask: 0o022, want: true },
  { mode: 0o100666, folder: 0o40710, umask: 0o022, want: false },
  { mode: 0o100664, folder: 0o42775, umask: 0o002, want: true },
  { mode: 0o100666, folder: 0o42775, umask: 0o002, want: false },
];
for (const { mode, folder, umask, want } of rights) {
  Deno.test(`isWrittenOnlyBy() is ${want} for a file of mode ${mode.toString(8)} in a folder of mode ${folder.toString(8)} under umask ${umask.toString(8)}`, () => {
    const info = { uid: US, mode } as Deno.FileInfo;
    const disk = {
      ...realDisk,
      lstatSync: () => ({ uid: US, mode: folder } as Deno.FileInfo),
    };
    assertEquals(isWrittenOnlyBy({ uid: US, umask }, info, "/a/b", disk), want);
  });
}

Deno.test("PartFile.open() locks another user's read-only part file", () => {
  using folder = new MemoryFolder();
  folder.write("a", "theirs");
  const readOnly: Disk = {
    ...realDisk,
    openSync(path, options) {
      if (options.write && !options.createNew) throw new Deno.errors.PermissionDenied("no");
      return Deno.openSync(path, options);
    },
  };
  using _theirs = PartFile.open(folder.pathOf("a"), { holder: () => "the first" });
  assertThrows(
    () => PartFile.open(folder.pathOf("a"), { disk: readOnly, holder: () => "the other one" }),
    ConflictError,
    "the other one works on it",
  );
});

Deno.test({
  name:
    "StoredFile.finish() leaves a file of the user when the part file was another user's (needs root)",
  ignore: Deno.uid() !== 0,
  async fn() {
    using folder = new MemoryFolder();
    plant(folder);
    for (const name of [PART, JOURNAL]) {
      Deno.chownSync(folder.pathOf(name), UNREACHABLE, UNREACHABLE);
      Deno.chmodSync(folder.pathOf(name), 0o666);
    }
    const options = { ...OPTIONS, user: { uid: 0, umask: 0o022 } };
    using file = await open(folder.pathOf("a.txt"), CONTENT, options);
    for (const piece of file.missing) file.write(piece, pieceOf(TEXT, piece));
    await file.finish(FINISH, never);
    const { uid, mode } = Deno.statSync(folder.pathOf("a.txt"));
    assertEquals([uid, mode! & 0o022, folder.read("a.txt")], [0, 0, TEXT]);
  },
});
