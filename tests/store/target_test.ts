import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { basename, join } from "@std/path";
import { sha256 } from "../../core/base/digest.ts";
import { ConflictError, DiskError } from "../../core/base/errors.ts";
import type { ConflictPolicy } from "../../core/base/policies.ts";
import {
  besideTarget,
  type Bytes,
  JOURNAL_SUFFIX,
  localName,
  PART_SUFFIX,
  prepareTarget,
  settle,
} from "../../core/store/target.ts";
import { property, validName } from "../base/property.ts";
import { bytesOf, Enough, manifestFor, never, TempFolder } from "./support.ts";

const RIGHT = "the right bytes, of several pieces";
const OTHER = RIGHT.toUpperCase();
const MANIFEST = manifestFor(RIGHT);
const SHA256 = sha256(bytesOf(RIGHT)).toHex();
const WAYS: { by: string; bytes: Bytes; mark: string }[] = [
  { by: "a manifest", bytes: { manifest: MANIFEST }, mark: MANIFEST.id.slice(0, 8) },
  { by: "a digest", bytes: { sha256: SHA256 }, mark: SHA256.slice(0, 8) },
];

interface Situation {
  readonly name: string;
  /** What is at "a.txt", and at its renamed twin. */
  readonly there?: string | "folder" | "link";
  readonly twin?: string | "folder" | "link";
  /** What becomes of it; a path ends with ~ for the twin's. */
  readonly want: Record<ConflictPolicy, string>;
}

const same = { rename: "same", skip: "same", fail: "same", overwrite: "same" };
const conflict = "conflict";
const situations: Situation[] = [
  {
    name: "nothing is there",
    want: { rename: "free", skip: "free", fail: "free", overwrite: "free" },
  },
  { name: "the same bytes are there", there: RIGHT, want: same },
  {
    name: "other bytes of the same length are there",
    there: OTHER,
    want: { rename: "free ~", skip: "skip", fail: conflict, overwrite: "replace" },
  },
  {
    name: "an empty file is there",
    there: "",
    want: { rename: "free ~", skip: "skip", fail: conflict, overwrite: "replace" },
  },
  {
    name: "a folder is there",
    there: "folder",
    want: { rename: conflict, skip: conflict, fail: conflict, overwrite: conflict },
  },
  {
    name: "a link to the same bytes is there",
    there: "link",
    want: { rename: "free ~", skip: "skip", fail: conflict, overwrite: "replace" },
  },
  {
    name: "the twin has the same bytes",
    there: OTHER,
    twin: RIGHT,
    want: { rename: "same ~", skip: "skip", fail: conflict, overwrite: "replace" },
  },
  {
    name: "the twin has other bytes, too",
    there: OTHER,
    twin: OTHER,
    want: { rename: conflict, skip: "skip", fail: conflict, overwrite: "replace" },
  },
  {
    name: "the twin is a folder",
    there: OTHER,
    twin: "folder",
    want: { rename: conflict, skip: "skip", fail: conflict, overwrite: "replace" },
  },
  {
    name: "the twin is a link",
    there: OTHER,
    twin: "link",
    want: { rename: conflict, skip: "skip", fail: conflict, overwrite: "replace" },
  },
];

function put(folder: TempFolder, name: string, what: string | undefined): void {
  if (what === undefined) return;
  if (what === "folder") return Deno.mkdirSync(folder.of(name));
  if (what !== "link") return void folder.write(name, what);
  folder.write(`${name}.elsewhere`, RIGHT);
  Deno.symlinkSync(folder.of(`${name}.elsewhere`), folder.of(name));
}

for (const { name, there, twin, want } of situations) {
  for (const policy of Object.keys(want) as ConflictPolicy[]) {
    for (const { by, bytes, mark } of WAYS) {
      Deno.test(`settle() says ${want[policy]} by ${by} when ${name} and the policy is ${policy}`, async () => {
        using folder = new TempFolder();
        put(folder, "a.txt", there);
        put(folder, `a~${mark}.txt`, twin);
        const path = folder.of("a.txt");
        const got = await settle(path, bytes, policy, never).then(
          (place) => place.kind + (place.path === path ? "" : " ~"),
          (error) => {
            assertInstanceOf(error, ConflictError);
            return conflict;
          },
        );
        assertEquals(got, want[policy]);
      });
    }
  }
}

Deno.test("settle() puts the content's mark before the extension when it renames", async () => {
  using folder = new TempFolder();
  const mark = MANIFEST.id.slice(0, 8);
  const names = [
    ["a.tar.gz", `a.tar~${mark}.gz`],
    ["noext", `noext~${mark}`],
    [".hidden", `.hidden~${mark}`],
  ];
  for (const [name, want] of names) {
    const path = folder.write(name!, OTHER);
    const place = await settle(path, { manifest: MANIFEST }, "rename", never);
    assertEquals(place.path, folder.of(want!));
  }
});

for (const extension of ["", ".txt", "." + "é".repeat(20)]) {
  Deno.test(`settle() finds a name when the old one has 255 bytes and ends with "${extension}"`, async () => {
    using folder = new TempFolder();
    const stem = "é".repeat(Math.floor((255 - bytesOf(extension).length) / 2));
    const path = folder.write(stem + extension, OTHER);
    const place = await settle(path, { manifest: MANIFEST }, "rename", never);
    assertEquals(place.kind, "free");
    assert(bytesOf(basename(place.path)).length <= 255, "fits");
    assert(place.path.endsWith(`~${MANIFEST.id.slice(0, 8)}${extension}`), place.path);
    // The disk agrees.
    Deno.writeTextFileSync(place.path, "");
  });
}

Deno.test("settle() throws the signal's reason when it aborts", async () => {
  using folder = new TempFolder();
  const path = folder.write("a", RIGHT);
  const reason = new Enough("enough");
  await assertRejects(
    () => settle(path, { manifest: MANIFEST }, "rename", AbortSignal.abort(reason)),
    Enough,
  );
});

Deno.test("prepareTarget() makes the folders of a name when they are missing", async () => {
  using folder = new TempFolder();
  const path = prepareTarget(folder.of("out"), "a/b/c.txt");
  assertEquals(path, folder.of("out/a/b/c.txt"));
  assertEquals((await Deno.stat(folder.of("out/a/b"))).isDirectory, true);
  assertEquals(folder.names(), ["out"]);
});

Deno.test("prepareTarget() leaves what is there when the folders exist", () => {
  using folder = new TempFolder();
  Deno.mkdirSync(folder.of("a"));
  folder.write("a/b", "mine");
  assertEquals(prepareTarget(folder.path, "a/b"), folder.of("a/b"));
  assertEquals(folder.read("a/b"), "mine");
});

Deno.test("prepareTarget() goes through the links of the user when --out itself is one", () => {
  using folder = new TempFolder();
  Deno.mkdirSync(folder.of("real"));
  Deno.symlinkSync(folder.of("real"), folder.of("out"));
  assertEquals(prepareTarget(folder.of("out"), "a/b"), folder.of("real/a/b"));
});

const linksInside = [
  { name: "another folder inside", to: "out/other" },
  { name: "the folder itself", to: "out" },
];
for (const { name, to } of linksInside) {
  Deno.test(`prepareTarget() follows a link when it leads to ${name}`, () => {
    using folder = new TempFolder();
    Deno.mkdirSync(folder.of("out/other"), { recursive: true });
    Deno.symlinkSync(folder.of(to), folder.of("out/link"));
    const path = prepareTarget(folder.of("out"), "link/a.txt");
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
    Deno.test(`prepareTarget() refuses ${rest} when a link leads to ${name}`, () => {
      using folder = new TempFolder();
      Deno.mkdirSync(folder.of("out"));
      Deno.mkdirSync(folder.of("out-of-it"));
      Deno.symlinkSync(to, folder.of("out/link"));
      assertThrows(
        () => prepareTarget(folder.of("out"), `link/${rest}`),
        ConflictError,
        "leads out",
      );
      assertEquals([...Deno.readDirSync(folder.of("out-of-it"))], []);
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
    make: (path: string) => Deno.symlinkSync("no", path),
    want: DiskError,
  },
  {
    name: "a link to itself",
    make: (path: string) => Deno.symlinkSync(path, path),
    want: DiskError,
  },
];
for (const { name, make, want } of inTheWay) {
  Deno.test(`prepareTarget() throws ${want.name} when ${name} has the folder's name`, () => {
    using folder = new TempFolder();
    make(folder.of("a"));
    const prepared = () => prepareTarget(folder.path, "a/b");
    assertThrows<Error>(prepared, want, folder.of("a"));
  });
}

Deno.test("prepareTarget() throws DiskError when --out is a file", () => {
  using folder = new TempFolder();
  assertThrows(() => prepareTarget(folder.write("out", ""), "a"), DiskError, "make folder");
});

Deno.test("prepareTarget() keeps twins apart when they differ in case or normalisation only", () => {
  using folder = new TempFolder();
  const names = ["a.txt", "A.txt", "\u00e9", "e\u0301"];
  const paths = [];
  for (const name of names) paths.push(prepareTarget(folder.path, name, "linux"));
  assertEquals(paths, names.map((name) => folder.of(name)));
});

Deno.test("prepareTarget() writes below the escaped folder when the platform is windows", () => {
  using folder = new TempFolder();
  const path = prepareTarget(folder.path, "con/a:b", "windows");
  assertEquals(path, folder.of("%63on/a%3Ab"));
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
  Deno.test(`localName() gives ${JSON.stringify(want)} when the platform is windows and the name ${JSON.stringify(name)}`, () => {
    assertEquals(localName(name, "windows"), want);
  });
}

for (const platform of ["linux", "darwin"]) {
  property(`localName() changes nothing when the platform is ${platform}`, validName, (name) => {
    assertEquals(localName(name, platform), name);
  });
}

property("localName() gives a possible name when the platform is windows", validName, (name) => {
  for (const part of localName(name, "windows").split("/")) {
    assertMatch(part, /^[^<>:"|?*]*[^<>:"|?*. ]$/);
    assertEquals(/^(con|prn|aux|nul|com\d|lpt\d)\s*(\.|$)/i.test(part), false, part);
  }
  assertEquals(localName(localName(name, "windows"), "windows"), localName(name, "windows"));
});

const long = [
  { name: "exactly fits", stem: "x".repeat(255 - JOURNAL_SUFFIX.length), shortened: false },
  { name: "is one byte too long", stem: "x".repeat(256 - JOURNAL_SUFFIX.length), shortened: true },
  { name: "has 255 bytes", stem: "x".repeat(255), shortened: true },
  { name: "has 254 bytes in two-byte characters", stem: "é".repeat(127), shortened: true },
  { name: "has 255 bytes in three-byte characters", stem: "日".repeat(85), shortened: true },
  { name: "has 252 bytes in pairs of surrogates", stem: "😀".repeat(63), shortened: true },
];
for (const { name, stem, shortened } of long) {
  Deno.test(`besideTarget() gives names that the disk takes when the name ${name}`, () => {
    using folder = new TempFolder();
    for (const suffix of [PART_SUFFIX, JOURNAL_SUFFIX]) {
      const path = besideTarget(folder.of(stem), suffix);
      assertEquals(path === folder.of(stem) + suffix, !shortened);
      assert(path.endsWith(suffix) && basename(path).isWellFormed(), path);
      Deno.writeTextFileSync(path, "");
      assertEquals(folder.names().includes(basename(path)), true);
    }
  });
}

Deno.test("besideTarget() keeps long names apart when only their ends differ", () => {
  const names = ["a", "b"].map((end) => join("/", "x".repeat(254) + end));
  const [a, b] = names.map((path) => besideTarget(path, PART_SUFFIX));
  assert(a !== b, "two names, two files");
  assertEquals(besideTarget(names[0]!, PART_SUFFIX), a);
});
