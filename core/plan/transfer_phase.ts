/**
 * The second phase of a download: which piece to read from which source, when to ask a source
 * again, and when to give up.
 *
 * Invariant: every piece is in exactly one of missing, in flight and stored; in flight twice only
 * in the endgame.
 */
import { type PieceLayout, rangeOfPiece } from "../base/pieces.ts";
import { lengthOf } from "../base/ranges.ts";
import type { SourceChange } from "../events.ts";
import type {
  ChangeReason,
  DownloadCommand,
  GiveUp,
  PieceEvent,
  PieceFailure,
  Slowness,
} from "./messages.ts";
import type { PiecePicker } from "./piece_picker.ts";
import type { SourceState } from "./source_state.ts";

export interface TransferOptions {
  readonly layout: PieceLayout;
  /** Missing pieces, which the picker has. */
  readonly missing: number;
  readonly picker: PiecePicker;
  /** Kept beginnings of missing pieces: piece and length. */
  readonly begun: ReadonlyMap<number, number> | undefined;
  /** Pieces in flight from all sources together. */
  readonly maxInFlight: number;
  /** Time without useful bytes after which the content is given up. */
  readonly giveUpMs: number;
  /** The same while another content can be downloaded instead. */
  readonly rivalGiveUpMs: number;
  readonly hasRival: boolean;
  /** Fewer useful bytes a second than this, on average over `giveUpMs`, count as none. */
  readonly minBytesPerSecond: number;
  /** From 0 up to but not including 1. */
  readonly random: () => number;
  /** Of a stream: the first piece that it passes on. */
  readonly streamFrom?: number | undefined;
}

/** What the phase comes to after an event. */
export type TransferStep =
  | { readonly kind: "complete" }
  | { readonly kind: "giveUp"; readonly giveUp: GiveUp }
  | { readonly kind: "waiting"; readonly lookAtMs: number };

/** How a download uses the network path to a source. */
export interface LineUse {
  readonly source: string;
  readonly windowBytes: number;
  /** Bytes a second. */
  readonly goodput: number;
  /** Whether memory held back requests that the window allows. */
  readonly memoryBound: boolean;
}

interface Request {
  readonly id: number;
  readonly piece: number;
  readonly source: SourceState;
  requestedAtMs: number;
  /** Length of the piece's beginning that was kept before. */
  readonly begun: number;
  received: number;
}

/** The source that should complete a piece first, and in what time. */
interface FasterSource {
  readonly source: SourceState;
  readonly seconds: number;
}

interface PieceInFlight {
  readonly piece: number;
  /** Bytes still to come, by the read that is furthest. */
  readonly bytes: number;
  /** Its reads, the one that should be complete first at the front. */
  readonly requests: readonly Request[];
  readonly seconds: number;
}

/** A peer that has this many pieces to send is not asked for more: others have the same pieces soon. */
const MAX_PEER_QUEUE = 6;
/** In the endgame this share of the file may be received twice, or two pieces of a small file. */
const ENDGAME_SHARE = 0.02;
const ENDGAME_PIECES = 2;
/** The same for a stream, in which each slow piece holds up all later ones. */
const STREAM_SHARE = 0.05;
const STREAM_PIECES = 4;
/** Request a piece twice only if the second source should need half of the time. */
const ENDGAME_GAIN = 2;
/** Rates change silently, so the endgame compares them at this interval. */
const ENDGAME_INTERVAL_MS = 250;
/** Cancel a read that needs longer than this when another source needs a quarter of the time. */
const SLOW_SECONDS = 5;
const SLOW_GAIN = 4;
/** Minimum age of a request before it may be cancelled for slowness; less for a proven source. */
const MIN_REQUEST_AGE_MS = 5000;
const MIN_REQUEST_AGE_PROVEN_MS = 1000;
/** Assumed time for one piece from a source of unknown rate. */
const TRIAL_SECONDS = 2;
/** Each stall in a row makes the assumed time this many times longer. */
const STALL_FACTOR = 4;
/** With a rival, a content must arrive this many times faster than the slowest useful rate. */
const RIVAL_FACTOR = 4;

export class TransferPhase {
  readonly #options: TransferOptions;
  readonly #sources: ReadonlyMap<string, SourceState>;
  readonly #commands: DownloadCommand[];
  readonly #requests = new Map<number, Request>();
  #stored = 0;
  #maxInFlight: number;
  /** The piece that a stream passes on next; undefined: the pieces go to a file. */
  #head: number | undefined;
  /** Whether the last plan requested less than the windows allow, because no more may be in flight. */
  #memoryBound = false;
  #nextRequest: number;
  /** Kept beginnings of missing pieces: piece and length. */
  readonly #begun: Map<number, number>;
  /** The furthest that each unfinished piece ever got: only bytes beyond it are progress. */
  readonly #reached: Map<number, number>;
  /** Bytes of pieces that another source completed first. */
  #wastedBytes = 0;
  /** Useful bytes move it, at most to `giveUpMs` from now. */
  #giveUpAtMs: number;
  #lastByteAtMs: number;
  #hasRival: boolean;
  /** Sources that held the content at some time. */
  readonly #holders = new Set<string>();
  /** While the task waits for its permit: the time that was left before giving up. */
  #frozenMs: number | undefined;
  /** Sources that are ready or being probed. */
  #usable: SourceState[] = [];
  #lastDrop: ChangeReason = "";
  #sawWrongBytes = false;

  /**
   * @param sources what each of them holds is known; ready ones hold the content
   * @param commands where commands go
   * @param firstRequest the number of the first request
   */
  constructor(
    options: TransferOptions,
    sources: ReadonlyMap<string, SourceState>,
    commands: DownloadCommand[],
    firstRequest: number,
    nowMs: number,
  ) {
    this.#options = options;
    this.#maxInFlight = options.maxInFlight;
    this.#head = options.streamFrom;
    this.#sources = sources;
    this.#commands = commands;
    this.#nextRequest = firstRequest;
    this.#begun = new Map(options.begun);
    this.#reached = new Map(options.begun);
    this.#lastByteAtMs = nowMs;
    this.#hasRival = options.hasRival;
    this.#giveUpAtMs = nowMs + this.#giveUpMs;
    for (const { id, ready, pieces = [], dropped } of sources.values()) {
      if (ready) this.#holders.add(id);
      if (!dropped) options.picker.adjustCopies(pieces, 1);
    }
  }

  get hasRival(): boolean {
    return this.#hasRival;
  }

  get nextRequest(): number {
    return this.#nextRequest;
  }

  /** At most `count` pieces to request next from a source that has all. */
  nextPieces(count: number): number[] {
    return this.#options.picker.peek(count);
  }

  /** The source holds the content and may be asked. */
  joined(source: SourceState, nowMs: number): void {
    if (this.#frozenMs !== undefined) this.#giveUpAtMs = nowMs + this.#frozenMs;
    this.#frozenMs = undefined;
    this.#holders.add(source.id);
    source.status = { kind: "ready" };
  }

  /** The source has these pieces only. */
  limit(source: SourceState, pieces: ReadonlySet<number>): void {
    const { picker } = this.#options;
    if (!source.dropped) {
      picker.adjustCopies(source.pieces ?? [], -1);
      picker.adjustCopies(pieces, 1);
    }
    source.limitTo(pieces);
  }

  /** The source has these pieces beside those that it had. */
  gain(source: SourceState, pieces: readonly number[]): void {
    const fresh = source.gain(pieces);
    if (source.dropped || fresh.length === 0) return;
    this.#options.picker.adjustCopies(fresh, 1);
    this.#options.picker.gained(source.pieces);
  }

  /** The task waits for its permit: silence is no source's fault meanwhile. */
  rest(nowMs: number): void {
    this.#frozenMs ??= this.#giveUpAtMs - nowMs;
  }

  /** Another content can be downloaded instead: from now on, and for the silence so far, there is less time. */
  metRival(): void {
    const before = this.#giveUpMs;
    this.#hasRival = true;
    this.#giveUpAtMs -= before - this.#giveUpMs;
  }

  /** The computer was suspended for `ms`, which is no source's silence. */
  suspended(ms: number, nowMs: number): void {
    this.#lastByteAtMs = Math.min(nowMs, this.#lastByteAtMs + ms);
    this.#giveUpAtMs = Math.min(nowMs + this.#giveUpMs, this.#giveUpAtMs + ms);
    for (const request of this.#requests.values()) request.requestedAtMs += ms;
    for (const source of this.#sources.values()) source.suspended(ms);
  }

  /** As many pieces may be in flight from now on; more that are stay until they have come. */
  setBudget(maxInFlight: number): void {
    this.#maxInFlight = maxInFlight;
  }

  /** The network paths to the sources that send, as this download uses them. */
  lines(nowMs: number): LineUse[] {
    const { pieceSize } = this.#options.layout;
    return Array.from(this.#sources.values())
      .filter(({ ready }) => ready)
      .map((source) => ({
        source: source.id,
        windowBytes: this.#windowOf(source, nowMs) * pieceSize,
        goodput: Math.round(source.goodput(nowMs)),
        memoryBound: this.#memoryBound && this.#windowLeft(source, nowMs) > 0,
      }));
  }

  /** The stream's reader took this piece. A slow reader is no source's silence. */
  consumed(piece: number, nowMs: number): void {
    this.#options.picker.consumed(piece);
    if (this.#head === undefined) return;
    this.#head = piece + 1;
    this.#progressed(Infinity, nowMs);
  }

  /** @returns whether a new plan is worth while */
  handle(event: PieceEvent, nowMs: number): boolean {
    switch (event.kind) {
      case "received":
        this.#received(event.request, event.bytes, nowMs);
        return false;
      case "stored":
        this.#onStored(event.request, nowMs);
        return true;
      case "failed":
        this.#onFailed(event.request, event.failure, event.kept, nowMs);
        return true;
      case "blamed": {
        const source = this.#sources.get(event.source);
        if (source && !source.dropped) this.#corrupted(source, event.reason);
        // The `stored` of that piece follows: a plan made before it would request the piece again.
        return false;
      }
    }
  }

  fail(source: SourceState, failure: PieceFailure, nowMs: number): void {
    if (source.dropped) return;
    const { random } = this.#options;
    switch (failure.kind) {
      case "busy":
        // With jitter, so that postponed clients do not come back at the same time.
        return this.#pause(source, failure.retryAfterMs * (1 + random() / 4), failure, nowMs);
      case "refused":
        return this.drop(source, failure.reason);
      case "corrupt":
        return this.#corrupted(source, failure.reason);
      case "doubtful":
        return;
      case "changed":
      case "lost":
      case "stalled": {
        if (failure.kind === "stalled") source.stalls++;
        const retryInMs = source.failed(nowMs, random());
        if (retryInMs !== undefined) this.#report(source, "failing", failure.reason, { retryInMs });
      }
    }
  }

  drop(source: SourceState, reason: ChangeReason, wrongPieces?: number): void {
    if (source.dropped) return;
    source.drop();
    this.#options.picker.adjustCopies(source.pieces ?? [], -1);
    if (!source.isPeer) this.#lastDrop = reason;
    this.#report(source, "dropped", reason, wrongPieces === undefined ? {} : { wrongPieces });
  }

  /** Requests what can be requested. */
  plan(nowMs: number): TransferStep {
    if (this.#stored === this.#options.missing) return { kind: "complete" };
    this.#usable = Array.from(this.#sources.values())
      .filter(({ ready, status }) => ready || status.kind === "probing");
    this.#fill(nowMs);
    this.#memoryBound = this.#isFull && this.#options.picker.available > 0;
    if (this.#sources.size > 1) this.#rebalance(nowMs);
    return this.#nextStep(nowMs);
  }

  #received(id: number, bytes: number, nowMs: number): void {
    this.#lastByteAtMs = nowMs;
    const request = this.#requests.get(id);
    if (!request) return;
    request.received += bytes;
    request.source.received(bytes, nowMs);
    const { piece, begun, received } = request;
    const gain = begun + received - (this.#reached.get(piece) ?? 0);
    if (gain <= 0) return;
    this.#reached.set(piece, begun + received);
    this.#progressed(gain, nowMs);
  }

  /** Each useful byte buys the time that it may take at the slowest useful rate. */
  #progressed(bytes: number, nowMs: number): void {
    const boughtMs = bytes * 1000 / this.#minBytesPerSecond;
    this.#giveUpAtMs = Math.min(nowMs + this.#giveUpMs, this.#giveUpAtMs + boughtMs);
  }

  get #giveUpMs(): number {
    const { giveUpMs, rivalGiveUpMs } = this.#options;
    return this.#hasRival ? rivalGiveUpMs : giveUpMs;
  }

  get #minBytesPerSecond(): number {
    const { minBytesPerSecond } = this.#options;
    return this.#hasRival ? RIVAL_FACTOR * minBytesPerSecond : minBytesPerSecond;
  }

  #onStored(id: number, nowMs: number): void {
    const request = this.#end(id);
    if (!request) return;
    this.#stored++;
    this.#forget(request.piece);
    this.#progressed(Infinity, nowMs);
    const { source } = request;
    if (source.succeeded(nowMs)) this.#report(source, "back", "stored");
    for (const other of this.#requestsFor(request.piece)) {
      this.#wastedBytes += other.received;
      this.#cancel(other);
    }
  }

  #onFailed(id: number, failure: PieceFailure, kept: number | undefined, nowMs: number): void {
    const request = this.#end(id);
    if (!request) return;
    const { piece } = request;
    // Wrong bytes are fetched anew, which counts as progress. It ends: a source that lies is dropped.
    if (failure.kind === "corrupt" || failure.kind === "doubtful") this.#forget(piece);
    else if (kept !== undefined) this.#keep(piece, kept);
    if (this.#requestsFor(piece).length === 0) this.#options.picker.put(piece);
    this.fail(request.source, failure, nowMs);
  }

  #keep(piece: number, length: number): void {
    if (length > this.#begunOf(piece)) this.#begun.set(piece, length);
  }

  #forget(piece: number): void {
    this.#begun.delete(piece);
    this.#reached.delete(piece);
  }

  #corrupted(source: SourceState, reason: string): void {
    this.#sawWrongBytes = true;
    const wrongPieces = source.corrupted();
    if (wrongPieces !== undefined) return this.drop(source, reason, wrongPieces);
    this.#report(source, "corrupt", reason);
  }

  #pause(source: SourceState, ms: number, { reason }: PieceFailure, nowMs: number): void {
    const wasUsable = source.ready || source.status.kind === "probing";
    source.pausedUntil(nowMs + ms);
    if (wasUsable) this.#report(source, "busy", reason, { retryInMs: Math.round(ms) });
  }

  #rebalance(nowMs: number): void {
    if (this.#head !== undefined) return this.#hurry(this.#head, nowMs);
    if (this.#options.picker.available === 0) this.#endgame(nowMs);
    else if (this.#isFull) this.#reassignSlow(nowMs);
  }

  #fill(nowMs: number): void {
    const { picker } = this.#options;
    this.#requestSuggested(nowMs);
    while (picker.available > 0 && !this.#isFull) {
      const request = this.#pick(nowMs);
      if (request === undefined) return;
      this.#request(request.source, request.piece, nowMs);
    }
  }

  /**
   * What seeds suggest comes before all else: a seed that waits is what a swarm waits for. They suggest
   * few pieces at a time, so their number is the window.
   */
  #requestSuggested(nowMs: number): void {
    const { picker } = this.#options;
    for (const source of this.#sources.values()) {
      if (!source.ready) continue;
      for (const piece of source.suggestions?.pieces ?? []) {
        if (this.#isFull) return;
        if (picker.takePiece(piece)) this.#request(source, piece, nowMs);
      }
    }
  }

  /** The source with the largest part of its window free, the faster of two, and a piece that it has. */
  #pick(nowMs: number): { readonly source: SourceState; readonly piece: number } | undefined {
    const without = new Set<SourceState>();
    for (;;) {
      const source = this.#pickSource(without, nowMs);
      if (source === undefined) return undefined;
      const { pieces, suggestions } = source;
      const piece = suggestions?.only ? undefined : this.#options.picker.take(pieces);
      if (piece !== undefined) return { source, piece };
      without.add(source);
    }
  }

  #pickSource(without: ReadonlySet<SourceState>, nowMs: number): SourceState | undefined {
    let best: { source: SourceState; free: number; goodput: number } | undefined;
    const peer = this.#pickPeer(without, nowMs);
    if (peer !== undefined) return peer;
    for (const source of this.#sources.values()) {
      if (source.isPeer) continue;
      const free = this.#windowLeft(source, nowMs);
      if (free <= 0 || (best && free < best.free) || without.has(source)) continue;
      const goodput = source.goodput(nowMs);
      if (!best || free > best.free || goodput > best.goodput) best = { source, free, goodput };
    }
    return best?.source;
  }

  /**
   * The peer with the fewest pieces to send, a random one of several: the rarest pieces are at few
   * peers, and receivers that all ask the same ones would leave the others idle.
   */
  #pickPeer(without: ReadonlySet<SourceState>, nowMs: number): SourceState | undefined {
    let best: SourceState | undefined;
    let equals = 0;
    for (const source of this.#sources.values()) {
      if (!source.isPeer || !source.ready || source.queue >= MAX_PEER_QUEUE) continue;
      if (without.has(source) || this.#windowLeft(source, nowMs) <= 0) continue;
      if (best && source.queue > best.queue) continue;
      equals = best && source.queue === best.queue ? equals + 1 : 1;
      if (equals === 1 || this.#options.random() * equals < 1) best = source;
    }
    return best;
  }

  #windowLeft(source: SourceState, nowMs: number): number {
    return this.#windowOf(source, nowMs) - source.inFlight.size;
  }

  #windowOf(source: SourceState, nowMs: number): number {
    const mayHold = (pieces: number) => this.#mayHold(source, pieces, nowMs);
    return source.window(this.#options.layout.pieceSize, mayHold, nowMs);
  }

  /** Whether a source may have so many pieces in flight however slow it is. */
  #mayHold(source: SourceState, pieces: number, nowMs: number): boolean {
    const usable = this.#usable.length;
    if (usable <= 1) return true;
    // Other sources need memory too, and must not wait for this one in the end.
    if (usable * pieces > this.#maxInFlight / 2) return false;
    const others = this.#usable.filter((other) => other !== source);
    const othersRate = sum(others.map((other) => other.goodput(nowMs)));
    return 2 * pieces * othersRate < this.#options.picker.available * source.goodput(nowMs);
  }

  #request(source: SourceState, piece: number, nowMs: number, because?: Slowness): void {
    const id = this.#nextRequest++;
    const begun = this.#begunOf(piece);
    this.#requests.set(id, { id, piece, source, requestedAtMs: nowMs, begun, received: 0 });
    source.inFlight.add(id);
    source.queue++;
    const { rangeBytes } = source;
    this.#commands.push({
      kind: "request",
      request: id,
      source: source.id,
      piece,
      ...(rangeBytes === undefined ? {} : { rangeBytes }),
      ...(because === undefined ? {} : { because }),
    });
  }

  #cancel(request: Request, because?: Slowness): void {
    this.#end(request.id);
    const reason = because === undefined ? {} : { because };
    this.#commands.push({ kind: "cancel", request: request.id, ...reason });
  }

  /** Requests the last pieces also from sources that should be much faster. */
  #endgame(nowMs: number): void {
    const pieces = this.#piecesInFlight(nowMs);
    const budget = this.#budgetOf(pieces, ENDGAME_SHARE, ENDGAME_PIECES);
    this.#requestTwice(pieces, budget, nowMs);
  }

  /**
   * Requests the pieces that a stream needs next also from sources that should be much faster. The
   * next one holds up all others, so it goes ahead of what else a source has to send.
   */
  #hurry(head: number, nowMs: number): void {
    const pieces = this.#piecesInFlight(nowMs).sort((a, b) => a.piece - b.piece);
    const budget = this.#budgetOf(pieces, STREAM_SHARE, STREAM_PIECES);
    const isFilled = this.#options.picker.available === 0;
    this.#requestTwice(
      isFilled ? pieces : pieces.filter(({ piece }) => piece === head),
      budget,
      nowMs,
    );
  }

  /** Bytes that may still be received twice: a share of the file, or some pieces of a small one. */
  #budgetOf(pieces: readonly PieceInFlight[], share: number, count: number): number {
    const { layout } = this.#options;
    const twice = pieces.filter(({ requests }) => requests.length > 1);
    const maxBytes = Math.max(share * layout.size, count * layout.pieceSize);
    return maxBytes - this.#wastedBytes - sum(twice.map(({ bytes }) => bytes));
  }

  #requestTwice(pieces: readonly PieceInFlight[], budget: number, nowMs: number): void {
    for (const flight of pieces) {
      const { piece, bytes, requests, seconds } = flight;
      const faster = this.#fastestSource(flight, nowMs);
      if (!faster || faster.seconds * ENDGAME_GAIN > seconds) continue;
      const slow = requests.at(-1)!;
      // A source that was asked a moment ago has not had the time to answer.
      const isDue = slow.received > 0 || nowMs - slow.requestedAtMs >= ENDGAME_INTERVAL_MS;
      if (requests.length === 1 && isDue && !this.#isFull && bytes <= budget) {
        budget -= bytes;
        // The second source sends only what the slow one has not brought yet.
        this.#keep(piece, slow.begun + slow.received);
        this.#request(faster.source, piece, nowMs, slownessOf(slow, seconds, faster));
        continue;
      }
      if (!this.#hasKnownRate(slow, nowMs)) continue;
      if (requests.length === 1 && !isMuchSlower(seconds, faster.seconds)) continue;
      this.#cancelSlow(slow, faster, nowMs);
      this.#request(faster.source, piece, nowMs);
    }
  }

  /** The source that should complete a piece first, of those that have it, a free window and no read of it. */
  #fastestSource(
    { piece, bytes, requests }: PieceInFlight,
    nowMs: number,
  ): FasterSource | undefined {
    // All of it was received and is being verified.
    if (bytes <= 0) return undefined;
    let best: FasterSource | undefined;
    for (const source of this.#sources.values()) {
      const spare = piece === this.#head && source.ready ? 1 : 0;
      if (this.#windowLeft(source, nowMs) + spare <= 0 || !source.has(piece)) continue;
      if (requests.some((request) => request.source === source)) continue;
      const trialSeconds = TRIAL_SECONDS * STALL_FACTOR ** source.stalls;
      const rate = source.goodput(nowMs) || (source.isSlow(nowMs) ? 0 : bytes / trialSeconds);
      // Nothing is gained by moving a piece to a source that is as good as silent.
      if (rate < this.#options.minBytesPerSecond) continue;
      const seconds = (this.#bytesAhead(source) + bytes) / rate;
      if (!best || seconds < best.seconds) best = { source, seconds };
    }
    return best;
  }

  get #isFull(): boolean {
    return this.#requests.size >= this.#maxInFlight;
  }

  /** Slow sources must not hold all the memory while others have nothing to do. */
  #reassignSlow(nowMs: number): void {
    const isOld = ({ requestedAtMs }: Request) => nowMs - requestedAtMs >= MIN_REQUEST_AGE_MS;
    // Usually no request is old, and then nothing need be compared.
    const [oldest] = this.#requests.values();
    if (!oldest || !isOld(oldest)) return;
    const slowest = this.#piecesInFlight(nowMs).find(({ requests }) => requests.every(isOld));
    const faster = slowest && this.#fastestSource(slowest, nowMs);
    if (!faster || !isMuchSlower(slowest.seconds, faster.seconds)) return;
    for (const request of slowest.requests) this.#cancelSlow(request, faster, nowMs);
    this.#request(faster.source, slowest.piece, nowMs);
  }

  #cancelSlow(request: Request, faster: FasterSource, nowMs: number): void {
    this.#cancel(request, slownessOf(request, this.#secondsLeft(request, nowMs), faster));
    this.#keep(request.piece, request.begun + request.received);
    request.source.markSlow(nowMs);
  }

  /** Cancelling requests whose rate is not known yet would move pieces round and round. */
  #hasKnownRate({ source, requestedAtMs, received }: Request, nowMs: number): boolean {
    const minAgeMs = source.proven ? MIN_REQUEST_AGE_PROVEN_MS : MIN_REQUEST_AGE_MS;
    return received > 0 || nowMs - requestedAtMs >= minAgeMs;
  }

  /** The pieces in flight, the slowest first. */
  #piecesInFlight(nowMs: number): PieceInFlight[] {
    const byPiece = Map.groupBy(this.#requests.values(), ({ piece }) => piece);
    const pieces = Array.from(byPiece, ([piece, group]) => {
      const left = new Map(group.map((request) => [request, this.#secondsLeft(request, nowMs)]));
      const requests = group.sort((a, b) => left.get(a)! - left.get(b)!);
      const bytes = Math.min(...requests.map((request) => this.#bytesToCome(request)));
      return { piece, bytes, requests, seconds: left.get(requests[0]!)! };
    });
    return pieces.sort((a, b) => b.seconds - a.seconds);
  }

  /** Until the request is complete at its source's present rate. */
  #secondsLeft(request: Request, nowMs: number): number {
    const { source } = request;
    const share = source.goodput(nowMs) / Math.max(1, source.inFlight.size);
    return this.#bytesToCome(request) / share;
  }

  #bytesAhead(source: SourceState): number {
    let bytes = 0;
    for (const id of source.inFlight) bytes += this.#bytesToCome(this.#requests.get(id)!);
    return bytes;
  }

  #nextStep(nowMs: number): TransferStep {
    const sources = Array.from(this.#sources.values());
    // All that the window holds is there: only the reader is waited for.
    const isFilled = this.#options.picker.available === 0;
    if (isFilled && this.#requests.size === 0) this.#giveUpAtMs = nowMs + this.#giveUpMs;
    const giveUpAtMs = this.#frozenMs === undefined ? this.#giveUpAtMs : Infinity;
    // With a rival, sources that never held the content are not waited for.
    const hopeful = this.#hasRival ? sources.filter(({ id }) => this.#holders.has(id)) : sources;
    if (hopeful.every(({ dropped }) => dropped)) {
      const why = this.#sawWrongBytes ? "corrupt" : "refused";
      return { kind: "giveUp", giveUp: { why, reason: this.#lastDrop } };
    }
    if (nowMs >= giveUpAtMs) return { kind: "giveUp", giveUp: this.#silence(nowMs) };
    const pauses = sources.map(({ status }) =>
      status.kind === "waiting" ? status.untilMs : Infinity
    );
    const watchesRates = isFilled || this.#head !== undefined
      ? this.#requests.size > 0
      : this.#isFull;
    const compareAtMs = watchesRates ? nowMs + ENDGAME_INTERVAL_MS : Infinity;
    return { kind: "waiting", lookAtMs: Math.min(giveUpAtMs, compareAtMs, ...pauses) };
  }

  #silence(nowMs: number): GiveUp {
    const ms = this.#giveUpMs;
    if (nowMs - this.#lastByteAtMs >= ms) return { why: "silence", ms };
    return { why: "silence", ms, bytesPerSecond: this.#minBytesPerSecond };
  }

  #end(id: number): Request | undefined {
    const request = this.#requests.get(id);
    this.#requests.delete(id);
    request?.source.inFlight.delete(id);
    return request;
  }

  #requestsFor(piece: number): Request[] {
    return Array.from(this.#requests.values()).filter((request) => request.piece === piece);
  }

  #begunOf(piece: number): number {
    return this.#begun.get(piece) ?? 0;
  }

  #bytesToCome({ piece, begun, received }: Request): number {
    return lengthOf(rangeOfPiece(this.#options.layout, piece)) - begun - received;
  }

  #report(
    source: SourceState,
    change: SourceChange,
    reason: ChangeReason,
    details: { readonly retryInMs?: number; readonly wrongPieces?: number } = {},
  ): void {
    this.#commands.push({ kind: "report", source: source.id, change, reason, ...details });
  }
}

/** So slow that waiting is worse than discarding what it sent. */
function isMuchSlower(seconds: number, elsewhere: number): boolean {
  return seconds > SLOW_SECONDS && elsewhere * SLOW_GAIN <= seconds;
}

function slownessOf({ piece, source }: Request, seconds: number, faster: FasterSource): Slowness {
  return {
    piece,
    source: source.id,
    seconds,
    faster: faster.source.id,
    fasterSeconds: faster.seconds,
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
