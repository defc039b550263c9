import { assertEquals } from "@std/assert";
import type { Span, TimeReport } from "../../core/progress/snapshots.ts";
import { TaskProgress } from "../../core/progress/task_progress.ts";
import type { TaskEventData } from "../../core/events.ts";
import { eventOf, NOW } from "../state/support.ts";

type Step = readonly [ms: number, news: TaskEventData | { readonly limited: boolean }];

const SIZE = 100;
const state = (state: "waiting" | "finding" | "downloading" | "verifying" | "paused") =>
  ({ kind: "state", state }) as const;
const waiting = (waitsFor: "place" | "seeds" | "room") =>
  ({ kind: "state", state: "waiting", waitsFor }) as const;
const found = { kind: "found", size: SIZE, id: "ab", seeds: ["x", "y"] } as const;
const seed = (
  what: Extract<TaskEventData, { kind: "seed" }>["what"],
  seed = "x",
  percent?: number,
) =>
  ({
    kind: "seed",
    seed,
    what,
    reason: `${seed} ${what}`,
    ...percent === undefined ? {} : { percent },
  }) as const;
const received = (bytes: number, seed = "x") => ({ kind: "received", seed, bytes }) as const;
const stored = (bytes: number) =>
  ({ kind: "stored", seed: "x", piece: 0, bytes, hashMs: 2, diskMs: 3 }) as const;
const done: TaskEventData = {
  kind: "done",
  result: {
    path: "/x",
    size: SIZE,
    sha256: null,
    id: null,
    verified: false,
    elapsedMs: 1,
    bytesBySeed: {},
    how: "downloaded",
  },
};
const failure: TaskEventData = { kind: "failed", failure: { code: "timeout", message: "late" } };

function reportAfter(steps: readonly Step[], atMs: number): TimeReport {
  const task = new TaskProgress("a", NOW, NOW);
  let last: TimeReport | undefined;
  for (const [ms, news] of steps) {
    if ("limited" in news) task.setLimited(news.limited, NOW + ms);
    else last = task.apply(eventOf("a", news, NOW + ms), NOW + ms) ?? last;
  }
  return last ?? task.timeReport(NOW + atMs, NOW + atMs)!;
}

const cases: {
  name: string;
  steps: Step[];
  at: number;
  spent: Partial<Record<Span, number>>;
  now: Span | null;
  /** When it ended: later time does not count. */
  ended?: number;
}[] = [
  {
    name: "it only waits for its turn",
    steps: [[0, waiting("place")]],
    at: 70,
    spent: { place: 70 },
    now: "place",
  },
  {
    name: "it asks the seeds",
    steps: [[10, state("finding")]],
    at: 30,
    spent: { place: 10, asking: 20 },
    now: "asking",
  },
  {
    name: "a seed hashes the file",
    steps: [[0, state("finding")], [5, seed("busy", "x", 40)]],
    at: 30,
    spent: { asking: 5, pending: 25 },
    now: "pending",
  },
  {
    name: "a seed is busy, and another fails",
    steps: [[0, state("finding")], [5, seed("failing", "y")], [6, seed("busy")]],
    at: 30,
    spent: { asking: 5, unreachable: 1, busy: 24 },
    now: "busy",
  },
  {
    name: "the seeds do not have the file",
    steps: [[0, state("finding")], [5, seed("lacks")]],
    at: 30,
    spent: { asking: 30 },
    now: "asking",
  },
  {
    name: "existing files are checked",
    steps: [[0, state("finding")], [5, found], [15, state("verifying")], [
      35,
      state("downloading"),
    ]],
    at: 40,
    spent: { asking: 5, checking: 30, bytes: 5 },
    now: "bytes",
  },
  {
    name: "the user's limit begins and ends",
    steps: [
      [0, found],
      [0, state("downloading")],
      [10, { limited: true }],
      [40, { limited: false }],
    ],
    at: 50,
    spent: { bytes: 20, limit: 30 },
    now: "bytes",
  },
  {
    name: "one seed of two fails",
    steps: [[0, found], [0, state("downloading")], [10, seed("failing")]],
    at: 50,
    spent: { bytes: 50 },
    now: "bytes",
  },
  {
    name: "both seeds fail, and one is back",
    steps: [
      [0, found],
      [0, state("downloading")],
      [10, seed("failing")],
      [20, seed("failing", "y")],
      [25, waiting("seeds")],
      [40, seed("joined", "y")],
      [41, state("downloading")],
    ],
    at: 50,
    spent: { bytes: 29, unreachable: 21 },
    now: "bytes",
  },
  {
    name: "a seed that failed sends bytes",
    steps: [
      [0, { ...found, seeds: ["x"] }],
      [0, state("downloading")],
      [10, seed("failing")],
      [20, received(5)],
    ],
    at: 30,
    spent: { bytes: 20, unreachable: 10 },
    now: "bytes",
  },
  {
    name: "everything is stored and not yet synced",
    steps: [[0, found], [0, state("downloading")], [10, stored(60)], [20, stored(40)]],
    at: 50,
    spent: { bytes: 20, finishing: 30 },
    now: "finishing",
  },
  {
    name: "an earlier run left a part",
    steps: [
      [0, found],
      [0, { kind: "resumed", bytes: 60, pieces: 1, rehashed: 0 }],
      [0, state("downloading")],
      [20, stored(40)],
    ],
    at: 50,
    spent: { bytes: 20, finishing: 30 },
    now: "finishing",
  },
  {
    name: "it is paused and resumed",
    steps: [
      [0, found],
      [0, state("downloading")],
      [10, state("paused")],
      [30, waiting("place")],
      [40, state("finding")],
    ],
    at: 45,
    spent: { bytes: 10, paused: 20, place: 10, asking: 5 },
    now: "asking",
  },
  {
    name: "the disk is full",
    steps: [[0, found], [0, state("downloading")], [10, waiting("room")]],
    at: 45,
    spent: { bytes: 10, room: 35 },
    now: "room",
  },
  {
    name: "it is done",
    steps: [[0, found], [0, state("downloading")], [10, stored(100)], [12, done]],
    at: 99,
    spent: { bytes: 10, finishing: 2 },
    now: null,
    ended: 12,
  },
  {
    name: "it failed",
    steps: [[0, state("finding")], [9, failure]],
    at: 99,
    spent: { asking: 9 },
    now: null,
    ended: 9,
  },
  {
    name: "the clock went back",
    steps: [[50, state("finding")], [20, found]],
    at: 30,
    spent: { place: 50, checking: 10 },
    now: "checking",
  },
];
for (const { name, steps, at, spent, now, ended } of cases) {
  Deno.test(`TaskProgress reports where the time went when ${name}`, () => {
    const report = reportAfter(steps, at);
    assertEquals(report.spent, spent);
    assertEquals([report.now, report.at], [now, NOW + (ended ?? at)]);
  });
}

Deno.test("TaskProgress.timeReport() lists the bytes and the status of each seed", () => {
  const report = reportAfter([
    [0, found],
    [0, state("downloading")],
    [0, received(300, "y")],
    [500, received(200, "y")],
    [500, received(50)],
    [600, seed("corrupt")],
    [700, seed("failing")],
    [800, seed("dissents", "z")],
  ], 1000);
  assertEquals(report.seeds, [
    {
      seed: "y",
      standing: "gives",
      reason: null,
      bytes: 500,
      failures: 0,
      corrupt: 0,
      rate: 500,
    },
    {
      seed: "x",
      standing: "failing",
      reason: "x failing",
      bytes: 50,
      failures: 1,
      corrupt: 1,
      rate: 100,
    },
    {
      seed: "z",
      standing: "dissents",
      reason: "z dissents",
      bytes: 0,
      failures: 0,
      corrupt: 0,
      rate: 0,
    },
  ]);
});

Deno.test("TaskProgress.timeReport() sums local work on pieces", () => {
  const { hashMs, diskMs } = reportAfter([[0, found], [1, stored(10)], [2, stored(10)]], 5);
  assertEquals([hashMs, diskMs], [4, 6]);
});

Deno.test("TaskProgress.timeReport() lists at most twelve seeds, those that sent most first", () => {
  const seeds = Array.from({ length: 40 }, (_, n) => `s${n}`);
  const { seeds: listed } = reportAfter([[0, { ...found, seeds }], [0, received(1, "s33")]], 5);
  assertEquals([listed.length, listed[0]!.seed], [12, "s33"]);
});
