/**
 * Who may be connected, and who gives way when the server is full. Pure: it decides,
 * `connections.ts` acts.
 *
 * A full server prefers clients that have nothing. A newcomer may take a place of a client that
 * would still hold more than the newcomer afterwards, so places move towards equal shares and
 * never back. A client without a place may also take the only place of another one that has had
 * time to use it: soon if that one is idle, later if it is busy. So clients that hold all places
 * cannot keep others out, however few or many they are.
 *
 * Where more clients want a place than there are, they take turns: a refused client keeps its
 * position in a queue while it keeps coming back, and the client that has waited longest is first.
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
  /** Bytes sent to it; each counts less as it gets older. */
  recentBytes(nowMs: number): number;
}

export type Decision =
  | { readonly kind: "admit"; readonly instead?: Occupant }
  | { readonly kind: "refuse"; readonly reason: string };

/** A connection with fewer recent bytes is idle: less than 1 KiB a second. */
export const IDLE_BYTES = 8 * 1024;
/** An idle client keeps its only place for this time: some round trips, to send a request. */
export const IDLE_TENURE_MS = 1000;
export const BUSY_TENURE_MS = 10_000;

/**
 * Connections that have left their place may still hold a descriptor: a client that never reads,
 * or never completes a TLS handshake, keeps it until it goes. Beyond this number they count as
 * places, so that descriptors remain for files.
 */
const MAX_LEAVING = 512;
/** A refused client that does not return for this time loses its position in the queue. */
const POSITION_TIMEOUT_MS = 2500;
/** Clients in the queue. Further ones have no position. */
const MAX_WAITING = 1024;
/** How often a full server looks for idle clients while newcomers keep coming. */
const RECHECK_INTERVAL_MS = 20;

export class Admission {
  readonly #limits: AdmissionLimits;
  /** By client. */
  readonly #places = new Map<string, Set<Occupant>>();
  /** Connections that left their place and still hold a descriptor, and their number by client. */
  readonly #leaving = new Set<Occupant>();
  readonly #leavingOf = new Map<string, number>();
  /** When each client without a place was last refused; the one that has waited longest first. */
  readonly #waiting = new Map<string, number>();
  #size = 0;
  /** No tenure of a client's only place ends before this. */
  #nextTenureEnd = 0;

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  /** Places that are taken. */
  get size(): number {
    return this.#size;
  }

  get isFull(): boolean {
    return this.#free <= 0;
  }

  get #free(): number {
    const taken = this.#size + Math.max(0, this.#leaving.size - MAX_LEAVING);
    return this.#limits.maxConnections - taken;
  }

  /** Whether a place is free for a client, and no other client has waited for it. Takes no place. */
  hasRoomFor(client: string, nowMs: number): boolean {
    return this.#isBelowLimit(client) && !this.isFull && this.#isTurnOf(client, this.#free, nowMs);
  }

  /** Decides on a newcomer that has sent a request. Takes no place. */
  decide(client: string, nowMs: number): Decision {
    if (!this.#isBelowLimit(client)) {
      return { kind: "refuse", reason: "too many connections from your address" };
    }
    if (this.hasRoomFor(client, nowMs)) return { kind: "admit" };
    const held = this.#places.get(client)?.size ?? 0;
    const mayEvict = this.isFull && this.#leaving.size < MAX_LEAVING;
    const { count, first } = mayEvict
      ? this.#whoGivesWay(held, nowMs)
      : { count: 0, first: undefined };
    if (first && this.#isTurnOf(client, count, nowMs)) return { kind: "admit", instead: first };
    if (held === 0) this.#wait(client, nowMs);
    return { kind: "refuse", reason: "too many connections" };
  }

  enter(occupant: Occupant): void {
    const own = this.#places.get(occupant.client);
    if (own) own.add(occupant);
    else this.#places.set(occupant.client, new Set([occupant]));
    this.#size++;
    this.#waiting.delete(occupant.client);
    this.#nextTenureEnd = Math.min(this.#nextTenureEnd, occupant.admittedAt + IDLE_TENURE_MS);
  }

  /** Takes the place of a connection, which counts for its client until `release`. */
  leave(occupant: Occupant): void {
    const { client } = occupant;
    const own = this.#places.get(client);
    if (!own?.delete(occupant)) return;
    if (own.size === 0) this.#places.delete(client);
    // The tenure of the one that remains may have ended.
    else if (own.size === 1) this.#nextTenureEnd = 0;
    this.#size--;
    this.#leaving.add(occupant);
    this.#leavingOf.set(client, (this.#leavingOf.get(client) ?? 0) + 1);
  }

  /** The descriptor of a connection that left its place is free. */
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

  /** Whether one of `count` places remains when all clients that have waited longer have one. */
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

  /** How many connections could give way to a client that holds `held` places, and the first of them. */
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
        // It may become idle earlier.
        const earliest = Math.max(admittedAt + IDLE_TENURE_MS, nowMs + RECHECK_INTERVAL_MS);
        nextTenureEnd = Math.min(nextTenureEnd, earliest);
        continue;
      }
      count += only ? 1 : occupants.size - held - 1;
      if (!best || givesWayBefore(candidate, best)) best = candidate;
    }
    // Saves the search for further newcomers of a flood.
    if (mayTakeOnlyPlace && !best) this.#nextTenureEnd = nextTenureEnd;
    return { count, first: best?.occupant };
  }
}

/** The connection that a client would lose, and what the client has. */
interface Candidate {
  readonly occupant: Occupant;
  readonly idle: boolean;
  readonly places: number;
  readonly clientBytes: number;
}

/** The connection of a client with the fewest recent bytes; among equals the oldest. */
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

/** Idle connections first, then those of the client with the most places, and the fewest bytes. */
function givesWayBefore(one: Candidate, other: Candidate): boolean {
  if (one.idle !== other.idle) return one.idle;
  if (one.places !== other.places) return one.places > other.places;
  if (one.clientBytes !== other.clientBytes) return one.clientBytes < other.clientBytes;
  return one.occupant.admittedAt < other.occupant.admittedAt;
}
