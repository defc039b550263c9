/**
 * The main job on real files, told step by step: three seeds as processes, one
 * of them an old one, three files at once, one seed ended in the middle.
 */
import { join } from "@std/path";
import { addressOf, homeIn, PROGRAM } from "./p2p.ts";
import { sha256OfFile } from "./checksums.ts";

const WINDOWS = Deno.build.os === "windows";

/** Not at full speed, so that there is a middle to kill a seed in. */
const PACE = ["--limit", "100MiB"];

/** One of the processes, and the lines that it prints. */
interface Seed {
  readonly process: Deno.ChildProcess;
  readonly address: string;
  readonly what: string;
}

if (import.meta.main) {
  const folder = await Deno.makeTempDir({ prefix: "p2p-demo-" });
  const seeds: Seed[] = [];
  try {
    await demo(folder, seeds);
  } finally {
    for (const { process } of seeds) await end(process);
    await Deno.remove(folder, { recursive: true });
  }
}

async function demo(folder: string, seeds: Seed[]): Promise<void> {
  const shared = join(folder, "shared");
  const names = await makeFiles(shared);
  step("1. A folder with real files");
  for (const name of names) say(`${(await sizeOf(join(shared, name))).padStart(10)}  ${name}`);

  step("2. Three seeds serve it, each a process of its own");
  seeds.push(
    await startSeed(folder, shared),
    await startSeed(folder, shared),
    await startOldSeed(shared),
  );
  for (const { address, what } of seeds) say(`${address}  ${what}`);

  step("3. Get all three files from all seeds at once; the first seed is killed on the way");
  const flags = seeds.flatMap(({ address }) => ["--seed", address]);
  const quoted = names.map((name) => name.includes(" ") ? `"${name}"` : name);
  say(`p2p get ${quoted.join(" ")} --max 3 ${PACE.join(" ")} --out downloads ${flags.join(" ")}`);
  const downloads = join(folder, "downloads");
  const summary = await getAndKill(
    folder,
    [...names, "--max", "3", ...PACE, "--out", downloads, ...flags],
    seeds[0]!,
  );
  for (const task of summary.tasks) {
    say(`${task.state}  ${task.name}  ${task.verified ? "every byte verified" : "not verified"}`);
  }

  step("4. Compare with the originals");
  for (const name of names) await compare(join(shared, name), join(downloads, name));

  step(`5. The log of one task: p2p logs ${summary.tasks[0]!.task}`);
  for (const line of (await p2p(folder, "logs", summary.tasks[0]!.task)).split("\n")) {
    if (line) say(line);
  }

  const seconds = (summary.elapsedMs / 1000).toFixed(1);
  step(
    `All of it arrived, whole: ${mib(summary.bytes)} in ${seconds} s, although a seed was killed.`,
  );
  step("Now with files of yours, in two terminals:");
  say(`${PROGRAM} serve <folder>`);
  say(`${PROGRAM} get --all --out <folder>`);
}

/** Real ones: the Deno executable, p2p itself, and the sources in one file. */
async function makeFiles(shared: string): Promise<string[]> {
  await Deno.mkdir(shared);
  const deno = WINDOWS ? "deno.exe" : "deno";
  await Deno.copyFile(Deno.execPath(), join(shared, deno));
  await Deno.copyFile(PROGRAM, join(shared, "p2p-executable"));
  const sources = ["README.md", "main.ts", "deno.json"].map((path) => Deno.readTextFileSync(path));
  await Deno.writeTextFile(join(shared, "reading matter.txt"), sources.join("\n"));
  return [deno, "p2p-executable", "reading matter.txt"];
}

async function startSeed(folder: string, shared: string): Promise<Seed> {
  const args = ["serve", shared, "--host", "127.0.0.1", "--port", "0"];
  return await listening(
    new Deno.Command(PROGRAM, { ...quietly(folder), args, stdout: "piped" }),
    "p2p serve",
  );
}

async function startOldSeed(shared: string): Promise<Seed> {
  const args = ["run", "-A", "scripts/demo_old_seed.ts", shared];
  const command = new Deno.Command(Deno.execPath(), { args, stdin: "null", stdout: "piped" });
  return await listening(command, "an old seed: one request a connection, no digests");
}

/** Starts a seed and waits for the line that tells where it listens. */
async function listening(command: Deno.Command, what: string): Promise<Seed> {
  const process = command.spawn();
  return { process, address: await addressOf(process), what };
}

interface Summary {
  readonly bytes: number;
  readonly elapsedMs: number;
  readonly tasks: { task: string; name: string; state: string; verified: boolean }[];
}

/** Runs `p2p get --json`, and kills `victim` when the first bytes have come. */
async function getAndKill(folder: string, args: string[], victim: Seed): Promise<Summary> {
  const command = new Deno.Command(PROGRAM, {
    ...quietly(folder),
    args: ["get", ...args, "--json"],
    stdout: "piped",
  });
  const process = command.spawn();
  let killed = false;
  let rest = "";
  let summary: Summary | undefined;
  for await (const part of process.stdout.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + part).split("\n");
    rest = lines.pop()!;
    for (const line of lines) {
      const event = JSON.parse(line);
      if (event.event === "summary") summary = event;
      if (event.event !== "progress" || event.downloaded === 0 || killed) continue;
      killed = true;
      say(`… ${mib(event.downloaded)} of ${event.name} are there: killing ${victim.address}`);
      victim.process.kill("SIGKILL");
    }
  }
  const { code } = await process.status;
  if (code !== 0 || !summary) throw new Error(`p2p get ended with exit code ${code}`);
  if (!killed) throw new Error("The download was through before a seed could be killed");
  return summary;
}

async function p2p(folder: string, ...args: string[]): Promise<string> {
  const command = new Deno.Command(PROGRAM, { ...quietly(folder), args, stdout: "piped" });
  const { code, stdout } = await command.output();
  if (code !== 0) throw new Error(`p2p ${args[0]} ended with exit code ${code}`);
  return new TextDecoder().decode(stdout);
}

function quietly(folder: string): Deno.CommandOptions {
  return { env: homeIn(join(folder, "p2p")), stdin: "null", stderr: "null" };
}

async function compare(original: string, copy: string): Promise<void> {
  const [here, there] = await Promise.all([sha256OfFile(original), sha256OfFile(copy)]);
  if (here !== there) throw new Error(`${copy} is not the same as ${original}`);
  say(`same SHA-256 ${here.slice(0, 16)}…  ${copy.split(/[\\/]/).pop()}`);
}

async function end(process: Deno.ChildProcess): Promise<void> {
  try {
    process.kill("SIGKILL");
  } catch {
    // It has ended.
  }
  await process.stdout.cancel().catch(() => {});
  await process.status;
}

async function sizeOf(path: string): Promise<string> {
  return mib((await Deno.stat(path)).size);
}

function mib(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

function step(text: string): void {
  console.log(`\n${text}`);
}

function say(text: string): void {
  console.log(`   ${text}`);
}
