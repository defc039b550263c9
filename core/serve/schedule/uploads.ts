/**
 * Room to send bodies, shared by client address, so that one that opens more
 * connections gets no more than one that opens few.
 *
 * A free slot goes to the client that holds the fewest, and among equals to the
 * one that was served longest ago. That alone is not enough while slots are
 * plenty: then sixteen connections would hold sixteen of them. So while several
 * clients want slots, none holds more than the most modest of them wants.
 *
 * A connection keeps its slot from body to body for a while, before another one
 * of the same client has its turn: fed all at once, sixteen would still take
 * sixteen shares of a line that is full.
 *
 * A slot is for a body that moves. One whose client takes its time lends its
 * slot to whoever waits, and asks for it again before it goes on: so clients
 * that read slowly cost the others nothing, however many they are.
 */
import type { Clock } from "../../base/clock.ts";
import type { ErrorReply } from "../../protocol/error_replies.ts";

/** A step that takes longer waits for a client that hardly reads: 256 of those have passed 32 slots on in 2 s. */
const STALLED_AFTER_MS = 250;
/** Between two bodies a client seems to want nothing: a round trip is no reason to give its share away. */
const LINGER_TIMEOUT_MS = 50;

/** A connection's turn among those of its client: long enough to empty what the others have in their buffers … */
const TURN_MS = 200;
/** … and short enough that each of them has one before its client takes it for stalled, after 5 s. */
const ROUND_MS = 2500;

export interface Slot extends Disposable {
  /** Whether it was not lent to others meanwhile. */
  readonly held: boolean;
  /** Whether it may be kept for the next body, though others wait. */
  readonly mayStay: boolean;
  /** A new step begins. */
  renew(): void;
}

interface Waiter {
  readonly client: Client;
  /** It has begun to send: nothing but its slot can be refused. */
  readonly begun: boolean;
  readonly admit: (slot: Slot) => void;
  readonly refuse: (reason: unknown) => void;
}

/** Kept while it holds or waits, and a little longer. */
interface Client {
  readonly address: string;
  held: number;
  readonly waiting: Waiter[];
  /** The number of the last slot that it was given. */
  lastServed: number;
  /** How many slots it wanted lately, and when. */
  wanted: number;
  wantedAt: number;
  /** When it last asked for a slot or gave one back. */
  activeAt: number;
}

interface Holding {
  readonly client: Client;
  readonly grantedAt: number;
  /** When its last step began. */
  since: number;
}

export class Uploads {
  readonly #size: number;
  readonly #clock: Clock;
  readonly #clients = new Map<string, Client>();
  readonly #holdings = new Set<Holding>();
  #waiting = 0;
  #grants = 0;
  #closed: ErrorReply | undefined;
  #watch: Disposable | undefined;

  /** @param size bodies being sent at a time, at least 1. */
  constructor(size: number, clock: Clock) {
    this.#size = size;
    this.#clock = clock;
  }

  get taken(): number {
    return this.#holdings.size;
  }

  get waiting(): number {
    return this.#waiting;
  }

  /**
   * Waits for a slot; disposing what comes back frees it, once.
   *
   * @param begun the body's first bytes are sent: `close` does not stop it any more.
   * @throws the signal's reason if it aborts before. @throws what `close` was given.
   */
  async take(address: string, signal: AbortSignal, begun = false): Promise<Slot> {
    signal.throwIfAborted();
    if (this.#closed && !begun) throw this.#closed;
    const client = this.#clientAt(address);
    this.#note(client);
    if (this.#mayGrant(client)) return this.#grant(client);
    return await this.#queue(client, signal, begun);
  }

  /** Gives no slot to a new body: those that wait, now or later, are refused. Slots that are held stay so. */
  close(refusal: ErrorReply): void {
    this.#closed = refusal;
    for (const waiter of this.#waiters()) {
      if (waiter.begun) continue;
      this.#forget(waiter);
      waiter.refuse(refusal);
    }
  }

  #clientAt(address: string): Client {
    const known = this.#clients.get(address);
    if (known) return known;
    const client = {
      address,
      held: 0,
      waiting: [],
      lastServed: 0,
      wanted: 0,
      wantedAt: 0,
      activeAt: 0,
    };
    this.#clients.set(address, client);
    return client;
  }

  /** One slot more is wanted. A moment ago it may have been more still, between two bodies. */
  #note(client: Client): void {
    const wanted = client.held + client.waiting.length + 1;
    const now = this.#clock.now();
    client.activeAt = now;
    if (wanted < client.wanted && now - client.wantedAt < LINGER_TIMEOUT_MS) return;
    client.wanted = wanted;
    client.wantedAt = now;
  }

  #queue(client: Client, signal: AbortSignal, begun: boolean): Promise<Slot> {
    return new Promise((resolve, reject) => {
      const giveUp = () => {
        this.#forget(waiter);
        reject(signal.reason);
      };
      const stopListening = () => signal.removeEventListener("abort", giveUp);
      const waiter: Waiter = {
        client,
        begun,
        admit: (slot) => {
          stopListening();
          resolve(slot);
        },
        refuse: (reason) => {
          stopListening();
          reject(reason);
        },
      };
      signal.addEventListener("abort", giveUp, { once: true });
      client.waiting.push(waiter);
      this.#waiting++;
      this.#keepWatch();
    });
  }

  #waiters(): Waiter[] {
    return [...this.#clients.values()].flatMap(({ waiting }) => waiting);
  }

  #forget(waiter: Waiter): void {
    const { waiting } = waiter.client;
    waiting.splice(waiting.indexOf(waiter), 1);
    this.#waiting--;
    this.#keepWatch();
  }

  #grant(client: Client): Slot {
    const now = this.#clock.now();
    const holding = { client, grantedAt: now, since: now };
    this.#holdings.add(holding);
    client.held++;
    client.lastServed = ++this.#grants;
    const isHeld = () => this.#holdings.has(holding);
    const mayStay = () => isHeld() && this.#mayStay(holding);
    return {
      get held() {
        return isHeld();
      },
      get mayStay() {
        return mayStay();
      },
      renew: () => void (holding.since = this.#clock.now()),
      [Symbol.dispose]: () => this.#release(holding),
    };
  }

  #release(holding: Holding): void {
    if (!this.#holdings.delete(holding)) return;
    const { client } = holding;
    client.held--;
    client.activeAt = this.#clock.now();
    if (this.#waiting > 0) this.#admit();
    else if (this.#clients.size > 1) this.#forgetQuiet();
  }

  #mayStay({ client, grantedAt }: Holding): boolean {
    if (this.#waiting === 0) return true;
    if (client.held > this.#mostFor(client)) return false;
    for (const other of this.#clients.values()) {
      if (other.waiting.length > 0 && other.held < client.held) return false;
    }
    const turnMs = Math.min(TURN_MS, ROUND_MS / this.#waiting);
    return this.#clock.now() - grantedAt < turnMs;
  }

  #admit(): void {
    for (let client = this.#neediest(); client; client = this.#neediest()) {
      const waiter = client.waiting.shift()!;
      this.#waiting--;
      waiter.admit(this.#grant(client));
    }
    this.#keepWatch();
  }

  #neediest(): Client | undefined {
    let best: Client | undefined;
    for (const client of this.#clients.values()) {
      if (client.waiting.length === 0 || !this.#mayGrant(client)) continue;
      if (best === undefined || isBefore(client, best)) best = client;
    }
    return best;
  }

  #mayGrant(client: Client): boolean {
    if (this.#holdings.size >= this.#size) return false;
    return this.#clients.size === 1 || client.held < this.#mostFor(client);
  }

  /** What the most modest of the others wants. */
  #mostFor(client: Client): number {
    const now = this.#clock.now();
    let most = Infinity;
    for (const other of this.#clients.values()) {
      if (other === client || isQuiet(other, now)) continue;
      most = Math.min(most, other.wanted);
    }
    return most;
  }

  #forgetQuiet(): void {
    const now = this.#clock.now();
    for (const client of this.#clients.values()) {
      if (isQuiet(client, now)) this.#clients.delete(client.address);
    }
  }

  /** While somebody waits, and only then: slots come free by time, too. */
  #keepWatch(): void {
    if (this.#waiting > 0) {
      this.#watch ??= this.#clock.after(LINGER_TIMEOUT_MS, () => this.#lookAround());
    } else if (this.#watch) {
      this.#watch[Symbol.dispose]();
      this.#watch = undefined;
    }
  }

  #lookAround(): void {
    this.#watch = undefined;
    const now = this.#clock.now();
    for (const holding of this.#holdings) {
      if (now - holding.since < STALLED_AFTER_MS) continue;
      this.#holdings.delete(holding);
      holding.client.held--;
    }
    this.#forgetQuiet();
    this.#admit();
  }
}

/** Whether it has wanted nothing for a while. */
function isQuiet(client: Client, nowMs: number): boolean {
  return client.held === 0 && client.waiting.length === 0 &&
    nowMs - client.activeAt >= LINGER_TIMEOUT_MS;
}

function isBefore(client: Client, other: Client): boolean {
  return client.held === other.held
    ? client.lastServed < other.lastServed
    : client.held < other.held;
}
