/**
 * Which bytes a name means, and who holds them: asks every seed, groups the
 * answers by content, and decides once enough have spoken. Pure, like the
 * scheduler.
 *
 * The manifest held by most seeds wins, on a tie the lowest id; where nobody
 * offers a manifest, the size that most old seeds tell.
 */
import { type BackoffLimits, backoffMs } from "../base/backoff.ts";
import { SUSPEND_THRESHOLD_MS } from "../base/clock.ts";
import type { ErrorCode } from "../base/errors.ts";
import { ContentTrials } from "./content_trials.ts";
import {
  type Ballot,
  compareAnswer,
  type ContentCandidate,
  countSizes,
  countVotes,
  failureReason,
  mayChange,
  type SeedAnswer,
} from "./content_vote.ts";

export type ResolverEvent =
  | { readonly kind: "answered"; readonly seed: string; readonly answer: SeedAnswer }
  | { readonly kind: "timer" };

export type ResolverCommand =
  | { readonly kind: "probe"; readonly seed: string }
  | { readonly kind: "setTimer"; readonly atMs: number }
  | { readonly kind: "dissent"; readonly seed: string; readonly reason: string }
  | {
    readonly kind: "chosen";
    readonly content: ContentCandidate;
    readonly holders: readonly string[];
    /** Seeds that may still turn out to hold it. */
    readonly others: readonly string[];
    /** All contents that seeds hold, the chosen one among them. */
    readonly ballots: readonly Ballot[];
    /** How many of them may be tried. */
    readonly eligible: number;
  }
  | { readonly kind: "hopeless"; readonly code: ErrorCode; readonly reason: string };

export interface ResolverOptions {
  readonly name: string;
  readonly seeds: readonly {
    readonly name: string;
    /** Whether it was of no use lately: then nobody waits for its answer. */
    readonly troubled: boolean;
    /** Whether it was reached before: then its failures are an outage, which may end. */
    readonly known: boolean;
  }[];
  /** The user's word on what the bytes are, hex; an id may be cut short. */
  readonly wanted: {
    readonly sha256: string | undefined;
    readonly id: string | undefined;
  };
  /** What was tried before. */
  readonly trials?: ContentTrials;
  readonly requireVerified: boolean;
  readonly giveUpMs: number;
  readonly random: () => number;
}

interface Candidate {
  readonly name: string;
  readonly troubled: boolean;
  readonly known: boolean;
  answer: SeedAnswer | undefined;
  /** How far its hashing was when it told last. */
  percent: number;
  /** When it got on with its hashing last. */
  gotOnAtMs: number;
  /** Of the file that it hashes. */
  size: number | undefined;
  asking: boolean;
  askAgainAt: number;
  failures: number;
}

/** Three round trips to a seed on the other side of the world, and a hiccup. */
const VOTE_GRACE_MS = 2000;
/** A seed whose hashing does not get on for so long does not keep the vote open. */
const HASHING_STALL_MS = 30_000;
/** Any disk is faster: hashing that takes longer than the file at this speed does not keep the vote open. */
const MIN_HASH_BYTES_PER_MS = 8 * 1024;
/** A seed that is being restarted is back within these tries; a wrong address costs a second or two. */
const TRIES: BackoffLimits & { readonly most: number } = { most: 3, firstMs: 400, maxMs: 2000 };

export class Resolver {
  readonly #options: ResolverOptions;
  readonly #candidates: Map<string, Candidate>;
  /** When it planned last, and when it was to be woken: a machine that sleeps wakes much later. */
  #plannedAtMs: number;
  #wakeAtMs = Infinity;
  /** When something was last heard that gives hope. */
  #hopefulAt: number;
  #firstManifestAt: number | undefined;
  readonly #startedAtMs: number;
  readonly #trials: ContentTrials;
  #over = false;
  #commands: ResolverCommand[] = [];

  constructor(options: ResolverOptions, nowMs: number) {
    this.#options = options;
    this.#trials = options.trials ?? new ContentTrials();
    this.#startedAtMs = this.#hopefulAt = this.#plannedAtMs = nowMs;
    this.#candidates = new Map(options.seeds.map(({ name, troubled, known }) => [name, {
      name,
      troubled,
      known,
      answer: undefined,
      percent: 0,
      gotOnAtMs: nowMs,
      size: undefined,
      asking: false,
      askAgainAt: nowMs,
      failures: 0,
    }]));
  }

  start(nowMs: number): ResolverCommand[] {
    return this.#plan(nowMs);
  }

  handle(fact: ResolverEvent, nowMs: number): ResolverCommand[] {
    if (this.#over) return [];
    // A machine that slept heard nobody, which is no seed's silence.
    if (nowMs - this.#wakeAtMs >= SUSPEND_THRESHOLD_MS) {
      this.#hopefulAt += nowMs - this.#plannedAtMs;
    }
    if (fact.kind === "answered") this.#onAnswer(fact.seed, fact.answer, nowMs);
    return this.#plan(nowMs);
  }

  #onAnswer(seed: string, answer: SeedAnswer, nowMs: number): void {
    const candidate = this.#candidates.get(seed)!;
    candidate.asking = false;
    candidate.answer = answer;
    candidate.askAgainAt = Infinity;
    if (answer.kind === "later") {
      // With jitter, so that all who were sent away do not come back at once.
      candidate.askAgainAt = nowMs + answer.retryAfterMs * (1 + this.#options.random() / 4);
      // A large file takes its time; as long as it gets on, nobody gives up.
      const percent = answer.percent ?? 0;
      if (percent > candidate.percent) this.#hopefulAt = candidate.gotOnAtMs = nowMs;
      candidate.size = answer.size ?? candidate.size;
      candidate.percent = Math.max(candidate.percent, percent);
    }
    if (answer.kind === "failed") {
      const failures = ++candidate.failures;
      const random = this.#options.random();
      if (failures < TRIES.most) candidate.askAgainAt = nowMs + backoffMs(failures, random, TRIES);
      else if (candidate.known) candidate.askAgainAt = nowMs + backoffMs(failures, random);
    }
  }

  #plan(nowMs: number): ResolverCommand[] {
    for (const candidate of this.#candidates.values()) {
      if (candidate.asking || candidate.askAgainAt > nowMs) continue;
      candidate.asking = true;
      this.#commands.push({ kind: "probe", seed: candidate.name });
    }
    this.#decide(nowMs);
    const actions = this.#commands;
    this.#commands = [];
    return actions;
  }

  #decide(nowMs: number): void {
    const candidates = Array.from(this.#candidates.values());
    const ballots = this.#ballots(candidates);
    if (ballots.length > 0) this.#firstManifestAt ??= nowMs;
    const patient = nowMs - this.#hopefulAt < this.#options.giveUpMs;
    if (ballots.length > 0 && (!patient || this.#isVoteClosed(ballots, candidates, nowMs))) {
      return this.#choose(ballots, candidates);
    }
    if (patient && candidates.some((one) => one.asking || one.askAgainAt < Infinity)) {
      return this.#setTimer(candidates, nowMs);
    }
    const sizes = this.#sizes(candidates);
    if (sizes.length > 0 && !this.#options.requireVerified) return this.#choose(sizes, candidates);
    this.#giveUp(candidates);
  }

  /** Enough when no seed is left that may change the choice, or has taken too long. */
  #isVoteClosed(ballots: readonly Ballot[], candidates: Candidate[], nowMs: number): boolean {
    const answered = candidates.every(({ answer, troubled }) =>
      troubled || (answer && answer.kind !== "later")
    );
    if (answered) return true;
    const hashing = this.#isPinned() ? [] : candidates.filter((one) => this.#getsOn(one, nowMs));
    const waitsForHashing = hashing.length > 0 && this.#mayChange(ballots, hashing);
    if (waitsForHashing) return false;
    if (nowMs - this.#firstManifestAt! >= VOTE_GRACE_MS) return true;
    // Seeds that hash keep the vote open only as long as they can change it.
    return !this.#isPinned() &&
      candidates.every((one) =>
        one.troubled || hashing.includes(one) || (one.answer && one.answer.kind !== "later")
      );
  }

  #isPinned(): boolean {
    const { id, sha256 } = this.#options.wanted;
    return id !== undefined || sha256 !== undefined;
  }

  /** Whether a seed hashes the file, and gets on with it. */
  #getsOn({ answer, asking, gotOnAtMs, size = 0, percent }: Candidate, nowMs: number): boolean {
    const isHashing = answer?.kind === "later" && answer.percent !== undefined;
    if (!isHashing || percent >= 100 && asking) return isHashing;
    const maxMs = this.#options.giveUpMs + size / MIN_HASH_BYTES_PER_MS;
    return nowMs - gotOnAtMs < HASHING_STALL_MS && nowMs - this.#startedAtMs < maxMs;
  }

  #mayChange(ballots: readonly Ballot[], hashing: readonly Candidate[]): boolean {
    // A seed that did not fail yet goes before those whose content was set aside.
    const failures = this.#trials.failuresOf(ballots[0]!);
    if (hashing.some(({ name }) => this.#trials.failuresOf({ seeds: [name] }) < failures)) {
      return true;
    }
    return mayChange(ballots, hashing.map(({ size }) => size));
  }

  #setTimer(candidates: Candidate[], nowMs: number): void {
    const times = candidates.map(({ asking, askAgainAt }) => asking ? Infinity : askAgainAt);
    const grace = (this.#firstManifestAt ?? Infinity) + VOTE_GRACE_MS;
    if (grace > nowMs) times.push(grace);
    for (const one of candidates) {
      const stallAt = one.gotOnAtMs + HASHING_STALL_MS;
      if (this.#getsOn(one, nowMs) && stallAt > nowMs) times.push(stallAt);
    }
    this.#plannedAtMs = nowMs;
    this.#wakeAtMs = Math.min(this.#hopefulAt + this.#options.giveUpMs, ...times);
    this.#commands.push({ kind: "setTimer", atMs: this.#wakeAtMs });
  }

  #isWanted({ content: { id }, claims }: Ballot): boolean {
    const { wanted } = this.#options;
    if (wanted.sha256 !== undefined && !claims.has(wanted.sha256)) return false;
    return (id ?? "").startsWith(wanted.id ?? "");
  }

  #answers(candidates: Candidate[]): (readonly [string, SeedAnswer])[] {
    return candidates.flatMap(({ name, answer }) => answer ? [[name, answer] as const] : []);
  }

  /** The contents that may be chosen, the winner first. */
  #ballots(candidates: Candidate[]): Ballot[] {
    const wanted = countVotes(this.#answers(candidates)).filter((one) => this.#isWanted(one));
    return this.#trials.eligible(wanted);
  }

  #sizes(candidates: Candidate[]): Ballot[] {
    // An id was asked for, and an old seed cannot tell whether its bytes have it.
    if (this.#options.wanted.id !== undefined) return [];
    return this.#trials.eligible(countSizes(this.#answers(candidates)));
  }

  #choose(eligible: readonly Ballot[], candidates: Candidate[]): void {
    const { wanted } = this.#options;
    const { id, size, sha256: claimed } = eligible[0]!.content;
    const sha256 = id === null ? null : wanted.sha256 ?? claimed;
    if (wanted.id !== undefined && eligible.length > 1) {
      return this.#fail(
        "usage",
        `several contents have an id that begins with "${wanted.id}"`,
      );
    }
    const holders: string[] = [];
    const others: string[] = [];
    for (const { name, answer } of candidates) {
      const says = answer &&
        compareAnswer(answer, { id, size, sha256 }, this.#options.requireVerified);
      if (says === "holds") holders.push(name);
      else if (says === undefined || says === "open") others.push(name);
      else if (says !== "out") {
        this.#commands.push({ kind: "dissent", seed: name, reason: says.differs });
      }
    }
    this.#over = true;
    const answers = this.#answers(candidates);
    this.#commands.push({
      kind: "chosen",
      content: { id, size, sha256 },
      holders,
      others,
      ballots: [...countVotes(answers), ...id === null ? countSizes(answers) : []],
      eligible: eligible.length,
    });
  }

  /** Nobody has what is wanted: why, in the words that help most. */
  #giveUp(candidates: Candidate[]): void {
    const { name, wanted, requireVerified } = this.#options;
    const answers = candidates.flatMap(({ answer }) => answer ?? []);
    if (
      answers.some(({ kind }) =>
        kind === "manifest" || (kind === "size" && wanted.id !== undefined)
      )
    ) {
      return this.#fail("corrupt", `no seed has "${name}" with that id or checksum`);
    }
    if (requireVerified && answers.some(({ kind }) => kind === "size")) {
      return this.#fail(
        "protocol",
        `no seed offers a manifest for "${name}", so it could not be verified`,
      );
    }
    const { code, reason } = failureReason(`"${name}"`, answers);
    this.#fail(code, reason);
  }

  #fail(code: ErrorCode, reason: string): void {
    this.#over = true;
    this.#commands.push({ kind: "hopeless", code, reason });
  }
}
