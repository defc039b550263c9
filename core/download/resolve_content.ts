/** The first part of a download: which bytes, and who holds them. */
import { abortable } from "@std/async";
import {
  AuthError,
  CorruptError,
  type ErrorCode,
  NotFoundError,
  P2pError,
  ProtocolError,
  TimeoutError,
  UnreachableError,
  UsageError,
} from "../base/errors.ts";
import { layoutOf } from "../base/pieces.ts";
import { TaskGroup } from "../base/task_group.ts";
import type { SeedSource } from "../source/seed_source.ts";
import { ContentTrials } from "../plan/content_trials.ts";
import type { Ballot, ContentCandidate as Choice, SeedAnswer } from "../plan/content_vote.ts";
import { Resolver, type ResolverCommand, type ResolverEvent } from "../plan/resolve.ts";
import type { StoredContent } from "../store/stored_file.ts";
import type { Manifest } from "../protocol/manifest.ts";
import { probe, type ProbeResult } from "./probe.ts";
import type { TaskContext } from "./task_context.ts";
import { runMachine, type Running } from "./run_machine.ts";

/** What was asked for. */
export interface WantedContent {
  readonly name: string;
  readonly sha256: string | undefined;
  readonly id: string | undefined;
}

export interface ResolvedContent {
  readonly content: StoredContent;
  /** As the resolver chose it, to compare later answers with. */
  readonly choice: Choice;
  readonly links: ReadonlyMap<string, SeedSource>;
  readonly holders: readonly string[];
  /** Seeds that may still turn out to hold it. */
  readonly others: readonly string[];
  /** All contents that seeds hold under this name. */
  readonly ballots: readonly Ballot[];
  /** How many contents may be tried, this one among them. */
  readonly eligible: number;
  /** Whether the user said which content it must be. */
  readonly pinned: boolean;
}

/** So long a task keeps its place while it only waits for seeds. */
const KEEP_PERMIT_MS = 1000;

/** @throws {NotFoundError} @throws {UnreachableError} and their kin when nobody has it. */
export async function resolveContent(
  wanted: WantedContent,
  parts: TaskContext,
  signal: AbortSignal,
  trials: ContentTrials = new ContentTrials(),
): Promise<ResolvedContent> {
  const { settings, clock, random, pool } = parts;
  const links = new Map(pool.links(settings.seeds).map((link) => [link.name, link]));
  const resolver = new Resolver({
    name: wanted.name,
    seeds: Array.from(
      links.values(),
      ({ name, troubled, reached }) => ({ name, troubled, known: reached }),
    ),
    wanted,
    trials,
    requireVerified: settings.requireVerified,
    giveUpMs: settings.giveUpMs,
    random,
  }, clock.now());
  await using inquiries = new TaskGroup(signal);
  const performer = new Performer(wanted, links, parts, inquiries);
  const perform = (action: ResolverCommand, running: Run) => performer.perform(action, running);
  const found = await runMachine(resolver, perform, clock, signal);
  await parts.permit.acquire(signal);
  return found;
}

type Run = Running<ResolverEvent, ResolvedContent>;

/** Does what the resolver orders, and tells what comes of it. */
class Performer {
  readonly #name: string;
  readonly #links: ReadonlyMap<string, SeedSource>;
  readonly #parts: TaskContext;
  readonly #inquiries: TaskGroup;
  readonly #pinned: boolean;
  readonly #manifests = new Map<string, Manifest>();
  /** Sizes of files that seeds still hash. */
  readonly #sizes = new Map<string, number>();
  readonly #startedAt: number;
  /** Seeds that have not answered yet. */
  #asking = 0;

  constructor(
    { name, id, sha256 }: WantedContent,
    links: ReadonlyMap<string, SeedSource>,
    parts: TaskContext,
    inquiries: TaskGroup,
  ) {
    this.#name = name;
    this.#pinned = id !== undefined || sha256 !== undefined;
    this.#links = links;
    this.#parts = parts;
    this.#inquiries = inquiries;
    this.#startedAt = parts.clock.now();
  }

  perform(action: ResolverCommand, running: Run): void {
    switch (action.kind) {
      case "probe":
        return this.#inquire(action.seed, running);
      case "setTimer":
        return this.#rest(action.atMs, running);
      case "dissent": {
        const { seed, reason } = action;
        return this.#parts.emit({ kind: "seed", seed, what: "dissents", reason });
      }
      case "chosen": {
        const { content: choice, holders, others, ballots, eligible } = action;
        const content = contentOf(choice, this.#manifests);
        const links = this.#links;
        const pinned = this.#pinned;
        return running.end({
          content,
          choice,
          links,
          holders,
          others,
          ballots,
          eligible,
          pinned,
        });
      }
      case "hopeless":
        return running.fail(resolveError(this.#name, action.code, action.reason));
    }
  }

  #inquire(seed: string, running: Run): void {
    const prefetched = this.#parts.prefetch.take(seed, this.#name);
    if (prefetched && !(prefetched instanceof Promise)) {
      return this.#hear(seed, prefetched, running);
    }
    this.#asking++;
    this.#inquiries.spawn(async (signal) => {
      try {
        const inquiry = prefetched && await abortable(prefetched, signal) ||
          await probe(this.#links.get(seed)!, this.#name, signal);
        const sized = await this.#withSize(seed, inquiry, signal);
        this.#asking--;
        this.#hear(seed, sized, running);
      } catch (error) {
        running.fail(error);
      }
    });
  }

  /** A seed that still hashes the file knows its size at once. */
  async #withSize(seed: string, inquiry: ProbeResult, signal: AbortSignal): Promise<ProbeResult> {
    const { answer } = inquiry;
    if (this.#pinned || answer.kind !== "later" || answer.percent === undefined) return inquiry;
    try {
      const size = this.#sizes.get(seed) ??
        await this.#links.get(seed)!.fileSize(this.#name, signal);
      this.#sizes.set(seed, size);
      return { answer: { ...answer, size } };
    } catch (error) {
      if (signal.aborted || !(error instanceof P2pError)) throw error;
      return inquiry;
    }
  }

  #hear(seed: string, { answer, manifest }: ProbeResult, running: Run): void {
    if (manifest) this.#manifests.set(manifest.id, manifest);
    emitAnswer(seed, answer, this.#parts);
    running.send({ kind: "answered", seed, answer });
  }

  #rest(untilMs: number, running: Run): void {
    const { clock, permit } = this.#parts;
    running.setTimer(untilMs);
    // Nobody is being asked, and it takes long: the next task may have the place.
    if (this.#asking === 0 && clock.now() - this.#startedAt > KEEP_PERMIT_MS) permit.release();
  }
}

/** The log tells what every seed said; what it means is told later. */
function emitAnswer(seed: string, answer: SeedAnswer, { emit }: TaskContext): void {
  switch (answer.kind) {
    case "lacks":
      return emit({ kind: "seed", seed, what: "lacks", reason: "it does not have the file" });
    case "later":
      return emit({
        kind: "seed",
        seed,
        what: "busy",
        reason: answer.reason,
        retryInMs: answer.retryAfterMs,
        ...answer.percent === undefined ? {} : { percent: answer.percent },
      });
    case "failed":
      return emit({ kind: "seed", seed, what: "failing", reason: answer.reason });
    case "refused":
      return emit({ kind: "seed", seed, what: "dropped", reason: answer.reason });
    case "manifest":
      return note(`${seed} has ${answer.size} bytes, id ${answer.id.slice(0, 8)}`);
    case "size":
      return note(`${seed} has ${answer.size} bytes and offers no manifest`);
  }
  function note(text: string): void {
    emit({ kind: "note", level: "debug", text });
  }
}

function contentOf(choice: Choice, manifests: ReadonlyMap<string, Manifest>): StoredContent {
  const { size } = choice;
  const manifest = manifests.get(choice.id ?? "");
  return { layout: layoutOf(size), manifest };
}

function resolveError(name: string, code: ErrorCode, reason: string): P2pError {
  const message = `Cannot download "${name}": ${reason}`;
  switch (code) {
    case "not-found":
      return new NotFoundError(message);
    case "auth":
      return new AuthError(message);
    case "usage":
      return new UsageError(message, { problem: "id-ambiguous" });
    case "corrupt":
      return new CorruptError(message);
    case "protocol":
      return new ProtocolError(message);
    case "timeout":
      return new TimeoutError(message);
    default:
      return new UnreachableError(message);
  }
}
