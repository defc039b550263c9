import { assertEquals, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { writeFileAtomicSync } from "../../core/base/write_file_atomic.ts";

function inFolder(test: (folder: string) => void): void {
  const folder = Deno.makeTempDirSync({ prefix: "p2p-write-" });
  try {
    test(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

const namesIn = (folder: string) => Array.from(Deno.readDirSync(folder), ({ name }) => name).sort();

Deno.test("writeFileAtomicSync() replaces a file and gives it the mode", () => {
  inFolder((folder) => {
    const path = join(folder, "a");
    Deno.writeTextFileSync(path, "a longer text");
    writeFileAtomicSync(path, "new");
    assertEquals([Deno.readTextFileSync(path), namesIn(folder)], ["new", ["a"]]);
    if (Deno.build.os !== "windows") assertEquals(Deno.statSync(path).mode! & 0o777, 0o600);
  });
});

Deno.test("writeFileAtomicSync() does not touch the draft of another process", () => {
  inFolder((folder) => {
    Deno.writeTextFileSync(join(folder, "a.0.tmp"), "a draft");
    writeFileAtomicSync(join(folder, "a"), "new");
    assertEquals(namesIn(folder), ["a", "a.0.tmp"]);
    assertEquals(Deno.readTextFileSync(join(folder, "a.0.tmp")), "a draft");
  });
});

Deno.test("writeFileAtomicSync() leaves no draft when it fails", () => {
  inFolder((folder) => {
    Deno.mkdirSync(join(folder, "a"));
    assertThrows(() => writeFileAtomicSync(join(folder, "a"), "new"));
    assertEquals(namesIn(folder), ["a"]);
  });
});
