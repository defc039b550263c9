/** Worlds of the vote: the real state machine, and simulated seeds that hold different contents. */
import { layoutOf } from "../../core/base/pieces.ts";
import type { SetAsideReason } from "../../core/plan/content_trials.ts";
import type { SourceAnswer } from "../../core/plan/content_vote.ts";
import { DownloadMachine } from "../../core/plan/download_machine.ts";
import type {
  Choice,
  DownloadCommand,
  DownloadEvent,
  PieceFailure,
} from "../../core/plan/messages.ts";
import { diceOf } from "./dice.ts";
import { Timeline } from "./timeline.ts";

interface Voter {
  readonly name: string;
  readonly id: string;
  readonly size: number;
  /** What comes of a download from it; undefined: its bytes. */
  readonly useless: SetAsideReason | undefined;
  /** Until then it hashes. */
  readonly readyMs: number;
  /** Offers another content each time. */
  readonly fickle: boolean;
}

const RIGHT = "8".repeat(64);
const USELESS: readonly SetAsideReason[] = ["silence", "corrupt", "refused", "too-large"];

/** s0 is right, and it may hash for long. */
function votersOf(world: number): Voter[] {
  const random = diceOf(world * 6007 + 5);
  const readyMs = () => random() < 0.4 ? random() * 60_000 : 0;
  const size = 1_000_000_000;
  const right = { name: "s0", id: RIGHT, size, useless: undefined, readyMs: readyMs() };
  const others = Array.from({ length: Math.floor(random() * 6) }, (_, i) => {
    const name = `s${i + 1}`;
    if (random() < 0.3) return { ...right, name, readyMs: readyMs(), fickle: false };
    // Some liars hold together; some grind a low id.
    const id = (random() < 0.5 ? "0" : "f").repeat(63) + Math.floor(random() * 3);
    const useless = random() < 0.7 ? USELESS[Math.floor(random() * USELESS.length)] : undefined;
    const otherSize = random() < 0.5 ? size : 3_000_000;
    const fickle = useless !== undefined && random() < 0.2;
    return { name, id: `${id}`, size: otherSize, useless, readyMs: readyMs(), fickle };
  });
  return [{ ...right, fickle: false }, ...others];
}

/** A file of one piece, so that one request shows what a source is worth. */
const LAYOUT = layoutOf(1000);
/** How often a full disk is looked at. */
const FULL_DISK_MS = 1000;

/** The id of the content that is downloaded, or why none is. */
function electionOf(world: number): string {
  const voters = votersOf(world);
  const election = new Election(voters, diceOf(world));
  return election.run();
}

class Election {
  readonly #voters: readonly Voter[];
  readonly #random: () => number;
  readonly #timeline = new Timeline();
  #machine: DownloadMachine;
  #content: string | null = null;
  #opened = 0;
  #timers = 0;
  #end: string | undefined;

  constructor(voters: readonly Voter[], random: () => number) {
    this.#voters = voters;
    this.#random = random;
    this.#machine = this.#newMachine();
  }

  run(): string {
    this.#perform(this.#machine.start(0));
    while (this.#end === undefined && this.#timeline.step(Infinity));
    return this.#end ?? "it is stuck";
  }

  #newMachine(): DownloadMachine {
    return new DownloadMachine({
      sources: this.#voters.map(({ name: id }) => ({ id, troubled: false, known: true })),
      wanted: { sha256: undefined, id: undefined },
      requireVerified: false,
      giveUpMs: 120_000,
      stallMs: 5000,
      minBytesPerSecond: 128,
      random: this.#random,
    }, this.#timeline.nowMs);
  }

  #send(event: DownloadEvent, machine = this.#machine): void {
    if (this.#end !== undefined || machine !== this.#machine) return;
    this.#perform(machine.handle(event, this.#timeline.nowMs));
  }

  #later(ms: number, event: () => DownloadEvent): void {
    const machine = this.#machine;
    this.#timeline.at(this.#timeline.nowMs + ms, () => this.#send(event(), machine));
  }

  #perform(commands: readonly DownloadCommand[]): void {
    for (const command of commands) this.#performOne(command);
  }

  #performOne(command: DownloadCommand): void {
    switch (command.kind) {
      case "probe": {
        const { source } = command;
        const voter = this.#voterOf(source);
        return this.#later(1 + this.#random() * 50, () => {
          const answer = answerOf(voter, this.#opened, this.#timeline.nowMs);
          return { kind: "answered", source, answer };
        });
      }
      case "open":
        return this.#open(command.choice);
      case "request": {
        const { useless } = this.#voterOf(command.source);
        const { request } = command;
        if (useless === undefined) return this.#later(10, () => ({ kind: "stored", request }));
        const failure = failureOf(useless);
        return this.#later(failure.kind === "stalled" ? 5000 : 10, () => {
          return { kind: "failed", request, failure };
        });
      }
      case "setTimer": {
        const timer = ++this.#timers;
        const machine = this.#machine;
        return this.#timeline.at(command.atMs, () => {
          if (timer === this.#timers) this.#send({ kind: "timer" }, machine);
        });
      }
      case "finish":
        this.#end = this.#content ?? "";
        return;
      case "fail":
        this.#end = "a failure";
    }
  }

  #open({ content: { id }, holders, eligible }: Choice): void {
    if (++this.#opened > 20 * this.#voters.length) return void (this.#end = "it never ends");
    this.#content = id;
    const isTooLarge = holders.some((name) => this.#voterOf(name).useless === "too-large");
    if (!isTooLarge) {
      return this.#send({ kind: "opened", layout: LAYOUT, missing: [0], maxInFlight: 8 });
    }
    if (eligible > 1) return this.#send({ kind: "rejected", why: "too-large" });
    // The disk is full: the task waits for space, and begins again.
    this.#timeline.at(this.#timeline.nowMs + FULL_DISK_MS, () => {
      this.#machine = this.#newMachine();
      this.#perform(this.#machine.start(this.#timeline.nowMs));
    });
  }

  #voterOf(name: string): Voter {
    return this.#voters.find((voter) => voter.name === name)!;
  }
}

function failureOf(useless: SetAsideReason): PieceFailure {
  if (useless === "silence") return { kind: "stalled", reason: "stalled" };
  if (useless === "corrupt") return { kind: "corrupt", reason: "wrong digest" };
  return { kind: "refused", reason: "refused" };
}

/** Whether live, useful seeds of one other content are at least as many as the right ones. */
function isOutvoted(world: number): boolean {
  const voters = votersOf(world);
  const right = voters.filter(({ id }) => id === RIGHT).length;
  const votes = Map.groupBy(voters.filter(({ id }) => id !== RIGHT), ({ id }) => id);
  return Array.from(votes.values()).some((group) =>
    group.length >= right && group.some(({ useless }) => useless === undefined)
  );
}

/** What is wrong with how the vote of `world` ended; empty if nothing is. */
export function faultsOfVote(world: number): string[] {
  if (isOutvoted(world)) return [];
  const end = electionOf(world);
  return end === RIGHT ? [] : [`the vote ended with ${end}`];
}

function answerOf(
  { name, id, size, readyMs, fickle }: Voter,
  round: number,
  nowMs: number,
): SourceAnswer {
  if (nowMs < readyMs) {
    const percent = Math.floor(nowMs * 100 / readyMs);
    return { kind: "later", reason: "hashing", retryAfterMs: 500, percent, size };
  }
  const own = fickle ? `1${round}${name}`.padEnd(64, "0") : id;
  return { kind: "manifest", id: own, size, sha256: own };
}
