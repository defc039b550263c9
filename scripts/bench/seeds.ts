/** p2p's own seeds: `p2p serve` on free ports, the digests made before anybody is timed. */
import { delay } from "@std/async";
import { join } from "@std/path";
import { addressOf, homeIn } from "../p2p.ts";
import type { MadeFile } from "./data.ts";
import type { Command } from "./command_lines.ts";
import { LightClient } from "./light_client.ts";
import { Server } from "./server.ts";

export interface Seed {
  readonly server: Server;
  readonly address: string;
}

export interface SeedOptions {
  readonly program: string;
  /** What it serves. */
  readonly root: string;
  /** Where its cache and its state go. */
  readonly dir: string;
  /** Besides the usual ones. */
  readonly flags?: readonly string[];
  readonly host?: string;
  /** Put before the program, as `ip netns exec` is. */
  readonly prefix?: Command;
}

/**
 * A file that changed so short a time ago may change again unseen, so its digests are not written
 * to the cache, and those of a small one not even kept in memory.
 */
const YOUNG_MS = 2500;
const SMALL_BYTES = 8 * 1024 * 1024;
/** What is hashed in the time that waiting would take. */
const WAIT_BYTES = 3 * 1024 * 1024 * 1024;

/** Starts one that has hashed nothing yet. */
export async function startSeed(
  { program, root, dir, flags = [], host = "127.0.0.1", prefix = [] }: SeedOptions,
): Promise<Seed> {
  const serve = [program, "serve", root, "--host", host, "--port", "0", "-q", ...flags];
  const [first, ...args] = [...prefix, ...serve];
  const process = new Deno.Command(first!, {
    args,
    env: homeIn(dir),
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const server = new Server(process);
  try {
    return { server, address: await addressOf(process) };
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
}

/** Starts `count` seeds one after the other, each with the digests of all `files` at hand. */
export async function startSeeds(
  options: SeedOptions,
  count: number,
  files: readonly MadeFile[],
  signal: AbortSignal,
): Promise<Seed[]> {
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  const small = files.some(({ size }) => size <= SMALL_BYTES);
  if (small || count * bytes > WAIT_BYTES) await untilOld(options.root, files, signal);
  const seeds: Seed[] = [];
  try {
    while (seeds.length < count) {
      seeds.push(await startSeed(options));
      await askForDigests(seeds.at(-1)!.address, files, signal);
    }
    return seeds;
  } catch (error) {
    for (const { server } of seeds) await server[Symbol.asyncDispose]();
    throw error;
  }
}

/** Waits until a seed may remember the digests of `files` in `dir`. */
export async function untilOld(
  dir: string,
  files: readonly MadeFile[],
  signal: AbortSignal,
): Promise<void> {
  const changes = files.map(({ name }) => Deno.statSync(join(dir, name)).mtime?.getTime() ?? 0);
  const ageMs = Date.now() - changes.reduce((a, b) => Math.max(a, b), 0);
  if (ageMs < YOUNG_MS) await delay(YOUNG_MS - ageMs, { signal });
}

async function askForDigests(
  address: string,
  files: readonly MadeFile[],
  signal: AbortSignal,
): Promise<void> {
  await using client = await LightClient.connect(address, signal);
  for (const { name } of files) await client.manifest(name, signal);
}
