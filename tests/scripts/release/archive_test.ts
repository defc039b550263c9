import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { pack } from "../../../scripts/release/archive.ts";
import { CHECKSUMS, writeChecksums } from "../../../scripts/checksums.ts";
import { output } from "../../../scripts/release/tools.ts";
import { sha256OfFile } from "../../../scripts/checksums.ts";
import { lacking, testUnless } from "./support.ts";
import { TempFolder } from "../../support/temp_folder.ts";

const NAME = "p2p-1.2.3-linux-x64";
const FILES = ["LICENSE", "README.md", "p2p"];
const TIME_S = 1_700_000_000;

/** The same content by somebody else: at another time, in another order, with other rights. */
function fill(parent: string, files: readonly string[], mode: number): void {
  Deno.mkdirSync(join(parent, NAME), { recursive: true });
  for (const file of files) {
    const path = join(parent, NAME, file);
    Deno.writeTextFileSync(path, `this is ${file}\n`.repeat(1000));
    if (Deno.build.os !== "windows") Deno.chmodSync(path, file === "p2p" ? mode | 0o100 : mode);
    Deno.utimeSync(path, mode * 1e6, mode * 1e6);
  }
}

const kinds = [
  { kind: "tar.gz", needs: ["GNU tar"], unpack: ["tar", "-xzf"] },
  { kind: "zip", needs: ["zip", "unzip"], unpack: ["unzip", "-q"] },
] as const;
for (const { kind, needs, unpack } of kinds) {
  const ignored = await lacking(...needs);

  testUnless(ignored, `pack() gives a ${kind} with all files, the program executable`, async () => {
    using folder = new TempFolder();
    fill(folder.path, FILES, 0o644);
    const archive = join(folder.path, `${NAME}.${kind}`);
    await pack(kind, { parent: folder.path, name: NAME }, archive, TIME_S);
    const there = join(folder.path, "there");
    Deno.mkdirSync(there);
    // A zip holds local times.
    await output(unpack[0], [unpack[1], archive], there, { TZ: "UTC" });
    assertEquals(Array.from(Deno.readDirSync(there), ({ name }) => name), [NAME]);
    for (const file of FILES) {
      const { mode, mtime } = Deno.statSync(join(there, NAME, file));
      assertEquals(mtime?.getTime(), TIME_S * 1000);
      if (Deno.build.os !== "windows") assertEquals((mode! & 0o100) !== 0, file === "p2p", file);
      assertEquals(
        await sha256OfFile(join(there, NAME, file)),
        await sha256OfFile(join(folder.path, NAME, file)),
      );
    }
    const left = Array.from(Deno.readDirSync(folder.path), ({ name }) => name).sort();
    assertEquals(left, [NAME, `${NAME}.${kind}`, "there"]);
  });

  testUnless(ignored, `pack() gives the same ${kind} whoever makes it, and when`, async () => {
    using folder = new TempFolder();
    const digests = [];
    for (
      const [who, files, mode] of [["a", FILES, 0o644], ["b", FILES.toReversed(), 0o600]] as const
    ) {
      fill(join(folder.path, who), files, mode);
      const archive = join(folder.path, `${who}.${kind}`);
      await pack(kind, { parent: join(folder.path, who), name: NAME }, archive, TIME_S);
      digests.push(await sha256OfFile(archive));
    }
    assertEquals(digests[0], digests[1]);
  });
}

Deno.test("writeChecksums() gives the digest and the name of each file, in order", async () => {
  using folder = new TempFolder();
  Deno.writeTextFileSync(join(folder.path, "b"), "");
  Deno.writeTextFileSync(join(folder.path, "a"), "abc");
  await writeChecksums(folder.path);
  assertEquals(
    Deno.readTextFileSync(join(folder.path, CHECKSUMS)),
    // The digests of "abc" and of nothing, as FIPS 180-4 and everybody gives them.
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  a\n" +
      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  b\n",
  );
});
