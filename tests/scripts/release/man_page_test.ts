import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { TOPICS } from "../../../commands/topics.ts";
import { commandTree } from "../../../commands/mod.ts";
import { systemEnvironment } from "../../../commands/system.ts";
import type { Described } from "../../../commands/ui/help.ts";
import { manPage, ownManPage, writeManPage } from "../../../scripts/release/man_page.ts";
import { output } from "../../../scripts/release/tools.ts";
import { TempFolder } from "../../support/temp_folder.ts";
import { testUnless } from "./support.ts";

/** 2026-11-28, before noon in UTC. */
const TIME_S = 1_795_858_844;
const page = await ownManPage("1.2.3", TIME_S);
const root = await commandTree(systemEnvironment("1.2.3", Deno.exit)) as unknown as Described;

/** The text of a section or subsection, without the macros' escapes. */
function section(title: string): string {
  const lines = plain(page).split("\n");
  const at = lines.findIndex((line) => line === `.Sh ${title}` || line === `.Ss ${title}`);
  assert(at >= 0, `no section "${title}"`);
  const end = lines.findIndex((line, i) => i > at && /^\.S[hs] /.test(line));
  return lines.slice(at + 1, end < 0 ? undefined : end).join("\n");
}

function plain(text: string): string {
  return text.replaceAll("\\-", "-").replaceAll("\\&", "").replaceAll("\\e", "\\");
}

/** As one line with single spaces: how a text is filled does not matter. */
function words(text: string): string {
  return text.replaceAll(/\s+/g, " ").trim();
}

Deno.test("manPage() has every command with its description, flags and examples", () => {
  const commands = root.getCommands().flatMap((each) => [each, ...each.getCommands()]);
  assert(commands.length > 15);
  for (const command of commands) {
    const title = plain(page).match(
      new RegExp(`^\\.Ss (${command.getPath()} (?:[[<].*)?\\[flags\\])$`, "m"),
    );
    assert(title, `no section of ${command.getPath()}`);
    const text = section(title[1]!);
    assertStringIncludes(words(text), words(command.getShortDescription()));
    for (const { flags, args } of command.getOptions().filter(({ global }) => !global)) {
      const value = args.map(({ name }) => ` Ar ${name}`).join("");
      const item = flags.map((flag) => `Fl ${flag.slice(1)}${value}`).join(" , ");
      assertStringIncludes(text, `.It ${item}\n`);
    }
    for (const { description } of command.getExamples()) assertStringIncludes(text, description);
  }
});

Deno.test("manPage() has every topic as a section, with all of its words", () => {
  for (const { name, text } of TOPICS) {
    const title = name === "exit-codes" ? "EXIT STATUS" : name.toUpperCase();
    const written = section(title).split("\n").filter((line) => !/^\.[A-Z]/.test(line));
    assertEquals(
      words(written.join(" ")).split(" ").sort(),
      words(text.replaceAll(/^- /gm, "")).split(" ").sort(),
      name,
    );
  }
});

Deno.test("manPage() has the version, the day in UTC, and the flags of every command", () => {
  assertStringIncludes(page, ".Dd November 28, 2026\n.Dt P2P 1\n.Os p2p 1.2.3\n");
  for (const flag of ["help", "version", "quiet", "log-level"]) {
    assertStringIncludes(section("DESCRIPTION"), `Fl -${flag}`);
  }
});

Deno.test("manPage() escapes what roff would take as a request or an escape", () => {
  const tricky = { name: "tricky", about: "", text: ".Sh no section\nback\\slash 'quoted'" };
  const lines = manPage(root, [tricky], "1", 0).split("\n");
  assertEquals(lines.filter((line) => /no section/.test(line)), [
    "\\&.Sh no section back\\eslash 'quoted'",
  ]);
});

Deno.test("writeManPage() makes the page from the sources in a folder", async () => {
  using folder = new TempFolder();
  const file = `${folder.path}/p2p.1`;
  await writeManPage(".", "1.2.3", TIME_S, file);
  assertEquals(await Deno.readTextFile(file), page);
});

/** Why a test cannot run a program that is asked for its version in this way, if it cannot. */
async function without(program: string, ...args: string[]): Promise<string | undefined> {
  try {
    await new Deno.Command(program, { args, stdin: "null", stdout: "null", stderr: "null" })
      .output();
    return undefined;
  } catch {
    return `there is no ${program}`;
  }
}

testUnless(await without("mandoc", "-T", "lint"), "mandoc accepts the page", async () => {
  using folder = new TempFolder();
  const file = `${folder.path}/p2p.1`;
  Deno.writeTextFileSync(file, page);
  // Exits with 2 and more for a warning and above; only matters of style are below.
  assertEquals(await output("mandoc", ["-T", "lint", "-W", "warning", file], "."), "");
  const shown = await output("mandoc", ["-T", "ascii", "-O", "width=78", file], ".");
  // Letters are printed twice, with a backspace, to be bold or underlined.
  // deno-lint-ignore no-control-regex
  const text = shown.replaceAll(/.\x08/g, "");
  assertStringIncludes(text, "p2p get [name...] [flags]");
  assertStringIncludes(text, "--on-conflict fail|rename|skip|overwrite");
  assertStringIncludes(text, "p2p get ubuntu.iso --seed nas1 --seed nas2");
});

testUnless(await without("groff", "--version"), "groff accepts the page", async () => {
  using folder = new TempFolder();
  const file = `${folder.path}/p2p.1`;
  Deno.writeTextFileSync(file, page);
  const { stderr, success } = await new Deno.Command("groff", {
    args: ["-mandoc", "-ww", "-Tutf8", file],
    stdout: "null",
    stderr: "piped",
  }).output();
  assertEquals([success, new TextDecoder().decode(stderr)], [true, ""]);
});
