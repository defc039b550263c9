import { assert, assertEquals, assertThrows } from "@std/assert";
import { FileResolver } from "../../../core/serve/files/file_resolver.ts";
import { openRoot } from "../../../core/serve/files/root.ts";
import type { Located } from "../../../core/serve/files/open_file.ts";
import { ErrorReply } from "../../../core/protocol/error_replies.ts";
import { TempFolder } from "../../support/temp_folder.ts";
import { test } from "../../support/test.ts";
import { ON_WINDOWS, symlink } from "../../support/platform.ts";

/** The served folder lies in another one. */
class ResolverFixture extends TempFolder {
  resolver(maxChecked?: number): FileResolver {
    return new FileResolver(openRoot(this.pathOf("served"), false), maxChecked);
  }
}

/** The text that a client would get. */
function textOf(resolver: FileResolver, name: string): string {
  return textAt(resolver, resolver.find(name));
}

function textAt(resolver: FileResolver, found: Located): string {
  using file = resolver.open(found);
  const bytes = new Uint8Array(file.version.size);
  file.read(bytes, 0);
  return new TextDecoder().decode(bytes);
}

function open(resolver: FileResolver, ...names: string[]): void {
  for (const name of names) textOf(resolver, name);
}

/** The file's text, or why there is none. */
function opened(resolver: FileResolver, found: Located): string {
  try {
    return textAt(resolver, found);
  } catch (error) {
    if (error instanceof ErrorReply) return error.code;
    throw error;
  }
}

/** A file that is not recognized is another object each time. */
function recognizes(resolver: FileResolver, name: string): boolean {
  return resolver.find(name) === resolver.find(name);
}

test("FileResolver.find() finds nothing when a folder was moved out and replaced by a link to it", () => {
  if (ON_WINDOWS) return;
  using fixture = new ResolverFixture();
  fixture.write("served/sub/a", "1");
  const resolver = fixture.resolver();
  open(resolver, "sub/a");
  assertEquals(recognizes(resolver, "sub/a"), true);
  Deno.renameSync(fixture.pathOf("served/sub"), fixture.pathOf("outside"));
  symlink(fixture.pathOf("outside"), fixture.pathOf("served/sub"));
  assertThrows(() => resolver.find("sub/a"), ErrorReply, "no such file");
});

test("FileResolver.find() recognizes what was opened while it is the same version", () => {
  if (ON_WINDOWS) return;
  using fixture = new ResolverFixture();
  fixture.write("served/a", "1");
  const resolver = fixture.resolver();
  assertEquals(recognizes(resolver, "a"), false);
  open(resolver, "a");
  assertEquals(recognizes(resolver, "a"), true);
  fixture.write("served/a", "22");
  assertEquals(resolver.find("a").version.size, 2);
  assertEquals(textOf(resolver, "a"), "22");
});

test("FileResolver.find() recognizes a limited number of files, the last ones", () => {
  if (ON_WINDOWS) return;
  using fixture = new ResolverFixture();
  for (const name of ["a", "b", "c"]) fixture.write(`served/${name}`, name);
  const resolver = fixture.resolver(2);
  open(resolver, "a", "b", "c");
  assertEquals(["a", "b", "c"].map((name) => recognizes(resolver, name)), [false, true, true]);
  assertEquals(["a", "b", "c"].map((name) => textOf(resolver, name)), ["a", "b", "c"]);
});

const changes: { what: string; change: (fixture: ResolverFixture) => void; code?: string }[] = [
  {
    what: "was replaced by one of the same size and time",
    change(fixture) {
      fixture.write("new", "evil");
      fixture.age("new");
      Deno.renameSync(fixture.pathOf("new"), fixture.pathOf("served/sub/a"));
    },
  },
  {
    what: "is gone",
    change: (fixture) => Deno.removeSync(fixture.pathOf("served/sub/a")),
    code: "NOT_FOUND",
  },
  {
    what: "is a folder",
    change(fixture) {
      Deno.removeSync(fixture.pathOf("served/sub/a"));
      Deno.mkdirSync(fixture.pathOf("served/sub/a"));
    },
    code: "NOT_FOUND",
  },
  {
    what: "moved out, and a link leads to it",
    change(fixture) {
      Deno.renameSync(fixture.pathOf("served/sub/a"), fixture.pathOf("a"));
      symlink("../../a", fixture.pathOf("served/sub/a"));
    },
    code: "NOT_FOUND",
  },
  {
    what: "is in a folder in whose place a link leads out to one of the same size and time",
    change(fixture) {
      fixture.write("out/a", "evil");
      fixture.age("out/a");
      Deno.renameSync(fixture.pathOf("served/sub"), fixture.pathOf("served/old"));
      symlink("../out", fixture.pathOf("served/sub"));
    },
    code: "NOT_FOUND",
  },
];

for (const { what, change, code } of changes) {
  test(`FileResolver returns the file as it is now when what was opened ${what}`, () => {
    if (ON_WINDOWS) return;
    using fixture = new ResolverFixture();
    fixture.write("served/sub/a", "good");
    fixture.age("served/sub/a");
    const resolver = fixture.resolver();
    assertEquals(textOf(resolver, "sub/a"), "good");
    change(fixture);
    const now = () => textOf(resolver, "sub/a");
    if (code) assertEquals(assertThrows(now, ErrorReply).code, code);
    else assertEquals(now(), "evil");
  });

  for (const times of ["never", "once"]) {
    test(`FileResolver.open() opens what was found, or nothing, when a file opened ${times} ${what}`, () => {
      if (ON_WINDOWS) return;
      using fixture = new ResolverFixture();
      fixture.write("served/sub/a", "good");
      fixture.age("served/sub/a");
      const resolver = fixture.resolver();
      if (times === "once") open(resolver, "sub/a");
      const found = resolver.find("sub/a");
      change(fixture);
      assert(["good", "CHANGED", "NOT_FOUND"].includes(opened(resolver, found)));
    });
  }
}

test("FileResolver checks every folder on the way when there is a link among them", () => {
  if (ON_WINDOWS) return;
  using fixture = new ResolverFixture();
  fixture.write("served/sub/a", "good");
  symlink("sub", fixture.pathOf("served/link"));
  const resolver = fixture.resolver();
  open(resolver, "link/a");
  assertEquals(recognizes(resolver, "link/a"), false);
});
