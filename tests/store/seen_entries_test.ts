import { assert, assertFalse } from "@std/assert";
import { join } from "@std/path";
import { partPath } from "../../core/store/paths.ts";
import { SeenEntries } from "../../core/store/seen_entries.ts";
import { TempFolder } from "../support/temp_folder.ts";

Deno.test("SeenEntries tells files and part files that are there from others", () => {
  using folder = new TempFolder();
  const at = (name: string) => join(folder.path, name);
  folder.write("file", "x");
  Deno.writeTextFileSync(partPath(at("begun")), "x");
  const seen = new SeenEntries();
  assertFalse(seen.lacks(at("file")));
  assertFalse(seen.lacks(at("begun")));
  assert(seen.lacks(at("other")));
  assert(seen.lacks(join(folder.path, "no folder", "file")));
});

Deno.test("SeenEntries looks at a folder once", () => {
  using folder = new TempFolder();
  const seen = new SeenEntries();
  assert(seen.lacks(join(folder.path, "a")));
  folder.write("b", "x");
  assert(seen.lacks(join(folder.path, "b")));
});
