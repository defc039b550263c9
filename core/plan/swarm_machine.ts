/**
 * Which other receivers of a content a download knows, and when it asks them and the seeds what: a
 * pure state machine beside the download machine, to which it adds the receivers as sources.
 *
 * Seeds and receivers that this one connected to are meeting points: both tell which receivers
 * announced themselves to them. Receivers tell which pieces they have, and a seed that has the whole
 * content suggests what to request from it.
 */
import type { Suggestions } from "./messages.ts";

/** What a receiver said of its pieces. */
export type PieceReport =
  & {
    /** Pieces that it is to send, of all receivers. */
    readonly queue: number;
  }
  & (
    | { readonly kind: "all" }
    /** All that it has now. */
    | { readonly kind: "map"; readonly pieces: readonly number[]; readonly known: number }
    /** What it gained. */
    | { readonly kind: "news"; readonly pieces: readonly number[]; readonly known: number }
  );

export type SwarmEvent =
  /** A seed holds the content. */
  | { readonly kind: "seed"; readonly seed: string }
  | { readonly kind: "joined"; readonly hub: string; readonly peers: readonly string[] }
  /** @param isFinal it knows no swarm, or refuses. */
  | { readonly kind: "notJoined"; readonly hub: string; readonly isFinal: boolean }
  /** A receiver connected to this one and announced itself, or a busy seed named it. */
  | { readonly kind: "announced"; readonly peer: string }
  | { readonly kind: "has"; readonly peer: string; readonly report: PieceReport }
  | { readonly kind: "hasNot"; readonly peer: string }
  /** The download does not use the peer any more. */
  | { readonly kind: "dropped"; readonly peer: string }
  | {
    readonly kind: "suggested";
    readonly seed: string;
    readonly pieces: readonly number[];
    readonly retryAfterMs: number;
  }
  | { readonly kind: "notSuggested"; readonly seed: string }
  /** The download requested a piece. */
  | { readonly kind: "requested"; readonly source: string; readonly piece: number }
  /** A requested piece came, or will not come from there. */
  | { readonly kind: "ended"; readonly source: string }
  /** The download stored a piece. */
  | { readonly kind: "stored" }
  | { readonly kind: "timer" };

export type SwarmCommand =
  /** Announce this receiver there, and ask for others. */
  | { readonly kind: "join"; readonly hub: string }
  /** Ask which pieces it has, those gained after the first `known` ones if that is given. */
  | { readonly kind: "ask"; readonly peer: string; readonly known?: number }
  /** Ask the seed for at most `count` suggestions. */
  | { readonly kind: "suggest"; readonly seed: string; readonly count: number }
  /** Add it to the download. */
  | { readonly kind: "appear"; readonly peer: string; readonly pieces: readonly number[] }
  /** What it has beside what it had; "all" if it has all pieces. */
  | {
    readonly kind: "gained";
    readonly peer: string;
    readonly pieces: readonly number[] | "all";
    readonly queue: number;
  }
  | { readonly kind: "left"; readonly peer: string }
  | { readonly kind: "suggests"; readonly seed: string; readonly suggestions: Suggestions }
  | { readonly kind: "setTimer"; readonly atMs: number };

/** More neighbours make a swarm of a thousand no faster, by simulation. */
export const MAX_PEERS = 16;
/**
 * Of each reply so many are contacted. The first receivers of a swarm meet each other first, and
 * would otherwise know no later ones: pieces spread slowly between groups.
 */
const PEERS_PER_JOIN = 6;
/** Receivers that announce themselves here are taken beyond that, so that a new one finds neighbours. */
const MAX_PEERS_WITH_ANNOUNCED = 24;
/** First contacts at a time: a list of addresses must not make this receiver open many connections at once. */
const MAX_CONTACTS = 8;
/** Addresses that are kept for when a neighbour is lost. */
const MAX_CANDIDATES = 64;
/** Addresses that are remembered because they failed; a stranger who makes up more finds no attention. */
const MAX_KNOWN = 512;
/** An address is contacted again if someone names it again, because a receiver may be busy or restarted. */
const MAX_LOSSES = 3;
/** Failures in a row after which a peer is lost. */
const MAX_FAILURES = 3;
const RETRY_CONTACT_MS = 1000;
/** All receivers of a file often start at once: the first ones learn of the others soon. */
const JOIN_DELAYS_MS = [300, 1000, 2000];
/** A seed may be busy for a moment; longer after each failure. */
const RETRY_JOIN_MS = 500;
/** A third of the time after which a seed forgets a receiver. */
const JOIN_INTERVAL_MS = 5000;
/** A piece at 100 Mbit/s takes 80 ms; older knowledge makes receivers request the same pieces. */
const ASK_INTERVAL_MS = 100;
/** A receiver without news is asked more rarely. */
const MAX_ASK_INTERVAL_MS = 1000;
const ASK_BACKOFF = 1.5;
/** Suggestions at a time, and the next ones only when these are requested: more would be chosen too early. */
const SUGGESTIONS = 2;
/** The next suggestions are asked for when so many pieces are still to come from the seed: it must not wait. */
const MAX_IN_FLIGHT_TO_ASK = 1;
/** Without a piece from anyone for this time, the seed is asked for pieces that it did not suggest: peers may be of no use. */
const STARVED_MS = 5000;

/** A receiver that has met no other one after this time downloads from the seed as if there were no swarm. */
const ALONE_MS = 500;

interface Hub {
  readonly id: string;
  readonly isSeed: boolean;
  joins: number;
  /** Failures in a row. */
  failures: number;
  joining: boolean;
  joinAtMs: number;
}

interface Peer {
  readonly id: string;
  /** It is a source of the download. */
  isSource: boolean;
  isComplete: boolean;
  asking: boolean;
  askAtMs: number;
  intervalMs: number;
  known: number | undefined;
  failures: number;
}

interface Seed {
  readonly id: string;
  readonly sinceMs: number;
  asking: boolean;
  askAtMs: number;
  /** It suggests nothing: an error, or it knows no swarm. */
  isMute: boolean;
  pieces: number[];
  /** Pieces requested from it that have not come. */
  inFlight: number;
  isOnly: boolean;
}

export class SwarmMachine {
  readonly #random: () => number;
  readonly #hubs = new Map<string, Hub>();
  readonly #peers = new Map<string, Peer>();
  readonly #seeds = new Map<string, Seed>();
  /** Addresses to contact when there is room, the latest last. */
  readonly #candidates = new Set<string>();
  /** How often the contact to an address was lost; Infinity for one that was dropped. */
  readonly #losses = new Map<string, number>();
  #storedAtMs: number;
  #commands: SwarmCommand[] = [];

  /** @param random from 0 up to but not including 1 */
  constructor(random: () => number, nowMs: number) {
    this.#random = random;
    this.#storedAtMs = nowMs;
  }

  /** Receivers that are sources of the download. */
  get sources(): number {
    let count = 0;
    for (const { isSource } of this.#peers.values()) if (isSource) count++;
    return count;
  }

  start(nowMs: number): SwarmCommand[] {
    return this.#finish(nowMs);
  }

  handle(event: SwarmEvent, nowMs: number): SwarmCommand[] {
    this.#apply(event, nowMs);
    return this.#finish(nowMs);
  }

  #apply(event: SwarmEvent, nowMs: number): void {
    switch (event.kind) {
      case "seed":
        return this.#addSeed(event.seed, nowMs);
      case "joined":
        return this.#joined(event.hub, event.peers, nowMs);
      case "notJoined":
        return this.#notJoined(event.hub, event.isFinal, nowMs);
      case "announced":
        return this.#announced(event.peer, nowMs);
      case "has":
        return this.#has(event.peer, event.report, nowMs);
      case "hasNot":
        return this.#hasNot(event.peer, nowMs);
      case "dropped":
        return this.#forget(event.peer, Infinity);
      case "suggested":
        return this.#suggested(event, nowMs);
      case "notSuggested":
        return this.#notSuggested(event.seed);
      case "requested":
        return this.#requested(event.source, event.piece);
      case "ended": {
        const seed = this.#seeds.get(event.source);
        if (seed) seed.inFlight--;
        return;
      }
      case "stored":
        this.#storedAtMs = nowMs;
    }
  }

  #addSeed(id: string, nowMs: number): void {
    if (this.#hubs.has(id)) return;
    this.#hubs.set(id, {
      id,
      isSeed: true,
      joins: 0,
      failures: 0,
      joining: false,
      joinAtMs: nowMs,
    });
    const seed: Seed = {
      id,
      sinceMs: nowMs,
      asking: false,
      askAtMs: nowMs,
      isMute: false,
      pieces: [],
      inFlight: 0,
      isOnly: false,
    };
    this.#seeds.set(id, seed);
    this.#peers.delete(id);
    this.#candidates.delete(id);
  }

  #joined(id: string, peers: readonly string[], nowMs: number): void {
    for (const peer of peers) this.#addCandidate(peer);
    const hub = this.#hubs.get(id);
    if (hub === undefined) return;
    hub.joining = false;
    hub.failures = 0;
    // A peer was told once: it asks this receiver itself.
    if (!hub.isSeed) return void this.#hubs.delete(id);
    const seed = this.#seeds.get(id);
    if (seed) seed.isMute = false;
    const delayMs = JOIN_DELAYS_MS[hub.joins++] ?? JOIN_INTERVAL_MS;
    hub.joinAtMs = nowMs + delayMs * (0.75 + this.#random() / 2);
  }

  #notJoined(id: string, isFinal: boolean, nowMs: number): void {
    const hub = this.#hubs.get(id);
    if (hub === undefined) return;
    hub.joining = false;
    if (!hub.isSeed) return void this.#hubs.delete(id);
    const delayMs = Math.min(JOIN_INTERVAL_MS, RETRY_JOIN_MS * 2 ** hub.failures++);
    hub.joinAtMs = isFinal ? Infinity : nowMs + delayMs * (0.75 + this.#random() / 2);
    const seed = this.#seeds.get(id);
    if (seed && isFinal) seed.isMute = true;
  }

  #addCandidate(peer: string): void {
    if (this.#isKnown(peer)) return;
    if (this.#candidates.size < MAX_CANDIDATES) this.#candidates.add(peer);
  }

  #announced(peer: string, nowMs: number): void {
    if (this.#isKnown(peer)) return;
    if (this.#peers.size < MAX_PEERS_WITH_ANNOUNCED && this.#contacts < MAX_CONTACTS) {
      this.#candidates.delete(peer);
      this.#contact(peer, nowMs);
    } else this.#addCandidate(peer);
  }

  #isKnown(peer: string): boolean {
    return this.#peers.has(peer) || this.#seeds.has(peer) ||
      (this.#losses.get(peer) ?? 0) >= MAX_LOSSES;
  }

  get #contacts(): number {
    let count = 0;
    for (const { isSource } of this.#peers.values()) if (!isSource) count++;
    return count;
  }

  #contact(id: string, nowMs: number): void {
    this.#peers.set(id, {
      id,
      isSource: false,
      isComplete: false,
      asking: false,
      askAtMs: nowMs,
      intervalMs: ASK_INTERVAL_MS,
      known: undefined,
      failures: 0,
    });
  }

  #has(id: string, report: PieceReport, nowMs: number): void {
    const peer = this.#peers.get(id);
    if (peer === undefined) return;
    // A peer with something to send has a queue that changes.
    const isNews = report.queue > 0 || (report.kind !== "all" && report.pieces.length > 0);
    peer.asking = false;
    peer.failures = 0;
    peer.intervalMs = isNews
      ? ASK_INTERVAL_MS
      : Math.min(MAX_ASK_INTERVAL_MS, ASK_BACKOFF * peer.intervalMs);
    peer.askAtMs = nowMs + peer.intervalMs;
    const wasComplete = peer.isComplete;
    peer.isComplete = report.kind === "all";
    peer.known = report.kind === "all" ? undefined : report.known;
    const pieces = report.kind === "all" ? [] : report.pieces;
    if (!peer.isSource) {
      peer.isSource = true;
      this.#commands.push({ kind: "appear", peer: id, pieces });
      this.#hubs.set(id, {
        id,
        isSeed: false,
        joins: 0,
        failures: 0,
        joining: false,
        joinAtMs: nowMs,
      });
    }
    const { queue } = report;
    if (!peer.isComplete) this.#commands.push({ kind: "gained", peer: id, pieces, queue });
    else if (!wasComplete) this.#commands.push({ kind: "gained", peer: id, pieces: "all", queue });
    else this.#commands.push({ kind: "gained", peer: id, pieces: [], queue });
  }

  #hasNot(id: string, nowMs: number): void {
    const peer = this.#peers.get(id);
    if (peer === undefined) return;
    peer.asking = false;
    peer.known = undefined;
    peer.askAtMs = nowMs + RETRY_CONTACT_MS * 2 ** peer.failures * (1 + this.#random() / 2);
    // A first contact is not repeated: there are others.
    if (peer.isSource && ++peer.failures < MAX_FAILURES) return;
    if (peer.isSource) this.#commands.push({ kind: "left", peer: id });
    this.#forget(id, 1);
  }

  #forget(id: string, losses: number): void {
    this.#peers.delete(id);
    this.#hubs.delete(id);
    const before = this.#losses.get(id);
    if (before !== undefined || this.#losses.size < MAX_KNOWN) {
      this.#losses.set(id, (before ?? 0) + losses);
    }
  }

  #suggested(
    { seed: id, pieces, retryAfterMs }: Extract<SwarmEvent, { kind: "suggested" }>,
    nowMs: number,
  ): void {
    const seed = this.#seeds.get(id);
    if (seed === undefined) return;
    seed.asking = false;
    // At any time within it: receivers that began together would come back together, and leave the seed idle.
    seed.askAtMs = nowMs + (pieces.length > 0 ? 0 : retryAfterMs * 2 * this.#random());
    this.#setSuggestions(seed, pieces.slice(), nowMs);
  }

  /** The seed has failed; the download finds out itself whether it can be used. */
  #notSuggested(id: string): void {
    const seed = this.#seeds.get(id);
    if (seed === undefined) return;
    seed.asking = false;
    seed.isMute = true;
    if (seed.isOnly) this.#setSuggestions(seed, [], undefined);
  }

  #requested(source: string, piece: number): void {
    for (const seed of this.#seeds.values()) {
      const at = seed.pieces.indexOf(piece);
      if (at < 0) continue;
      // What came from elsewhere will not be requested from the seed.
      seed.pieces.splice(at, 1);
    }
    const seed = this.#seeds.get(source);
    if (seed) seed.inFlight++;
    const peer = this.#peers.get(source);
    if (peer) peer.intervalMs = ASK_INTERVAL_MS;
  }

  #setSuggestions(seed: Seed, pieces: number[], nowMs: number | undefined): void {
    seed.pieces = pieces;
    seed.isOnly = nowMs !== undefined && this.#mayWait(seed, nowMs);
    const suggestions = { pieces: pieces.slice(), only: seed.isOnly };
    this.#commands.push({ kind: "suggests", seed: seed.id, suggestions });
  }

  /** Whether the download can leave to others what the seed does not suggest. */
  #mayWait(seed: Seed, nowMs: number): boolean {
    // The same sums as those of the timer: a rounded difference could set it to now again and again.
    if (seed.isMute || nowMs >= this.#storedAtMs + STARVED_MS) return false;
    return this.sources > 0 || nowMs < seed.sinceMs + ALONE_MS;
  }

  #finish(nowMs: number): SwarmCommand[] {
    let nextAtMs = Infinity;
    for (const hub of this.#hubs.values()) {
      if (hub.joining) continue;
      if (hub.joinAtMs > nowMs) nextAtMs = Math.min(nextAtMs, hub.joinAtMs);
      else {
        hub.joining = true;
        this.#commands.push({ kind: "join", hub: hub.id });
      }
    }
    this.#contactCandidates(nowMs);
    for (const peer of this.#peers.values()) {
      if (peer.asking) continue;
      if (peer.askAtMs > nowMs) nextAtMs = Math.min(nextAtMs, peer.askAtMs);
      else {
        peer.asking = true;
        const known = peer.known === undefined ? {} : { known: peer.known };
        this.#commands.push({ kind: "ask", peer: peer.id, ...known });
      }
    }
    const hasSources = this.sources > 0;
    for (const seed of this.#seeds.values()) {
      if (seed.isMute) continue;
      const mayWait = this.#mayWait(seed, nowMs);
      if (mayWait !== seed.isOnly) this.#setSuggestions(seed, seed.pieces, nowMs);
      const untilMs = hasSources ? Infinity : seed.sinceMs + ALONE_MS;
      if (mayWait) nextAtMs = Math.min(nextAtMs, untilMs, this.#storedAtMs + STARVED_MS);
      else if (!hasSources) continue;
      // It is known only to a seed to which it announced itself.
      if (this.#hubs.get(seed.id)?.joins === 0) continue;
      // What was requested has arrived there when the piece before it came: the seed counts it then.
      if (seed.asking || seed.pieces.length > 0 || seed.inFlight > MAX_IN_FLIGHT_TO_ASK) continue;
      if (seed.askAtMs > nowMs) nextAtMs = Math.min(nextAtMs, seed.askAtMs);
      else {
        seed.asking = true;
        this.#commands.push({ kind: "suggest", seed: seed.id, count: SUGGESTIONS });
      }
    }
    if (nextAtMs < Infinity) this.#commands.push({ kind: "setTimer", atMs: nextAtMs });
    return this.#commands.splice(0);
  }

  get #wantedPeers(): number {
    let joins = 0;
    for (const hub of this.#hubs.values()) joins = Math.max(joins, hub.joins);
    return Math.min(MAX_PEERS, PEERS_PER_JOIN * joins);
  }

  #contactCandidates(nowMs: number): void {
    while (
      this.#candidates.size > 0 && this.#peers.size < this.#wantedPeers &&
      this.#contacts < MAX_CONTACTS
    ) {
      const [candidate] = this.#candidates;
      this.#candidates.delete(candidate!);
      this.#contact(candidate!, nowMs);
    }
  }
}
