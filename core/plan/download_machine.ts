/**
 * The decisions of one download as a pure state machine: events and the time go in, commands come
 * out. It opens no socket, reads no clock and rolls no dice.
 *
 * It resolves the name to a content, lets the file be opened, transfers the missing pieces and lets
 * the file be finished. A content that cannot be downloaded is set aside, and the name is resolved
 * again among the others. Sources may appear at any time.
 */
import { SUSPEND_THRESHOLD_MS } from "../base/clock.ts";
import type { ContentVotes } from "../base/errors.ts";
import { ContentTrials, rivalTimeoutMs, type SetAsideReason } from "./content_trials.ts";
import { type Ballot, compareAnswer, type SourceAnswer } from "./content_vote.ts";
import type {
  Choice,
  DownloadCommand,
  DownloadEvent,
  GiveUp,
  NewSource,
  PieceFailure,
} from "./messages.ts";
import {
  InOrderPicker,
  type PieceOrder,
  type PiecePicker,
  RarestFirstPicker,
} from "./piece_picker.ts";
import { type ResolveOptions, ResolvePhase } from "./resolve_phase.ts";
import { SourceState } from "./source_state.ts";
import { type LineUse, TransferPhase } from "./transfer_phase.ts";

export interface DownloadOptions extends ResolveOptions {
  readonly sources: readonly NewSource[];
  /** Time without a byte after which a read has stalled. */
  readonly stallMs: number;
  /** Fewer useful bytes a second than this, on average over `giveUpMs`, count as none. */
  readonly minBytesPerSecond: number;
  /** "in-order" if not given. A stream is always in order. */
  readonly order?: PieceOrder;
  /** What was tried before. */
  readonly trials?: ContentTrials;
}

type Phase =
  | { readonly kind: "resolving"; readonly resolve: ResolvePhase }
  /** The file of the chosen content is being opened or finished. */
  | { readonly kind: "storing"; readonly choice: Choice; readonly hasRival: boolean }
  | { readonly kind: "transferring"; readonly choice: Choice; readonly transfer: TransferPhase }
  | { readonly kind: "over" };

export class DownloadMachine {
  readonly #options: DownloadOptions;
  readonly #trials: ContentTrials;
  #sources: Map<string, SourceState>;
  #phase: Phase;
  /** Whether a content was set aside whose failure says more than that no content is left. */
  #hasFailedContent = false;
  /** Requests are numbered through all contents. */
  #nextRequest = 0;
  /** When it planned last, and when it asked to be woken: a suspended computer wakes it much later. */
  #plannedAtMs: number;
  #wakeAtMs = Infinity;
  /** Emptied by each `handle`. The phases add to it. */
  #commands: DownloadCommand[] = [];

  constructor(options: DownloadOptions, nowMs: number) {
    this.#options = options;
    this.#trials = options.trials ?? new ContentTrials();
    this.#plannedAtMs = nowMs;
    this.#sources = new Map(
      options.sources.map((source) => [source.id, new SourceState(source, nowMs)]),
    );
    this.#phase = this.#resolving(nowMs);
  }

  start(nowMs: number): DownloadCommand[] {
    this.#plan(nowMs);
    return this.#takeCommands();
  }

  /** @returns what to do; nothing after `fail` */
  handle(event: DownloadEvent, nowMs: number): DownloadCommand[] {
    if (this.#phase.kind === "over") return [];
    this.#excuseSuspension(nowMs);
    if (this.#apply(event, nowMs)) this.#plan(nowMs);
    return this.#takeCommands();
  }

  /** At most `count` pieces that are missing and not requested: those to ask a seed's suggestion for. */
  nextPieces(count: number): number[] {
    return this.#phase.kind === "transferring" ? this.#phase.transfer.nextPieces(count) : [];
  }

  /** The contents that sources hold, with the reasons why some were set aside; empty if they all hold the same. */
  contents({ ballots }: Choice): ContentVotes[] {
    if (ballots.length < 2) return [];
    return ballots.map((ballot) => {
      const { content: { id, size }, seeds } = ballot;
      const setAside = this.#trials.reasonOf(ballot);
      return { id, size, seeds, ...setAside === undefined ? {} : { setAside } };
    });
  }

  /** How it uses the network paths to its sources; empty unless pieces are transferred. */
  lines(nowMs: number): LineUse[] {
    return this.#phase.kind === "transferring" ? this.#phase.transfer.lines(nowMs) : [];
  }

  /** @returns whether there may be something new to do */
  #apply(event: DownloadEvent, nowMs: number): boolean {
    switch (event.kind) {
      case "sourceAppeared":
        this.#add(event.source, nowMs);
        return true;
      case "sourceHas":
        this.#limit(event.source, event.pieces);
        return true;
      case "sourceGained":
        this.#gain(event.source, event.pieces, event.queue);
        return true;
      case "sourceSuggests": {
        const source = this.#sources.get(event.source);
        if (source) source.suggestions = event.suggestions;
        return true;
      }
      case "sourceLeft":
        this.#leave(event.source);
        return true;
      case "measured":
        this.#sources.get(event.source)?.line.measured(event.roundTripMs, event.connections);
        return false;
      case "answered":
        this.#answered(event.source, event.answer, nowMs);
        return true;
      case "opened":
        this.#opened(event, nowMs);
        return true;
      case "rejected":
        this.#rejected(event.why, nowMs);
        return true;
      case "timer":
        return true;
      default:
        return this.#inTransfer(event, nowMs);
    }
  }

  #inTransfer(
    event: Exclude<
      DownloadEvent,
      {
        kind:
          | "sourceAppeared"
          | "sourceHas"
          | "sourceGained"
          | "sourceSuggests"
          | "sourceLeft"
          | "measured"
          | "answered"
          | "opened"
          | "rejected"
          | "timer";
      }
    >,
    nowMs: number,
  ): boolean {
    if (this.#phase.kind !== "transferring") return false;
    const { transfer } = this.#phase;
    if (event.kind === "resting") transfer.rest(nowMs);
    else if (event.kind === "consumed") transfer.consumed(event.piece, nowMs);
    else if (event.kind === "budget") transfer.setBudget(event.maxInFlight);
    else return transfer.handle(event, nowMs);
    return true;
  }

  /** Any event may be the first one after a suspension, during which no source could be heard. */
  #excuseSuspension(nowMs: number): void {
    if (nowMs - this.#wakeAtMs < SUSPEND_THRESHOLD_MS) return;
    const ms = nowMs - this.#plannedAtMs;
    this.#wakeAtMs = Infinity;
    const phase = this.#phase;
    if (phase.kind === "resolving") phase.resolve.suspended(ms);
    if (phase.kind === "transferring") phase.transfer.suspended(ms, nowMs);
  }

  #add(source: NewSource, nowMs: number): void {
    if (source.peer) return this.#addPeer(source, source.peer.pieces, nowMs);
    if (this.#sources.has(source.id)) return;
    // A new map would be unknown to the phases, which share this one.
    this.#sources.set(source.id, new SourceState(source, nowMs));
  }

  /** A peer said that it has the content: it may be asked at once. One that sent wrong bytes is not taken again. */
  #addPeer(source: NewSource, pieces: ReadonlySet<number>, nowMs: number): void {
    if (this.#phase.kind !== "transferring") return;
    const { transfer } = this.#phase;
    const known = this.#sources.get(source.id);
    if (known && !(known.isPeer && known.dropped && !known.isCorrupt)) return;
    const state = new SourceState({ ...source, peer: { pieces: new Set() } }, nowMs);
    this.#sources.set(source.id, state);
    transfer.gain(state, Array.from(pieces));
    transfer.joined(state, nowMs);
  }

  #gain(id: string, pieces: readonly number[], queue: number | undefined): void {
    const source = this.#sources.get(id);
    if (source === undefined) return;
    if (queue !== undefined) source.queue = queue;
    if (this.#phase.kind === "transferring") this.#phase.transfer.gain(source, pieces);
    else source.gain(pieces);
  }

  #leave(id: string): void {
    const source = this.#sources.get(id);
    if (!source?.isPeer) return;
    if (this.#phase.kind === "transferring") this.#phase.transfer.drop(source, "left");
    else source.drop();
  }

  #limit(id: string, pieces: ReadonlySet<number>): void {
    const source = this.#sources.get(id);
    if (source === undefined) return;
    if (this.#phase.kind === "transferring") this.#phase.transfer.limit(source, pieces);
    else source.limitTo(pieces);
  }

  #answered(id: string, answer: SourceAnswer, nowMs: number): void {
    const source = this.#sources.get(id);
    if (source === undefined || source.dropped) return;
    source.answer = answer;
    switch (this.#phase.kind) {
      case "resolving":
        this.#reportAnswer(source, answer);
        return this.#phase.resolve.answered(source, answer, nowMs);
      case "transferring":
        return this.#answeredInTransfer(source, answer, this.#phase, nowMs);
      default:
        // It is compared with the content when the transfer begins.
        source.status = { kind: "answered" };
    }
  }

  #reportAnswer(source: SourceState, answer: SourceAnswer): void {
    const report = { kind: "report", source: source.id } as const;
    switch (answer.kind) {
      case "lacks":
        return void this.#commands.push({ ...report, change: "lacks", reason: "lost-file" });
      case "later": {
        const { reason, retryAfterMs: retryInMs, percent } = answer;
        const progress = percent === undefined ? {} : { percent };
        this.#commands.push({ ...report, change: "busy", reason, retryInMs, ...progress });
        return;
      }
      case "failed":
        return void this.#commands.push({ ...report, change: "failing", reason: answer.reason });
      case "refused":
        this.#commands.push({ ...report, change: "dropped", reason: answer.reason });
    }
  }

  #answeredInTransfer(
    source: SourceState,
    answer: SourceAnswer,
    { choice, transfer }: Extract<Phase, { kind: "transferring" }>,
    nowMs: number,
  ): void {
    const compared = compareAnswer(answer, choice.content, this.#options.requireVerified);
    if (compared === "holds") {
      this.#report(source, "joined", "holds");
      return transfer.joined(source, nowMs);
    }
    if (typeof compared === "object") {
      this.#report(source, "dissents", compared);
      if (answer.kind === "manifest" && !this.#isPinned) transfer.metRival();
      return transfer.drop(source, compared);
    }
    const failure = failureOf(answer);
    if (failure === undefined) return transfer.drop(source, "lost-file");
    transfer.fail(source, failure, nowMs);
  }

  #report(
    source: SourceState,
    change: "joined" | "dissents",
    reason: Extract<DownloadCommand, { kind: "report" }>["reason"],
  ): void {
    this.#commands.push({ kind: "report", source: source.id, change, reason });
  }

  get #isPinned(): boolean {
    const { id, sha256 } = this.#options.wanted;
    return id !== undefined || sha256 !== undefined;
  }

  #resolving(nowMs: number): Phase {
    const resolve = new ResolvePhase(this.#options, this.#trials, this.#sources, nowMs);
    return { kind: "resolving", resolve };
  }

  /** The file is open: the transfer begins, or begins again with pieces that turned out to be wrong. */
  #opened(event: Extract<DownloadEvent, { kind: "opened" }>, nowMs: number): void {
    const phase = this.#phase;
    if (phase.kind !== "storing") return;
    const { choice, hasRival } = phase;
    const { layout, missing, begun, maxInFlight, windowPieces } = event;
    this.#renewSources(nowMs);
    for (const source of this.#sources.values()) this.#admit(source, choice, nowMs);
    const { giveUpMs, stallMs, minBytesPerSecond, random } = this.#options;
    const transfer = new TransferPhase(
      {
        layout,
        missing: missing.length,
        picker: this.#newPicker(missing, windowPieces),
        begun,
        maxInFlight,
        giveUpMs,
        rivalGiveUpMs: rivalTimeoutMs(giveUpMs, stallMs, Math.max(2, choice.eligible)),
        hasRival,
        minBytesPerSecond,
        random,
        streamFrom: windowPieces === undefined ? undefined : missing[0],
      },
      this.#sources,
      this.#commands,
      this.#nextRequest,
      nowMs,
    );
    this.#phase = { kind: "transferring", choice, transfer };
  }

  #newPicker(missing: readonly number[], windowPieces: number | undefined): PiecePicker {
    const { order, random } = this.#options;
    return order === "rarest-first" && windowPieces === undefined
      ? new RarestFirstPicker(missing, random)
      : new InOrderPicker(missing, windowPieces);
  }

  #admit(source: SourceState, { content }: Choice, nowMs: number): void {
    // It holds the content, or it would not be here.
    if (source.isPeer) {
      if (source.status.kind !== "dropped") source.status = { kind: "ready" };
      return;
    }
    const { answer, status } = source;
    const compared = answer && compareAnswer(answer, content, this.#options.requireVerified);
    if (compared === "holds") source.status = { kind: "ready" };
    else if (compared === "out" || typeof compared === "object") source.drop();
    else if (status.kind === "answered") source.status = { kind: "waiting", untilMs: nowMs };
  }

  #renewSources(nowMs: number): void {
    this.#sources = new Map(
      Array.from(this.#sources, ([id, source]) => [id, source.renewed(nowMs)]),
    );
  }

  #rejected(why: SetAsideReason, nowMs: number): void {
    const phase = this.#phase;
    if (phase.kind !== "storing" && phase.kind !== "transferring") return;
    // The digest that the user asked for may be that of another content.
    const hasRival = why === "wrong-sha256" || phase.choice.eligible > 1;
    this.#setAside(phase.choice, why, hasRival, undefined, nowMs);
  }

  #setAside(
    choice: Choice,
    why: SetAsideReason,
    hasRival: boolean,
    giveUp: GiveUp | undefined,
    nowMs: number,
  ): void {
    this.#trials.setAside(ballotOf(choice), why);
    const { content } = choice;
    const reason = giveUp === undefined ? {} : { giveUp };
    this.#commands.push({ kind: "setAside", content, hasRival, ...reason });
    // That no content has the digest says more than that one of them had another one.
    this.#hasFailedContent = why !== "wrong-sha256" || !hasRival;
    if (!hasRival) return this.#fail("set-aside");
    // Peers have the content that was given up, and no vote on the next one.
    for (const { id, isPeer } of this.#sources.values()) if (isPeer) this.#sources.delete(id);
    this.#renewSources(nowMs);
    for (const source of this.#sources.values()) {
      source.answer = undefined;
      if (source.status.kind !== "probing") source.status = { kind: "waiting", untilMs: nowMs };
    }
    this.#phase = this.#resolving(nowMs);
  }

  #fail(failure: Extract<DownloadCommand, { kind: "fail" }>["failure"]): void {
    this.#phase = { kind: "over" };
    this.#commands.push({ kind: "fail", failure });
  }

  #plan(nowMs: number): void {
    const phase = this.#phase;
    if (phase.kind === "resolving") this.#planResolving(phase.resolve, nowMs);
    else if (phase.kind === "transferring") this.#planTransfer(phase, nowMs);
  }

  #planResolving(resolve: ResolvePhase, nowMs: number): void {
    this.#probe(nowMs);
    const resolution = resolve.decide(nowMs);
    if (resolution.kind === "undecided") return this.#setTimer(resolution.lookAtMs, nowMs);
    if (resolution.kind === "failed") {
      return this.#fail(this.#hasFailedContent ? "set-aside" : resolution.failure);
    }
    const { choice } = resolution;
    this.#reportDissenters(choice);
    this.#phase = { kind: "storing", choice, hasRival: choice.eligible > 1 };
    this.#wakeAtMs = Infinity;
    this.#commands.push({ kind: "open", choice });
  }

  #reportDissenters({ content }: Choice): void {
    for (const source of this.#sources.values()) {
      const { answer } = source;
      const compared = answer && compareAnswer(answer, content, this.#options.requireVerified);
      if (typeof compared === "object") this.#report(source, "dissents", compared);
    }
  }

  #planTransfer(
    { choice, transfer }: Extract<Phase, { kind: "transferring" }>,
    nowMs: number,
  ): void {
    this.#probe(nowMs);
    const step = transfer.plan(nowMs);
    this.#nextRequest = transfer.nextRequest;
    switch (step.kind) {
      case "waiting":
        return this.#setTimer(step.lookAtMs, nowMs);
      case "complete":
        this.#phase = { kind: "storing", choice, hasRival: transfer.hasRival };
        this.#wakeAtMs = Infinity;
        return void this.#commands.push({ kind: "finish" });
      case "giveUp": {
        const { giveUp } = step;
        this.#setAside(choice, giveUp.why, transfer.hasRival, giveUp, nowMs);
        return this.#plan(nowMs);
      }
    }
  }

  /** Asks the sources whose pause is over what they hold. */
  #probe(nowMs: number): void {
    for (const source of this.#sources.values()) {
      if (source.status.kind !== "waiting" || source.status.untilMs > nowMs) continue;
      source.status = { kind: "probing" };
      this.#commands.push({ kind: "probe", source: source.id });
    }
  }

  #setTimer(atMs: number, nowMs: number): void {
    this.#plannedAtMs = nowMs;
    this.#wakeAtMs = atMs;
    this.#commands.push({ kind: "setTimer", atMs });
  }

  #takeCommands(): DownloadCommand[] {
    // The phases keep the array, so it is emptied and not replaced.
    return this.#commands.splice(0);
  }
}

/** What an answer that offers nothing means to the transfer; undefined: it does not have the file. */
function failureOf(answer: SourceAnswer): PieceFailure | undefined {
  switch (answer.kind) {
    case "later":
      return { kind: "busy", reason: answer.reason, retryAfterMs: answer.retryAfterMs };
    case "failed":
      return { kind: "lost", reason: answer.reason };
    case "refused":
      return { kind: "refused", reason: answer.reason };
    default:
      return undefined;
  }
}

function ballotOf({ ballots, content, holders }: Choice): Ballot {
  return ballots.find((ballot) =>
    ballot.content.id === content.id && ballot.content.size === content.size
  ) ?? { content, seeds: holders, claims: new Set() };
}
