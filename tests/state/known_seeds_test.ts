import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { readKnownSeeds, writeKnownSeeds } from "../../core/state/known_seeds.ts";
import { TempFolder } from "../support/temp_folder.ts";

Deno.test("readKnownSeeds() returns what was written", () => {
  using folder = new TempFolder();
  assertEquals(readKnownSeeds(folder.path), []);
  writeKnownSeeds(folder.path, [["a:1", "one"], ["b:1", "two"]]);
  assertEquals(readKnownSeeds(folder.path), [["a:1", "one"], ["b:1", "two"]]);
  if (Deno.build.os === "windows") return;
  assertEquals(Deno.statSync(join(folder.path, "seeds.json")).mode! & 0o777, 0o600);
});

const damaged = [
  "",
  "[]",
  '{"version":1}',
  '{"version":2,"seeds":{"a:1":"x"}}',
  '{"version":1,"seeds":{"a:1":3}}',
  '{"version":1,"seeds":null}',
  '{"version":1,"seeds":{"a:1"',
  " ".repeat(1024 * 1024 + 1),
];

for (const text of damaged) {
  Deno.test(`readKnownSeeds() ignores a file with ${JSON.stringify(text.slice(0, 40))}`, () => {
    using folder = new TempFolder();
    folder.write("seeds.json", text);
    assertEquals(readKnownSeeds(folder.path), []);
  });
}

Deno.test("writeKnownSeeds() does nothing where the folder cannot be written", () => {
  using folder = new TempFolder();
  writeKnownSeeds(join(folder.path, "missing"), [["a:1", "one"]]);
  assertEquals(Array.from(Deno.readDirSync(folder.path)), []);
});
