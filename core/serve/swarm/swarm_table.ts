/**
 * The receivers of each content, and which of its pieces a full seed gave least. Pure: addresses,
 * time and random numbers are arguments.
 *
 * A seed that sends every piece once before it sends any piece twice is what lets N receivers finish
 * in about the time of one (super-seeding, BEP 16). A receiver asks which pieces to request
 * (`SUGGEST`, like BEP 6). The pieces that were suggested to a receiver and not requested yet count
 * as given, so two receivers are not sent to the same piece while there are others.
 *
 * Only addresses from which a receiver connected are handed out, and a client has few of them.
 */
import { MAX_PEERS_IN_REPLY, MAX_SUGGESTED, type PeerEntry } from "../../protocol/swarm.ts";

/** Receivers announce themselves every 5 s: two announcements may be lost. */
export const MEMBER_TIMEOUT_MS = 15_000;
/** 8 MiB of counts, and more files than a seed sends at a time. */
const MAX_CONTENTS = 256;
/** Receivers over all contents, some 2 MiB. */
const MAX_MEMBERS = 8192;
/**
 * Of one client address, over all contents, within `MEMBER_TIMEOUT_MS`: a network behind one address
 * has so many receivers. It also limits how many ports a client can make others connect to.
 */
const MAX_MEMBERS_OF_CLIENT = 64;
/** A receiver that asked for suggestions and did not request them for this time will not. */
const SUGGESTION_TIMEOUT_MS = 5000;

/** A receiver that announces itself. */
export interface Announcement {
  readonly id: string;
  /** Pieces of the content. */
  readonly count: number;
  /** For limits, as `clientIdOf` returns it. */
  readonly client: string;
  /** The address that its connection came from. */
  readonly host: string;
  /** 0: it does not serve, or does not any more. */
  readonly port: number;
  /** How many pieces it has. */
  readonly pieces: number;
}

class Member {
  pieces = 0;
  seenAtMs = 0;
  /** It announced that it leaves: it counts against its client's limit until it is forgotten. */
  left = false;
  suggested: number[] = [];
  suggestedAtMs = 0;

  constructor(readonly client: string, readonly host: string, readonly port: number) {}
}

class Swarm {
  readonly members = new Map<string, Member>();
  readonly byHost = new Map<string, Set<Member>>();
  /** How often each piece was given to a receiver that shares, or suggested to one. */
  readonly given: Uint32Array;
  /** Where the next suggestion begins, so that equal pieces are suggested in turn. */
  cursor = 0;

  constructor(count: number) {
    this.given = new Uint32Array(count);
  }
}

export class SwarmTable {
  readonly #swarms = new Map<string, Swarm>();
  readonly #random: () => number;
  readonly #ofClient = new Map<string, number>();
  #size = 0;
  #prunedAtMs = -Infinity;

  /** @param random from 0 up to but not including 1 */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** Receivers that announced themselves, those of several contents several times. */
  get size(): number {
    return this.#size;
  }

  /**
   * Registers a receiver.
   *
   * @returns whether others may connect to it.
   */
  join({ id, count, client, host, port, pieces }: Announcement, nowMs: number): boolean {
    this.#prune(nowMs);
    // A zone is known on one machine only.
    if (host.includes("%")) return false;
    if (port === 0) {
      for (const member of this.#swarms.get(id)?.byHost.get(host) ?? []) {
        if (member.client === client) this.#leave(id, member);
      }
      return false;
    }
    const key = keyOf(host, port);
    const swarm = this.#swarms.get(id) ?? this.#newSwarm(id, count);
    if (swarm === undefined) return false;
    const member = swarm.members.get(key) ?? this.#newMember(swarm, client, host, port);
    if (member === undefined) return false;
    member.pieces = Math.min(pieces, count);
    member.seenAtMs = nowMs;
    member.left = false;
    return true;
  }

  /** Some others that a receiver at `host` and `port` can connect to, at random. */
  peersFor(id: string, host: string, port: number, nowMs: number): PeerEntry[] {
    this.#prune(nowMs);
    const own = keyOf(host, port);
    const others: Member[] = [];
    for (const [key, member] of this.#swarms.get(id)?.members ?? []) {
      if (key !== own && !member.left && mayKnow(host, member.host)) others.push(member);
    }
    const chosen = Math.min(others.length, MAX_PEERS_IN_REPLY);
    for (let at = 0; at < chosen; at++) {
      const other = at + Math.floor(this.#random() * (others.length - at));
      [others[at], others[other]] = [others[other]!, others[at]!];
    }
    return others.slice(0, chosen).map(({ host, port, pieces }) => ({ host, port, pieces }));
  }

  /** Pieces that the receiver should request: those given least, in their order. Empty for one that did not join. */
  suggest(id: string, host: string, port: number, count: number, nowMs: number): number[] {
    this.#prune(nowMs);
    const swarm = this.#swarms.get(id);
    const member = swarm?.members.get(keyOf(host, port));
    if (swarm === undefined || member === undefined || member.left) return [];
    withdraw(swarm, member);
    const pieces = leastGiven(swarm, Math.min(count, MAX_SUGGESTED));
    for (const piece of pieces) swarm.given[piece]!++;
    member.suggested = pieces;
    member.suggestedAtMs = nowMs;
    return pieces.slice();
  }

  /** A client at `host` requested a piece. It counts as given only if a receiver there shares it. */
  requested(id: string, host: string, piece: number): void {
    const swarm = this.#swarms.get(id);
    const members = swarm?.byHost.get(host);
    if (swarm === undefined || members === undefined || piece >= swarm.given.length) return;
    for (const { suggested } of members) {
      const at = suggested.indexOf(piece);
      if (at < 0) continue;
      // It was counted when it was suggested.
      suggested.splice(at, 1);
      return;
    }
    for (const { left } of members) {
      if (left) continue;
      swarm.given[piece]!++;
      return;
    }
  }

  #newSwarm(id: string, count: number): Swarm | undefined {
    if (this.#swarms.size >= MAX_CONTENTS) return undefined;
    const swarm = new Swarm(count);
    this.#swarms.set(id, swarm);
    return swarm;
  }

  #newMember(swarm: Swarm, client: string, host: string, port: number): Member | undefined {
    const held = this.#ofClient.get(client) ?? 0;
    if (held >= MAX_MEMBERS_OF_CLIENT || this.#size >= MAX_MEMBERS) return undefined;
    const member = new Member(client, host, port);
    swarm.members.set(keyOf(host, port), member);
    const sameHost = swarm.byHost.get(host);
    if (sameHost) sameHost.add(member);
    else swarm.byHost.set(host, new Set([member]));
    this.#ofClient.set(client, held + 1);
    this.#size++;
    return member;
  }

  #leave(id: string, member: Member): void {
    member.left = true;
    const swarm = this.#swarms.get(id);
    if (swarm) withdraw(swarm, member);
  }

  /** Forgets receivers that did not announce themselves for a while, and contents without any. */
  #prune(nowMs: number): void {
    if (nowMs - this.#prunedAtMs < 1000) return;
    this.#prunedAtMs = nowMs;
    for (const [id, swarm] of this.#swarms) {
      for (const [key, member] of swarm.members) {
        if (nowMs - member.suggestedAtMs >= SUGGESTION_TIMEOUT_MS) withdraw(swarm, member);
        if (nowMs - member.seenAtMs < MEMBER_TIMEOUT_MS) continue;
        withdraw(swarm, member);
        swarm.members.delete(key);
        const sameHost = swarm.byHost.get(member.host);
        sameHost?.delete(member);
        if (sameHost?.size === 0) swarm.byHost.delete(member.host);
        const held = this.#ofClient.get(member.client)! - 1;
        if (held > 0) this.#ofClient.set(member.client, held);
        else this.#ofClient.delete(member.client);
        this.#size--;
      }
      if (swarm.members.size === 0) this.#swarms.delete(id);
    }
  }
}

/** Suggestions that were not followed do not count as given any more. */
function withdraw(swarm: Swarm, member: Member): void {
  for (const piece of member.suggested) swarm.given[piece]!--;
  member.suggested = [];
}

/** `count` pieces that were given least, beginning behind the last suggestion. */
function leastGiven(swarm: Swarm, count: number): number[] {
  const { given } = swarm;
  const wanted = Math.min(count, given.length);
  const chosen: number[] = [];
  let least = Infinity;
  for (const times of given) if (times < least) least = times;
  for (; chosen.length < wanted; least++) {
    const start = swarm.cursor;
    for (let step = 0; step < given.length && chosen.length < wanted; step++) {
      const piece = (start + step) % given.length;
      if (given[piece] !== least) continue;
      chosen.push(piece);
      swarm.cursor = (piece + 1) % given.length;
    }
  }
  return chosen;
}

/** A loopback address names another machine on every other machine. */
function mayKnow(reader: string, host: string): boolean {
  return !isLoopback(host) || isLoopback(reader);
}

function isLoopback(host: string): boolean {
  return host === "::1" || host.startsWith("127.");
}

function keyOf(host: string, port: number): string {
  return `${host} ${port}`;
}
