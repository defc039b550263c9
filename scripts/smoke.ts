/**
 * The shortest proof that a program of a release works on this machine: it serves a folder, gets
 * all of it, and every byte is compared.
 *
 *     deno run -A scripts/smoke.ts <program>
 */

import { sha256OfFile } from "./checksums.ts";

/** One that is empty, one of a few bytes, one for the threads that hash, one below a folder. */
const SIZES: Readonly<Record<string, number>> = {
  "empty": 0,
  "a few": 7,
  "big.bin": 40 * 1024 * 1024 + 1,
  "below/it": 1024 * 1024,
};

/** @throws {Error} saying what is not as it must be. */
async function smoke(program: string, folder: string): Promise<void> {
  await fill(`${folder}/share`);
  await using seed = await serve(program, folder);
  const { success, stderr } = await new Deno.Command(program, {
    args: ["get", "--all", "--seed", seed.address, "--out", `${folder}/got`],
    env: ownPlaces(folder),
  }).output();
  if (!success) throw new Error(`get failed: ${new TextDecoder().decode(stderr)}`);
  for (const name of Object.keys(SIZES)) {
    const [shared, got] = [`${folder}/share/${name}`, `${folder}/got/${name}`];
    if (await sha256OfFile(shared) !== await sha256OfFile(got)) throw new Error(`${name} differs`);
  }
}

async function fill(folder: string): Promise<void> {
  await Deno.mkdir(`${folder}/below`, { recursive: true });
  for (const [name, size] of Object.entries(SIZES)) {
    const bytes = Uint8Array.from({ length: size }, (_, i) => (i * 31 + (i >> 12)) & 255);
    await Deno.writeFile(`${folder}/${name}`, bytes);
  }
}

interface Seed extends AsyncDisposable {
  readonly address: string;
}

async function serve(program: string, folder: string): Promise<Seed> {
  const process = new Deno.Command(program, {
    args: ["serve", `${folder}/share`, "--host", "127.0.0.1", "--port", "0"],
    env: ownPlaces(folder),
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const lines = process.stdout.pipeThrough(new TextDecoderStream());
  let told = "";
  for await (const text of lines.values({ preventCancel: true })) {
    told += text;
    if (told.includes("\n")) break;
  }
  const [, address] = told.match(/^listening on (\S+)\r?\n/) ?? [];
  const end = async () => {
    try {
      process.kill("SIGKILL");
    } catch (error) {
      // It has ended already.
      if (!(error instanceof TypeError)) throw error;
    }
    await process.status;
    await lines.cancel();
  };
  if (address !== undefined) return { address, [Symbol.asyncDispose]: end };
  await end();
  throw new Error(`serve does not listen: ${told}`);
}

/** So that nothing of this is left with the user. */
function ownPlaces(folder: string): Record<string, string> {
  return {
    P2P_CONFIG_DIR: `${folder}/config`,
    P2P_STATE_DIR: `${folder}/state`,
    P2P_CACHE_DIR: `${folder}/cache`,
  };
}

const [program] = Deno.args;
if (program === undefined) throw new Error("Cannot try nothing: name the program");
const folder = await Deno.makeTempDir({ prefix: "p2p-smoke-" });
try {
  await smoke(await Deno.realPath(program), folder);
  console.log(`smoke: ${program} serves and gets, and every byte is right`);
} finally {
  await Deno.remove(folder, { recursive: true });
}
