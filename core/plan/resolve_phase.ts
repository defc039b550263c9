/**
 * The first phase of a download: which bytes a name means, and which sources hold them.
 *
 * Every source is asked and the answers are grouped by content. The manifest that most sources hold
 * wins, on a tie the lowest id; where no source offers a manifest, the size that most of them give.
 */
import { type BackoffLimits, backoffMs } from "../base/backoff.ts";
import type { ContentTrials } from "./content_trials.ts";
import {
  type Ballot,
  compareAnswer,
  countSizes,
  countVotes,
  mayChange,
  type SourceAnswer,
} from "./content_vote.ts";
import type { Choice, ResolveFailure } from "./messages.ts";
import type { SourceState } from "./source_state.ts";

export interface ResolveOptions {
  /** The content that the user wants, hex; the id may be a beginning of one. */
  readonly wanted: { readonly sha256: string | undefined; readonly id: string | undefined };
  readonly requireVerified: boolean;
  /** Different contents are a failure, unless the user named one. */
  readonly requireAgreement?: boolean;
  readonly giveUpMs: number;
  readonly random: () => number;
}

/** What the phase comes to: a choice, a failure, or to look again at a time. */
export type Resolution =
  | { readonly kind: "chosen"; readonly choice: Choice }
  | { readonly kind: "failed"; readonly failure: ResolveFailure }
  | { readonly kind: "undecided"; readonly lookAtMs: number };

/** Three round trips to the other side of the world, and a hiccup. */
const VOTE_GRACE_MS = 2000;
/** A source whose hashing makes no progress for this long does not keep the vote open. */
const HASHING_STALL_MS = 30_000;
/** Every disk is faster: hashing that takes longer than the file at this rate does not keep the vote open. */
const MIN_HASH_BYTES_PER_MS = 8 * 1024;
/** A seed that restarts is back within these probes; a wrong address costs a second or two. */
const PROBE_BACKOFF: BackoffLimits = { firstMs: 400, maxMs: 2000 };
const MAX_FAILED_PROBES = 3;

export class ResolvePhase {
  readonly #options: ResolveOptions;
  readonly #trials: ContentTrials;
  readonly #sources: ReadonlyMap<string, SourceState>;
  readonly #startedAtMs: number;
  /** When an answer last gave reason to wait. */
  #hopefulAtMs: number;
  #firstManifestAtMs: number | undefined;

  constructor(
    options: ResolveOptions,
    trials: ContentTrials,
    sources: ReadonlyMap<string, SourceState>,
    nowMs: number,
  ) {
    this.#options = options;
    this.#trials = trials;
    this.#sources = sources;
    this.#startedAtMs = this.#hopefulAtMs = nowMs;
  }

  /** The computer was suspended for `ms`, which is no source's silence. */
  suspended(ms: number): void {
    this.#hopefulAtMs += ms;
  }

  answered(source: SourceState, answer: SourceAnswer, nowMs: number): void {
    const { random } = this.#options;
    source.status = { kind: "answered" };
    if (answer.kind === "later") {
      const { percent } = source.hashing;
      // With jitter, so that postponed clients do not come back at the same time.
      source.postpone(nowMs + answer.retryAfterMs * (1 + random() / 4), answer, nowMs);
      if (source.hashing.percent > percent) this.#hopefulAtMs = nowMs;
    }
    if (answer.kind === "failed") {
      const failures = ++source.failedProbes;
      const fraction = random();
      const limits = failures < MAX_FAILED_PROBES ? PROBE_BACKOFF : undefined;
      // A source that was reached before has an outage, which may end.
      if (!limits && !source.known) return;
      const pauseMs = backoffMs(failures, fraction, limits);
      source.status = { kind: "waiting", untilMs: nowMs + pauseMs };
    }
  }

  decide(nowMs: number): Resolution {
    const sources = Array.from(this.#sources.values());
    const ballots = this.#ballots(sources);
    if (ballots.length > 0) this.#firstManifestAtMs ??= nowMs;
    const hasTime = nowMs - this.#hopefulAtMs < this.#options.giveUpMs;
    if (ballots.length > 0 && (!hasTime || this.#isVoteClosed(ballots, sources, nowMs))) {
      return this.#choose(ballots, sources);
    }
    if (hasTime && sources.some(isUndecided)) {
      return { kind: "undecided", lookAtMs: this.#nextLook(sources, nowMs) };
    }
    const sizes = this.#sizes(sources);
    if (sizes.length > 0 && !this.#options.requireVerified) return this.#choose(sizes, sources);
    return { kind: "failed", failure: this.#failure(sources) };
  }

  /** The vote is closed when no source is left that may change the choice, or has taken too long. */
  #isVoteClosed(ballots: readonly Ballot[], sources: SourceState[], nowMs: number): boolean {
    if (sources.every((source) => source.troubled || hasSettled(source))) return true;
    const hashing = this.#isPinned
      ? []
      : sources.filter((source) => this.#isHashing(source, nowMs));
    if (hashing.length > 0 && this.#mayChange(ballots, hashing)) return false;
    if (nowMs - this.#firstManifestAtMs! >= VOTE_GRACE_MS) return true;
    // Sources that hash keep the vote open only as long as they can change it.
    return !this.#isPinned &&
      sources.every((one) => one.troubled || hashing.includes(one) || hasSettled(one));
  }

  /** Whether the user said which content it must be. */
  get #isPinned(): boolean {
    const { id, sha256 } = this.#options.wanted;
    return id !== undefined || sha256 !== undefined;
  }

  /** Whether a source hashes the file and makes progress. */
  #isHashing({ answer, status, hashing }: SourceState, nowMs: number): boolean {
    const isHashing = answer?.kind === "later" && answer.percent !== undefined;
    if (!isHashing) return false;
    const { percent, grewAtMs, size = 0 } = hashing;
    if (percent >= 100 && status.kind === "probing") return true;
    const maxMs = this.#options.giveUpMs + size / MIN_HASH_BYTES_PER_MS;
    return nowMs - grewAtMs < HASHING_STALL_MS && nowMs - this.#startedAtMs < maxMs;
  }

  #mayChange(ballots: readonly Ballot[], hashing: readonly SourceState[]): boolean {
    // A source that did not fail yet goes before those whose content was set aside.
    const failures = this.#trials.failuresOf(ballots[0]!);
    if (hashing.some(({ id }) => this.#trials.failuresOf({ seeds: [id] }) < failures)) return true;
    return mayChange(ballots, hashing.map(({ hashing: { size } }) => size));
  }

  #nextLook(sources: SourceState[], nowMs: number): number {
    const times = sources.flatMap(({ status }) => status.kind === "waiting" ? status.untilMs : []);
    const graceEndsMs = (this.#firstManifestAtMs ?? Infinity) + VOTE_GRACE_MS;
    if (graceEndsMs > nowMs) times.push(graceEndsMs);
    for (const source of sources) {
      const stallsAtMs = source.hashing.grewAtMs + HASHING_STALL_MS;
      if (this.#isHashing(source, nowMs) && stallsAtMs > nowMs) times.push(stallsAtMs);
    }
    return Math.min(this.#hopefulAtMs + this.#options.giveUpMs, ...times);
  }

  /** The contents with a manifest that may be chosen, the winner first. */
  #ballots(sources: SourceState[]): Ballot[] {
    const { wanted: { id, sha256 } } = this.#options;
    const wanted = countVotes(answersOf(sources)).filter(({ content, claims }) =>
      (sha256 === undefined || claims.has(sha256)) && (content.id ?? "").startsWith(id ?? "")
    );
    return this.#trials.eligible(wanted);
  }

  #sizes(sources: SourceState[]): Ballot[] {
    // A source without manifests cannot tell whether its bytes have the id.
    if (this.#options.wanted.id !== undefined) return [];
    return this.#trials.eligible(countSizes(answersOf(sources)));
  }

  #choose(eligible: readonly Ballot[], sources: SourceState[]): Resolution {
    const { wanted, requireVerified } = this.#options;
    if (wanted.id !== undefined && eligible.length > 1) {
      return { kind: "failed", failure: { kind: "ambiguous-id", id: wanted.id } };
    }
    const answers = answersOf(sources);
    if (this.#options.requireAgreement && !this.#isPinned && countVotes(answers).length > 1) {
      return { kind: "failed", failure: { kind: "disagreement" } };
    }
    const { id, size, sha256: claimed } = eligible[0]!.content;
    const content = { id, size, sha256: id === null ? null : wanted.sha256 ?? claimed };
    const holders: string[] = [];
    const others: string[] = [];
    for (const { id, answer } of sources) {
      const compared = answer && compareAnswer(answer, content, requireVerified);
      if (compared === "holds") holders.push(id);
      else if (compared === undefined || compared === "open") others.push(id);
    }
    const ballots = [...countVotes(answers), ...id === null ? countSizes(answers) : []];
    return {
      kind: "chosen",
      choice: { content, holders, others, ballots, eligible: eligible.length },
    };
  }

  #failure(sources: SourceState[]): ResolveFailure {
    const { wanted, requireVerified } = this.#options;
    const answers = sources.flatMap(({ answer }) => answer ?? []);
    const has = (kind: SourceAnswer["kind"]) => answers.some((answer) => answer.kind === kind);
    if (has("manifest") || has("size") && wanted.id !== undefined) {
      return { kind: "no-such-content" };
    }
    if (requireVerified && has("size")) return { kind: "no-manifest" };
    return { kind: "no-source", answers };
  }
}

function answersOf(sources: readonly SourceState[]): (readonly [string, SourceAnswer])[] {
  return sources.flatMap(({ id, answer }) => answer ? [[id, answer] as const] : []);
}

/** Whether it will be asked, or is being asked. */
function isUndecided({ status }: SourceState): boolean {
  return status.kind === "probing" || status.kind === "waiting";
}

/** Whether its last answer tells what it holds, or that it holds nothing. */
function hasSettled({ answer }: SourceState): boolean {
  return answer !== undefined && answer.kind !== "later";
}
