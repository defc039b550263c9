/** The quick start of the README, run as a newcomer does: its first two commands in a fresh clone. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { TempFolder } from "../support/temp_folder.ts";
import { lacking, testUnless } from "../scripts/release/support.ts";
import { output } from "../../scripts/release/tools.ts";
import { shellCommands, textOf, TREE } from "./pages.ts";

/** Ten times what they take, so that a hang fails. */
const DEADLINE_MS = 180_000;

const [first = "", second = ""] = shellCommands(textOf("README.md"), "sh");

/** Why this cannot be tried here. */
async function reason(): Promise<string | undefined> {
  if (Deno.build.os === "windows") return "the commands are for a Unix shell";
  const missing = await lacking("git", "bash", "npm", "npx");
  if (missing !== undefined) return missing;
  const commit = await output("git", ["rev-parse", "HEAD"], TREE).catch(() => undefined);
  if (commit === undefined) return "this is not a git repository with a commit";
  const answer = await output("npm", ["ping", "--fetch-retries=0"], TREE).catch(() => undefined);
  if (answer === undefined) return "npm's registry does not answer";
  return undefined;
}

testUnless(
  await reason(),
  "the first two commands of the README work in a fresh clone",
  async () => {
    using folder = new TempFolder();
    await output("git", ["clone", "--quiet", TREE, "clone"], folder.path);

    const demo = await run(first, folder.pathOf("clone"), {});
    assertStringIncludes(demo, "All of it arrived, whole");
    assertEquals(demo.match(/^ +127\.0\.0\.1:\d+ {2}p2p serve$/gm)?.length, 2, demo);

    await run(second, folder.pathOf("clone"), { HOME: folder.path });
    const version = await output(folder.pathOf(".local/bin/p2p"), ["--version"], folder.path);
    const [, release] = version.match(/^p2p (\S+)/) ?? [];
    assertEquals(release, JSON.parse(textOf("deno.json")).version);
  },
);

/** What the command writes. @throws {Error} with all of it if it fails. */
async function run(command: string, cwd: string, env: Record<string, string>): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command("bash", {
    args: ["-c", command],
    cwd,
    env,
    stdin: "null",
    signal: AbortSignal.timeout(DEADLINE_MS),
  }).output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`${command}\n${decoder.decode(stdout)}${decoder.decode(stderr)}`);
  return decoder.decode(stdout);
}
