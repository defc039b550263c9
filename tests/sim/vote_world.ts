/** Worlds of the vote: the real resolver and trials, made-up seeds, and a transfer that only says what came of it. */
import { ContentTrials, type SetAsideReason } from "../../core/plan/content_trials.ts";
import type { SeedAnswer } from "../../core/plan/content_vote.ts";
import { Resolver, type ResolverCommand } from "../../core/plan/resolve.ts";
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

/** The id that the download ends with, or why it fails. */
function electionOf(world: number): string {
  const voters = votersOf(world);
  const timeline = new Timeline();
  const random = diceOf(world);
  const trials = new ContentTrials();
  for (let round = 0; round < 3 * voters.length + 1; round++) {
    const chosen = resolveOnce(voters, round, trials, timeline, random);
    if (chosen.kind === "hopeless") return chosen.reason;
    const holders = voters.filter(({ name }) => chosen.holders.includes(name));
    if (holders.some(({ useless }) => useless === undefined)) return chosen.content.id ?? "";
    const ballot = chosen.ballots.find(({ content }) => content.id === chosen.content.id)!;
    trials.setAside(ballot, holders[0]!.useless!);
  }
  return "it never ends";
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

type End = Extract<ResolverCommand, { kind: "chosen" | "hopeless" }>;

function resolveOnce(
  voters: readonly Voter[],
  round: number,
  trials: ContentTrials,
  timeline: Timeline,
  random: () => number,
): End {
  const resolver = new Resolver({
    name: "x",
    seeds: voters.map(({ name }) => ({ name, troubled: false, known: true })),
    wanted: { sha256: undefined, id: undefined },
    trials,
    requireVerified: false,
    giveUpMs: 120_000,
    random,
  }, timeline.nowMs);
  let end: End | undefined;
  let timers = 0;
  const perform = (commands: readonly ResolverCommand[]) => {
    for (const command of commands) {
      if (command.kind === "chosen" || command.kind === "hopeless") end = command;
      else if (command.kind === "setTimer") {
        const timer = ++timers;
        timeline.at(command.atMs, () => {
          if (timer === timers && !end) perform(resolver.handle({ kind: "timer" }, timeline.nowMs));
        });
      } else if (command.kind === "probe") {
        const voter = voters.find(({ name }) => name === command.seed)!;
        timeline.at(timeline.nowMs + 1 + random() * 50, () => {
          if (end) return;
          const answer = answerOf(voter, round, timeline.nowMs);
          perform(
            resolver.handle({ kind: "answered", seed: voter.name, answer }, timeline.nowMs),
          );
        });
      }
    }
  };
  perform(resolver.start(timeline.nowMs));
  while (!end && timeline.step(Infinity));
  return end!;
}

function answerOf(
  { name, id, size, readyMs, fickle }: Voter,
  round: number,
  nowMs: number,
): SeedAnswer {
  if (nowMs < readyMs) {
    const percent = Math.floor(nowMs * 100 / readyMs);
    return { kind: "later", reason: "hashing", retryAfterMs: 500, percent, size };
  }
  const own = fickle ? `1${round}${name}`.padEnd(64, "0") : id;
  return { kind: "manifest", id: own, size, sha256: own };
}
