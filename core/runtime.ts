/**
 * What core needs of the machine: time, randomness, sockets, worker threads, the disk. Everything below
 * `core/mod.ts` takes these as arguments, so that tests control them.
 */
import { type Clock, systemClock } from "./base/clock.ts";
import { hostName } from "./base/host_name.ts";
import { type FreeDescriptors, isOutOfDescriptors } from "./base/descriptors.ts";
import { type Random, systemRandom } from "./base/random.ts";
import { type Multicast, multicast } from "./discovery/multicast.ts";
import { HasherPool } from "./hash/pool.ts";
import { type Dial, dialer } from "./source/dial.ts";
import { GreetingMemory } from "./source/greeting_memory.ts";
import { httpClients } from "./source/http_client.ts";
import type { WebPlatform } from "./source/pool.ts";
import { listen, type Listening, type ListenOptions } from "./source/listen.ts";
import type { User } from "./store/disk.ts";
import { DiskSpace } from "./store/free_space.ts";
import { OpenTargets } from "./store/open_targets.ts";
import type { StoreOptions } from "./store/stored_file.ts";

export interface Runtime {
  readonly clock: Clock;
  readonly random: Random;
  readonly dial: Dial;
  /** undefined: web servers cannot be sources. */
  readonly web?: WebPlatform;
  /** What seeds said at earlier greetings. */
  readonly greetings?: GreetingMemory;
  readonly listen: (options: ListenOptions) => Listening;
  /** undefined: seeds are neither announced nor found. */
  readonly multicast?: Multicast;
  /** The name of this machine; undefined if it has none. */
  readonly hostName?: () => string | undefined;
  /** Digests on worker threads. */
  readonly hasher: HasherPool;
  readonly store: StoreOptions;
  /** The number of descriptors that can still be opened; it looks for at most `atMost`. */
  freeDescriptors(atMost: number): FreeDescriptors;
  /** An empty folder of its own, which the caller removes. */
  makeTempDir(prefix: string): Promise<string>;
}

/** What it takes to ask seeds. */
export type NetworkRuntime = Pick<Runtime, "clock" | "dial" | "web" | "greetings">;
/** What it takes to verify files. */
export type VerifyRuntime = NetworkRuntime & Pick<Runtime, "hasher">;
/** What it takes to serve. */
export type ServeRuntime = Pick<
  Runtime,
  "clock" | "random" | "listen" | "multicast" | "hasher" | "hostName"
>;

/** One for the process: what the listing of names learned of a seed, the download uses. */
const greetings = new GreetingMemory();

/**
 * The real machine. Disposing it ends the worker threads.
 *
 * @param caCerts certificates, PEM, trusted besides the system's.
 * @param env the environment, for the accounts of object stores.
 */
export function systemRuntime(
  caCerts: readonly string[] = [],
  env: (name: string) => string | undefined = () => undefined,
): Runtime & Disposable {
  const hasher = hasherThreads();
  return {
    clock: systemClock,
    random: systemRandom,
    dial: dialer({ caCerts }),
    web: {
      open: httpClients(caCerts),
      async s3Account() {
        const { s3Account } = await import("./source/s3.ts");
        return await s3Account({ env, readTextFile });
      },
    },
    greetings,
    listen,
    multicast,
    hostName,
    hasher,
    store: {
      pid: Deno.pid,
      boot: systemClock.wallTime() - Deno.osUptime() * 1000,
      bootId: bootId(),
      user: currentUser(),
      space: new DiskSpace(),
      targets: new OpenTargets(),
      clock: systemClock,
      hasher,
    },
    freeDescriptors,
    makeTempDir: (prefix) => Deno.makeTempDir({ prefix }),
    [Symbol.dispose]: () => hasher[Symbol.dispose](),
  };
}

/** undefined if there is no such file, or none that this user may read. */
async function readTextFile(path: string): Promise<string | undefined> {
  return await Deno.readTextFile(path).catch(() => undefined);
}

/** One thread hashes about as fast as the main thread moves bytes, so a third would have nothing to do. */
function hasherThreads(): HasherPool {
  const most = Math.min(2, navigator.hardwareConcurrency - 1);
  const code = new URL("./hash/worker.ts", import.meta.url);
  return new HasherPool(most, () => new Worker(code, { type: "module" }));
}

/** The kernel's id of this boot; undefined where the platform gives none. */
function bootId(): string | undefined {
  try {
    return Deno.readTextFileSync("/proc/sys/kernel/random/boot_id").trim();
  } catch {
    return undefined;
  }
}

/** undefined where files have no owners. */
function currentUser(): User | undefined {
  const uid = Deno.uid();
  return uid === null ? undefined : { uid, umask: Deno.umask() };
}

/** Counts by opening files: reading the limit of `ulimit -n` would need another permission. */
function freeDescriptors(atMost: number): FreeDescriptors {
  if (Deno.build.os === "windows") return { count: atMost };
  const opened: Disposable[] = [];
  try {
    while (opened.length < atMost) opened.push(Deno.openSync("/dev/null"));
    return { count: atMost };
  } catch (error) {
    if (!isOutOfDescriptors(error)) return { count: atMost };
    const count = opened.length;
    for (const file of opened.splice(0, KEPT_FREE)) file[Symbol.dispose]();
    return { count, limit: descriptorLimit() };
  } finally {
    for (const file of opened) file[Symbol.dispose]();
  }
}

/** Reading a folder takes some descriptors. */
const KEPT_FREE = 3;

/** The limit. Call it while all but a few descriptors are open: then the numbers below the limit have no larger gap. */
function descriptorLimit(): number | undefined {
  try {
    const open = Array.from(Deno.readDirSync("/dev/fd"), ({ name }) => Number(name));
    open.sort((a, b) => a - b);
    // A descriptor above the limit can be inherited from a process that had a higher one.
    const last = open.findLast((number, index) => number - index <= KEPT_FREE);
    return last === undefined ? undefined : last + 1;
  } catch {
    return undefined;
  }
}
