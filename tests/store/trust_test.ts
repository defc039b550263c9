/**
 * A part file is trusted only if no other process can have written it. Whatever happens to it between
 * two runs or during one, the complete file has the right bytes.
 */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ConflictError, DiskError } from "../../core/base/errors.ts";
import { sha256 } from "../../core/base/digest.ts";
import { type Disk, realDisk } from "../../core/store/disk.ts";
import { encodeIdentity, encodeRecord } from "../../core/store/journal.ts";
import type { StoredFile } from "../../core/store/stored_file.ts";
import {
  AFTER_REBOOT,
  begin,
  never,
  open,
  OPTIONS,
  pieceOf,
  unverified,
  verified,
} from "./support.ts";
import { bytesOf, textOf } from "../support/bytes.ts";
import { MemoryFolder } from "../support/temp_folder.ts";

const TEXT = "piece 0,piece 1,piece 2,pie";
const CONTENT = verified(TEXT);
const PART = "a.txt.p2p-part";
const JOURNAL = "a.txt.p2p-journal";
const FINISH = {
  policy: "rename",
  sync: "finish",
  sha256: sha256(bytesOf(TEXT)).toHex(),
} as const;

interface Touch {
  readonly name: string;
  /** What another process does to the part file. */
  readonly act: (path: string) => void;
}

function overwrite(path: string, at: number, text: string): void {
  using part = Deno.openSync(path, { write: true });
  part.seekSync(at, Deno.SeekMode.Start);
  part.writeSync(bytesOf(text));
}

const touches: Touch[] = [
  { name: "is overwritten in place", act: (path) => overwrite(path, 2, "XXXX") },
  { name: "is zeroed", act: (path) => overwrite(path, 0, "\0".repeat(TEXT.length)) },
  { name: "is truncated", act: (path) => Deno.truncateSync(path, 3) },
  {
    name: "is truncated and extended again",
    act: (path) => {
      Deno.truncateSync(path, 3);
      Deno.truncateSync(path, TEXT.length);
    },
  },
  { name: "is extended", act: (path) => Deno.truncateSync(path, 100) },
];

/** Stores what is missing and finishes, until the file has its name. @returns the pieces fetched. */
async function complete(file: StoredFile): Promise<number[]> {
  const fetched: number[] = [];
  for (let round = 0; round < 5; round++) {
    for (const piece of file.missing) {
      fetched.push(piece);
      file.write(piece, pieceOf(TEXT, piece));
    }
    if (await file.finish(FINISH, never)) return fetched;
  }
  throw new Error("does not finish");
}

for (const content of [CONTENT, unverified(TEXT)]) {
  const kind = content.manifest ? "a verified" : "an unverified";
  for (const { name, act } of touches) {
    Deno.test(`StoredFile completes ${kind} file with the right bytes when the part file ${name} between two runs`, async () => {
      using folder = new MemoryFolder();
      await begin(folder.pathOf("a.txt"), TEXT, [0, 2, 3], content);
      act(folder.pathOf(PART));
      using file = await open(folder.pathOf("a.txt"), content);
      await complete(file);
      assertEquals([folder.names(), folder.read("a.txt")], [["a.txt"], TEXT]);
    });

    Deno.test(`StoredFile completes ${kind} file with the right bytes when the part file ${name} during the run`, async () => {
      using folder = new MemoryFolder();
      using file = await open(folder.pathOf("a.txt"), content);
      for (const piece of [0, 2]) file.write(piece, pieceOf(TEXT, piece));
      act(folder.pathOf(PART));
      const fetched = await complete(file);
      assertEquals([folder.names(), folder.read("a.txt")], [["a.txt"], TEXT]);
      assert(!fetched.slice(2).includes(1), "fetches again what was stored after the touch");
    });

    Deno.test(`StoredFile completes ${kind} file with the right bytes when the part file ${name} after the last piece`, async () => {
      using folder = new MemoryFolder();
      using file = await open(folder.pathOf("a.txt"), content);
      for (const piece of [0, 1, 2, 3]) file.write(piece, pieceOf(TEXT, piece));
      act(folder.pathOf(PART));
      await complete(file);
      assertEquals(folder.read("a.txt"), TEXT);
    });

    Deno.test(`StoredFile trusts no earlier piece when the part of ${kind} file ${name} and the run is killed`, async () => {
      using folder = new MemoryFolder();
      {
        using file = await open(folder.pathOf("a.txt"), content);
        for (const piece of [0, 2]) file.write(piece, pieceOf(TEXT, piece));
        act(folder.pathOf(PART));
        file.write(3, pieceOf(TEXT, 3));
      }
      using file = await open(folder.pathOf("a.txt"), content);
      await complete(file);
      assertEquals(folder.read("a.txt"), TEXT);
    });
  }
}

Deno.test("StoredFile.open() hashes only the pieces that were stored before another process wrote to the part file", async () => {
  using folder = new MemoryFolder();
  {
    using file = await open(folder.pathOf("a.txt"), CONTENT);
    file.write(0, pieceOf(TEXT, 0));
    const later = new Date(Date.now() + 60_000);
    Deno.utimeSync(folder.pathOf(PART), later, later);
    file.write(2, pieceOf(TEXT, 2));
  }
  using file = await open(folder.pathOf("a.txt"), CONTENT);
  assertEquals([file.resumed.pieces, file.resumed.rehashed], [2, 1]);
});

for (const text of [TEXT, "tiny"]) {
  Deno.test(`StoredFile.finish() does not keep the marked modification time on a touched file of ${text.length} bytes`, async () => {
    using folder = new MemoryFolder();
    const before = Deno.statSync(folder.write("now", "")).mtime!;
    using file = await open(folder.pathOf("a.txt"), verified(text));
    for (const piece of file.missing) file.write(piece, pieceOf(text, piece));
    Deno.utimeSync(folder.pathOf(PART), 1000, 1000);
    while (!await file.finish(FINISH, never)) {
      for (const piece of file.missing) file.write(piece, pieceOf(text, piece));
    }
    const { mtime } = Deno.statSync(folder.pathOf("a.txt"));
    assert(text === "tiny" ? mtime!.getTime() === 1_000_000 : mtime! >= before);
  });
}

/** A disk whose first sync fails, after which the kernel has forgotten that piece 1 is not written yet. */
function diskThatForgets(
  folder: MemoryFolder,
  shows: "the lost bytes" | "the written bytes",
): Disk {
  let failed = false;
  return {
    ...realDisk,
    openSync(path, options) {
      const file = Deno.openSync(path, options);
      const { syncData } = file;
      file.syncData = () => {
        if (failed || !path.endsWith("-part")) return syncData.call(file);
        failed = true;
        if (shows === "the lost bytes") {
          const { atime, mtime } = file.statSync();
          overwrite(folder.pathOf(PART), 8, "\0".repeat(8));
          file.utimeSync(atime!, mtime!);
        }
        return Promise.reject(new Error("Input/output error (os error 5)"));
      };
      return file;
    },
  };
}

Deno.test("StoredFile completes a file with the right bytes when a sync failed in the same boot", async () => {
  using folder = new MemoryFolder();
  const disk = diskThatForgets(folder, "the lost bytes");
  {
    using file = await open(folder.pathOf("a.txt"), CONTENT, { ...OPTIONS, disk });
    await assertRejects(() => complete(file), DiskError, "Cannot sync");
  }
  using file = await open(folder.pathOf("a.txt"), CONTENT, { ...OPTIONS, disk });
  assertEquals(await complete(file), [1]);
  assertEquals(folder.read("a.txt"), TEXT);
});

for (const text of [TEXT, "tiny"]) {
  Deno.test(`StoredFile writes the right pieces of a file of ${text.length} bytes again when a sync failed`, async () => {
    using folder = new MemoryFolder();
    const content = verified(text);
    const failing = diskThatForgets(folder, "the written bytes");
    {
      using file = await open(folder.pathOf("a.txt"), content, { ...OPTIONS, disk: failing });
      for (const piece of file.missing) file.write(piece, pieceOf(text, piece));
      await assertRejects(() => file.finish(FINISH, never), DiskError, "Cannot sync");
    }
    const written: string[] = [];
    const disk: Disk = {
      ...realDisk,
      openSync(path, options) {
        const file = Deno.openSync(path, options);
        const { writeSync } = file;
        file.writeSync = (bytes) => {
          if (path.endsWith("-part")) written.push(textOf(bytes));
          return writeSync.call(file, bytes);
        };
        return file;
      },
    };
    using file = await open(folder.pathOf("a.txt"), content, { ...OPTIONS, disk });
    assertEquals([written.join(""), file.complete], [text, true]);
  });
}

Deno.test("StoredFile.recheck() with `all` finds wrong pieces in an untouched part file", async () => {
  using folder = new MemoryFolder();
  using file = await open(folder.pathOf("a.txt"), CONTENT);
  for (const piece of file.missing) file.write(piece, pieceOf(TEXT, piece));
  const { atime, mtime } = Deno.statSync(folder.pathOf(PART));
  overwrite(folder.pathOf(PART), 9, "X");
  Deno.utimeSync(folder.pathOf(PART), atime!, mtime!);
  assertEquals([await file.recheck(never), file.missing], [0, []]);
  assertEquals([await file.recheck(never, { all: true }), file.missing], [1, [1]]);
  assertEquals(await complete(file), [1]);
  assertEquals(folder.read("a.txt"), TEXT);
});

Deno.test("StoredFile throws ConflictError when another program keeps writing to the part file", async () => {
  using folder = new MemoryFolder();
  using file = await open(folder.pathOf("a.txt"), CONTENT);
  await assertRejects(
    async () => {
      for (let round = 0; round < 100; round++) {
        overwrite(folder.pathOf(PART), 0, "X");
        file.write(0, pieceOf(TEXT, 0));
        await file.recheck(never);
      }
    },
    ConflictError,
    "another program keeps writing to it",
  );
});

const departures = [
  { name: "removed", act: (folder: MemoryFolder) => Deno.removeSync(folder.pathOf(PART)) },
  {
    name: "renamed",
    act: (folder: MemoryFolder) => Deno.renameSync(folder.pathOf(PART), folder.pathOf("b")),
  },
  {
    name: "replaced",
    act: (folder: MemoryFolder) => Deno.renameSync(folder.write("b", TEXT), folder.pathOf(PART)),
  },
];
for (const { name, act } of departures) {
  Deno.test(`StoredFile.write() throws ConflictError when the part file was ${name}`, async () => {
    using folder = new MemoryFolder();
    using file = await open(folder.pathOf("a.txt"), CONTENT);
    file.write(0, pieceOf(TEXT, 0));
    act(folder);
    assertThrows(
      () => file.write(1, pieceOf(TEXT, 1)),
      ConflictError,
      "another program removed or replaced it",
    );
  });
}

/** The journal that version 0.1.0 writes. */
function oldJournal(folder: MemoryFolder): string {
  const { ino } = Deno.statSync(folder.pathOf(PART));
  const identity = { id: CONTENT.manifest!.id, size: TEXT.length, pieceSize: 8 };
  const run = { pid: 1, boot: OPTIONS.boot, inode: ino! };
  return encodeIdentity(identity) + encodeRecord({ run }) + encodeRecord({ piece: 0 }) +
    encodeRecord({ synced: true }) + encodeRecord({ piece: 2 });
}

for (
  const { name, later, want } of [
    { name: "is as it left it", later: 0, want: { pieces: 2, rehashed: 1, missing: [1, 3] } },
    { name: "was written later", later: 1, want: { pieces: 2, rehashed: 2, missing: [1, 3] } },
  ]
) {
  Deno.test(`StoredFile.open() resumes a part file of version 0.1.0 that ${name}`, async () => {
    using folder = new MemoryFolder();
    folder.write(PART, TEXT.slice(0, 8) + "\0".repeat(8) + TEXT.slice(16, 24) + "\0\0\0");
    folder.write(JOURNAL, oldJournal(folder));
    Deno.utimeSync(folder.pathOf(PART), 1000, 1000 + later);
    Deno.utimeSync(folder.pathOf(JOURNAL), 1000, 1000);
    using file = await open(folder.pathOf("a.txt"), CONTENT);
    const { pieces, rehashed } = file.resumed;
    assertEquals({ pieces, rehashed, missing: file.missing }, want);
  });
}

Deno.test("StoredFile.open() trusts only synced pieces when the platform has no boot id", async () => {
  using folder = new MemoryFolder();
  const options = {
    pid: 1,
    boot: OPTIONS.boot,
    space: OPTIONS.space,
    targets: OPTIONS.targets,
    clock: OPTIONS.clock,
  };
  await begin(folder.pathOf("a.txt"), TEXT, [0, 2], CONTENT, options);
  // The power went, and the last piece with it.
  const { atime, mtime } = Deno.statSync(folder.pathOf(PART));
  overwrite(folder.pathOf(PART), 16, "\0".repeat(8));
  Deno.utimeSync(folder.pathOf(PART), atime!, mtime!);
  using file = await open(folder.pathOf("a.txt"), CONTENT, options);
  assertEquals([file.resumed.rehashed, file.missing], [2, [1, 2, 3]]);
});

Deno.test("StoredFile.finish() leaves the time of the last write on the file", async () => {
  using folder = new MemoryFolder();
  const before = Deno.statSync(folder.write("now", "")).mtime!;
  using file = await open(folder.pathOf("a.txt"), CONTENT);
  await complete(file);
  assert(Deno.statSync(folder.pathOf("a.txt")).mtime! >= before);
});

/** A disk whose part file is synced when the test says so. */
class SlowSync {
  readonly started: PromiseWithResolvers<void>[] = [];
  readonly disk: Disk = {
    ...realDisk,
    openSync: (path, options) => {
      const file = Deno.openSync(path, options);
      file.syncData = () => {
        const sync = Promise.withResolvers<void>();
        this.started.push(sync);
        return sync.promise;
      };
      return file;
    },
  };
}

Deno.test("StoredFile syncs in batches while it writes, and trusts synced pieces after a crash", async () => {
  using folder = new MemoryFolder();
  const { started, disk } = new SlowSync();
  const options = { ...OPTIONS, disk, syncEvery: 16 };
  {
    using file = await open(folder.pathOf("a.txt"), CONTENT, options);
    file.write(0, pieceOf(TEXT, 0));
    assertEquals(started.length, 0);
    file.write(1, pieceOf(TEXT, 1));
    assertEquals(started.length, 1);
    file.write(2, pieceOf(TEXT, 2));
    started[0]!.resolve();
    await turns();
  }
  using file = await open(folder.pathOf("a.txt"), CONTENT, AFTER_REBOOT);
  assertEquals([file.resumed.pieces, file.resumed.rehashed], [3, 1]);
});

Deno.test("StoredFile.write() throws DiskError after a sync failed, and the next run trusts no piece", async () => {
  using folder = new MemoryFolder();
  const { started, disk } = new SlowSync();
  {
    using file = await open(folder.pathOf("a.txt"), CONTENT, { ...OPTIONS, disk, syncEvery: 8 });
    file.write(0, pieceOf(TEXT, 0));
    started[0]!.reject(new Error("Input/output error (os error 5)"));
    await turns();
    assertThrows(() => file.write(1, pieceOf(TEXT, 1)), DiskError, "Cannot sync");
    await assertRejects(() => file.finish(FINISH, never), DiskError, "Cannot sync");
  }
  using file = await open(folder.pathOf("a.txt"), CONTENT);
  assertEquals([file.resumed.pieces, file.resumed.rehashed], [1, 1]);
});

Deno.test("StoredFile can be closed while a sync runs", async () => {
  using folder = new MemoryFolder();
  const { started, disk } = new SlowSync();
  {
    using file = await open(folder.pathOf("a.txt"), CONTENT, { ...OPTIONS, disk, syncEvery: 8 });
    file.write(0, pieceOf(TEXT, 0));
  }
  started[0]!.resolve();
  await turns();
  using file = await open(folder.pathOf("a.txt"), CONTENT, AFTER_REBOOT);
  assertEquals([file.resumed.pieces, file.resumed.rehashed], [1, 1]);
});

Deno.test("StoredFile.open() gets the lock while a sync of the closed file still runs", async () => {
  using folder = new MemoryFolder();
  const syncs: Promise<void>[] = [];
  const disk: Disk = {
    ...realDisk,
    openSync(path, options) {
      const file = Deno.openSync(path, options);
      const { syncData } = file;
      file.syncData = () => {
        const sync = syncData.call(file);
        syncs.push(sync);
        return sync;
      };
      return file;
    },
  };
  for (let round = 0; round < 20; round++) {
    using file = await open(folder.pathOf("a.txt"), CONTENT, { ...OPTIONS, disk, syncEvery: 1 });
    file.write(round % 3, pieceOf(TEXT, round % 3));
  }
  assertEquals((await Promise.all(syncs)).length, 20);
});

/** Until what is settled has been acted on. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
}
