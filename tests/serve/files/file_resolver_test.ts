/** What is found again by one look is never another file, and never outside. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { FileResolver } from "../../../core/serve/files/file_resolver.ts";
import { openRoot } from "../../../core/serve/files/root.ts";
import type { Located } from "../../../core/serve/files/open_file.ts";
import { ErrorReply } from "../../../core/protocol/error_replies.ts";
import { TempFolder, test } from "../support.ts";

const ON_WINDOWS = Deno.build.os === "windows";

/** The served folder lies in another one. */
class House extends TempFolder {
  finder(most?: number): FileResolver {
    return new FileResolver(openRoot(this.pathOf("served"), false), most);
  }
}

/** As a client would get it. */
function textOf(finder: FileResolver, name: string): string {
  return textAt(finder, finder.find(name));
}

function textAt(finder: FileResolver, found: Located): string {
  using file = finder.open(found);
  const bytes = new Uint8Array(file.version.size);
  file.read(bytes, 0);
  return new TextDecoder().decode(bytes);
}

function open(finder: FileResolver, ...names: string[]): void {
  for (const name of names) textOf(finder, name);
}

/** The file's text, or why there is none. */
function opened(finder: FileResolver, found: Located): string {
  try {
    return textAt(finder, found);
  } catch (error) {
    if (error instanceof ErrorReply) return error.code;
    throw error;
  }
}

/** What is looked at anew is another object each time. */
function knows(finder: FileResolver, name: string): boolean {
  return finder.find(name) === finder.find(name);
}

test("Finder.find() knows again what was opened, as long as it is the same version", () => {
  if (ON_WINDOWS) return;
  using house = new House();
  house.write("served/a", "1");
  const finder = house.finder();
  assertEquals(knows(finder, "a"), false);
  open(finder, "a");
  assertEquals(knows(finder, "a"), true);
  house.write("served/a", "22");
  assertEquals(finder.find("a").version.size, 2);
  assertEquals(textOf(finder, "a"), "22");
});

test("Finder.find() remembers so many files, those opened last", () => {
  if (ON_WINDOWS) return;
  using house = new House();
  for (const name of ["a", "b", "c"]) house.write(`served/${name}`, name);
  const finder = house.finder(2);
  open(finder, "a", "b", "c");
  assertEquals(["a", "b", "c"].map((name) => knows(finder, name)), [false, true, true]);
  assertEquals(["a", "b", "c"].map((name) => textOf(finder, name)), ["a", "b", "c"]);
});

const changes: { what: string; change: (house: House) => void; code?: string }[] = [
  {
    what: "was replaced by one of the same size and time",
    change(house) {
      house.write("new", "evil");
      house.age("new");
      Deno.renameSync(house.pathOf("new"), house.pathOf("served/sub/a"));
    },
  },
  {
    what: "is gone",
    change: (house) => Deno.removeSync(house.pathOf("served/sub/a")),
    code: "NOT_FOUND",
  },
  {
    what: "is a folder",
    change(house) {
      Deno.removeSync(house.pathOf("served/sub/a"));
      Deno.mkdirSync(house.pathOf("served/sub/a"));
    },
    code: "NOT_FOUND",
  },
  {
    what: "moved out, and a link leads to it",
    change(house) {
      Deno.renameSync(house.pathOf("served/sub/a"), house.pathOf("a"));
      Deno.symlinkSync("../../a", house.pathOf("served/sub/a"));
    },
    code: "NOT_FOUND",
  },
  {
    what: "is in a folder in whose place a link leads out to one of the same size and time",
    change(house) {
      house.write("out/a", "evil");
      house.age("out/a");
      Deno.renameSync(house.pathOf("served/sub"), house.pathOf("served/old"));
      Deno.symlinkSync("../out", house.pathOf("served/sub"));
    },
    code: "NOT_FOUND",
  },
];

for (const { what, change, code } of changes) {
  test(`Finder gives the file as it is now when what was opened ${what}`, () => {
    if (ON_WINDOWS) return;
    using house = new House();
    house.write("served/sub/a", "good");
    house.age("served/sub/a");
    const finder = house.finder();
    assertEquals(textOf(finder, "sub/a"), "good");
    change(house);
    const now = () => textOf(finder, "sub/a");
    if (code) assertEquals(assertThrows(now, ErrorReply).code, code);
    else assertEquals(now(), "evil");
  });

  for (const times of ["never", "once"]) {
    test(`Finder.open() gives what was found, or nothing, when a file opened ${times} ${what}`, () => {
      if (ON_WINDOWS) return;
      using house = new House();
      house.write("served/sub/a", "good");
      house.age("served/sub/a");
      const finder = house.finder();
      if (times === "once") open(finder, "sub/a");
      const found = finder.find("sub/a");
      change(house);
      assert(["good", "CHANGED", "NOT_FOUND"].includes(opened(finder, found)));
    });
  }
}

test("Finder looks at every folder on the way when there is a link among them", () => {
  if (ON_WINDOWS) return;
  using house = new House();
  house.write("served/sub/a", "good");
  Deno.symlinkSync("sub", house.pathOf("served/link"));
  const finder = house.finder();
  open(finder, "link/a");
  assertEquals(knows(finder, "link/a"), false);
});
