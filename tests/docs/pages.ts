/** The Markdown pages of the repository, and what can be read from one. */
import { fromFileUrl, join } from "@std/path";
import { ROOT } from "../../scripts/source_files.ts";

/** The folder of the repository. */
export const TREE = fromFileUrl(ROOT);

/** What is built, downloaded or not the repository's own. */
const SKIPPED = new Set([".git", ".npm-only", "dist", "node_modules"]);

/** The paths of all files that end in one of `extensions`, relative to the repository, sorted. */
export function filesOf(...extensions: string[]): string[] {
  return [...below("")].filter((path) => extensions.some((end) => path.endsWith(end))).sort();
}

function* below(folder: string): Iterable<string> {
  for (const { name, isDirectory } of Deno.readDirSync(join(TREE, folder))) {
    const path = folder === "" ? name : `${folder}/${name}`;
    if (!isDirectory) yield path;
    else if (!SKIPPED.has(name)) yield* below(path);
  }
}

export function textOf(path: string): string {
  return Deno.readTextFileSync(join(TREE, path));
}

/** A block of code with a fence. */
export interface Block {
  /** What follows the fence, "" if nothing does. */
  readonly language: string;
  readonly lines: readonly string[];
}

/** The blocks of code of a page, and its text without them, line by line. */
export function readPage(markdown: string): { blocks: Block[]; prose: string[] } {
  const blocks: Block[] = [];
  const prose: string[] = [];
  let open: { fence: string; language: string; lines: string[] } | undefined;
  for (const line of markdown.split("\n")) {
    const [, fence, language] = line.match(/^\s*(`{3,}|~{3,})\s*(\S*)/) ?? [];
    if (open !== undefined) {
      if (line.trim() === open.fence) {
        blocks.push(open);
        open = undefined;
      } else open.lines.push(line);
    } else if (fence !== undefined) open = { fence, language: language!, lines: [] };
    else prose.push(line);
  }
  if (open !== undefined) throw new Error(`a block of code has no end: ${open.lines[0]}`);
  return { blocks, prose };
}

/** The commands in the blocks for a shell, with the lines of one command joined. */
export function shellCommands(markdown: string, ...languages: string[]): string[] {
  return readPage(markdown).blocks
    .filter(({ language }) => languages.includes(language))
    .flatMap(({ lines }) => lines.join("\n").replaceAll("\\\n", "").split("\n"))
    .filter((line) => line.trim() !== "");
}

/** The targets of the links and images of a page. */
export function linksOf(markdown: string): string[] {
  const text = withoutCode(readPage(markdown).prose.join("\n"));
  const inline = text.matchAll(/\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)/g);
  const references = text.matchAll(/^\s*\[[^\]]+\]:\s*<?(\S+?)>?\s*$/gm);
  const html = text.matchAll(/\b(?:href|src)="([^"]+)"/g);
  return [...inline, ...references, ...html].map(([, target]) => target!);
}

/** The anchors of the headings, as GitHub makes them. */
export function anchorsOf(markdown: string): Set<string> {
  const anchors = new Set<string>();
  for (const line of readPage(markdown).prose) {
    const [, heading] = line.match(/^#{1,6}\s+(.+?)\s*#*$/) ?? [];
    if (heading === undefined) continue;
    const base = heading.toLowerCase().replace(/[^\p{L}\p{N}\p{M}_ -]/gu, "").replaceAll(" ", "-");
    let anchor = base;
    for (let n = 1; anchors.has(anchor); n++) anchor = `${base}-${n}`;
    anchors.add(anchor);
  }
  return anchors;
}

/** The texts between backquotes. */
export function codeOf(markdown: string): string[] {
  return Array.from(
    readPage(markdown).prose.join("\n").matchAll(/`([^`]+)`/g),
    ([, code]) => code!.replaceAll(/\s+/g, " "),
  );
}

function withoutCode(text: string): string {
  return text.replaceAll(/`[^`]+`/g, "`");
}
