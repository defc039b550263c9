/**
 * Which bytes a name means, and who holds them: asks every seed, groups the
 * answers by content, and decides once enough have spoken. Pure, like the
 * scheduler.
 *
 * The manifest held by most seeds wins, on a tie the lowest id; where nobody
 * offers a manifest, the size that most old seeds tell.
 */
import { type BackoffLimits, backoffMs } from "../base/backoff.ts";
import type { ErrorCode } from "../base/errors.ts";
import { OVERSLEPT_MS } from "./facts.ts";

export type SeedAnswer =
  | {
    readonly kind: "manifest";
    readonly id: string;
    readonly size: number;
    readonly sha256: string;
  }
  /** An old seed: it cannot say what the bytes are. */
  | { readonly kind: "size"; readonly size: number }
  | { readonly kind: "lacks" }
  /** Hashing or busy: ask again, it is no failure. */
  | {
    readonly kind: "later";
    readonly retryAfterMs: number;
    readonly reason: string;
    /** How far the hashing is, of 100. */
    readonly percent?: number;
  }
  | { readonly kind: "failed"; readonly reason: string; readonly code: ErrorCode }
  /** It will not help to ask this seed again. */
  | { readonly kind: "refused"; readonly reason: string; readonly code: ErrorCode };

export interface Content {
  /** null where nobody offers a manifest. */
  readonly id: string | null;
  readonly size: number;
  /** Of the whole, as its holders say; null where nobody does. */
  readonly sha256: string | null;
}

export type FinderFact =
  | { readonly kind: "answered"; readonly seed: string; readonly answer: SeedAnswer }
  | { readonly kind: "woken" };

export type FinderAction =
  | { readonly kind: "inquire"; readonly seed: string }
  | { readonly kind: "wake"; readonly atMs: number }
  | { readonly kind: "dissent"; readonly seed: string; readonly reason: string }
  | {
    readonly kind: "chosen";
    readonly content: Content;
    readonly holders: readonly string[];
    /** Seeds that may still turn out to hold it. */
    readonly others: readonly string[];
  }
  | { readonly kind: "hopeless"; readonly code: ErrorCode; readonly reason: string };

export interface FinderOptions {
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

export class Finder {
  readonly #options: FinderOptions;
  readonly #candidates: Map<string, Candidate>;
  /** When it planned last, and when it was to be woken: a machine that sleeps wakes much later. */
  #plannedAtMs: number;
  #wakeAtMs = Infinity;
  /** When something was last heard that gives hope. */
  #hopefulAt: number;
  #firstManifestAt: number | undefined;
  #over = false;
  #actions: FinderAction[] = [];

  constructor(options: FinderOptions, nowMs: number) {
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

  start(nowMs: number): FinderAction[] {
    return this.#plan(nowMs);
  }

  handle(fact: FinderFact, nowMs: number): FinderAction[] {
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

  #plan(nowMs: number): FinderAction[] {
    for (const candidate of this.#candidates.values()) {
      if (candidate.asking || candidate.askAgainAt > nowMs) continue;
      candidate.asking = true;
      this.#actions.push({ kind: "inquire", seed: candidate.name });
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
    this.#actions.push({ kind: "wake", atMs: this.#wakeAtMs });
  }

  #isWanted({ id, sha256 }: SeedAnswer & { kind: "manifest" }): boolean {
    const { wanted } = this.#options;
    if (wanted.excluded?.has(id)) return false;
    return id.startsWith(wanted.id ?? "") && sha256 === (wanted.sha256 ?? sha256);
  }

  /** The contents that manifests name, the winner first. */
  #groups(candidates: Candidate[]): Group[] {
    const wanted = candidates.flatMap(({ name, answer }) =>
      answer?.kind === "manifest" && this.#isWanted(answer)
        ? [{ name, id: answer.id, size: answer.size, sha256: answer.sha256 }]
        : []
    );
    return groupsOf(wanted);
  }

  #sizes(candidates: Candidate[]): Group[] {
    // An id was asked for, and an old seed cannot tell whether its bytes have it.
    if (this.#options.wanted.id !== undefined) return [];
    return groupsOf(
      candidates.flatMap(({ name, answer }) =>
        answer?.kind === "size" ? [{ name, id: null, size: answer.size, sha256: null }] : []
      ),
    );
  }

  #choose(groups: Group[], candidates: Candidate[]): void {
    const { id, size, sha256 } = groups[0]!;
    const ids = new Set(groups.map((group) => group.id));
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
    const away = answers.filter((answer) => answer.kind === "failed" || answer.kind === "refused");
    const reasons = away.map(({ reason }) => reason).join("; ");
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
    if (answers.some(({ kind }) => kind === "lacks")) {
      return this.#fail("not-found", `no seed has "${name}"${reasons && ` (${reasons})`}`);
    }
    const late = answers.filter((answer) => answer.kind === "later");
    if (away.length === 0) {
      const why = late.map(({ reason }) => reason).join("; ") || "no seed answered";
      return this.#fail("timeout", `no seed had it ready in time (${why})`);
    }
    const codes = new Set(away.map(({ code }) => code));
    this.#fail(codes.size === 1 ? away[0]!.code : "unreachable", reasons);
  }

  #fail(code: ErrorCode, reason: string): void {
    this.#over = true;
    this.#actions.push({ kind: "hopeless", code, reason });
  }
}

interface Group extends Content {
  readonly holders: number;
}

/** Most holders first; of two equal groups the lowest id, then the lowest digest, of old seeds the smaller size. */
function groupsOf(answers: readonly (Content & { name: string })[]): Group[] {
  const groups = new Map<string, Group>();
  for (const { id, size, sha256 } of answers) {
    // The id does not cover the digest of the whole: a liar with the right id is alone with its own.
    const key = id === null ? String(size) : `${id} ${sha256}`;
    groups.set(key, { id, size, sha256, holders: (groups.get(key)?.holders ?? 0) + 1 });
  }
  return Array.from(groups.values()).sort((a, b) =>
    b.holders - a.holders ||
    compare(a.id ?? "", b.id ?? "") ||
    compare(a.sha256 ?? "", b.sha256 ?? "") ||
    a.size - b.size
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** What an answer means once the content is chosen. */
export function standing(
  answer: SeedAnswer,
  content: Content,
  requireVerified: boolean,
): "holds" | "open" | "out" | { readonly differs: string } {
  switch (answer.kind) {
    case "manifest":
      if (content.id === null) {
        return { differs: "it speaks of other bytes than the old seeds can prove" };
      }
      if (answer.id === content.id && answer.sha256 === content.sha256) return "holds";
      if (answer.id === content.id) {
        return { differs: "it tells another SHA-256 for the same pieces" };
      }
      return { differs: `it holds other bytes under this name (id ${answer.id.slice(0, 8)})` };
    case "size":
      if (requireVerified) return { differs: "it offers no manifest" };
      if (answer.size === content.size) return "holds";
      return { differs: `its file has ${answer.size} bytes instead of ${content.size}` };
    case "lacks":
    case "refused":
      return "out";
    default:
      return "open";
  }
}
