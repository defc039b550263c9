/**
 * Makes dist/release: for each platform an archive with the program, the README, the licence and,
 * except for Windows, the manual page; and with them the installers, the checksums of all, and the
 * notes of the release.
 *
 *     deno task release [platform...] [--tag v0.1.0] [--releases https://…/releases]
 *
 * What is released is the commit that is checked out, without what was changed since. The version
 * is that of its deno.json, and `--tag` must say the same. `--releases` is the address of the page
 * where it will be published, which the installers are to know.
 *
 * The same commit gives the same bytes with the same Deno and the same source of packages (JSR and
 * the npm registry have not quite the same). A platform that cannot be made here does not stop the
 * others; it is named, and the exit code is 1.
 */

import { parseArgs } from "node:util";
import { type Commit, currentCommit, shortHash } from "./commit.ts";
import { compile } from "./compile.ts";
import { cutDenort } from "./offline/cut_denort.ts";
import { denortDigest, denortPath } from "./offline/denort.ts";
import { hex } from "./offline/tarball.ts";
import { pack } from "./release/archive.ts";
import { CHECKSUMS, writeChecksums } from "./checksums.ts";
import { installerFor, requireAddress } from "./release/installers.ts";
import { MAN_PAGE, writeManPage } from "./release/man_page.ts";
import { CHANGELOG, notesOf } from "./release/notes.ts";
import { missingLines, sizeOf } from "./release/report.ts";
import { packageLicenses } from "./release/licenses.ts";
import { stagePackages, stageSources } from "./release/stage.ts";
import { releaseName, type Target, targetNamed, TARGETS } from "./release/targets.ts";
import { ROOT } from "./source_files.ts";

const RELEASE = "dist/release";
/** In every archive, beside the program. */
const PAPERS = ["README.md", "LICENSE"];
const INSTALLERS = ["install.sh", "install.ps1"];

interface Wanted {
  readonly targets: readonly Target[];
  readonly tag: string | undefined;
  readonly releases: string | undefined;
}

/** One release while it is being made. */
interface Draft {
  readonly commit: Commit;
  readonly version: string;
  /** The folder with the sources. */
  readonly sources: string;
  /** The cache of Deno with the packages. */
  readonly denoDir: string;
  /** The folder where programs lie until they are packed. */
  readonly programs: string;
  /** The folder that becomes `RELEASE`. */
  readonly out: string;
}

/** @throws {Error} saying what is wrong with an argument. */
function wantedBy(args: string[]): Wanted {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { tag: { type: "string" }, releases: { type: "string" } },
  });
  if (values.releases !== undefined) requireAddress(values.releases);
  // It would go under the programs of all platforms.
  if (Deno.env.get("DENORT_BIN")) throw new Error("Cannot release while DENORT_BIN is set");
  return {
    targets: positionals.length === 0 ? TARGETS : positionals.map(targetNamed),
    tag: values.tag,
    releases: values.releases,
  };
}

/** @returns the platforms that could not be made, with the reason. */
async function release(wanted: Wanted, folder: string): Promise<Map<Target, string>> {
  const draft = await begin(wanted, folder);
  const missing = new Map<Target, string>();
  for (const target of wanted.targets) {
    try {
      await make(target, draft);
    } catch (error) {
      missing.set(target, error instanceof Error ? error.message : String(error));
    }
  }
  await addInstallers(draft, wanted.releases);
  await writeChecksums(draft.out);
  const changelog = await Deno.readTextFile(`${draft.sources}/${CHANGELOG}`);
  await Deno.writeTextFile(
    `${draft.out}/NOTES.md`,
    notesOf(draft.version, changelog, wanted.releases),
  );
  await Deno.remove(RELEASE, { recursive: true }).catch(() => {});
  await Deno.rename(draft.out, RELEASE);
  return missing;
}

async function begin({ tag }: Wanted, folder: string): Promise<Draft> {
  const commit = await currentCommit();
  if (commit === undefined) throw new Error("Cannot release: there is no commit, or no git");
  const [sources, programs, out] = [`${folder}/sources`, `${folder}/programs`, `${folder}/out`];
  const denoDir = `${folder}/deno`;
  for (const each of [sources, programs, out]) await Deno.mkdir(each, { recursive: true });
  await stageSources(commit, sources);
  await stagePackages(commit, new URL(`${sources}/`, ROOT), denoDir);
  const { version } = JSON.parse(await Deno.readTextFile(`${sources}/deno.json`));
  if (tag !== undefined && tag !== `v${version}`) {
    throw new Error(
      `Cannot release as "${tag}": deno.json says ${version}, so it must be v${version}`,
    );
  }
  console.log(`release: ${version} from commit ${shortHash(commit)}`);
  return { commit, version, sources, denoDir: await Deno.realPath(denoDir), programs, out };
}

async function make(target: Target, draft: Draft): Promise<void> {
  // Asked first, since it tells best what is missing.
  await denortPath(target.triple, () => {});
  const { commit, version, programs } = draft;
  const name = releaseName(version, target);
  await Deno.mkdir(`${programs}/${name}`);
  const program = await Deno.realPath(programs) + `/${name}/${target.program}`;
  await compile({
    output: program,
    commit: shortHash(commit),
    target: target.triple,
    sources: new URL(`${draft.sources}/`, ROOT),
    denoDir: draft.denoDir,
  });
  await compareDenort(program, target);
  await writeLicenses(`${programs}/${name}/THIRD-PARTY-LICENSES`);
  for (const paper of PAPERS) {
    await Deno.copyFile(`${draft.sources}/${paper}`, `${programs}/${name}/${paper}`);
  }
  // Windows has no program that shows it.
  if (target.program === "p2p") {
    await writeManPage(draft.sources, version, commit.timeS, `${programs}/${name}/${MAN_PAGE}`);
  }
  const archive = `${name}.${target.archive}`;
  const file = `${draft.out}/${archive}`;
  await pack(target.archive, { parent: programs, name }, file, commit.timeS);
  console.log(`release: ${archive}, ${sizeOf(file)}, of it ${sizeOf(program)} of program unpacked`);
}

/** The licences of the packages in the program ask to go with it. */
async function writeLicenses(path: string): Promise<void> {
  const texts = (await packageLicenses()).map(({ name, text }) => `${name}\n\n${text.trim()}\n`);
  await Deno.writeTextFile(path, texts.join(`\n${"-".repeat(72)}\n\n`));
}

/**
 * Says when the official denort and the one that npm has differ. The official one is used where it
 * can be reached, so that a release never depends on the other one alone.
 */
async function compareDenort(program: string, { name, triple }: Target): Promise<void> {
  const expected = denortDigest(triple);
  if (expected === undefined) return;
  const digest = await hex("SHA-256", cutDenort(await Deno.readFile(program), triple));
  if (digest === expected) return;
  console.error(
    `release: ${name} is made with denort of SHA-256 ${digest}, but npm has it with ${expected}`,
  );
}

async function addInstallers(
  { sources, out }: Draft,
  releases: string | undefined,
): Promise<void> {
  for (const name of INSTALLERS) {
    const script = await Deno.readTextFile(`${sources}/scripts/${name}`);
    const installer = releases === undefined ? script : installerFor(releases, script);
    await Deno.writeTextFile(`${out}/${name}`, installer);
  }
}

async function main(args: string[]): Promise<number> {
  Deno.chdir(ROOT);
  const wanted = wantedBy(args);
  const folder = `dist/release-${crypto.randomUUID()}`;
  try {
    const missing = await release(wanted, folder);
    console.log(`release: ${RELEASE}, checksums in ${CHECKSUMS}`);
    for (const line of missingLines(missing)) console.error(`release: ${line}`);
    return missing.size === 0 ? 0 : 1;
  } finally {
    await Deno.remove(folder, { recursive: true }).catch(() => {});
  }
}

try {
  Deno.exit(await main(Deno.args));
} catch (error) {
  console.error(`release: ${error instanceof Error ? error.message : error}`);
  Deno.exit(1);
}
