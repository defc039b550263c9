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
import { isLoopback } from "../../base/ip.ts";
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
/**
 * Pieces that are suggested or being sent at a time: 8 MiB in flight keep a line of 1 Gbit/s full over
 * 60 ms. More would be chosen earlier, before it is known which pieces others have, and all that are
 * sent at a time arrive late, and can be passed on only then.
 */
const MAX_PENDING = 8;
/** A receiver asks again after this time for each other one, so all together ask 200 times a second. */
const RETRY_MS_PER_MEMBER = 5;
const MIN_RETRY_MS = 100;
const MAX_RETRY_MS = 5000;
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

/** A receiver at `host` and `port` asks which pieces to request. */
export interface SuggestionRequest {
  readonly id: string;
  readonly host: string;
  readonly port: number;
  readonly count: number;
  /** Those that it misses, the rarest first. */
  readonly pieces: readonly number[];
}

class Member {
  pieces = 0;
  seenAtMs = 0;
  /** It announced that it leaves: it counts against its client's limit until it is forgotten. */
  left = false;
  /** Pieces that it should request, and has not. */
  suggested: number[] = [];
  suggestedAtMs = 0;

  constructor(readonly client: string, readonly host: string, readonly port: number) {}
}

class Swarm {
  readonly members = new Map<string, Member>();
  readonly byHost = new Map<string, Set<Member>>();
  /** How often each piece was given to a receiver that shares, or suggested to one. */
  readonly given: Uint32Array;
  /** Pieces that are suggested to a receiver, or are being sent to one that followed a suggestion. */
  pending = 0;

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

  /**
   * Which of `pieces` the receiver should request: those given least, in the order in which it named
   * them. Empty for one that did not join, and while enough others have suggestions.
   */
  suggest(
    { id, host, port, count, pieces }: SuggestionRequest,
    nowMs: number,
  ): { readonly pieces: readonly number[]; readonly retryAfterMs: number } {
    this.#prune(nowMs);
    const swarm = this.#swarms.get(id);
    const member = swarm?.members.get(keyOf(host, port));
    if (swarm === undefined || member === undefined || member.left) {
      return { pieces: [], retryAfterMs: MAX_RETRY_MS };
    }
    withdraw(swarm, member);
    const { given, members } = swarm;
    const free = Math.min(count, MAX_SUGGESTED, MAX_PENDING - swarm.pending);
    const candidates = new Set(pieces.filter((piece) => piece < given.length));
    const chosen = Array.from(candidates).sort((a, b) => given[a]! - given[b]!)
      .slice(0, Math.max(0, free));
    for (const piece of chosen) given[piece]!++;
    swarm.pending += chosen.length;
    member.suggested = chosen;
    member.suggestedAtMs = nowMs;
    const retryMs = Math.max(MIN_RETRY_MS, RETRY_MS_PER_MEMBER * members.size);
    return { pieces: chosen.slice(), retryAfterMs: Math.min(MAX_RETRY_MS, retryMs) };
  }

  /**
   * A client at `host` requested a piece. It counts as given only if a receiver there shares it.
   *
   * @returns call it when the piece was sent, or will not be.
   */
  requested(id: string, host: string, piece: number): () => void {
    const swarm = this.#swarms.get(id);
    const members = swarm?.byHost.get(host);
    if (swarm === undefined || members === undefined || piece >= swarm.given.length) {
      return () => {};
    }
    for (const { suggested } of members) {
      const at = suggested.indexOf(piece);
      if (at < 0) continue;
      // It was counted when it was suggested.
      suggested.splice(at, 1);
      let ended = false;
      return () => {
        if (!ended) swarm.pending--;
        ended = true;
      };
    }
    for (const { left } of members) {
      if (left) continue;
      swarm.given[piece]!++;
      break;
    }
    return () => {};
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
  swarm.pending -= member.suggested.length;
  member.suggested = [];
}

/** A loopback address names another machine on every other machine. */
function mayKnow(reader: string, host: string): boolean {
  return !isLoopback(host) || isLoopback(reader);
}

function keyOf(host: string, port: number): string {
  return `${host} ${port}`;
}
