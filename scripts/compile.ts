/** How p2p becomes one executable: what it may do, what is in it, and for which platform. */

import { BUILT_FROM } from "../commands/version.ts";
import { compileEnv, depsFlags } from "./offline/ask_deps.ts";
import { ROOT } from "./source_files.ts";

/** The variables that the program may read. */
export const ENV = [
  "P2P_*", // our own settings
  "HOME", // on Unix, settings, state and logs lie below it
  "XDG_*", // where the user has moved them
  "USERPROFILE", // the same on Windows
  "LOCALAPPDATA",
  "APPDATA",
  "AWS_*", // the account for s3://, as other tools for object stores find it
  "NO_COLOR", // whether and how to draw
  "TERM",
];

/** What it may ask of the system. */
export const SYS = [
  "osUptime", // the journal tells one boot of the machine from the next
  "uid", // only part files of this user are trusted
  "homedir", // the home folder of a user whose HOME is not set
  "networkInterfaces", // where to announce a seed, and to look for others
  "hostname", // `p2p serve` answers to the name of this machine alone
  "statfs", // is there space? Asked before a download fills the disk
];

/** All that the program may do; threads that it starts have the same. */
export const PERMISSIONS = [
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

/** What to make. */
export interface Program {
  /** Where the program goes. Its last part is in the program, too: the same name, the same bytes. */
  readonly output: string;
  /** What it is built from, for `--version`. */
  readonly commit: string | undefined;
  /** As `Deno.build.target` names it. */
  readonly target?: string;
  /** Where the sources are, with all packages that `depsFlags` leads to. */
  readonly sources?: URL;
  /** Deno's cache, which has the packages of npm; this user's by default. */
  readonly denoDir?: string;
}

/**
 * The bytes depend on the sources and the packages, their times of change, the commit, and Deno; not
 * on where the sources lie or when this runs.
 *
 * @throws {Error} if Deno cannot; it says why on stderr.
 */
export async function compile(
  { output, commit, target = Deno.build.target, sources = ROOT, denoDir }: Program,
): Promise<void> {
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: [
      "compile",
      "--quiet",
      ...await depsFlags(),
      ...PERMISSIONS,
      `--v8-flags=${V8_FLAGS.join()}`,
      // Only a program that ends by itself fills the cache; p2p exits with a code, and gained
      // nothing in 25 starts. It would leave a file with a foreseeable name in the temporary folder.
      "--no-code-cache",
      // Started by its address, which the compiler does not follow.
      "--include=core/hash/worker.ts",
      `--target=${target}`,
      `--output=${output}`,
      "main.ts",
      ...commit === undefined ? [] : [BUILT_FROM + commit],
    ],
    cwd: sources,
    env: { ...await compileEnv(target), ...denoDir === undefined ? {} : { DENO_DIR: denoDir } },
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
  }).output();
  if (!success) throw new Error(`Cannot build "${output}": deno compile failed`);
}
