import { assert, assertEquals } from "@std/assert";
import { join, toFileUrl } from "@std/path";
import { currentCommit, shortHash } from "../../../scripts/commit.ts";
import { compile } from "../../../scripts/compile.ts";
import { filesBelow } from "../../../scripts/source_files.ts";
import { stagePackages, stageSources } from "../../../scripts/release/stage.ts";
import { output } from "../../../scripts/release/tools.ts";
import { sha256OfFile } from "../../../scripts/checksums.ts";
import { lacking, testUnless } from "./support.ts";
import { TempFolder } from "../../support/temp_folder.ts";

const commit = await currentCommit();
const ignored = commit === undefined ? "there is no commit, or no git" : await lacking("tar");

testUnless(
  ignored,
  "compile() gives the same bytes wherever and whenever a commit is staged",
  async () => {
    using folder = new TempFolder();
    const digests = [];
    for (const where of ["here", "at another place"]) {
      const sources = join(folder.path, where, "sources");
      const program = join(folder.path, where, Deno.build.os === "windows" ? "p2p.exe" : "p2p");
      Deno.mkdirSync(sources, { recursive: true });
      await stageSources(commit!, sources);
      const denoDir = join(folder.path, where, "deno");
      await stagePackages(commit!, toFileUrl(`${sources}/`), denoDir);
      const packages = [...filesBelow(join(denoDir, "npm"))];
      for (const file of packages) {
        assertEquals(Deno.statSync(file).mtime?.getTime(), commit!.timeS * 1000, file);
      }
      assert(packages.length > 0);
      assertEquals(Deno.statSync(join(sources, "main.ts")).mtime?.getTime(), commit!.timeS * 1000);
      await compile({
        output: program,
        commit: shortHash(commit!),
        sources: toFileUrl(`${sources}/`),
        denoDir,
      });
      digests.push(await sha256OfFile(program));
      const reported = await output(program, ["--version"], folder.path);
      assert(
        reported.includes(`(commit ${shortHash(commit!)}, Deno ${Deno.version.deno}, `),
        reported,
      );
    }
    assertEquals(digests[0], digests[1]);
  },
);
