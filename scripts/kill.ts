/**
 * Kills `p2p get` without warning, again and again, and starts it again, while every connection
 * breaks sooner or later: `deno task kill [times] [dice]`. Ends with exit code 1 unless every
 * download that came to its end is right, none got stuck, and little was fetched twice.
 */
import { join } from "@std/path";
import { FaultProxy } from "../tests/support/fault_proxy.ts";
import { diceOf } from "../tests/sim/dice.ts";
import { addressOf, homeIn, noise, PROGRAM } from "./p2p.ts";
import { sha256OfFile } from "./checksums.ts";

const SEEDS = 3;
const SIZES = [0, 1, 5_000_000, 1_048_576, 20_000_000, 40_000_000];
/** A connection breaks after 1 to 2,000 kB. */
const MIN_CONNECTION_BYTES = 1000;
const MAX_CONNECTION_BYTES = 2_000_000;
/** Without kills the download takes about a second; the kill comes somewhere in it. */
const MAX_LIFE_MS = 700;
/** A download that was killed this often in a row without coming to its end is stuck. */
const MAX_KILLS_IN_A_ROW = 150;
/** What is on its way in a kill is lost; what has come is not. */
const MAX_BYTES_TWICE_PER_KILL = 300 * 1024;

const [times = 200, dice = 1] = Deno.args.map(Number);
const random = diceOf(dice);
const folder = await Deno.makeTempDir({ prefix: "p2p-kill-" });
const seeds: Deno.ChildProcess[] = [];
const proxies: FaultProxy[] = [];
try {
  console.log(await run());
} finally {
  for (const proxy of proxies) await proxy[Symbol.asyncDispose]();
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
  const passed = proxies.reduce((sum, proxy) => sum + proxy.passed, 0);
  const twice = (passed - rounds * SIZES.reduce((sum, size) => sum + size)) / kills;
  const story = `${kills} kills in ${rounds} downloads of ${SIZES.length} files: ` +
    `every file right, none stuck, ${Math.round(twice / 1024)} KiB fetched twice a kill`;
  if (twice > MAX_BYTES_TWICE_PER_KILL) throw new Error(`Too much was fetched twice: ${story}`);
  return story;
}

/** Runs the same command until it ends by itself; says how often it was killed. */
async function downloadThroughKills(addresses: string[]): Promise<number> {
  for (let kills = 0; kills < MAX_KILLS_IN_A_ROW; kills++) {
    const process = p2p([
      "get",
      "--all",
      "--out",
      join(folder, "out"),
      "--limit",
      "150MiB",
      "--progress",
      "none",
      ...addresses.flatMap((address) => ["--seed", address]),
    ], { stderr: "piped" }).spawn();
    const timer = setTimeout(() => strike(process), random() * MAX_LIFE_MS);
    const { code, signal, stderr } = await process.output();
    clearTimeout(timer);
    if (signal === "SIGKILL") continue;
    if (code !== 0) {
      const said = new TextDecoder().decode(stderr);
      throw new Error(`p2p get ended with exit code ${code} after ${kills} kills: ${said}`);
    }
    return kills;
  }
  throw new Error(`Stuck: killed ${MAX_KILLS_IN_A_ROW} times, and still not there`);
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
  const seed = p2p(["serve", shared, "--host", "127.0.0.1", "--port", "0"], { stdout: "piped" })
    .spawn();
  seeds.push(seed);
  const proxy = new FaultProxy(await addressOf(seed), () => {
    const length = MAX_CONNECTION_BYTES - MIN_CONNECTION_BYTES;
    return { kind: "cut", afterBytes: MIN_CONNECTION_BYTES + Math.floor(random() * length) };
  });
  proxies.push(proxy);
  return proxy.address;
}

function p2p(
  args: string[],
  output: Pick<Deno.CommandOptions, "stdout" | "stderr">,
): Deno.Command {
  const env = homeIn(join(folder, "p2p"));
  const silent = { stdin: "null", stdout: "null", stderr: "null" } as const;
  return new Deno.Command(PROGRAM, { args, env, ...silent, ...output });
}
