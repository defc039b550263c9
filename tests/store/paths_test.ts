import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { basename, join } from "@std/path";
import { ConflictError, DiskError } from "../../core/base/errors.ts";
import { type Disk, realDisk } from "../../core/store/disk.ts";
import {
  isReservedName,
  journalPath,
  localName,
  OutFolder,
  parseQuarantined,
  partPath,
  quarantineTarget,
} from "../../core/store/paths.ts";
import { property, validName } from "../base/property.ts";
import { bytesOf } from "../support/bytes.ts";
import { MemoryFolder } from "../support/temp_folder.ts";
import { symlink } from "../support/platform.ts";

Deno.test("OutFolder.prepare() makes the folders of a name", async () => {
  using folder = new MemoryFolder();
  const path = new OutFolder(folder.pathOf("out")).prepare("a/b/c.txt");
  assertEquals(path, folder.pathOf("out/a/b/c.txt"));
  assertEquals((await Deno.stat(folder.pathOf("out/a/b"))).isDirectory, true);
  assertEquals(folder.names(), ["out"]);
});

Deno.test("OutFolder() makes no folder before the first name", () => {
  using folder = new MemoryFolder();
  const out = new OutFolder(folder.pathOf("deep/out"));
  assertEquals(folder.names(), []);
  assertEquals(
    [out.prepare("a"), out.prepare("b")],
    ["a", "b"].map((n) => folder.pathOf(`deep/out/${n}`)),
  );
});

Deno.test("OutFolder.prepare() retries to make the folder", () => {
  using folder = new MemoryFolder();
  const out = new OutFolder(folder.write("out", ""));
  assertThrows(() => out.prepare("a"), DiskError);
  Deno.removeSync(folder.pathOf("out"));
  assertEquals(out.prepare("a"), folder.pathOf("out/a"));
});

Deno.test("OutFolder.prepare() does not touch existing files", () => {
  using folder = new MemoryFolder();
  Deno.mkdirSync(folder.pathOf("a"));
  folder.write("a/b", "mine");
  assertEquals(new OutFolder(folder.path).prepare("a/b"), folder.pathOf("a/b"));
  assertEquals(folder.read("a/b"), "mine");
});

Deno.test("OutFolder.prepare() resolves a root that is a link", () => {
  using folder = new MemoryFolder();
  Deno.mkdirSync(folder.pathOf("real"));
  symlink(folder.pathOf("real"), folder.pathOf("out"));
  assertEquals(new OutFolder(folder.pathOf("out")).prepare("a/b"), folder.pathOf("real/a/b"));
});

const located = [
  { name: "all folders exist", out: "out", file: "a/b.txt", want: "out/a/b.txt" },
  { name: "the folder is missing", out: "new/out", file: "x/b.txt", want: "new/out/x/b.txt" },
  { name: "the folder is a link", out: "link", file: "a/b.txt", want: "out/a/b.txt" },
  { name: "the folder lies behind a link", out: "link/new", file: "b.txt", want: "out/new/b.txt" },
  { name: "a link leads to a folder inside", out: "out", file: "to-a/b.txt", want: "out/a/b.txt" },
];
for (const { name, out, file, want } of located) {
  Deno.test(`OutFolder.locate() returns the path of prepare() when ${name}`, () => {
    using folder = new MemoryFolder();
    Deno.mkdirSync(folder.pathOf("out/a"), { recursive: true });
    symlink(folder.pathOf("out"), folder.pathOf("link"));
    symlink("a", folder.pathOf("out/to-a"));
    const outFolder = new OutFolder(folder.pathOf(out));
    const path = outFolder.locate(file);
    assertEquals([path, outFolder.prepare(file)], [folder.pathOf(want), folder.pathOf(want)]);
    assertEquals([outFolder.locate(file), new OutFolder(folder.pathOf(out)).locate(file)], [
      path,
      path,
    ]);
  });
}

Deno.test("OutFolder.locate() makes the root and nothing else", () => {
  using folder = new MemoryFolder();
  new OutFolder(folder.pathOf("out")).locate("a/b");
  assertEquals([folder.names(), Array.from(Deno.readDirSync(folder.pathOf("out")))], [["out"], []]);
});

Deno.test("OutFolder.prepare() throws ConflictError when a link replaced a folder after locate()", () => {
  using folder = new MemoryFolder();
  const out = new OutFolder(folder.pathOf("out"));
  const target = out.locate("a/b");
  Deno.mkdirSync(folder.pathOf("elsewhere"));
  symlink(folder.pathOf("elsewhere"), folder.pathOf("out/a"));
  assertThrows(() => out.prepare("a/b"), ConflictError, "replaced by a link");
  assertEquals([target, Array.from(Deno.readDirSync(folder.pathOf("elsewhere")))], [
    folder.pathOf("out/a/b"),
    [],
  ]);
});

/** A disk that records which folders are synced. */
function noting(synced: string[], fault?: Error): Disk {
  return {
    ...realDisk,
    openSync(path, options) {
      const folder = Deno.openSync(path, options);
      folder.sync = () => {
        synced.push(path);
        return fault ? Promise.reject(fault) : Promise.resolve();
      };
      return folder;
    },
  };
}

Deno.test("OutFolder.sync() syncs the parents of new folders once", async () => {
  using folder = new MemoryFolder();
  const synced: string[] = [];
  const out = new OutFolder(folder.pathOf("x/out"), Deno.build.os, noting(synced));
  const path = out.prepare("a/b/c.txt");
  out.prepare("d/e.txt");
  await out.sync(path);
  const parents = [folder.path, ...["x", "x/out", "x/out/a"].map((name) => folder.pathOf(name))];
  assertEquals(synced.sort(), parents);
  await out.sync(path);
  assertEquals(synced.length, 4);
});

Deno.test("OutFolder.sync() syncs nothing when all folders existed", async () => {
  using folder = new MemoryFolder();
  Deno.mkdirSync(folder.pathOf("a"));
  const synced: string[] = [];
  const out = new OutFolder(folder.path, Deno.build.os, noting(synced));
  await out.sync(out.prepare("a/b"));
  assertEquals(synced, []);
});

const faults = [
  { fault: "Input/output error (os error 5)", thrown: true },
  { fault: "No space left on device (os error 28)", thrown: true },
  { fault: "Invalid argument (os error 22)", thrown: false },
];
for (const { fault, thrown } of faults) {
  Deno.test(`OutFolder.sync() ${thrown ? "throws" : "ignores"} "${fault}"`, async () => {
    using folder = new MemoryFolder();
    const out = new OutFolder(folder.path, Deno.build.os, noting([], new Error(fault)));
    const synced = out.sync(out.prepare("a/b"));
    if (thrown) await assertRejects(() => synced, DiskError, "Cannot sync folder");
    else await synced;
  });
}

const linksInside = [
  { name: "another folder inside", to: "out/other" },
  { name: "the folder itself", to: "out" },
];
for (const { name, to } of linksInside) {
  Deno.test(`OutFolder.prepare() follows a link when it leads to ${name}`, () => {
    using folder = new MemoryFolder();
    Deno.mkdirSync(folder.pathOf("out/other"), { recursive: true });
    symlink(folder.pathOf(to), folder.pathOf("out/link"));
    const path = new OutFolder(folder.pathOf("out")).prepare("link/a.txt");
    Deno.writeTextFileSync(path, "x");
    assertEquals(folder.read(`${to}/a.txt`), "x");
  });
}

const linksOutside = [
  { name: "a folder beside it", to: ".." },
  { name: "the root", to: "/" },
  { name: "a folder whose name begins alike", to: "../out-of-it" },
];
for (const { name, to } of linksOutside) {
  for (const rest of ["a.txt", "deeper/a.txt"]) {
    Deno.test(`OutFolder.prepare() throws ConflictError for ${rest} below a link to ${name}`, () => {
      using folder = new MemoryFolder();
      Deno.mkdirSync(folder.pathOf("out"));
      Deno.mkdirSync(folder.pathOf("out-of-it"));
      symlink(to, folder.pathOf("out/link"));
      assertThrows(
        () => new OutFolder(folder.pathOf("out")).prepare(`link/${rest}`),
        ConflictError,
        "leads out",
      );
      assertEquals([...Deno.readDirSync(folder.pathOf("out-of-it"))], []);
      assertEquals(folder.names(), ["out", "out-of-it"]);
    });
  }
}

const inTheWay: {
  name: string;
  make(path: string): void;
  want: typeof ConflictError | typeof DiskError;
}[] = [
  {
    name: "a file",
    make: (path: string) => Deno.writeTextFileSync(path, "x"),
    want: ConflictError,
  },
  {
    name: "a dangling link",
    make: (path: string) => symlink("no", path),
    want: DiskError,
  },
  {
    name: "a link to itself",
    make: (path: string) => symlink(path, path),
    want: DiskError,
  },
];
for (const { name, make, want } of inTheWay) {
  Deno.test(`OutFolder.prepare() throws ${want.name} when ${name} is at the path of the folder`, () => {
    using folder = new MemoryFolder();
    make(folder.pathOf("a"));
    const prepared = () => new OutFolder(folder.path).prepare("a/b");
    assertThrows<Error>(prepared, want, folder.pathOf("a"));
  });
}

Deno.test("OutFolder.prepare() throws DiskError when the root is a file", () => {
  using folder = new MemoryFolder();
  assertThrows(() => new OutFolder(folder.write("out", "")).prepare("a"), DiskError, "make folder");
});

Deno.test("OutFolder.prepare() does not change case or Unicode normalization", () => {
  using folder = new MemoryFolder();
  const names = ["a.txt", "A.txt", "\u00e9", "e\u0301"];
  const paths = [];
  for (const name of names) paths.push(new OutFolder(folder.path, "linux").prepare(name));
  assertEquals(paths, names.map((name) => folder.pathOf(name)));
});

Deno.test("OutFolder.prepare() escapes reserved names when the platform is windows", () => {
  using folder = new MemoryFolder();
  const path = new OutFolder(folder.path, "windows").prepare("con/a:b");
  assertEquals(path, folder.pathOf("%63on/a%3Ab"));
});

const windowsNames = [
  ["plain.txt", "plain.txt"],
  ["ünï/日本", "ünï/日本"],
  ["a b.c d", "a b.c d"],
  ["con", "%63on"],
  ["CON", "%43ON"],
  ["con.air.nfo", "%63on.air.nfo"],
  ["con .txt", "%63on .txt"],
  ["console", "console"],
  ["a/aux/b", "a/%61ux/b"],
  ["com1.txt", "%63om1.txt"],
  ["com10", "com10"],
  ["lpt¹", "%6Cpt¹"],
  ["CONIN$", "%43ONIN$"],
  ["a:b", "a%3Ab"],
  ["c:/x", "c%3A/x"],
  ['<>:"|?*', "%3C%3E%3A%22%7C%3F%2A"],
  ["a.", "a%2E"],
  ["a..", "a.%2E"],
  ["...", "..%2E"],
  ["a ", "a%20"],
  [" ", "%20"],
  ["nul..", "%6Eul.%2E"],
  ["dir./file", "dir%2E/file"],
  [" a", " a"],
] as const;
for (const [name, want] of windowsNames) {
  Deno.test(`localName() returns ${JSON.stringify(want)} for ${JSON.stringify(name)} when the platform is windows`, () => {
    assertEquals(localName(name, "windows"), want);
  });
}

for (const platform of ["linux", "darwin"]) {
  property(`localName() changes nothing when the platform is ${platform}`, validName, (name) => {
    assertEquals(localName(name, platform), name);
  });
}

property("localName() returns a valid name when the platform is windows", validName, (name) => {
  for (const part of localName(name, "windows").split("/")) {
    assertMatch(part, /^[^<>:"|?*]*[^<>:"|?*. ]$/);
    assertEquals(/^(con|prn|aux|nul|com\d|lpt\d)\s*(\.|$)/i.test(part), false, part);
  }
  assertEquals(localName(localName(name, "windows"), "windows"), localName(name, "windows"));
});

const long = [
  { name: "exactly fits", stem: "x".repeat(255 - ".p2p-journal".length), shortened: false },
  { name: "is one byte too long", stem: "x".repeat(256 - ".p2p-journal".length), shortened: true },
  { name: "has 255 bytes", stem: "x".repeat(255), shortened: true },
  { name: "has 254 bytes in two-byte characters", stem: "é".repeat(127), shortened: true },
  { name: "has 255 bytes in three-byte characters", stem: "日".repeat(85), shortened: true },
  { name: "has 252 bytes in pairs of surrogates", stem: "😀".repeat(63), shortened: true },
];
for (const { name, stem, shortened } of long) {
  Deno.test(`partPath() and journalPath() return names that the disk accepts when the name ${name}`, () => {
    using folder = new MemoryFolder();
    for (
      const [pathOf, suffix] of [[partPath, ".p2p-part"], [journalPath, ".p2p-journal"]] as const
    ) {
      const path = pathOf(folder.pathOf(stem));
      assertEquals(path === folder.pathOf(stem) + suffix, !shortened);
      assert(path.endsWith(suffix) && basename(path).isWellFormed(), path);
      Deno.writeTextFileSync(path, "");
      assertEquals(folder.names().includes(basename(path)), true);
    }
  });

  Deno.test(`quarantineTarget() returns a target whose files parseQuarantined() recognises when the name ${name}`, () => {
    const target = quarantineTarget(join("/", stem), "12345678-2");
    for (
      const [path, isPart] of [[partPath(target), true], [journalPath(target), false]] as const
    ) {
      assert(bytesOf(basename(path)).length <= 255, path);
      assertEquals(parseQuarantined(basename(path)), { mark: "12345678-2", isPart });
    }
  });
}

Deno.test("partPath() differs when long names differ in their ends only", () => {
  const names = ["a", "b"].map((end) => join("/", "x".repeat(254) + end));
  const [a, b] = names.map(partPath);
  assert(a !== b, "two names, two files");
  assertEquals(partPath(names[0]!), a);
});

const others = [
  "a.txt.p2p-part",
  "a.txt",
  "a~12345678.p2p-part",
  "a.txt~1234567.p2p-part",
  "~12345678.p2p-part",
];
for (const name of others) {
  Deno.test(`parseQuarantined() returns undefined for "${name}"`, () => {
    assertEquals(parseQuarantined(name), undefined);
  });
}

const reserved = [
  { name: "x.p2p-part", want: true },
  { name: "x.p2p-journal", want: true },
  { name: "dir/x.P2P-Journal", want: true },
  { name: "dir.p2p-part/x", want: true },
  { name: ".p2p-part", want: true },
  { name: "x.p2p-parts", want: false },
  { name: "x.p2p-part.txt", want: false },
  { name: "p2p-part", want: false },
  { name: "x.part", want: false },
];
for (const { name, want } of reserved) {
  Deno.test(`isReservedName() is ${want} for ${JSON.stringify(name)}`, () => {
    assertEquals(isReservedName(name), want);
  });
}
