/**
 * A seed under mixed load, good and hostile, for long: `deno task soak [minutes]`. Prints the
 * seed's memory and descriptors as time goes by; exit code 1 if either grows, if a file came
 * wrong, or if anything from outside the folder was sent. Linux only: it looks into /proc.
 */
import { join } from "@std/path";
import { HostileClient, SECRET } from "../tests/cli/hostile_client.ts";
import { diceOf } from "../tests/sim/dice.ts";
import { addressOf, homeIn, noise, PROGRAM } from "./p2p.ts";
import { sha256OfFile } from "./checksums.ts";

const MIB = 1_048_576;
const SIZES = [0, 1, 3 * MIB + 5, 20 * MIB];
/** Enough points for a line in the shortest run, few enough to be read in the longest. */
const SAMPLES = 60;
const LINES_SHOWN = 12;
/** Memory that is still being warmed up says nothing of its growth: for so much of the run, and so long at least. */
const WARM_SHARE = 0.25;
const WARM_SECONDS = 60;
/**
 * What the fitted line may rise over the whole run. The engine's heap goes up and down by 25 MiB
 * (measured over six minutes); a leak of one kilobyte a connection would be more than this in an hour.
 */
const MAX_GROWTH_MIB = 30;
const MAX_GROWTH_DESCRIPTORS = 8;
const MAX_RESIDENT_MIB = 200;
const ATTACKERS = 6;

interface Sample {
  readonly second: number;
  readonly residentMib: number;
  readonly descriptors: number;
}

/** Fewer places than the attackers want: clients give way to others all the time. */
const MAX_CONNECTIONS = 24;
const HELD_CONNECTIONS = 8;

/** @param host the number of the attacker's address. */
type Attack = (attacker: HostileClient, host: number) => Promise<void>;

const ATTACKS: readonly Attack[] = [
  // Comes and goes.
  () => Promise.resolve(),
  // Asks and never reads.
  async (attacker) => {
    void attacker.send(`HELLO 2\nMANIFEST 3\nLIST\n${"DOWNLOAD 3|0|1048576\n".repeat(200)}`);
    await pause(500);
  },
  // Reads all it can.
  async (attacker) => {
    attacker.listen();
    await attacker.send(`HELLO 2\n${"DOWNLOAD 3|0|1048576\n".repeat(20)}`);
    await attacker.until(({ bytes }) => bytes > 10 * MIB || over());
  },
  // Random bytes, seldom a greeting before them.
  async (attacker) => {
    attacker.listen();
    const bytes = noise(1 + Math.floor(random() * 20_000));
    if (random() < 0.5) await attacker.send("HELLO 2\n");
    await attacker.send(bytes);
    attacker.halfClose();
    await pause(20);
  },
  // Holds many places, and does next to nothing with them.
  async (_intruder, host) => {
    await using held = new AsyncDisposableStack();
    for (let i = 1; i < HELD_CONNECTIONS; i++) {
      const polite = held.use(await HostileClient.connect(seed.address, host));
      await polite.listen().send("HELLO 2\nFILESIZE 1\n");
    }
    await pause(3000);
  },
  // A letter at a time.
  async (attacker) => {
    for (let i = 0; i < 50; i++) {
      await attacker.send("F");
      await pause(10);
    }
  },
  // Many small requests at once.
  async (attacker) => {
    attacker.listen();
    await attacker.send(
      `HELLO 2\n${"PING\nFILESIZE 1\nFILESIZE ../x\nnonsense\n".repeat(500)}BYE\n`,
    );
    await attacker.until(() => over());
  },
  // A name that leads out.
  async (attacker) => {
    attacker.listen();
    await attacker.send(`HELLO 2\nDOWNLOAD link|0|10\nMANIFEST ../outside/${SECRET}\nBYE\n`);
    await attacker.until(() => over());
  },
  // Old clients.
  async (attacker) => {
    attacker.listen();
    await attacker.send(random() < 0.5 ? "LIST" : "DOWNLOAD 2|0");
    await attacker.until(() => over());
  },
];

const minutes = Number(Deno.args[0] ?? "60");
if (!(minutes > 0)) throw new Error(`Cannot soak for "${Deno.args[0]}" minutes`);
if (Deno.build.os !== "linux") throw new Error("Cannot soak here: only Linux has /proc");
const random = diceOf(1);
const faults: string[] = [];
const done = { downloads: 0, attacks: 0 };
const folder = await Deno.makeTempDir({ prefix: "p2p-soak-" });
const seed = await startSeed();
const startedAt = performance.now();
try {
  const samples = await soak();
  show(samples);
  faults.push(...growthsOf(samples));
  for (const fault of faults.slice(0, 20)) console.log(`WRONG: ${fault}`);
  console.log(
    `${done.downloads} downloads, ${done.attacks} attacks, ${faults.length} things wrong`,
  );
  Deno.exitCode = faults.length === 0 ? 0 : 1;
} finally {
  seed.process.kill("SIGKILL");
  await seed.process.status;
  await Deno.remove(folder, { recursive: true });
}

async function soak(): Promise<Sample[]> {
  const workers = Array.from({ length: ATTACKERS }, (_, i) => attackAgainAndAgain(2 + i));
  workers.push(downloadAgainAndAgain());
  const samples: Sample[] = [];
  for (let i = 1; i <= SAMPLES; i++) {
    await until(i / SAMPLES);
    samples.push(sample());
  }
  await Promise.all(workers);
  return samples;
}

function over(): boolean {
  return performance.now() - startedAt >= minutes * 60_000;
}

/** Waits for that part of the run to have passed. */
async function until(share: number): Promise<void> {
  const ms = share * minutes * 60_000 - (performance.now() - startedAt);
  if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
}

async function downloadAgainAndAgain(): Promise<void> {
  const wanted = await Promise.all(SIZES.map((_, i) => sha256OfFile(join(folder, `share/${i}`))));
  while (!over()) {
    const out = join(folder, "out");
    const args = ["get", "--all", "--out", out, "--give-up", "60s", "--seed", seed.address];
    const { code, stderr } = await p2p(args).output();
    if (code !== 0) faults.push(`p2p get: exit code ${code}: ${new TextDecoder().decode(stderr)}`);
    for (const [i, digest] of wanted.entries()) {
      const got = await sha256OfFile(join(out, String(i))).catch(() => "not there");
      if (got !== digest) faults.push(`${i} is ${got}`);
    }
    await Deno.remove(out, { recursive: true }).catch(() => {});
    done.downloads++;
  }
}

async function attackAgainAndAgain(host: number): Promise<void> {
  while (!over()) {
    await using attacker = await HostileClient.connect(seed.address, host);
    await ATTACKS[Math.floor(random() * ATTACKS.length)]!(attacker, host);
    if (attacker.leaked) faults.push("something from outside the folder was sent");
    done.attacks++;
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function sample(): Sample {
  const status = Deno.readTextFileSync(`/proc/${seed.process.pid}/status`);
  const residentMib = Number(status.match(/^VmRSS:\s+(\d+) kB$/m)![1]) / 1024;
  const descriptors = Array.from(Deno.readDirSync(`/proc/${seed.process.pid}/fd`)).length;
  return { second: (performance.now() - startedAt) / 1000, residentMib, descriptors };
}

function show(samples: readonly Sample[]): void {
  console.log(" minute   MiB   descriptors");
  const step = Math.ceil(samples.length / LINES_SHOWN);
  for (let i = step - 1; i < samples.length; i += step) {
    const { second, residentMib, descriptors } = samples[i]!;
    const columns = [(second / 60).toFixed(1), residentMib.toFixed(0), String(descriptors)];
    console.log(`${columns[0]!.padStart(7)}${columns[1]!.padStart(6)}${columns[2]!.padStart(14)}`);
  }
}

function growthsOf(samples: readonly Sample[]): string[] {
  const warmAt = Math.max(minutes * 60 * WARM_SHARE, Math.min(WARM_SECONDS, minutes * 30));
  const warm = samples.filter(({ second }) => second >= warmAt);
  const memory = growthOf(warm, ({ residentMib }) => residentMib);
  const descriptors = growthOf(warm, ({ descriptors }) => descriptors);
  const most = Math.max(...samples.map(({ residentMib }) => residentMib));
  console.log(
    `once warm: memory ${memory.toFixed(1)} MiB, descriptors ${descriptors.toFixed(1)}; ` +
      `${most.toFixed(0)} MiB at most`,
  );
  return [
    ...memory > MAX_GROWTH_MIB ? [`memory grew by ${memory.toFixed(1)} MiB`] : [],
    ...descriptors > MAX_GROWTH_DESCRIPTORS
      ? [`descriptors grew by ${descriptors.toFixed(1)}`]
      : [],
    ...most > MAX_RESIDENT_MIB ? [`${most.toFixed(0)} MiB resident`] : [],
  ];
}

/** How much the line of least squares rises from the first sample to the last. */
function growthOf(samples: readonly Sample[], valueOf: (sample: Sample) => number): number {
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const middle = mean(samples.map(({ second }) => second));
  const level = mean(samples.map(valueOf));
  let [above, below] = [0, 0];
  for (const each of samples) {
    above += (each.second - middle) * (valueOf(each) - level);
    below += (each.second - middle) ** 2;
  }
  return above / below * (samples.at(-1)!.second - samples[0]!.second);
}

async function startSeed(): Promise<{ process: Deno.ChildProcess; address: string }> {
  await Deno.mkdir(join(folder, "share"));
  await Deno.mkdir(join(folder, "outside"));
  await Deno.writeTextFile(join(folder, "outside", SECRET), SECRET);
  await Deno.symlink(join(folder, "outside", SECRET), join(folder, "share/link"));
  for (const [i, size] of SIZES.entries()) {
    await Deno.writeFile(join(folder, "share", String(i)), noise(size));
  }
  const limits = ["--max-connections", `${MAX_CONNECTIONS}`];
  const flags = ["--host", "127.0.0.1", "--port", "0", "--quiet", ...limits];
  const process = p2p(["serve", join(folder, "share"), ...flags], "null").spawn();
  return { process, address: await addressOf(process) };
}

function p2p(args: string[], stderr: "piped" | "null" = "piped"): Deno.Command {
  const env = homeIn(join(folder, "p2p"));
  return new Deno.Command(PROGRAM, { args, env, stdin: "null", stdout: "piped", stderr });
}
