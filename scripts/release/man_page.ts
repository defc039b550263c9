/**
 * The manual page p2p(1), from the same command tree and topics as `--help` and `p2p help`. It uses
 * the macros of mdoc(7), which mandoc and groff know.
 *
 *     deno run -A scripts/release/man_page.ts <version> <seconds since 1970>
 */
import { toFileUrl } from "@std/path";
import { TOPICS } from "../../commands/topics.ts";
import { commandTree } from "../../commands/mod.ts";
import { systemEnvironment } from "../../commands/system.ts";
import type { Described, Flag } from "../../commands/ui/help.ts";
import { usageOf } from "../../commands/ui/help.ts";
import type { Topic } from "../../commands/ui/topics.ts";
import { wrap } from "../../commands/ui/width.ts";
import { depsFlags } from "../offline/ask_deps.ts";
import { output } from "./tools.ts";

/** A line of the source is at most 80 bytes long, with escaped dashes. */
const SOURCE_WIDTH = 70;

/** Its name in an archive. */
export const MAN_PAGE = "p2p.1";

/** Writes the page of the release whose sources lie in `sources` to the new `file`. */
export async function writeManPage(
  sources: string,
  version: string,
  timeS: number,
  file: string,
): Promise<void> {
  const flags = ["--quiet", "-A", ...await depsFlags()];
  const args = ["run", ...flags, "scripts/release/man_page.ts", version, String(timeS)];
  // The sources may be older than this script.
  const folder = toFileUrl(`${await Deno.realPath(sources)}/`);
  await Deno.writeTextFile(file, await output(Deno.execPath(), args, folder));
}

/** @param date of the version, in seconds since 1970. */
export function manPage(
  root: Described,
  topics: readonly Topic[],
  version: string,
  timeS: number,
): string {
  const exitCodes = topics.filter(({ name }) => name === "exit-codes");
  const commands = root.getCommands().flatMap((each) => [each, ...each.getCommands()]);
  const lines = [
    `.Dd ${dateText(timeS)}`,
    ".Dt P2P 1",
    `.Os p2p ${version}`,
    // No hyphenation: it would split the names of variables.
    ".nh",
    ".Sh NAME",
    ".Nm p2p",
    `.Nd ${escaped(nameLine(root.getShortDescription()))}`,
    ".Sh SYNOPSIS",
    ".Nm",
    ".Op Ar command",
    ".Op Ar argument ...",
    ".Op Ar flag ...",
    ".Sh DESCRIPTION",
    ...paragraphs(root.getDescription()),
    ".Pp",
    "The flags of every command:",
    ...flagList(root.getOptions()),
    ".Sh COMMANDS",
    ...commands.flatMap(commandLines),
    ...topics.filter((each) => !exitCodes.includes(each)).flatMap((topic) => [
      `.Sh ${escaped(topic.name.toUpperCase())}`,
      ...paragraphs(topic.text),
    ]),
    ".Sh EXIT STATUS",
    ...exitCodes.flatMap(({ text }) => paragraphs(text)),
    ".Sh EXAMPLES",
    ...examples(root),
  ];
  return lines.join("\n") + "\n";
}

function commandLines(command: Described): string[] {
  // The others are described once, for all commands.
  const own = command.getOptions().filter(({ global }) => !global);
  return [
    `.Ss ${escaped(usageOf(command))}`,
    ...paragraphs(command.getDescription()),
    ...own.length > 0 ? flagList(own) : [],
    ...command.getExamples().length > 0 ? [".Pp", "Examples:", ".Pp", ...examples(command)] : [],
  ];
}

function flagList(flags: readonly Flag[]): string[] {
  return [
    ".Bl -tag -width Ds",
    ...flags.flatMap(({ flags, args, description }) => [
      `.It ${flags.map((flag) => flagMacro(flag, args)).join(" , ")}`,
      ...filled(description),
    ]),
    ".El",
  ];
}

/** `Fl` writes one dash itself. */
function flagMacro(flag: string, args: Flag["args"]): string {
  const values = args.map(({ name }) => ` Ar ${argument(name)}`).join("");
  return `Fl ${argument(flag.slice(1))}${values}`;
}

/** An argument that is no macro, even if it is called like one. */
function argument(text: string): string {
  return `\\&${escaped(text)}`;
}

function examples(command: Described): string[] {
  return command.getExamples().flatMap(({ name, description }, i) => [
    ...i === 0 ? [] : [".Pp"],
    escaped(`# ${name}`),
    ...literal([description]),
  ]);
}

function literal(lines: readonly string[]): string[] {
  return [".Bd -literal -offset indent -compact", ...lines.map(escaped), ".Ed"];
}

/** The blocks of a text: indented lines are literal, lines that begin with "- " are a list, others are filled. */
function paragraphs(text: string): string[] {
  const blocks = text.trim().split(/\n\n+/).map((block) => blockLines(block.split("\n")));
  return blocks.flatMap((lines, i) => i === 0 ? lines : [".Pp", ...lines]);
}

function blockLines(lines: readonly string[]): string[] {
  if (lines.every((line) => line.startsWith("  "))) {
    return literal(lines.map((line) => line.slice(2)));
  }
  const first = lines.findIndex((line) => line.startsWith("- "));
  const before = first < 0 ? lines : lines.slice(0, first);
  if (first < 0) return isTable(lines) ? literal(lines) : filled(before.join(" "));
  return [
    ...filled(before.join(" ")),
    ".Bl -bullet -compact",
    ...lines.slice(first).join("\n").split(/\n(?=- )/)
      .flatMap((item) => [".It", ...filled(item.slice(2).replaceAll(/\s+/g, " "))]),
    ".El",
  ];
}

/** Text that roff fills: each sentence begins a line, so that roff knows its end. */
function filled(text: string): string[] {
  return text.trim().split(/(?<=[.!?]) +/)
    .flatMap((sentence) => wrap(sentence, SOURCE_WIDTH)).map(escaped);
}

/** A list of "name: explanation" lines keeps its lines. */
function isTable(lines: readonly string[]): boolean {
  return lines.length > 1 && lines.every((line) => /^[a-z-]+: /.test(line));
}

/**
 * A line of text that roff takes as it is. A dash is escaped because the plain one may be shown as a
 * hyphen, with which a flag cannot be copied.
 */
function escaped(text: string): string {
  const plain = text.replaceAll("\\", "\\e").replaceAll("-", "\\-")
    .replace(/[\u0080-\u{10ffff}]/gu, roffCharacter);
  return /^[.']/.test(plain) ? `\\&${plain}` : plain;
}

/** Not all versions of roff read UTF-8. */
function roffCharacter(character: string): string {
  return `\\[u${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}]`;
}

/** "Downloads files." → "downloads files", as the index of all pages has it. */
function nameLine(description: string): string {
  return description.charAt(0).toLowerCase() + description.slice(1).replace(/\.$/, "");
}

function dateText(timeS: number): string {
  return new Intl.DateTimeFormat("en-US", {
    year: "numeric",
    month: "long",
    day: "numeric",
    timeZone: "UTC",
  }).format(timeS * 1000);
}

/** The page of the sources that this file lies among. */
export async function ownManPage(version: string, timeS: number): Promise<string> {
  const environment = systemEnvironment(version, Deno.exit);
  const stdout = { ...environment.stdout, write: () => {} };
  const root = await commandTree({ ...environment, stdout });
  // The library adds --help and --version when it parses; without arguments, it shows help.
  await root.parse([]);
  return manPage(root as unknown as Described, TOPICS, version, timeS);
}

if (import.meta.main) {
  const [version = "", timeS = "0"] = Deno.args;
  const page = await ownManPage(version, Number(timeS));
  await Deno.stdout.write(new TextEncoder().encode(page));
}
