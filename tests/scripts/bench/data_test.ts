import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { gzipSync } from "node:zlib";
import { makeFiles } from "../../../scripts/bench/data.ts";
import { sha256OfFile } from "../../../scripts/checksums.ts";

/** Not whole blocks. */
const SIZE = 2 * 1024 * 1024 + 3;

Deno.test("makeFiles() makes the same files every time, all different, with their digests", async () => {
  const dir = Deno.makeTempDirSync({ prefix: "p2p-data-" });
  try {
    const make = (name: string) => makeFiles(join(dir, name), "file", { count: 11, size: SIZE });
    const first = make("first");
    assertEquals(make("second"), first);
    assertEquals(first.map(({ name }) => name).slice(-2), ["file-09", "file-10"]);
    assertEquals(new Set(first.map(({ sha256 }) => sha256)).size, 11);
    const path = join(dir, "first", "file-10");
    assertEquals(Deno.statSync(path).size, SIZE);
    assertEquals(first[10]!.sha256, await sha256OfFile(path));
    assert(gzipSync(Deno.readFileSync(path)).length > SIZE, "it can be compressed");
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});
