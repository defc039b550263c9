/** The fair queue in thousands of small worlds: clients of all kinds on one line, in simulated time. */
import { assert } from "@std/assert";
import { FairQueue, type FairQueueOptions, Flow } from "../../../core/serve/schedule/fair_queue.ts";
import { jainOf } from "../support.ts";
import { test } from "../../support/test.ts";

const WORLDS = 2000;
const KIB = 1024;
const MIN_STEP = 16 * KIB;
const STEP = 256 * KIB;
const SLOW_STEP_MS = 100;
const TICK_MS = 5;
/** 250 ms until a flow counts as stalled, and the 50 ms in which the queue looks. */
const ROUND_MS = 100;
const STALL_BOUND_MS = 300 + TICK_MS;

/** mulberry32. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** One connection: it sends the bytes that it was granted over the line, then requests the next step. */
class Connection {
  readonly flow: Flow;
  left = 0;
  stepAt = 0;
  /** Adapts to the connection's speed, as `ClientConnection` does. */
  stepBytes = MIN_STEP;
  waitsSince: number | undefined;

  constructor(readonly client: SimulatedClient) {
    this.flow = new Flow(client.id);
  }
}

class SimulatedClient {
  readonly connections: Connection[];
  granted = 0;
  sent = 0;
  firstWaitMs: number | undefined;

  constructor(
    readonly id: string,
    connections: number,
    /** Bytes a millisecond that the client reads on all connections together; 0: it stalls. */
    readonly speed: number,
    readonly comesAt: number,
  ) {
    this.connections = Array.from({ length: connections }, () => new Connection(this));
  }
}

class World {
  readonly queue: FairQueue;
  readonly clients: SimulatedClient[];
  now = 0;
  readonly #connections = new Map<Flow, Connection>();
  #wakeAt = Infinity;
  /** Since when connections have waited without a break. */
  #waitingSince = 0;
  /** Bytes granted so far, at each tick. */
  readonly history: { now: number; total: number; byClient: number[] }[] = [];

  constructor(
    readonly options: FairQueueOptions,
    /** Bytes a millisecond that the line carries, shared by connections as TCP does. */
    readonly lineSpeed: number,
    clients: SimulatedClient[],
  ) {
    this.queue = new FairQueue(options);
    this.clients = clients;
    for (const { connections } of clients) {
      for (const connection of connections) this.#connections.set(connection.flow, connection);
    }
  }

  run(untilMs = 2000): void {
    for (; this.now < untilMs; this.now += TICK_MS) {
      for (const client of this.clients) if (client.comesAt === this.now) this.#arrive(client);
      this.#wake();
      this.#carry();
      this.#check();
      this.history.push({
        now: this.now,
        total: this.clients.reduce((sum, { granted }) => sum + granted, 0),
        byClient: this.clients.map(({ granted }) => granted),
      });
    }
  }

  /** As the scheduler's timer does. */
  #wake(): void {
    if (this.now >= this.#wakeAt) {
      this.#wakeAt = Infinity;
      this.#note(this.queue.advance(this.now));
    }
    this.#wakeAt = Math.min(this.#wakeAt, this.queue.nextAt(this.now) ?? Infinity);
  }

  #arrive(client: SimulatedClient): void {
    for (const connection of client.connections) this.#request(connection);
  }

  #request(connection: Connection): void {
    connection.waitsSince = this.now;
    this.#note(this.queue.request(connection.flow, connection.stepBytes, this.now));
  }

  #note(grants: readonly { flow: Flow; bytes: number }[]): void {
    for (const { flow, bytes } of grants) {
      const connection = this.#connections.get(flow)!;
      const { client } = connection;
      client.firstWaitMs ??= this.now - connection.waitsSince!;
      connection.waitsSince = undefined;
      connection.left = bytes;
      connection.stepAt = this.now;
      client.granted += bytes;
    }
  }

  /** A tick of the line: bytes in flight move on, and steps end. */
  #carry(): void {
    let capacity = this.lineSpeed * TICK_MS;
    const budgets = new Map(this.clients.map((client) => [client, client.speed * TICK_MS]));
    for (;;) {
      const moving = [...this.#connections.values()]
        .filter(({ left, client }) => left > 0 && budgets.get(client)! > 0);
      if (moving.length === 0 || capacity < 1) return;
      const share = Math.max(1, Math.floor(capacity / moving.length));
      for (const connection of moving) {
        const { client } = connection;
        const bytes = Math.min(share, connection.left, budgets.get(client)!, capacity);
        if (bytes <= 0) continue;
        capacity -= bytes;
        budgets.set(client, budgets.get(client)! - bytes);
        connection.left -= bytes;
        client.sent += bytes;
        if (connection.left > 0) continue;
        const isSlow = this.now - connection.stepAt >= SLOW_STEP_MS;
        connection.stepBytes = isSlow ? MIN_STEP : Math.min(2 * connection.stepBytes, STEP);
        this.#request(connection);
      }
    }
  }

  #check(): void {
    const { slots } = this.options;
    assert(this.queue.taken <= slots, `${this.queue.taken} of ${slots} slots are taken`);
    const holders = [...this.#connections.values()].filter(({ flow }) => flow.holdsSlot);
    assert(holders.length === this.queue.taken);
    if (this.queue.waiting === 0) this.#waitingSince = this.now;
    const isLimited = this.options.limit !== undefined || this.options.clientLimit !== undefined;
    // Under a limit, a slot is needed only when the next round begins.
    const boundMs = isLimited ? STALL_BOUND_MS + ROUND_MS : STALL_BOUND_MS;
    for (const { stepAt } of this.now - this.#waitingSince > boundMs ? holders : []) {
      const heldMs = this.now - stepAt;
      assert(heldMs <= boundMs, `a stalled step keeps its slot for ${heldMs} ms`);
    }
    if (isLimited || this.queue.waiting === 0) return;
    // Work conserving: something is always sent while a connection waits ...
    assert(this.queue.taken > 0, "a connection waits though nothing is sent");
    // ... and a client alone uses all slots.
    const active = this.clients.filter((client) => client.comesAt <= this.now);
    if (active.length === 1) assert(this.queue.taken === slots, "slots are free");
  }
}

/** The most that any window of the history holds above the limit, in bytes. */
function excessOf(totals: readonly number[], limit: number): number {
  let excess = 0;
  let lowest = Infinity;
  for (const [i, total] of totals.entries()) {
    const allowed = i * TICK_MS * limit / 1000;
    excess = Math.max(excess, total - allowed - lowest);
    lowest = Math.min(lowest, total - allowed);
  }
  return excess;
}

function choose<T>(random: () => number, values: readonly T[]): T {
  return values[Math.floor(random() * values.length)]!;
}

test(`FairQueue never exceeds a limit or its slots, and lends stalled slots, in ${WORLDS} worlds`, () => {
  for (let seed = 1; seed <= WORLDS; seed++) {
    const random = randomOf(seed);
    const options = {
      slots: choose(random, [1, 2, 4, 32]),
      limit: choose(random, [undefined, undefined, 20_000, 1_000_000, 50_000_000]),
      clientLimit: choose(random, [undefined, undefined, 10_000, 5_000_000]),
    };
    const clients = Array.from(
      { length: 1 + Math.floor(random() * 5) },
      (_, i) =>
        new SimulatedClient(
          `client ${i}`,
          choose(random, [1, 1, 2, 4, 16]),
          choose(random, [0, 50, 2000, 100_000]),
          TICK_MS * Math.floor(random() * 100),
        ),
    );
    const world = new World(options, choose(random, [1000, 20_000, 200_000]), clients);
    try {
      world.run();
      const { limit, clientLimit } = options;
      // A round and the slack of timers may come at once.
      if (limit) {
        const excess = excessOf(world.history.map(({ total }) => total), limit);
        assert(excess <= 0.15 * limit + 1, `${excess} bytes above the limit`);
      }
      if (clientLimit) {
        for (const i of clients.keys()) {
          const excess = excessOf(world.history.map(({ byClient }) => byClient[i]!), clientLimit);
          assert(excess <= 0.15 * clientLimit + 1, `${excess} bytes above a client's limit`);
        }
      }
    } catch (error) {
      throw new Error(`world ${seed}: ${JSON.stringify(options)}`, { cause: error });
    }
  }
});

test(`FairQueue shares a line equally by client, however many connections each opens, in ${WORLDS / 2} worlds`, () => {
  for (let seed = 1; seed <= WORLDS / 2; seed++) {
    const random = randomOf(seed);
    const options = {
      slots: choose(random, [1, 2, 8, 32]),
      limit: choose(random, [undefined, 5_000_000]),
      clientLimit: undefined,
    };
    const clients = Array.from(
      { length: 2 + Math.floor(random() * 4) },
      (_, i) => new SimulatedClient(`client ${i}`, choose(random, [1, 2, 4, 16]), 1_000_000, 0),
    );
    const world = new World(options, choose(random, [20_000, 100_000]), clients);
    world.run();
    const granted = clients.map((client) => client.granted);
    const share = granted.reduce((sum, bytes) => sum + bytes, 0) / granted.length;
    // More only by what may be in flight at a time.
    const bound = STEP * Math.min(options.slots, 16);
    const counts = clients.map(({ connections }) => connections.length);
    const what = `world ${seed}: ${granted} to ${counts} connections, ${JSON.stringify(options)}`;
    const most = Math.max(...counts);
    for (const [i, bytes] of granted.entries()) {
      if (counts[i] === most) assert(bytes <= share + bound, what);
    }
    assert(jainOf(granted) >= 0.98, what);
  }
});

test(`FairQueue serves a newcomer within a bounded time in ${WORLDS / 2} worlds`, () => {
  for (let seed = 1; seed <= WORLDS / 2; seed++) {
    const random = randomOf(seed);
    const slots = choose(random, [1, 2, 8]);
    const others = 1 + Math.floor(random() * 6);
    const clients = Array.from({ length: others }, (_, i) =>
      new SimulatedClient(
        `client ${i}`,
        choose(random, [1, 4, 16]),
        choose(random, [0, 100, 100_000]),
        0,
      ));
    // By then all others have had a step.
    const newcomer = new SimulatedClient("new", 1, 100_000, 2000);
    const options = { slots, limit: undefined, clientLimit: undefined };
    new World(options, 20_000, [...clients, newcomer]).run(2500);
    // Every holder ends its step, or loses its slot for it.
    const bound = STALL_BOUND_MS + TICK_MS;
    const { firstWaitMs = Infinity } = newcomer;
    assert(firstWaitMs <= bound, `world ${seed}: it waited ${firstWaitMs} ms`);
  }
});
