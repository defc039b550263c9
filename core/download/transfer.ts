/** The second part of a download: the missing pieces, from everyone who holds them. */
import { MIN_BYTES_PER_SECOND } from "../config.ts";
import { CorruptError, type P2pError, TimeoutError, UnreachableError } from "../base/errors.ts";
import { lengthOf } from "../base/ranges.ts";
import { rangeOfPiece } from "../base/pieces.ts";
import { TaskGroup } from "../base/task_group.ts";
import type {
  Failure,
  GiveUpReason,
  TransferCommand,
  TransferEvent,
} from "../plan/transfer_messages.ts";
import { compareAnswer, type SeedAnswer } from "../plan/content_vote.ts";
import { Scheduler } from "../plan/scheduler.ts";
import type { PieceSink } from "../store/pieces.ts";
import type { ResolvedContent } from "./resolve_content.ts";
import { PieceDownloader, type PieceEvent } from "./piece_downloader.ts";
import { probe } from "./probe.ts";
import type { TaskContext } from "./task_context.ts";
import { runMachine, type Running } from "./run_machine.ts";

export type TransferOutcome =
  | {
    readonly kind: "complete";
    /** Bytes received. */
    readonly bytesBySeed: Readonly<Record<string, number>>;
  }
  /** All holders of this content turned out to be useless; another content may do better. */
  | {
    readonly kind: "useless";
    readonly why: GiveUpReason;
    readonly reason: string;
    /** Whether another content can be downloaded instead. */
    readonly hasRival: boolean;
  };

/** How long a content is waited for. */
export interface TransferTimeouts {
  readonly giveUpMs: number;
  /** The same while another content can be downloaded instead. */
  readonly rivalGiveUpMs: number;
  /** Whether there is such a content from the start. */
  readonly hasRival: boolean;
}

/**
 * Fetches what is missing of `file`. When it settles, nothing of it is under way any more.
 *
 * @throws {DiskError} and the signal's reason if it aborts.
 */
export async function transfer(
  name: string,
  found: ResolvedContent,
  file: PieceSink,
  parts: TaskContext,
  signal: AbortSignal,
  patience?: TransferTimeouts,
): Promise<TransferOutcome> {
  const { layout } = file.content;
  const { giveUpMs, limit = Infinity, taskLimit = Infinity } = parts.settings;
  const scheduler = new Scheduler({
    layout,
    missing: file.missing,
    seeds: [
      ...found.holders.map((name) => ({ name, holds: true })),
      ...found.others.map((name) => ({ name, holds: false })),
    ],
    maxInFlight: parts.maxInFlight(layout.pieceSize),
    connections: parts.settings.seedConnections,
    giveUpMs,
    minBytesPerSecond: minProgress(Math.min(limit, taskLimit)),
    begun: file.unverified,
    ...patience,
    random: parts.random,
  }, parts.clock.now());
  await using inquiries = new TaskGroup(signal);
  const performer = new Performer(name, found, file, parts, inquiries, signal);
  performer.hasRival = patience?.hasRival ?? false;
  await using _hands = performer.hands;
  const perform = (action: TransferCommand, running: Run) => performer.perform(action, running);
  return await runMachine(scheduler, perform, parts.clock, signal);
}

/** The least progress in bytes a second, where the user's own limit does not allow less. */
function minProgress(limit: number): number {
  return Math.min(MIN_BYTES_PER_SECOND, limit / MIN_SHARE_OF_LIMIT);
}

type Run = Running<TransferEvent, TransferOutcome>;

/** A limit may be shared by this many tasks. */
const MIN_SHARE_OF_LIMIT = 100;
/** A shorter rest than this is not worth another task's start. */
const MIN_REST_MS = 1000;

/** Does what the scheduler orders, and tells what comes of it. */
class Performer {
  readonly hands: PieceDownloader;
  hasRival = false;
  readonly bytesBySeed: Record<string, number> = {};
  readonly #name: string;
  readonly #found: ResolvedContent;
  readonly #file: PieceSink;
  readonly #parts: TaskContext;
  readonly #inquiries: TaskGroup;
  readonly #orders = new Map<number, { seed: string; piece: number }>();
  /** Orders by seed. */
  readonly #inFlight = new Map<string, number>();
  #running: Run | undefined;
  /** Waiting at the front of the queue, maybe for several seeds that are back. */
  #entering = false;

  constructor(
    name: string,
    found: ResolvedContent,
    file: PieceSink,
    parts: TaskContext,
    inquiries: TaskGroup,
    signal: AbortSignal,
  ) {
    this.#name = name;
    this.#found = found;
    this.#file = file;
    this.#parts = parts;
    this.#inquiries = inquiries;
    this.hands = new PieceDownloader({
      clock: parts.clock,
      name,
      file,
      links: found.links,
      memory: parts.memory,
      hashers: parts.hashers,
      pace: parts.rateLimit,
      emit: (fact) => this.#report(fact),
      fail: (error) => this.#running?.fail(error),
    }, signal);
  }

  perform(action: TransferCommand, running: Run): void {
    this.#running = running;
    switch (action.kind) {
      case "request":
        this.#orders.set(action.order, action);
        this.#tellFlight(action.seed, 1);
        this.#explain("debug", action.because);
        return this.hands.fetch({ ...action, id: action.order });
      case "cancel":
        this.#landed(action.order);
        this.#explain("info", action.because);
        return this.hands.cancel(action.order);
      case "probe":
        return this.#inquiries.spawn(async (signal) => {
          await this.#inquire(action.seed, running, signal).catch((error) => running.fail(error));
        });
      case "set-timer":
        return this.#rest(action.atMs, running);
      case "report": {
        const { seed, turn, reason, retryInMs } = action;
        const retry = retryInMs === undefined ? {} : { retryInMs };
        return this.#parts.emit({ kind: "seed", seed, what: turn, reason, ...retry });
      }
      case "complete":
        return running.end({ kind: "complete", bytesBySeed: this.bytesBySeed });
      case "give-up": {
        const { why, reason } = action;
        return running.end({ kind: "useless", why, reason, hasRival: this.hasRival });
      }
    }
  }

  #explain(level: "debug" | "info", because: string | undefined): void {
    if (because !== undefined) this.#parts.emit({ kind: "note", level, text: because });
  }

  /** Nothing to do for a while: then the next task may have the place. */
  #rest(untilMs: number, running: Run): void {
    const { clock, permit, emit } = this.#parts;
    running.setTimer(untilMs);
    if (this.#orders.size > 0 || !permit.held || untilMs - clock.now() < MIN_REST_MS) return;
    permit.release();
    emit({ kind: "state", state: "waiting", waitsFor: "seeds" });
  }

  /** A seed is back: takes the place again before anything is asked of it. */
  async #return(running: Run, signal: AbortSignal): Promise<void> {
    const { permit, emit } = this.#parts;
    if (permit.held) return;
    running.send({ kind: "resting" });
    this.#entering = true;
    await permit.acquire(signal);
    if (this.#entering) emit({ kind: "state", state: "downloading" });
    this.#entering = false;
  }

  /** Facts of the hands go to the scheduler; what the user may see of them goes out as events. */
  #report(fact: PieceEvent): void {
    if (fact.kind === "blamed") return this.#running?.send(fact);
    const order = this.#orders.get(fact.order);
    if (!order) return;
    const { seed, piece } = order;
    if (fact.kind === "received") {
      this.bytesBySeed[seed] = (this.bytesBySeed[seed] ?? 0) + fact.bytes;
      this.#parts.emit({ kind: "received", seed, bytes: fact.bytes });
    } else this.#landed(fact.order);
    if (fact.kind === "stored") {
      const bytes = lengthOf(rangeOfPiece(this.#file.content.layout, piece));
      const { hashMs = 0, diskMs = 0 } = fact;
      this.#parts.emit({ kind: "stored", seed, piece, bytes, hashMs, diskMs });
    }
    this.#running?.send(fact);
  }

  /** Nothing more is to come of an order. */
  #landed(id: number): void {
    const order = this.#orders.get(id);
    this.#orders.delete(id);
    if (order) this.#tellFlight(order.seed, -1);
  }

  #tellFlight(seed: string, more: number): void {
    const pieces = (this.#inFlight.get(seed) ?? 0) + more;
    this.#inFlight.set(seed, pieces);
    this.#parts.emit({ kind: "flight", seed, pieces });
  }

  async #inquire(seed: string, running: Run, signal: AbortSignal): Promise<void> {
    const { answer } = await probe(this.#found.links.get(seed)!, this.#name, signal);
    const says = compareAnswer(answer, this.#found.choice, this.#parts.settings.requireVerified);
    if (says === "holds") {
      this.#parts.emit({ kind: "seed", seed, what: "joined", reason: "it holds these bytes" });
      await this.#return(running, signal);
      return running.send({ kind: "holds", seed });
    }
    if (typeof says === "object") {
      this.#parts.emit({ kind: "seed", seed, what: "dissents", reason: says.differs });
      if (answer.kind === "manifest" && !this.#found.pinned) {
        this.hasRival = true;
        running.send({ kind: "rival" });
      }
      return running.send({
        kind: "probe-failed",
        seed,
        failure: { kind: "hopeless", reason: says.differs },
      });
    }
    running.send({ kind: "probe-failed", seed, failure: failureOfAnswer(answer) });
  }
}

function failureOfAnswer(answer: SeedAnswer): Failure {
  switch (answer.kind) {
    case "later":
      return { kind: "busy", reason: answer.reason, retryAfterMs: answer.retryAfterMs };
    case "failed":
      return { kind: "lost", reason: answer.reason };
    case "refused":
      return { kind: "hopeless", reason: answer.reason };
    default:
      return { kind: "hopeless", reason: "it does not have the file any more" };
  }
}

/** The failure of a download whose content turned out to be useless. */
export function noUsableSourceError(
  name: string,
  { why, reason }: { readonly why: GiveUpReason; readonly reason: string },
): P2pError {
  const message = `Cannot download "${name}": ${reason}`;
  const problem = "partial-kept";
  if (why === "silence") return new TimeoutError(message, { problem });
  if (why === "corrupt") return new CorruptError(message);
  return new UnreachableError(message, { problem });
}
