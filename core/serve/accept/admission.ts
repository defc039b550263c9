/**
 * Who may be connected, and who gives way when a seed is full. Pure: it decides, `connections.ts`
 * acts.
 *
 * A full seed prefers clients that have nothing. A newcomer may take a place of a client that
 * would still hold more than the newcomer afterwards, so the places move towards equal shares and
 * nobody can take one back. A newcomer without a place may also take the only place of a client,
 * once that client had time to use it: soon when it does nothing with it, later when it does.
 * So clients that hold all places cannot keep others out, however few or many they are.
 *
 * Where more clients want a place than there are, they take turns: a refused client keeps its
 * position in a queue as long as it comes back, and a place goes to the client that has waited
 * longest.
 */
export interface AdmissionLimits {
  readonly maxConnections: number;
  readonly clientConnections: number;
}

/** A connection that has a place. */
export interface Occupant {
  /** As `clientIdOf` returns it. */
  readonly client: string;
  readonly admittedAt: number;
  /** Bytes sent to it, of which each counts less as it gets older. */
  recentBytes(nowMs: number): number;
}

export type Decision =
  | { readonly kind: "admit"; readonly instead?: Occupant }
  | { readonly kind: "refuse"; readonly reason: string };

/** A connection that was sent less than this lately is idle: less than 1 KiB a second. */
export const IDLE_BYTES = 8 * 1024;
/** Minimum time with its only place for an idle client: some round trips, to ask for something. */
export const IDLE_TENURE_MS = 1000;
/** The same for a client that is being sent something. */
export const BUSY_TENURE_MS = 10_000;

/**
 * Connections that have left their place and may still hold a descriptor: a client that never
 * reads, or never shakes hands for TLS, keeps it until it goes. Beyond this, they count as places,
 * so that descriptors remain for files.
 */
const MAX_LEAVING = 512;

/** A refused client that does not come back for so long loses its position in the queue. */
const POSITION_TIMEOUT_MS = 2500;
/** Clients in the queue. Further ones have no position: they take what is left over. */
const MAX_WAITING = 1024;

/** The places of a seed, and what each client holds of them. */
export class Admission {
  readonly #limits: AdmissionLimits;
  readonly #places = new Map<string, Set<Occupant>>();
  /** Connections that left their place and still hold a descriptor; and how many each client has. */
  readonly #leaving = new Set<Occupant>();
  readonly #leavingOf = new Map<string, number>();
  /** When each client without a place was last refused; the one that has waited longest comes first. */
  readonly #waiting = new Map<string, number>();
  #size = 0;
  /** No client's only place comes free by time before this moment. */
  #nextTenureEnd = 0;

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  /** Places that are taken. */
  get size(): number {
    return this.#size;
  }

  get isFull(): boolean {
    return this.#taken >= this.#limits.maxConnections;
  }

  get #taken(): number {
    return this.#size + Math.max(0, this.#leaving.size - MAX_LEAVING);
  }

  /** Whether a place is free for a client, and no other client has waited for it. Takes no place. */
  hasRoomFor(client: string, nowMs: number): boolean {
    const free = this.#limits.maxConnections - this.#taken;
    return this.#isBelowLimit(client) && free > 0 && this.#isTurnOf(client, free, nowMs);
  }

  /** Decides on a newcomer that has sent a request. Takes no place. */
  decide(client: string, nowMs: number): Decision {
    if (!this.#isBelowLimit(client)) {
      return { kind: "refuse", reason: "too many connections from your address" };
    }
    if (this.hasRoomFor(client, nowMs)) return { kind: "admit" };
    const held = this.#places.get(client)?.size ?? 0;
    const mayEvict = this.isFull && this.#leaving.size < MAX_LEAVING;
    const { count, first } = mayEvict ? this.#whoGivesWay(held, nowMs) : NOBODY;
    if (first && this.#isTurnOf(client, count, nowMs)) return { kind: "admit", instead: first };
    if (held === 0) this.#wait(client, nowMs);
    return { kind: "refuse", reason: "too many connections" };
  }

  /** Gives a place to a connection. */
  enter(occupant: Occupant): void {
    const own = this.#places.get(occupant.client);
    if (own) own.add(occupant);
    else this.#places.set(occupant.client, new Set([occupant]));
    this.#size++;
    this.#waiting.delete(occupant.client);
    this.#nextTenureEnd = Math.min(this.#nextTenureEnd, occupant.admittedAt + IDLE_TENURE_MS);
  }

  /** Takes its place away from a connection that has one. It counts for its client until `release`. */
  leave(occupant: Occupant): void {
    const { client } = occupant;
    const own = this.#places.get(client);
    if (!own?.delete(occupant)) return;
    if (own.size === 0) this.#places.delete(client);
    // The client that stays behind with one place may be past its tenure.
    else if (own.size === 1) this.#nextTenureEnd = 0;
    this.#size--;
    this.#leaving.add(occupant);
    this.#leavingOf.set(client, (this.#leavingOf.get(client) ?? 0) + 1);
  }

  /** The descriptor of a connection that had a place, and left it, is free. */
  release(occupant: Occupant): void {
    if (!this.#leaving.delete(occupant)) return;
    const { client } = occupant;
    const left = this.#leavingOf.get(client)! - 1;
    if (left > 0) this.#leavingOf.set(client, left);
    else this.#leavingOf.delete(client);
  }

  #isBelowLimit(client: string): boolean {
    const held = this.#places.get(client)?.size ?? 0;
    return held + (this.#leavingOf.get(client) ?? 0) < this.#limits.clientConnections;
  }

  /** Whether one of `count` places is left when all clients that have waited longer have theirs. */
  #isTurnOf(client: string, count: number, nowMs: number): boolean {
    let ahead = 0;
    for (const [waiting, refusedAt] of this.#waiting) {
      if (waiting === client) return true;
      if (nowMs - refusedAt >= POSITION_TIMEOUT_MS) this.#waiting.delete(waiting);
      else if (++ahead >= count) return false;
    }
    return true;
  }

  #wait(client: string, nowMs: number): void {
    if (this.#waiting.size < MAX_WAITING || this.#waiting.has(client)) {
      this.#waiting.set(client, nowMs);
    }
  }

  /**
   * How many could give way to a newcomer, and who does so first.
   *
   * @param held places of the newcomer's client.
   */
  #whoGivesWay(held: number, nowMs: number): { count: number; first: Occupant | undefined } {
    const mayTakeOnlyPlace = held === 0 && nowMs >= this.#nextTenureEnd;
    let count = 0;
    let best: Candidate | undefined;
    let nextTenureEnd = Infinity;
    for (const occupants of this.#places.values()) {
      const only = occupants.size === 1;
      if (only ? !mayTakeOnlyPlace : occupants.size < held + 2) continue;
      const candidate = leastUseful(occupants, nowMs);
      const { admittedAt } = candidate.occupant;
      const tenureMs = candidate.idle ? IDLE_TENURE_MS : BUSY_TENURE_MS;
      if (only && nowMs < admittedAt + tenureMs) {
        // It may become idle before.
        const earliest = Math.max(admittedAt + IDLE_TENURE_MS, nowMs + RECHECK_INTERVAL_MS);
        nextTenureEnd = Math.min(nextTenureEnd, earliest);
        continue;
      }
      count += only ? 1 : occupants.size - held - 1;
      if (!best || givesWayBefore(candidate, best)) best = candidate;
    }
    // Under a flood of newcomers the search is made once for many of them.
    if (mayTakeOnlyPlace && !best) this.#nextTenureEnd = nextTenureEnd;
    return { count, first: best?.occupant };
  }
}

const NOBODY = { count: 0, first: undefined };
/** How often a full seed looks for idle clients while newcomers keep coming. */
const RECHECK_INTERVAL_MS = 20;

/** The connection that a client would lose, and what the client has. */
interface Candidate {
  readonly occupant: Occupant;
  readonly idle: boolean;
  readonly places: number;
  readonly clientBytes: number;
}

/** Of one client's connections the one that was sent least lately; among equals the oldest. */
function leastUseful(occupants: ReadonlySet<Occupant>, nowMs: number): Candidate {
  let clientBytes = 0;
  let least = Infinity;
  let found: Occupant | undefined;
  for (const occupant of occupants) {
    const bytes = occupant.recentBytes(nowMs);
    clientBytes += bytes;
    if (bytes >= least) continue;
    least = bytes;
    found = occupant;
  }
  return { occupant: found!, idle: least < IDLE_BYTES, places: occupants.size, clientBytes };
}

/** Idle connections first, then those of the client that holds most, and moves least. */
function givesWayBefore(one: Candidate, other: Candidate): boolean {
  if (one.idle !== other.idle) return one.idle;
  if (one.places !== other.places) return one.places > other.places;
  if (one.clientBytes !== other.clientBytes) return one.clientBytes < other.clientBytes;
  return one.occupant.admittedAt < other.occupant.admittedAt;
}
