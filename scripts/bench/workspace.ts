/**
 * Where everything is run: a temporary folder, and one timed run at a time, each under the same
 * conditions: an empty target, settings and records of its own, memory that was just used; and
 * checked against the source afterwards.
 */
import { join } from "@std/path";
import { statfsSync } from "node:fs";
import { homeIn } from "../p2p.ts";
import { compareFolders } from "./compare.ts";
import { type MadeFile, makeFiles } from "./data.ts";
import { memoryToSpare } from "./machine.ts";
import { measure } from "./measure.ts";
import type { Command } from "./command_lines.ts";
import { countCost, type Server } from "./server.ts";

/** What one run cost, at both ends. */
export interface Sample {
  readonly wallMs: number;
  readonly userMs: number;
  readonly sysMs: number;
  readonly residentKiB: number;
  readonly serverCpuMs: number;
  readonly serverResidentKiB: number;
  /** It was ended at its limit. */
  readonly unfinished?: true;
}

export interface TimedRun {
  /** One after the other; what they take is added up. */
  readonly commands: readonly Command[];
  /** Who is downloaded from. */
  readonly servers: readonly Server[];
  readonly source: Source;
  /** Of the source's files, unless it is all. */
  readonly names?: readonly string[];
  /** Ends each command after this time; then the target is not compared with the source. */
  readonly limitMs?: number;
}

/** A folder of files to download. */
export interface Source {
  readonly dir: string;
  readonly files: readonly MadeFile[];
}

const MIB = 1024 * 1024;
/**
 * ext4 gives no inode to a new file that it took back in the last minutes, and passes over each of
 * them whenever it makes one (`recently_deleted` in fs/ext4/ialloc.c): a thousand files that the run
 * before has left and we have removed cost the next one more than all the rest (measured: 1.3 s of
 * 2.8). So where there are many, nothing is removed before the end.
 */
const MANY_FILES = 200;
/** How often so many files may be left, counting rounds and programs. */
const MAX_LEFT = 64;
/** Logs, lists and records. */
const SPARE_BYTES = 256 * MIB;

export class Workspace implements Disposable {
  readonly #dir: string;
  /** Aborts everything that runs here. */
  readonly signal: AbortSignal;
  /** Where downloads go; empty at the beginning of each run. */
  readonly out: string;
  #folders = 0;

  /** @param dir where temporary folders go unless it is the platform's place. */
  constructor(dir: string | undefined, signal: AbortSignal) {
    this.#dir = Deno.makeTempDirSync({ prefix: "p2p-bench-", ...(dir !== undefined && { dir }) });
    this.signal = signal;
    this.out = join(this.#dir, "out");
  }

  /** Where sources lie, each in a folder of its own. */
  get sources(): string {
    return join(this.#dir, "sources");
  }

  path(...parts: string[]): string {
    return join(this.#dir, ...parts);
  }

  /** A name that was not used before. */
  newFolder(stem: string): string {
    return this.path(`${stem}-${this.#folders++}`);
  }

  /** Makes files that are gone when the result is disposed. @throws {Error} if they and a copy do not fit. */
  makeSource(name: string, files: { count: number; size: number }): Source & Disposable {
    const bytes = files.count * files.size;
    const copies = files.count < MANY_FILES ? 2 : MAX_LEFT;
    this.#requireSpace(copies * bytes + warmBytesFor(bytes, memoryToSpare()) + SPARE_BYTES);
    const dir = join(this.sources, name);
    return {
      dir,
      files: makeFiles(dir, name, files),
      [Symbol.dispose]: () => Deno.removeSync(dir, { recursive: true }),
    };
  }

  async run({ commands, servers, source, names, limitMs }: TimedRun): Promise<Sample> {
    const wanted = source.files.filter(({ name }) => names?.includes(name) ?? true);
    const home = this.newFolder("home");
    for (const dir of [this.out, home]) Deno.mkdirSync(dir);
    try {
      warm(this.#dir, warmBytesFor(sizeOf(wanted), memoryToSpare()));
      const sample = await this.#runTimed(commands, servers, home, limitMs);
      if (!sample.unfinished) {
        compareFolders(source.dir, this.out, wanted.map(({ name }) => name));
      }
      return sample;
    } finally {
      Deno.removeSync(home, { recursive: true });
      if (wanted.length < MANY_FILES) Deno.removeSync(this.out, { recursive: true });
      else Deno.renameSync(this.out, this.newFolder("left"));
    }
  }

  async #runTimed(
    commands: readonly Command[],
    servers: readonly Server[],
    home: string,
    limitMs: number | undefined,
  ): Promise<Sample> {
    const log = join(home, "output");
    const costOfServers = countCost(servers);
    let [wallMs, userMs, sysMs, residentKiB] = [0, 0, 0, 0];
    let unfinished = false;
    for (const command of commands) {
      const run = { command, env: homeIn(home), log, ...(limitMs !== undefined && { limitMs }) };
      const cost = await measure(run, this.signal);
      unfinished ||= cost.unfinished ?? false;
      wallMs += cost.wallMs;
      userMs += cost.userMs;
      sysMs += cost.sysMs;
      residentKiB = Math.max(residentKiB, cost.residentKiB);
    }
    const server = costOfServers();
    return {
      wallMs,
      userMs,
      sysMs,
      residentKiB,
      serverCpuMs: server.cpuMs,
      serverResidentKiB: server.residentKiB,
      ...(unfinished && { unfinished }),
    };
  }

  #requireSpace(bytes: number): void {
    const { bavail, bsize } = statfsSync(this.#dir);
    const free = Number(bavail) * Number(bsize);
    if (free >= bytes) return;
    const mib = (count: number) => `${Math.ceil(count / MIB)} MiB`;
    throw new Error(
      `Cannot measure in "${this.#dir}": ${mib(bytes)} are needed, ${mib(free)} are free; ` +
        `choose another folder with --dir, or run the quick bench`,
    );
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.#dir, { recursive: true });
  }
}

function sizeOf(files: readonly MadeFile[]): number {
  return files.reduce((sum, { size }) => sum + size, 0);
}

/** For readers of the source, buffers and tables, besides what the run writes. */
const EXTRA_WARM_BYTES = 1024 * MIB;
const BLOCK_BYTES = 4 * MIB;

/**
 * Bytes to touch before a timed run. On a virtual machine, memory that was freed some seconds ago is
 * slow to touch (measured: 0.35 s a GiB written, more than most differences between the programs), so
 * without this the runs fall into a fast and a slow group by chance.
 */
export function warmBytesFor(bytes: number, available: number): number {
  const wanted = bytes + Math.min(bytes, EXTRA_WARM_BYTES) + 64 * MIB;
  return Math.min(wanted, Math.floor(available / 2));
}

/** Writes `bytes` zeros to a file in `dir` and removes it, which leaves recently used memory behind. */
export function warm(dir: string, bytes: number): void {
  const path = join(dir, "warm");
  const zeros = new Uint8Array(BLOCK_BYTES);
  try {
    using file = Deno.openSync(path, { write: true, create: true, truncate: true });
    for (let left = bytes; left > 0;) {
      left -= file.writeSync(zeros.subarray(0, Math.min(left, BLOCK_BYTES)));
    }
  } finally {
    Deno.removeSync(path);
  }
}
