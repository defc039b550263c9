/**
 * A seed under attack, beside a seed of the same folder that nobody attacks: so
 * what an attack costs a good client shows as a ratio, on a fast machine and on
 * a busy one alike.
 */
import { assert, assertEquals } from "@std/assert";
import { setImmediate } from "node:timers";
import { BODY_BYTES, GoodClient } from "./good_client.ts";
import { assertCode, type CliFixture, from, noise, type Seed } from "./harness.ts";
import { HostileClient, SECRET } from "./hostile_client.ts";

export const GOOD = "good.bin";
const CONTENT = noise(32 * BODY_BYTES);

/** Bodies that the good client of the quiet seed gets while shares are compared: enough to even out single hiccups. */
const COMPARED = 256;
const COMPARISONS = 3;
/** Half of its fair share, where the attackers take nothing that they have a right to. */
export const FAIR = 0.5;
/** The same where those of one address take bytes, as they may: half of everything is theirs. */
export const FAIR_BESIDE_ONE = 0.25;
/**
 * Beside attackers that keep the seed's processor busy as fast as they can. Each address has its
 * turn there, but a turn with a new connection takes longer than one with a body, so this is not
 * half of a fair share: measured 0.09 to 0.6 on a machine with five times its work. Where
 * requests were taken as they came it was 0.016.
 */
export const NOT_STARVED = 0.025;
/** Beside connections that come and go all the time: what each costs the system is nobody's turn, so only standing still is a fault. */
export const STILL_SERVED = 0.005;
/** Quiet machines stay near 110 MiB. On busy ones the garbage of thousands of connections is collected later. */
const MAX_RESIDENT_MIB = 160;

/** Goes on until it is reported not to. */
export type Attack = (goesOn: () => boolean) => Promise<void>;

export class AttackFixture implements AsyncDisposable {
  readonly world: CliFixture;
  readonly seed: Seed;
  readonly #quiet: Seed;
  /** Connected all the time. */
  readonly #watch: GoodClient;
  readonly #descriptors: number | undefined;
  readonly #attackers: HostileClient[] = [];
  #leaked = false;

  private constructor(world: CliFixture, seed: Seed, quiet: Seed, watch: GoodClient) {
    this.world = world;
    this.seed = seed;
    this.#quiet = quiet;
    this.#watch = watch;
    this.#descriptors = descriptorsOf(seed);
  }

  /** Serves a folder with one good file, and whatever is below `share` in the world already. */
  static async start(world: CliFixture, ...flags: string[]): Promise<AttackFixture> {
    world.write(`share/${GOOD}`, CONTENT);
    world.write(`outside/${SECRET}.txt`, SECRET.repeat(100));
    const [seed, quiet] = await Promise.all([
      world.serve(world.path("share"), ...flags),
      world.serve(world.path("share"), ...flags),
    ]);
    // What a seed opens once and keeps, it has opened when its first clients are through.
    for (const one of [seed, quiet]) {
      using client = await GoodClient.connect(one.address, GOOD, CONTENT);
      await client.download(() => client.bodies >= 32);
    }
    const watch = await GoodClient.connect(seed.address, GOOD, CONTENT);
    const fixture = new AttackFixture(world, seed, quiet, watch);
    return fixture;
  }

  /** @param host as for `Attacker.connect`. */
  async attacker(host?: number): Promise<HostileClient> {
    const attacker = await HostileClient.connect(this.seed.address, host);
    this.#attackers.push(attacker);
    return attacker;
  }

  async attackers(count: number, host?: number): Promise<HostileClient[]> {
    const all: HostileClient[] = [];
    // In groups: the system's queue of connections that nobody accepted yet is short.
    while (all.length < count) {
      const group = Math.min(50, count - all.length);
      all.push(...await Promise.all(Array.from({ length: group }, () => this.attacker(host))));
    }
    return all;
  }

  /**
   * What a good client gets of the attacked seed, for each body that one gets of the quiet seed
   * in the same time. The time that a seed waits for a processor does not count: a busy machine
   * makes the busier of two processes wait longer, and that is nobody's attack.
   */
  async share(): Promise<number> {
    using attacked = await GoodClient.connect(this.seed.address, GOOD, CONTENT);
    using undisturbed = await GoodClient.connect(this.#quiet.address, GOOD, CONTENT);
    const before = [this.seed, this.#quiet].map(processorTimeOf);
    const enough = () => Math.max(attacked.bodies, undisturbed.bodies) >= COMPARED;
    // The count is taken when the faster one is through, not after the last bodies of the other.
    let ratio: number | undefined;
    const counted = () => {
      if (!enough()) return false;
      if (ratio === undefined) {
        const [waits, quietWaits] = [this.seed, this.#quiet].map((seed, i) =>
          delaySince(before[i]!, processorTimeOf(seed))
        );
        ratio = attacked.bodies / undisturbed.bodies * waits! / quietWaits!;
      }
      return true;
    };
    await Promise.all([attacked.download(counted), undisturbed.download(counted)]);
    return ratio!;
  }

  /** @throws unless a good client gets `least` of what it gets undisturbed. */
  async assertFair(least: number): Promise<void> {
    let best = 0;
    // Other work of the machine can halve one comparison; an attack that works halves all of them.
    for (let i = 0; i < COMPARISONS && best < least; i++) best = Math.max(best, await this.share());
    assert(best >= least, `a good client gets ${best.toFixed(2)} of what it gets undisturbed`);
  }

  /** A whole `p2p get` of the attacked seed. */
  async assertGets(): Promise<void> {
    const out = `got-${crypto.randomUUID()}`;
    const ended = await this.world.p2p("get", GOOD, "--out", out, ...from(this.seed));
    assertCode(ended, 0);
    assertEquals(this.world.got(`${out}/${GOOD}`), CONTENT);
  }

  /** Runs `attack`: while it lasts, and after it, good clients are served. @param least as for `assertFair`. */
  async withstand(attack: Attack, least = FAIR): Promise<void> {
    let over = false;
    const attacking = attack(() => !over);
    try {
      await this.assertFair(least);
      await this.assertGets();
    } finally {
      over = true;
      await this.disconnectAll();
      await attacking;
    }
    await this.assertUnharmed();
  }

  /** A round trip of an idle client. */
  async ping(): Promise<void> {
    await this.#watch.ping();
  }

  /** The attackers go. */
  async disconnectAll(): Promise<void> {
    for (const attacker of this.#attackers.splice(0)) {
      await attacker[Symbol.asyncDispose]();
      this.#leaked ||= attacker.leaked;
    }
  }

  /** The attack is over, and it is as if it had never been. */
  async assertUnharmed(): Promise<void> {
    await this.disconnectAll();
    assert(!this.#leaked, "nothing from outside the folder was sent");
    await this.assertGets();
    await this.#allReleased();
    const resident = residentMibOf(this.seed);
    if (resident === undefined) return console.log("memory not looked at: no /proc here");
    assert(resident < MAX_RESIDENT_MIB, `the seed had ${resident} MiB resident at its peak`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#watch[Symbol.dispose]();
    await this.disconnectAll();
  }

  /** Descriptors are released as the seed notices that clients are gone: some round trips later, not some time later. */
  async #allReleased(): Promise<void> {
    if (this.#descriptors === undefined) return;
    while (descriptorsOf(this.seed)! > this.#descriptors) await this.#watch.ping();
  }
}

/** Everything else that can go on has its turn: an attack that only waits for itself would be one against this process. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** undefined where the platform does not tell. */
function descriptorsOf({ process }: Seed): number | undefined {
  if (Deno.build.os !== "linux") return undefined;
  return Array.from(Deno.readDirSync(`/proc/${process.pid}/fd`)).length;
}

/** At the peak; undefined where the platform does not tell. */
function residentMibOf({ process }: Seed): number | undefined {
  if (Deno.build.os !== "linux") return undefined;
  const status = Deno.readTextFileSync(`/proc/${process.pid}/status`);
  return Math.round(Number(status.match(/^VmHWM:\s+(\d+) kB$/m)![1]) / 1024);
}

interface ProcessorTime {
  readonly used: number;
  readonly waited: number;
}

/** Of the thread that does the serving, in ns; all the same where the platform does not tell. */
function processorTimeOf({ process: { pid } }: Seed): ProcessorTime {
  try {
    const [used, waited] = Deno.readTextFileSync(`/proc/${pid}/task/${pid}/schedstat`).split(" ");
    return { used: Number(used), waited: Number(waited) };
  } catch {
    return { used: 0, waited: 0 };
  }
}

/** How much longer everything took than it would have on a machine with a processor for each. */
function delaySince(before: ProcessorTime, now: ProcessorTime): number {
  const used = now.used - before.used;
  return used > 0 ? (used + now.waited - before.waited) / used : 1;
}
