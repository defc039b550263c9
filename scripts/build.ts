/**
 * Makes dist/p2p, one executable with all of p2p in it. Says and does nothing when dist/p2p is
 * newer than every source; --force builds all the same.
 *
 * Several builds may run at once, and p2p may be running: each build compiles into a folder of
 * its own and puts its program in place by a rename.
 */

import { compileEnv, depsFlags } from "./ask_deps.ts";
import { PROGRAM } from "./p2p.ts";
import { filesBelow, ROOT } from "./source_files.ts";

/** The files, and the folders with all their files, that decide what the program is. */
const SOURCES = [
  "main.ts",
  "commands",
  "core",
  "deno.json",
  "scripts/build.ts",
  "scripts/ask_deps.ts",
  "scripts/deps.ts",
  "scripts/npm_only",
  "scripts/types",
];

const ENV = [
  "P2P_*", // our own settings
  "HOME", // on Unix, settings, state and logs lie below it
  "XDG_*", // where the user has moved them
  "USERPROFILE", // the same on Windows
  "LOCALAPPDATA",
  "APPDATA",
  "NO_COLOR", // whether and how to draw
  "TERM",
  "COLUMNS",
];

const SYS = [
  "osUptime", // the journal tells one boot of the machine from the next
  "statfs", // is there space? Asked before a download fills the disk
];

/** All that the program may do. */
const PERMISSIONS = [
  "--no-prompt", // what is not listed fails at once, it does not ask the user
  "--allow-net", // seeds have any address, and `p2p serve` listens where the user says
  "--allow-read", // served folders, targets and settings lie where the user says
  "--allow-write",
  `--allow-env=${ENV.join()}`,
  `--allow-sys=${SYS.join()}`,
];

/**
 * V8 lets garbage pile up while there is memory, and p2p promises to be small. What it keeps for
 * longest is outside of V8's heap, so early collections are cheap: a `serve` with 64 clients stays
 * at 105 MiB instead of 130 and growing, a `get` of 100,000 files at 155 instead of 275, for 3 %
 * more CPU time. No bound: a heap that is needed still grows.
 */
const V8_FLAGS = [
  "--max-semi-space-size=4", // MiB; 1 makes more survive, and so more garbage of the lasting kind
  "--heap-growing-percent=20", // before the next collection; 40 does nearly as well
];

async function main(args: readonly string[]): Promise<void> {
  const unknown = args.find((arg) => arg !== "--force");
  if (unknown !== undefined) {
    throw new Error(`Cannot use "${unknown}": the only option is "--force"`);
  }
  Deno.chdir(ROOT);
  if (args.length === 0 && isFresh()) return;
  await build();
}

function isFresh(): boolean {
  const builtMs = changedMs(PROGRAM);
  if (builtMs === undefined) return false;
  const files = SOURCES.flatMap((source) => [...filesBelow(source)]);
  // A file that vanishes meanwhile is a change too.
  return files.every((file) => (changedMs(file) ?? Infinity) < builtMs);
}

function changedMs(file: string): number | undefined {
  try {
    return Deno.statSync(file).mtime?.getTime();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function build(): Promise<void> {
  const draft = `dist/build-${crypto.randomUUID()}`;
  await Deno.mkdir(draft, { recursive: true });
  try {
    // The program is as old as the beginning of its build, by the clock of the file system:
    // a source that changes while it is being compiled is newer, and the next build sees that.
    const startedAt = Deno.statSync(draft).mtime ?? 0;
    const compiled = `${draft}/${PROGRAM.slice("dist/".length)}`;
    await compile(compiled);
    await Deno.utime(compiled, startedAt, startedAt);
    await Deno.rename(compiled, PROGRAM);
  } finally {
    await Deno.remove(draft, { recursive: true });
  }
  console.error(`build: ${PROGRAM} is new`);
}

async function compile(output: string): Promise<void> {
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: [
      "compile",
      "--quiet",
      ...await depsFlags(),
      ...PERMISSIONS,
      `--v8-flags=${V8_FLAGS.join()}`,
      // The cache would save 5 ms at the start, and leave a file with a name that anybody
      // can foresee in the temporary folder.
      "--no-code-cache",
      // Started by its address, which the compiler does not follow.
      "--include=core/hash/hasher_thread_main.ts",
      `--output=${output}`,
      "main.ts",
    ],
    env: await compileEnv(),
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
  }).output();
  if (!success) {
    throw new Error(`Cannot build "${PROGRAM}": deno compile failed`);
  }
}

try {
  await main(Deno.args);
} catch (error) {
  console.error(`build: ${error instanceof Error ? error.message : error}`);
  Deno.exit(1);
}
