/**
 * Makes dist/p2p, one executable with all of p2p in it. Says and does nothing when dist/p2p is
 * newer than every source and of the same commit; --force builds all the same.
 *
 * Several builds may run at once, and p2p may be running: each build compiles into a folder of
 * its own and puts its program in place by a rename.
 */

import { describeSources } from "./commit.ts";
import { compile } from "./compile.ts";
import { PROGRAM } from "./p2p.ts";
import { filesBelow, ROOT } from "./source_files.ts";

/** The files, and the folders with all their files, that are in the program. */
const SOURCES = ["main.ts", "commands", "core", "deno.json"];

/** The same that decide how it is made. */
const TOOLS = [
  "scripts/build.ts",
  "scripts/compile.ts",
  "scripts/commit.ts",
  "scripts/offline",
];

async function main(args: readonly string[]): Promise<void> {
  const unknown = args.find((arg) => arg !== "--force");
  if (unknown !== undefined) {
    throw new Error(`Cannot use "${unknown}": the only option is "--force"`);
  }
  Deno.chdir(ROOT);
  const commit = await describeSources(SOURCES);
  if (args.length === 0 && isNewest() && await isOf(commit)) return;
  await build(commit);
}

function isNewest(): boolean {
  const builtMs = changedMs(PROGRAM);
  if (builtMs === undefined) return false;
  const files = [...SOURCES, ...TOOLS].flatMap((source) => [...filesBelow(source)]);
  // A file that vanishes meanwhile is a change too.
  return files.every((file) => (changedMs(file) ?? Infinity) < builtMs);
}

/** Asks the program itself: a commit changes no file's time. */
async function isOf(commit: string | undefined): Promise<boolean> {
  const { stdout } = await new Deno.Command(PROGRAM, { args: ["--version"] }).output();
  const [, told] = new TextDecoder().decode(stdout).match(/\(commit ([^,]+),/) ?? [];
  return told === commit;
}

function changedMs(file: string): number | undefined {
  try {
    return Deno.statSync(file).mtime?.getTime();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function build(commit: string | undefined): Promise<void> {
  const draft = `dist/build-${crypto.randomUUID()}`;
  await Deno.mkdir(draft, { recursive: true });
  try {
    // The program is as old as the beginning of its build, by the clock of the file system:
    // a source that changes while it is being compiled is newer, and the next build sees that.
    const startedAt = Deno.statSync(draft).mtime ?? 0;
    const compiled = `${draft}/${PROGRAM.slice("dist/".length)}`;
    await compile({ output: compiled, commit });
    await Deno.utime(compiled, startedAt, startedAt);
    await Deno.rename(compiled, PROGRAM);
  } finally {
    await Deno.remove(draft, { recursive: true });
  }
  console.error(`build: ${PROGRAM} is new`);
}

try {
  await main(Deno.args);
} catch (error) {
  console.error(`build: ${error instanceof Error ? error.message : error}`);
  Deno.exit(1);
}
