/**
 * Kills `p2p get` without warning, again and again, and starts it again:
 * `deno task kill [times] [dice]`. Ends with exit code 1 unless every download
 * that came to its end is right, and none got stuck.
 */
import { join } from "@std/path";
import { diceOf } from "../tests/sim/dice.ts";
import { addressOf, homeIn, noise, PROGRAM } from "./p2p.ts";
import { sha256OfFile } from "./sha256_of_file.ts";

const SEEDS = 3;
const SIZES = [0, 1, 5_000_000, 1_048_576, 20_000_000, 40_000_000];
/** A download of this takes half a second; the kill comes somewhere in it. */
const LONGEST_LIFE_MS = 700;
/** One that was killed so often in a row without coming to its end is stuck. */
const MOST_IN_A_ROW = 60;

const [times = 200, dice = 1] = Deno.args.map(Number);
const random = diceOf(dice);
const folder = await Deno.makeTempDir({ prefix: "p2p-kill-" });
const seeds: Deno.ChildProcess[] = [];
try {
  console.log(await run());
} finally {
  for (const seed of seeds) {
    seed.kill("SIGKILL");
    await seed.status;
  }
  await Deno.remove(folder, { recursive: true });
}

async function run(): Promise<string> {
  const shared = join(folder, "shared");
  await Deno.mkdir(shared);
  for (const [i, size] of SIZES.entries()) {
    await Deno.writeFile(join(shared, `file-${i}`), noise(size));
  }
  const addresses = await Promise.all(Array.from({ length: SEEDS }, () => startSeed(shared)));
  let kills = 0;
  let rounds = 0;
  while (kills < times) {
    kills += await downloadThroughKills(addresses);
    rounds++;
    await compare(shared, join(folder, "out"));
    await Deno.remove(join(folder, "out"), { recursive: true });
  }
  return `${kills} kills in ${rounds} downloads of ${SIZES.length} files: every file right, none stuck`;
}

/** Runs the same command until it ends by itself; says how often it was killed. */
async function downloadThroughKills(addresses: string[]): Promise<number> {
  for (let kills = 0; kills < MOST_IN_A_ROW; kills++) {
    const process = p2p([
      "get",
      "--all",
      "--out",
      join(folder, "out"),
      "--limit",
      "150MiB",
      ...addresses.flatMap((address) => ["--seed", address]),
    ]).spawn();
    const timer = setTimeout(() => strike(process), random() * LONGEST_LIFE_MS);
    const { code, signal } = await process.status;
    clearTimeout(timer);
    if (signal === "SIGKILL") continue;
    if (code !== 0) throw new Error(`p2p get ended with exit code ${code} after ${kills} kills`);
    return kills;
  }
  throw new Error(`Stuck: killed ${MOST_IN_A_ROW} times, and still not there`);
}

function strike(process: Deno.ChildProcess): void {
  try {
    process.kill("SIGKILL");
  } catch {
    // It has come to its end in this very moment.
  }
}

async function compare(shared: string, out: string): Promise<void> {
  const names = Array.from(Deno.readDirSync(out), ({ name }) => name).sort();
  if (names.length !== SIZES.length) throw new Error(`Left behind: ${names.join(" ")}`);
  for (const name of names) {
    const [there, here] = await Promise.all([
      sha256OfFile(join(shared, name)),
      sha256OfFile(join(out, name)),
    ]);
    if (there !== here) throw new Error(`${name} is wrong`);
  }
}

async function startSeed(shared: string): Promise<string> {
  const seed = p2p(["serve", shared, "--host", "127.0.0.1", "--port", "0"], "piped").spawn();
  seeds.push(seed);
  return await addressOf(seed);
}

function p2p(args: string[], stdout: "piped" | "null" = "null"): Deno.Command {
  const env = homeIn(join(folder, "p2p"));
  return new Deno.Command(PROGRAM, { args, env, stdin: "null", stdout, stderr: "null" });
}
