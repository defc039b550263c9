import { assertEquals, assertThrows } from "@std/assert";
import { ConflictError, DiskError } from "../../core/base/errors.ts";
import { type Disk, DiskFullError, realDisk } from "../../core/store/disk.ts";
import { PartFile } from "../../core/store/part_file.ts";
import { bytesOf } from "../support/bytes.ts";
import { MemoryFolder } from "../support/temp_folder.ts";
import { symlink } from "../support/platform.ts";

Deno.test("PartFile.open() creates an empty file", () => {
  using folder = new MemoryFolder();
  using part = PartFile.open(folder.pathOf("a"));
  assertEquals([part.before.size, folder.read("a")], [0, ""]);
});

Deno.test("PartFile.open() does not change an existing file", () => {
  using folder = new MemoryFolder();
  using part = PartFile.open(folder.write("a", "before"));
  assertEquals([part.before.size, folder.read("a")], [6, "before"]);
});

Deno.test("PartFile.open() names the process that has the file open", () => {
  using folder = new MemoryFolder();
  using _first = PartFile.open(folder.pathOf("a"));
  const error = assertThrows(
    () => PartFile.open(folder.pathOf("a"), { holder: () => "the holder" }),
    ConflictError,
    "the holder works on it",
  );
  assertEquals(error.problem, "target-busy");
});

Deno.test("PartFile.open() opens a file that was closed", () => {
  using folder = new MemoryFolder();
  (PartFile.open(folder.pathOf("a"))).close();
  using part = PartFile.open(folder.pathOf("a"));
  assertEquals(part.before.size, 0);
});

/** Another process that locks the file, prints "held", and keeps the lock until its input ends. */
function holderOf(path: string): Deno.ChildProcess {
  const code = `
    const file = Deno.openSync(${JSON.stringify(path)}, { write: true, create: true });
    file.lockSync(true);
    console.log("held");
    await Deno.stdin.read(new Uint8Array(1));
  `;
  return new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-config", code],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
}

Deno.test("PartFile.open() throws ConflictError when another process holds the file, until it dies", async () => {
  using folder = new MemoryFolder();
  const path = folder.pathOf("a");
  const child = holderOf(path);
  const output = child.stdout.getReader();
  try {
    await output.read();
    assertThrows(() => PartFile.open(path), ConflictError, "another p2p works on it");
  } finally {
    child.kill("SIGKILL");
    await output.cancel();
    await child.stdin.abort().catch(() => {});
    await child.status;
  }
  using part = PartFile.open(path);
  assertEquals(part.before.size, 0);
});

const noFiles = [
  { name: "a folder", make: (path: string) => Deno.mkdirSync(path) },
  { name: "a link to a file", make: (path: string) => link(path, "victim") },
  { name: "a dangling link", make: (path: string) => link(path, "nowhere") },
];
function link(path: string, to: string): void {
  symlink(to, path);
}
for (const { name, make } of noFiles) {
  Deno.test(`PartFile.open() throws ConflictError when ${name} is at the path`, () => {
    using folder = new MemoryFolder();
    folder.write("victim", "precious");
    make(folder.pathOf("a"));
    assertThrows(() => PartFile.open(folder.pathOf("a")), ConflictError, "plain file");
    assertEquals(folder.read("victim"), "precious");
    assertEquals(folder.names(), ["a", "victim"]);
  });
}

/** A disk that calls `act` before it opens the first file. */
function between(act: (path: string) => void): Disk {
  let done = false;
  return {
    ...realDisk,
    openSync(path, options) {
      if (!done) {
        done = true;
        act(path);
      }
      return Deno.openSync(path, options);
    },
  };
}

for (const before of ["a file", "nothing"]) {
  Deno.test(`PartFile.open() does not follow a link that replaces ${before} at that moment`, () => {
    using folder = new MemoryFolder();
    folder.write("victim", "precious");
    if (before === "a file") folder.write("a", "");
    const disk = between((path) => {
      if (before === "a file") Deno.removeSync(path);
      symlink(folder.pathOf("victim"), path);
    });
    assertThrows(() => PartFile.open(folder.pathOf("a"), { disk }), ConflictError);
    assertEquals(folder.read("victim"), "precious");
  });
}

Deno.test("PartFile.open() throws ConflictError when another process creates the file at that moment", () => {
  using folder = new MemoryFolder();
  let other: PartFile | undefined;
  const disk = between((path) => void (other = PartFile.open(path)));
  assertThrows(
    () => PartFile.open(folder.pathOf("a"), { disk }),
    ConflictError,
    "another p2p works on it",
  );
  other?.close();
});

Deno.test("PartFile.open() creates a file when the old one is removed at that moment", () => {
  using folder = new MemoryFolder();
  folder.write("a", "before");
  const disk = between((path) => Deno.removeSync(path));
  using part = PartFile.open(folder.pathOf("a"), { disk });
  assertEquals([part.before.size, folder.read("a")], [0, ""]);
});

Deno.test("PartFile.open() does not write to a file that was finished between opening and locking", () => {
  using folder = new MemoryFolder();
  folder.write("a.part", "whole");
  const finished: Disk = {
    ...realDisk,
    openSync(path, options) {
      const file = Deno.openSync(path, options);
      if (folder.names().includes("a")) return file;
      Deno.linkSync(path, folder.pathOf("a"));
      Deno.removeSync(path);
      return file;
    },
  };
  using part = PartFile.open(folder.pathOf("a.part"), { disk: finished });
  part.write(0, bytesOf("torn"));
  assertEquals([folder.read("a"), folder.read("a.part")], ["whole", "torn"]);
});

Deno.test("PartFile.open() removes a part file that is a hard link to the target", () => {
  using folder = new MemoryFolder();
  Deno.linkSync(folder.write("a", "whole"), folder.pathOf("a.part"));
  using part = PartFile.open(folder.pathOf("a.part"), { target: folder.pathOf("a") });
  part.write(0, bytesOf("torn"));
  assertEquals([folder.read("a"), folder.read("a.part")], ["whole", "torn"]);
});

Deno.test("PartFile.open() throws ConflictError when the file keeps being replaced", () => {
  using folder = new MemoryFolder();
  folder.write("a", "");
  const replacing: Disk = {
    ...realDisk,
    openSync(path, options) {
      const file = Deno.openSync(path, options);
      folder.write("b", "");
      Deno.renameSync(folder.pathOf("b"), path);
      return file;
    },
  };
  assertThrows(
    () => PartFile.open(folder.pathOf("a"), { disk: replacing }),
    ConflictError,
    "keeps replacing",
  );
});

Deno.test("PartFile.open() throws DiskError when its folder is missing", () => {
  using folder = new MemoryFolder();
  assertThrows(() => PartFile.open(folder.pathOf("no/a")), DiskError, "Cannot open");
});

Deno.test("PartFile.write() writes at any position in any order", () => {
  using folder = new MemoryFolder();
  using part = PartFile.open(folder.pathOf("a"));
  part.resize(9);
  for (const at of [6, 0, 3]) part.write(at, bytesOf(`<${at}>`));
  assertEquals(folder.read("a"), "<0><3><6>");
});

Deno.test("PartFile.resize() takes no space", async () => {
  using folder = new MemoryFolder();
  using part = PartFile.open(folder.pathOf("a"));
  part.resize(1024 ** 3);
  const { size, blocks } = await part.file.stat();
  assertEquals([size, blocks], [1024 ** 3, 0]);
});

Deno.test("PartFile.place() does not replace an existing file", () => {
  using folder = new MemoryFolder();
  using part = PartFile.open(folder.write("a.part", "new"));
  folder.write("a", "old");
  assertEquals(part.place(folder.pathOf("a"), { replace: false }), "taken");
  assertEquals([folder.read("a"), folder.read("a.part")], ["old", "new"]);
});

Deno.test("PartFile.place() does not replace a dangling link", () => {
  using folder = new MemoryFolder();
  using part = PartFile.open(folder.write("a.part", "new"));
  symlink(folder.pathOf("nowhere"), folder.pathOf("a"));
  assertEquals(part.place(folder.pathOf("a"), { replace: false }), "taken");
  assertEquals(folder.names(), ["a", "a.part"]);
});

for (const replace of [false, true]) {
  Deno.test(`PartFile.place() moves the file when replace is ${replace}`, () => {
    using folder = new MemoryFolder();
    using part = PartFile.open(folder.write("a.part", "new"));
    if (replace) folder.write("a", "old");
    assertEquals(part.place(folder.pathOf("a"), { replace }), "placed");
    assertEquals([folder.names(), folder.read("a")], [["a"], "new"]);
  });
}

for (const replace of [false, true]) {
  for (
    const [what, swap] of [
      ["another file", (folder: MemoryFolder) => {
        folder.write("other", "evil");
        Deno.renameSync(folder.pathOf("other"), folder.pathOf("a.part"));
      }],
      ["nothing", (folder: MemoryFolder) => Deno.removeSync(folder.pathOf("a.part"))],
      ["a link", (folder: MemoryFolder) => {
        Deno.removeSync(folder.pathOf("a.part"));
        symlink(folder.write("other", "evil"), folder.pathOf("a.part"));
      }],
    ] as const
  ) {
    Deno.test(`PartFile.place() throws ConflictError when ${what} replaced the part file and replace is ${replace}`, () => {
      using folder = new MemoryFolder();
      using part = PartFile.open(folder.write("a.part", "right"));
      swap(folder);
      const placing = () => part.place(folder.pathOf("a"), { replace });
      assertThrows(placing, ConflictError, "another program removed or replaced it");
      assertEquals(folder.names().includes("a"), false);
    });
  }
}

/** FAT. */
const withoutLinks: Disk = {
  ...realDisk,
  linkSync: () => {
    throw new Error("Operation not permitted (os error 1)");
  },
};

for (const taken of [false, true]) {
  Deno.test(`PartFile.place() returns ${taken ? "taken" : "placed"} on a disk without hard links when the name is ${taken ? "taken" : "free"}`, () => {
    using folder = new MemoryFolder();
    using part = PartFile.open(folder.write("a.part", "new"), { disk: withoutLinks });
    if (taken) folder.write("a", "old");
    assertEquals(part.place(folder.pathOf("a"), { replace: false }), taken ? "taken" : "placed");
    assertEquals(folder.read("a"), taken ? "old" : "new");
    assertEquals(folder.names(), taken ? ["a", "a.part"] : ["a"]);
  });
}

Deno.test("PartFile.place() succeeds when the folder cannot be opened for a sync", () => {
  using folder = new MemoryFolder();
  const blind: Disk = {
    ...realDisk,
    openSync: (path, options) => {
      if (path === folder.path) throw new Deno.errors.PermissionDenied("no");
      return Deno.openSync(path, options);
    },
  };
  using part = PartFile.open(folder.pathOf("a.part"), { disk: blind });
  assertEquals(part.place(folder.pathOf("a"), { replace: false }), "placed");
});

Deno.test("PartFile.place() succeeds when another process removes the linked part file", () => {
  using folder = new MemoryFolder();
  const tidied: Disk = {
    ...realDisk,
    linkSync(from, to) {
      Deno.linkSync(from, to);
      Deno.removeSync(from);
    },
  };
  using part = PartFile.open(folder.pathOf("a.part"), { disk: tidied });
  assertEquals(part.place(folder.pathOf("a"), { replace: false }), "placed");
  assertEquals(folder.names(), ["a"]);
});

Deno.test("PartFile.write() throws DiskFullError when the disk is full", async () => {
  // The device that is always full.
  const file = await Deno.open("/dev/full", { write: true });
  using folder = new MemoryFolder();
  using part = PartFile.open(folder.pathOf("a"), {
    disk: {
      ...realDisk,
      openSync: (path, options) => {
        const real = Deno.openSync(path, options);
        real.writeSync = (bytes) => file.writeSync(bytes);
        return real;
      },
    },
  });
  assertThrows(() => part.write(0, bytesOf("x")), DiskFullError, "the disk is full");
  file.close();
});

Deno.test("PartFile.mark() makes the writes of other processes visible in the modification time", () => {
  using folder = new MemoryFolder();
  using part = PartFile.open(folder.pathOf("a"));
  const mark = part.mark();
  part.write(0, bytesOf("own"));
  assertEquals([part.isUntouched(), Deno.statSync(folder.pathOf("a")).mtime?.getTime()], [
    true,
    mark,
  ]);
  using other = Deno.openSync(folder.pathOf("a"), { write: true });
  other.writeSync(bytesOf("OWN"));
  assertEquals(part.isUntouched(), false);
});

Deno.test("PartFile.mark() does not reuse a mark after which another process wrote", () => {
  using folder = new MemoryFolder();
  const written = new Date(1_700_000_000_000);
  folder.write("a", "before");
  Deno.utimeSync(folder.pathOf("a"), written, written);
  using first = PartFile.open(folder.pathOf("a"));
  const mark = first.mark()!;
  assertEquals(first.mark(mark), mark);
  first.close();
  // Written in the same moment.
  Deno.utimeSync(folder.pathOf("a"), written, written);
  using second = PartFile.open(folder.pathOf("a"));
  assertEquals(second.mark(mark) === mark, false);
});

Deno.test("PartFile notices writes of other processes where the time of a file cannot be set", () => {
  using folder = new MemoryFolder();
  const disk: Disk = {
    ...realDisk,
    openSync(path, options) {
      const file = Deno.openSync(path, options);
      file.utimeSync = () => {
        throw new Error("Operation not permitted (os error 1)");
      };
      return file;
    },
  };
  using part = PartFile.open(folder.pathOf("a"), { disk });
  assertEquals(part.mark(), undefined);
  part.write(0, bytesOf("own"));
  assertEquals(part.isUntouched(), true);
  Deno.utimeSync(folder.pathOf("a"), 1000, 1000);
  assertEquals(part.isUntouched(), false);
});
