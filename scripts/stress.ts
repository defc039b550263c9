/**
 * 100 downloads from 5 seeds, each behind a proxy that resets, stalls, cuts,
 * garbles, trickles, refuses and says BUSY: `deno task stress [files] [dice]`.
 * Ends with exit code 1 unless every file is right, no seed saw more
 * connections than allowed, memory stayed bounded, and nothing was left open.
 */
import { join } from "@std/path";
import { diceOf } from "../tests/sim/dice.ts";
import { type Fault, FaultProxy } from "../tests/support/fault_proxy.ts";
import { addressOf, homeIn, noise, PROGRAM } from "./p2p.ts";
import { sha256OfFile } from "./checksums.ts";

const SEEDS = 5;
const SEED_CONNECTIONS = 4;
const MAX_RESIDENT_MIB = 200;
const MIB = 1024 * 1024;

const [count = 100, dice = 1] = Deno.args.map(Number);
const random = diceOf(dice);
const folder = await Deno.makeTempDir({ prefix: "p2p-stress-" });
const processes: Deno.ChildProcess[] = [];
try {
  const faults = await stress();
  for (const fault of faults) console.log(`WRONG: ${fault}`);
  console.log(faults.length === 0 ? "all right" : `${faults.length} things are wrong`);
  Deno.exitCode = faults.length === 0 ? 0 : 1;
} finally {
  for (const process of processes) await end(process);
  await Deno.remove(folder, { recursive: true });
}

async function stress(): Promise<string[]> {
  const shared = join(folder, "shared");
  const names = await makeFiles(shared);
  const addresses = await Promise.all(Array.from({ length: SEEDS }, () => startSeed(shared)));
  const proxies = addresses.map((address) => new FaultProxy(address, chooseFault));
  const startedAt = performance.now();
  const { code, residentMib, errors } = await get(proxies.map(({ address }) => address));
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  for (const proxy of proxies) {
    console.log(
      `${proxy.address}: ${Array.from(proxy.done).join(" ")}; at most ${proxy.mostOpen} open`,
    );
  }
  console.log(
    `${count} files in ${seconds} s, ${residentMib} MiB resident at most, exit code ${code}`,
  );
  const faults = code === 0 ? [] : [`exit code ${code}: ${errors}`];
  faults.push(...await faultsOf(names, shared, proxies));
  if (residentMib > MAX_RESIDENT_MIB) faults.push(`${residentMib} MiB resident`);
  for (const proxy of proxies) await proxy[Symbol.asyncDispose]();
  return faults;
}

/** Half of the connections are well; the others have their trouble somewhere in the first megabytes. */
function chooseFault(): Fault {
  const afterBytes = Math.floor(random() * 3 * MIB);
  const faults: Fault[] = [
    { kind: "refuse" },
    { kind: "busy" },
    { kind: "cut", afterBytes },
    { kind: "stall", afterBytes },
    { kind: "garble", afterBytes },
    { kind: "trickle", afterBytes, bytesPerSecond: 20_000 },
  ];
  return random() < 0.5 ? { kind: "none" } : faults[Math.floor(random() * faults.length)]!;
}

async function makeFiles(shared: string): Promise<string[]> {
  await Deno.mkdir(shared);
  const names = Array.from({ length: count }, (_, i) => `file-${String(i).padStart(3, "0")}`);
  for (const name of names) {
    // Many small ones, some of several pieces.
    await Deno.writeFile(join(shared, name), noise(Math.floor(random() ** 3 * 8 * MIB)));
  }
  return names;
}

async function startSeed(shared: string): Promise<string> {
  const process = p2p(["serve", shared, "--host", "127.0.0.1", "--port", "0"], "piped", "null")
    .spawn();
  processes.push(process);
  return await addressOf(process);
}

async function get(
  seeds: string[],
): Promise<{ code: number; residentMib: number; errors: string }> {
  const args = [
    "get",
    "--all",
    "--out",
    join(folder, "out"),
    "--max",
    "10",
    "--stall",
    "1s",
    "--give-up",
    "60s",
  ];
  args.push(
    "--seed-connections",
    String(SEED_CONNECTIONS),
    "--sync",
    "never",
    "--log-level",
    "error",
  );
  const process = p2p([...args, ...seeds.flatMap((seed) => ["--seed", seed])], "null", "piped")
    .spawn();
  const errors = new Response(process.stderr).text();
  const resident = watchResident(process);
  const { code } = await process.status;
  return { code, residentMib: await resident, errors: await errors };
}

/** The most memory that the process held, where the platform tells it. */
async function watchResident(process: Deno.ChildProcess): Promise<number> {
  let most = 0;
  const ended = process.status.then(() => true);
  const pause = () => new Promise<false>((resolve) => setTimeout(() => resolve(false), 200));
  while (!await Promise.race([ended, pause()])) {
    const status = await Deno.readTextFile(`/proc/${process.pid}/status`).catch(() => "");
    most = Math.max(most, Number(status.match(/VmHWM:\s*(\d+) kB/)?.[1] ?? 0) / 1024);
  }
  return Math.round(most);
}

async function faultsOf(names: string[], shared: string, proxies: FaultProxy[]): Promise<string[]> {
  const faults: string[] = [];
  for (const name of names) {
    const [there, here] = await Promise.all([
      sha256OfFile(join(shared, name)),
      sha256OfFile(join(folder, "out", name)).catch(() => "not there"),
    ]);
    if (here !== there) faults.push(`${name}: ${here}`);
  }
  for (const { name } of await Array.fromAsync(Deno.readDir(join(folder, "out"))).catch(() => [])) {
    if (!names.includes(name)) faults.push(`${name} was left behind`);
  }
  for (const { address, mostOpen, open } of proxies) {
    if (mostOpen > SEED_CONNECTIONS) faults.push(`${address} saw ${mostOpen} connections`);
    if (open > 0) faults.push(`${address} has ${open} connections left`);
  }
  return faults;
}

function p2p(args: string[], stdout: "piped" | "null", stderr: "piped" | "null"): Deno.Command {
  const env = homeIn(join(folder, "p2p"));
  return new Deno.Command(PROGRAM, { args, env, stdin: "null", stdout, stderr });
}

async function end(process: Deno.ChildProcess): Promise<void> {
  try {
    process.kill("SIGKILL");
  } catch {
    // It has ended.
  }
  await process.status;
}
