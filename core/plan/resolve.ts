/**
 * Which bytes a name means, and who holds them: asks every seed, groups the
 * answers by content, and decides once enough have spoken. Pure, like the
 * scheduler.
 *
 * The manifest held by most seeds wins, on a tie the lowest id; where nobody
 * offers a manifest, the size that most old seeds tell.
 */
import { type BackoffLimits, backoffMs } from "../base/backoff.ts";
import { OVERSLEPT_MS } from "../base/clock.ts";
import type { ErrorCode } from "../base/errors.ts";
import { byContent, type Content, type SeedAnswer, standing, whyNobody } from "./content_vote.ts";

export type ResolverEvent =
  | { readonly kind: "answered"; readonly seed: string; readonly answer: SeedAnswer }
  | { readonly kind: "woken" };

export type ResolverCommand =
  | { readonly kind: "probe"; readonly seed: string }
  | { readonly kind: "setTimer"; readonly atMs: number }
  | { readonly kind: "dissent"; readonly seed: string; readonly reason: string }
  | {
    readonly kind: "chosen";
    readonly content: Content;
    readonly holders: readonly string[];
    /** Seeds that may still turn out to hold it. */
    readonly others: readonly string[];
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
    /** Contents that turned out not to be what their manifest said. */
    readonly excluded?: ReadonlySet<string>;
  };
  readonly requireVerified: boolean;
  readonly giveUpMs: number;
  readonly random: () => number;
}

type Groups = readonly (readonly [Content, ...Content[]])[];

interface Candidate {
  readonly name: string;
  readonly troubled: boolean;
  readonly known: boolean;
  answer: SeedAnswer | undefined;
  /** How far its hashing was when it told last. */
  percent: number;
  asking: boolean;
  askAgainAt: number;
  failures: number;
}

/** Three round trips to a seed on the other side of the world, and a hiccup. */
const GRACE_MS = 2000;
/** A seed that is being restarted is back within these tries; a wrong address costs a second or two. */
const TRIES: BackoffLimits & { readonly most: number } = { most: 3, firstMs: 400, mostMs: 2000 };

export class Resolver {
  readonly #options: ResolverOptions;
  readonly #candidates: Map<string, Candidate>;
  /** When it planned last, and when it was to be woken: a machine that sleeps wakes much later. */
  #plannedAtMs: number;
  #wakeAtMs = Infinity;
  /** When something was last heard that gives hope. */
  #hopefulAt: number;
  #firstManifestAt: number | undefined;
  #over = false;
  #actions: ResolverCommand[] = [];

  constructor(options: ResolverOptions, nowMs: number) {
    this.#options = options;
    this.#hopefulAt = this.#plannedAtMs = nowMs;
    this.#candidates = new Map(options.seeds.map(({ name, troubled, known }) => [name, {
      name,
      troubled,
      known,
      answer: undefined,
      percent: 0,
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
    if (nowMs - this.#wakeAtMs >= OVERSLEPT_MS) this.#hopefulAt += nowMs - this.#plannedAtMs;
    if (fact.kind === "answered") this.#hear(fact.seed, fact.answer, nowMs);
    return this.#plan(nowMs);
  }

  #hear(seed: string, answer: SeedAnswer, nowMs: number): void {
    const candidate = this.#candidates.get(seed)!;
    candidate.asking = false;
    candidate.answer = answer;
    candidate.askAgainAt = Infinity;
    if (answer.kind === "later") {
      // With jitter, so that all who were sent away do not come back at once.
      candidate.askAgainAt = nowMs + answer.retryAfterMs * (1 + this.#options.random() / 4);
      // A large file takes its time; as long as it gets on, nobody gives up.
      const percent = answer.percent ?? 0;
      if (percent > candidate.percent) this.#hopefulAt = nowMs;
      candidate.percent = Math.max(candidate.percent, percent);
    }
    if (answer.kind === "failed") {
      const failures = ++candidate.failures;
      const random = this.#options.random();
      if (failures < TRIES.most) candidate.askAgainAt = nowMs + backoffMs(failures, random, TRIES);
      else if (candidate.known) candidate.askAgainAt = nowMs + backoffMs(failures, random);
    }
    if (answer.kind === "manifest" && this.#isWanted(answer)) this.#firstManifestAt ??= nowMs;
  }

  #plan(nowMs: number): ResolverCommand[] {
    for (const candidate of this.#candidates.values()) {
      if (candidate.asking || candidate.askAgainAt > nowMs) continue;
      candidate.asking = true;
      this.#actions.push({ kind: "probe", seed: candidate.name });
    }
    this.#decide(nowMs);
    const actions = this.#actions;
    this.#actions = [];
    return actions;
  }

  #decide(nowMs: number): void {
    const candidates = Array.from(this.#candidates.values());
    const groups = this.#groups(candidates);
    const patient = nowMs - this.#hopefulAt < this.#options.giveUpMs;
    if (groups.length > 0 && (!patient || this.#heardEnough(candidates, nowMs))) {
      return this.#choose(groups, candidates);
    }
    if (patient && candidates.some((one) => one.asking || one.askAgainAt < Infinity)) {
      return this.#wake(candidates, nowMs);
    }
    const sizes = this.#sizes(candidates);
    if (sizes.length > 0 && !this.#options.requireVerified) return this.#choose(sizes, candidates);
    this.#despair(candidates);
  }

  /** Enough when nobody is left who may change the choice, or has taken too long. */
  #heardEnough(candidates: Candidate[], nowMs: number): boolean {
    if (nowMs - this.#firstManifestAt! >= GRACE_MS) return true;
    return candidates.every(({ answer, troubled }) =>
      troubled || (answer && answer.kind !== "later")
    );
  }

  #wake(candidates: Candidate[], nowMs: number): void {
    const times = candidates.map(({ asking, askAgainAt }) => asking ? Infinity : askAgainAt);
    const grace = (this.#firstManifestAt ?? Infinity) + GRACE_MS;
    if (grace > nowMs) times.push(grace);
    this.#plannedAtMs = nowMs;
    this.#wakeAtMs = Math.min(this.#hopefulAt + this.#options.giveUpMs, ...times);
    this.#actions.push({ kind: "setTimer", atMs: this.#wakeAtMs });
  }

  #isWanted({ id, sha256 }: SeedAnswer & { kind: "manifest" }): boolean {
    const { wanted } = this.#options;
    if (wanted.excluded?.has(id)) return false;
    return id.startsWith(wanted.id ?? "") && sha256 === (wanted.sha256 ?? sha256);
  }

  /** The contents that manifests name, the winner first. */
  #groups(candidates: Candidate[]): Groups {
    return byContent(
      candidates.flatMap(({ answer }) =>
        answer?.kind === "manifest" && this.#isWanted(answer) ? [answer] : []
      ),
    );
  }

  #sizes(candidates: Candidate[]): Groups {
    // An id was asked for, and an old seed cannot tell whether its bytes have it.
    if (this.#options.wanted.id !== undefined) return [];
    return byContent(
      candidates.flatMap(({ answer }) =>
        answer?.kind === "size" ? [{ id: null, size: answer.size, sha256: null }] : []
      ),
    );
  }

  #choose(groups: Groups, candidates: Candidate[]): void {
    const { id, size, sha256 } = groups[0]![0];
    const ids = new Set(groups.map(([{ id }]) => id));
    if (this.#options.wanted.id !== undefined && ids.size > 1) {
      return this.#fail(
        "usage",
        `several contents have an id that begins with "${this.#options.wanted.id}"`,
      );
    }
    const holders: string[] = [];
    const others: string[] = [];
    for (const { name, answer } of candidates) {
      const says = answer && standing(answer, { id, size, sha256 }, this.#options.requireVerified);
      if (says === "holds") holders.push(name);
      else if (says === undefined || says === "open") others.push(name);
      else if (says !== "out") {
        this.#actions.push({ kind: "dissent", seed: name, reason: says.differs });
      }
    }
    this.#over = true;
    this.#actions.push({ kind: "chosen", content: { id, size, sha256 }, holders, others });
  }

  /** Nobody has what is wanted: why, in the words that help most. */
  #despair(candidates: Candidate[]): void {
    const { name, wanted, requireVerified } = this.#options;
    const answers = candidates.flatMap(({ answer }) => answer ?? []);
    if (
      answers.some(({ kind }) =>
        kind === "manifest" || (kind === "size" && wanted.id !== undefined)
      )
    ) {
      return this.#fail("corrupt", `no seed holds the content asked for of "${name}"`);
    }
    if (requireVerified && answers.some(({ kind }) => kind === "size")) {
      return this.#fail(
        "protocol",
        `no seed offers a manifest for "${name}", so it could not be verified`,
      );
    }
    const { code, reason } = whyNobody(`"${name}"`, answers);
    this.#fail(code, reason);
  }

  #fail(code: ErrorCode, reason: string): void {
    this.#over = true;
    this.#actions.push({ kind: "hopeless", code, reason });
  }
}
