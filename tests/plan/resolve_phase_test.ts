import { assert, assertEquals } from "@std/assert";
import { ContentTrials, type SetAsideReason } from "../../core/plan/content_trials.ts";
import type { SourceAnswer } from "../../core/plan/content_vote.ts";
import { DownloadMachine, type DownloadOptions } from "../../core/plan/download_machine.ts";
import { CODE_OF_FAILURE, type DownloadCommand } from "../../core/plan/messages.ts";
import { noSourceReason } from "../../core/download/describe.ts";

const ID = { a: "a".repeat(64), b: "b".repeat(64) };

function manifest(id: string, size = 10, sha256 = id.toUpperCase()): SourceAnswer {
  return { kind: "manifest", id, size, sha256 };
}
const size = (bytes: number): SourceAnswer => ({ kind: "size", size: bytes });
const failed: SourceAnswer = { kind: "failed", reason: "refused", code: "unreachable" };
const later: SourceAnswer = { kind: "later", reason: "hashing", retryAfterMs: 100 };
const hashing = (percent: number): SourceAnswer => ({
  kind: "later",
  reason: "hashing",
  retryAfterMs: 1000,
  percent,
});
const hashingOf = (
  size: number,
  percent: number,
): SourceAnswer => ({ ...hashing(percent), size } as SourceAnswer);

/** Trials in which the content of these seeds was set aside. */
function after(id: string, why: SetAsideReason, ...seeds: string[]): ContentTrials {
  const trials = new ContentTrials();
  trials.setAside({ content: { id, size: 10, sha256: null }, seeds, claims: new Set() }, why);
  return trials;
}
const lacks: SourceAnswer = { kind: "lacks" };

/** What matters only to a transfer. */
const LIMITS = { stallMs: 5000, minBytesPerSecond: 128 };

function codeOf({ failure }: Extract<DownloadCommand, { kind: "fail" }>): string {
  if (failure === "set-aside") return failure;
  if (failure.kind === "no-source") return noSourceReason("it", failure.answers).code;
  return CODE_OF_FAILURE[failure.kind];
}

interface Case {
  readonly name: string;
  /** What each seed answers, first, second, … time; the last one again and again; none: silence. */
  readonly answers: Record<string, SourceAnswer[]>;
  readonly options?: Partial<DownloadOptions>;
  readonly troubled?: string[];
  readonly known?: string[];
  readonly want: Partial<
    Record<"id" | "size" | "sha256" | "holders" | "others" | "dissenters" | "code" | "ms", unknown>
  >;
}

/** Lets a machine ask sources that answer after 10 ms. */
function play({ answers, options, troubled = [], known = [] }: Case) {
  const given = new Map(Object.entries(answers).map(([seed, list]) => [seed, [...list]]));
  const sources = Array.from(given.keys(), (id) => ({
    id,
    troubled: troubled.includes(id),
    known: known.includes(id),
  }));
  const machine = new DownloadMachine({
    ...LIMITS,
    sources,
    wanted: { sha256: undefined, id: undefined },
    requireVerified: false,
    giveUpMs: 60_000,
    random: () => 0.5,
    ...options,
  }, 0);
  const due: { atMs: number; seed: string | undefined }[] = [];
  const dissenters: string[] = [];
  let now = 0;
  let actions: DownloadCommand[] = machine.start(now);
  for (let turns = 0; turns < 10_000; turns++) {
    for (const action of actions) {
      if (action.kind === "probe") {
        if (given.get(action.source)!.length > 0) due.push({ atMs: now + 10, seed: action.source });
      } else if (action.kind === "setTimer") due.push({ atMs: action.atMs, seed: undefined });
      else if (action.kind === "report") {
        if (action.change === "dissents") dissenters.push(action.source);
      } else if (action.kind === "fail") return { code: codeOf(action), ms: now };
      else if (action.kind === "open") {
        const { content: { id, size, sha256 }, holders, others } = action.choice;
        return { id, size, sha256, holders, others, dissenters, ms: now };
      }
    }
    due.sort((a, b) => a.atMs - b.atMs);
    const { atMs, seed } = due.shift()!;
    now = Math.max(now, atMs);
    const list = seed === undefined ? [] : given.get(seed)!;
    const answer = list.length > 1 ? list.shift()! : list[0]!;
    actions = machine.handle(
      seed === undefined ? { kind: "timer" } : { kind: "answered", source: seed, answer },
      now,
    );
  }
  throw new Error("it never decides");
}

const cases: Case[] = [
  {
    name: "takes the only manifest at once",
    answers: { s: [manifest(ID.a)] },
    want: { id: ID.a, size: 10, holders: ["s"], ms: 10 },
  },
  {
    name: "takes the content of most seeds and names the dissenter",
    answers: { s: [manifest(ID.b)], t: [manifest(ID.a)], u: [manifest(ID.b)] },
    want: { id: ID.b, holders: ["s", "u"], dissenters: ["t"] },
  },
  {
    name: "takes the lowest id on a tie",
    answers: { s: [manifest(ID.b)], t: [manifest(ID.a)] },
    want: { id: ID.a, holders: ["t"], dissenters: ["s"] },
  },
  {
    name: "lets seeds of one id hold it together whatever they say of the digest of the whole",
    answers: {
      s: [manifest(ID.a, 10, "liar")],
      t: [manifest(ID.a, 10, "true")],
      u: [manifest(ID.a, 10, "true")],
    },
    want: { id: ID.a, sha256: null, holders: ["s", "t", "u"], dissenters: [] },
  },
  {
    name: "takes the digest that was asked for of one content, and every seed of its id",
    answers: { s: [manifest(ID.a, 10, "liar")], u: [manifest(ID.a, 10, "true")] },
    options: { wanted: { sha256: "true", id: undefined } },
    want: { id: ID.a, sha256: "true", holders: ["s", "u"], dissenters: [] },
  },
  {
    name: "waits for three seeds that still hash a large file when a stale one has a small one",
    answers: {
      stale: [manifest(ID.a, 3)],
      s: [hashingOf(1500, 10), hashingOf(1500, 40), hashingOf(1500, 80), manifest(ID.b, 1500)],
      t: [hashingOf(1500, 10), hashingOf(1500, 40), hashingOf(1500, 80), manifest(ID.b, 1500)],
      u: [hashingOf(1500, 10), hashingOf(1500, 40), hashingOf(1500, 80), manifest(ID.b, 1500)],
    },
    want: { id: ID.b, dissenters: ["stale"] },
  },
  {
    name: "does not wait for a seed that hashes when it cannot change the choice",
    answers: { s: [manifest(ID.a)], t: [manifest(ID.a)], u: [hashingOf(10, 1)] },
    want: { id: ID.a, holders: ["s", "t"], others: ["u"], ms: 10 },
  },
  {
    name: "does not wait for a seed that hashes when the user said which content it must be",
    answers: { s: [manifest(ID.a)], u: [hashingOf(10, 1)] },
    options: { wanted: { sha256: undefined, id: "aa" } },
    want: { id: ID.a, ms: 2010 },
  },
  {
    name: "waits for a seed that hashes no longer than it makes progress",
    answers: { s: [manifest(ID.a)], u: [hashingOf(10, 1)] },
    want: { id: ID.a, holders: ["s"], ms: 30_010 },
  },
  {
    name: "waits for all seeds when a digest was asked for, as a liar may claim it",
    answers: { s: [manifest(ID.a, 10, "x")], silent: [] },
    options: { wanted: { sha256: "x", id: undefined } },
    want: { holders: ["s"], others: ["silent"], ms: 2010 },
  },
  {
    name: "takes another content when the one of most seeds was found to be a lie",
    answers: {
      s: [manifest(ID.a, 10, "x")],
      t: [manifest(ID.a, 10, "x")],
      u: [manifest(ID.b, 10, "x")],
    },
    options: {
      wanted: { sha256: "x", id: undefined },
      trials: after(ID.a, "wrong-sha256", "s", "t"),
    },
    want: { id: ID.b, holders: ["u"], dissenters: ["s", "t"] },
  },
  {
    name: "has no hope when all that is offered was found to be a lie",
    answers: { s: [manifest(ID.a, 10, "x")] },
    options: { wanted: { sha256: "x", id: undefined }, trials: after(ID.a, "wrong-sha256", "s") },
    want: { code: "corrupt" },
  },
  {
    name: "takes the content of another seed when that of the first one was silent",
    answers: { s: [manifest(ID.a)], u: [manifest(ID.b)] },
    options: { trials: after(ID.a, "silence", "s") },
    want: { id: ID.b },
  },
  {
    name:
      "takes the content of another seed when the first one offers a new one after each failure",
    answers: { s: [manifest(ID.a)], u: [manifest(ID.b)] },
    options: { trials: after("0".repeat(64), "refused", "s") },
    want: { id: ID.b },
  },
  {
    name: "waits 2 s for a silent seed, and keeps it in mind",
    answers: { s: [manifest(ID.a)], silent: [] },
    want: { id: ID.a, holders: ["s"], others: ["silent"], ms: 2010 },
  },
  {
    name: "does not wait for a seed that was of no use lately",
    answers: { s: [manifest(ID.a)], silent: [] },
    troubled: ["silent"],
    want: { holders: ["s"], others: ["silent"], ms: 10 },
  },
  {
    name: "lets an old seed of the same size take part in a verified download",
    answers: { s: [manifest(ID.a)], old: [size(10)], other: [size(11)] },
    want: { id: ID.a, holders: ["s", "old"], dissenters: ["other"] },
  },
  {
    name: "refuses old seeds when everything must be verified",
    answers: { s: [manifest(ID.a)], old: [size(10)] },
    options: { requireVerified: true },
    want: { holders: ["s"], dissenters: ["old"] },
  },
  {
    name: "has no hope when everything must be verified and nobody offers a manifest",
    answers: { old: [size(10)] },
    options: { requireVerified: true },
    want: { code: "protocol" },
  },
  {
    name: "fails when all must agree and one seed holds another content",
    answers: { s: [manifest(ID.a)], t: [manifest(ID.a)], u: [manifest(ID.b)] },
    options: { requireAgreement: true },
    want: { code: "conflict" },
  },
  {
    name: "takes the content that all hold when all must agree",
    answers: { s: [manifest(ID.a)], t: [manifest(ID.a)] },
    options: { requireAgreement: true },
    want: { id: ID.a, holders: ["s", "t"] },
  },
  {
    name: "takes the content that the user named when all must agree",
    answers: { s: [manifest(ID.a)], u: [manifest(ID.b)] },
    options: { requireAgreement: true, wanted: { id: ID.b, sha256: undefined } },
    want: { id: ID.b, holders: ["u"] },
  },
  {
    name: "takes the size that most old seeds tell, and never mixes two",
    answers: { s: [size(10)], t: [size(12)], u: [size(12)] },
    want: { id: null, size: 12, holders: ["t", "u"], dissenters: ["s"] },
  },
  {
    name: "prefers a seed that is still hashing to an old one",
    answers: { old: [size(10)], s: [later, later, later, manifest(ID.a)] },
    want: { id: ID.a, holders: ["old", "s"] },
  },
  {
    name: "asks a failing seed again before it despairs",
    answers: { s: [failed, failed, manifest(ID.a)] },
    want: { id: ID.a, holders: ["s"] },
  },
  {
    name: "has no hope after three tries at the only seed",
    answers: { s: [failed] },
    want: { code: "unreachable" },
  },
  {
    name: "says that nobody has it when one lacks it and another is away",
    answers: { s: [lacks], t: [failed] },
    want: { code: "not-found" },
  },
  {
    name: "says that time ran out when one lacks it and another never has it ready",
    answers: { s: [lacks], t: [later] },
    want: { code: "timeout" },
  },
  {
    name: "downloads although a seed lacks it and another is away",
    answers: { s: [lacks], t: [failed], u: [manifest(ID.a)] },
    want: { holders: ["u"], others: ["t"] },
  },
  {
    name: "takes only the content whose id was asked for",
    answers: { s: [manifest(ID.a)], t: [manifest(ID.a)], u: [manifest(ID.b)] },
    options: { wanted: { sha256: undefined, id: "bb" } },
    want: { id: ID.b, holders: ["u"], dissenters: ["s", "t"] },
  },
  {
    name: "takes only the content whose digest was asked for",
    answers: { s: [manifest(ID.a)], u: [manifest(ID.b)] },
    options: { wanted: { sha256: ID.b.toUpperCase(), id: undefined } },
    want: { id: ID.b, holders: ["u"], dissenters: ["s"] },
  },
  {
    name: "says so when no seed has that id or checksum",
    answers: { s: [manifest(ID.a)] },
    options: { wanted: { sha256: undefined, id: "cc" } },
    want: { code: "corrupt" },
  },
  {
    name: "asks for more digits when the id may mean two contents",
    answers: { s: [manifest("aa1")], t: [manifest("aa2")] },
    options: { wanted: { sha256: undefined, id: "aa" } },
    want: { code: "usage" },
  },
  {
    name: "gives up on a seed that hashes for ever",
    answers: { s: [later] },
    options: { giveUpMs: 5000 },
    want: { code: "timeout" },
  },
  {
    name: "gives up on a seed whose hashing goes to and fro",
    answers: { s: Array.from({ length: 500 }, (_, i) => hashing(1 + i % 2)) },
    options: { giveUpMs: 5000 },
    // It got on once, from 1 to 2, about a second after the start.
    want: { code: "timeout", ms: 10 + 1125 + 10 + 5000 },
  },
  {
    name: "waits as long as the hashing makes progress",
    answers: {
      s: Array.from({ length: 100 }, (_, percent) => hashing(percent)).concat(manifest(ID.a)),
    },
    options: { giveUpMs: 5000 },
    want: { id: ID.a, holders: ["s"] },
  },
  {
    name: "takes what it has when the time is up and another seed is still busy",
    answers: { s: [manifest(ID.a)], busy: [later] },
    options: { giveUpMs: 1000 },
    want: { id: ID.a, holders: ["s"], others: ["busy"] },
  },
  {
    name: "waits for a seed that was reached before and is away for a while",
    answers: { s: [failed, failed, failed, failed, failed, manifest(ID.a)] },
    known: ["s"],
    want: { id: ID.a, holders: ["s"] },
  },
  {
    name: "reports that a token is wanted when that is all that is missing",
    answers: { s: [{ kind: "refused", reason: "asks for a token", code: "auth" }] },
    want: { code: "auth" },
  },
];
for (const one of cases) {
  Deno.test(`DownloadMachine ${one.name}`, () => {
    const end = play(one) as Record<string, unknown>;
    for (const [key, value] of Object.entries(one.want)) assertEquals(end[key], value, key);
  });
}

const HOUR_MS = 3_600_000;

/** A machine that resolves while the computer is suspended. */
class SuspendedFixture {
  readonly machine: DownloadMachine;
  now = 0;
  actions: DownloadCommand[];

  constructor(...seeds: string[]) {
    this.machine = new DownloadMachine({
      ...LIMITS,
      sources: seeds.map((id) => ({ id, troubled: false, known: true })),
      wanted: { sha256: undefined, id: undefined },
      requireVerified: false,
      giveUpMs: 60_000,
      random: () => 0.5,
    }, 0);
    this.actions = this.machine.start(0);
  }

  get kinds(): string[] {
    return this.actions.map(({ kind }) => kind);
  }

  get wakeAtMs(): number {
    return this.actions.flatMap((action) => action.kind === "setTimer" ? [action.atMs] : [])[0]!;
  }

  /** So long after the last time. */
  answers(ms: number, seed: string, answer: SourceAnswer): this {
    this.now += ms;
    this.actions = this.machine.handle({ kind: "answered", source: seed, answer }, this.now);
    return this;
  }

  /** So long after it was to be. */
  wakes(lateMs: number): this {
    this.now = this.wakeAtMs + lateMs;
    this.actions = this.machine.handle({ kind: "timer" }, this.now);
    return this;
  }
}

Deno.test("DownloadMachine asks again when the machine slept for longer than giveUpMs", () => {
  const sleeper = new SuspendedFixture("s").answers(10, "s", later).wakes(HOUR_MS);
  assertEquals(sleeper.kinds, ["probe", "setTimer"]);
  assertEquals(sleeper.answers(10, "s", manifest(ID.a)).kinds, ["open"]);
});

Deno.test("DownloadMachine has hope when what it hears first after a long sleep is that a connection was lost", () => {
  const sleeper = new SuspendedFixture("s", "t").answers(10, "s", later).answers(
    HOUR_MS,
    "t",
    failed,
  );
  assertEquals(sleeper.kinds.at(-1), "setTimer");
  assertEquals(
    sleeper.answers(500, "s", manifest(ID.a)).wakes(0).kinds.includes("fail"),
    false,
  );
});

Deno.test("DownloadMachine gives up giveUpMs after it woke when everybody stays silent", () => {
  const sleeper = new SuspendedFixture("s", "t").wakes(HOUR_MS);
  assertEquals([sleeper.kinds, sleeper.wakeAtMs - sleeper.now], [["setTimer"], 60_000]);
  assertEquals(sleeper.wakes(0).kinds, ["fail"]);
});

Deno.test("DownloadMachine gives up after giveUpMs when its timers are a little late", () => {
  const sleeper = new SuspendedFixture("s").answers(10, "s", later);
  while (sleeper.kinds.at(-1) === "setTimer" && sleeper.now < HOUR_MS) {
    sleeper.wakes(20);
    if (sleeper.kinds[0] === "probe") sleeper.answers(10, "s", later);
  }
  assertEquals(sleeper.kinds.at(-1), "fail");
  assert(sleeper.now < 61_000, `gave up after ${sleeper.now} ms`);
});
