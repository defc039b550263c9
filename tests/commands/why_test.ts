import { assertEquals, assertStringIncludes } from "@std/assert";
import type { LineFigures, SeedSummary, TaskCase, TaskStatus, TimeReport } from "../../core/mod.ts";
import { diagnosisOf } from "../../commands/ui/why/diagnosis.ts";
import { caseFields, renderCase } from "../../commands/ui/why/why.ts";

const MIB = 1_048_576;

const task: TaskStatus = {
  task: "t7k",
  name: "a.iso",
  state: "downloading",
  size: 50 * MIB,
  downloaded: 10 * MIB,
  percent: 20,
  rate: 5 * MIB,
  etaMs: 8000,
  seeds: [],
  path: "/out/a.iso",
  target: "/out/a.iso",
  pid: 9,
  verified: true,
  id: "ab",
  error: null,
  updatedAt: 0,
  pausedBy: null,
  since: 0,
  detail: null,
};

const seed = (name: string, changes: Partial<SeedSummary> = {}): SeedSummary => ({
  seed: name,
  standing: "gives",
  reason: null,
  bytes: 10 * MIB,
  rate: 5 * MIB,
  failures: 0,
  corrupt: 0,
  ...changes,
});

interface Case {
  readonly name: string;
  readonly task?: Partial<TaskStatus>;
  readonly account?: Partial<TimeReport> | null;
  readonly more?: Partial<TaskCase>;
  readonly cause: string;
  readonly says: string;
}

function caseOf({ task: changes, account, more }: Omit<Case, "name" | "cause" | "says">): TaskCase {
  const sound: TimeReport = { spent: {}, now: "bytes", at: 0, hashMs: 0, diskMs: 0, seeds: [] };
  return {
    task: { ...task, ...changes },
    account: account === null ? null : { ...sound, ...account },
    limits: { max: 3, limit: null, taskLimit: null },
    queuedAt: 1000,
    now: 22_000,
    running: 3,
    ahead: 12,
    ...more,
  };
}

/** A seed at the other end of a line of 100 ms. */
const far = (
  changes: Partial<LineFigures> = {},
  { rate = 5 * MIB }: { rate?: number } = {},
): SeedSummary =>
  seed("nas1", {
    rate,
    line: {
      roundTripMs: 100,
      connections: 4,
      windowBytes: 4 * MIB,
      goodput: rate,
      memoryBound: false,
      ...changes,
    },
  });
const receiving = (...seeds: SeedSummary[]) => ({ spent: { bytes: 9000 }, seeds });
const AUTO = {
  max: 3,
  limit: null,
  taskLimit: null,
  memory: 48 * MIB,
  seedConnections: "auto",
} as const;
const UNKNOWN_PATH = "is limited by the network or the seed (p2p cannot tell which)";

const LIMITS = { max: 3, limit: MIB, taskLimit: 2 * MIB };
const over = { pid: null, state: "done" } as const;

const cases: Case[] = [
  {
    name: "waits for its turn",
    task: { state: "waiting" },
    account: null,
    cause: "place",
    says:
      "a.iso has been queued for 21 s: 3 downloads are running, 12 are ahead of it (--max 3 when",
  },
  {
    name: "is paused",
    task: { state: "paused" },
    account: { now: "paused", spent: { paused: 3000 } },
    cause: "paused",
    says: "a.iso is paused by you (3.0 s so far), 10/50 MiB downloaded",
  },
  {
    name: "has no process any more",
    task: { state: "paused", pid: null },
    cause: "stopped",
    says: "a.iso is stopped, 10/50 MiB downloaded: no process is running it",
  },
  {
    name: "was paused by the user, and has no process any more",
    task: { state: "paused", pid: null, pausedBy: "user" },
    cause: "paused",
    says: "a.iso is paused by you, 10/50 MiB downloaded: no process is running it",
  },
  {
    name: "has no room",
    task: { state: "waiting" },
    account: { now: "room", spent: { room: 3000 } },
    cause: "room",
    says: "is waiting for disk space (3.0 s so far): 40 MiB more needed",
  },
  {
    name: "has only just begun",
    task: { state: "finding" },
    account: null,
    cause: "asking",
    says: "a.iso is asking the seeds what they have",
  },
  {
    name: "waits for a seed that hashes",
    account: {
      now: "pending",
      spent: { pending: 9000 },
      seeds: [seed("nas1", { standing: "pending", reason: "nas1 is still hashing (43 %)" })],
    },
    cause: "pending",
    says: "is waiting for a seed to hash the file (9.0 s so far): nas1 is still hashing (43 %).",
  },
  {
    name: "waits for a busy seed",
    account: {
      now: "busy",
      seeds: [seed("nas1", { standing: "busy", reason: "is busy" }), seed("nas2")],
    },
    cause: "busy",
    says: "is waiting for a busy seed: nas1: is busy.",
  },
  {
    name: "reaches no seed",
    account: { now: "unreachable", seeds: [seed("nas1", { standing: "failing", reason: "away" })] },
    cause: "unreachable",
    says: "is waiting for a reachable seed: nas1: away.",
  },
  {
    name: "is held back by the user's limits",
    account: { now: "bytes", spent: { limit: 9000, bytes: 1000 } },
    more: { limits: LIMITS },
    cause: "limit",
    says: "is limited by --limit 1.0 MiB/s over all downloads and --task-limit 2.0 MiB/s each " +
      "for 9.0 s of its 10 s of transfer",
  },
  {
    name: "was held back only now and then",
    account: { now: "limit", spent: { limit: 1000, bytes: 9000 }, seeds: [seed("nas1")] },
    cause: "bytes",
    says:
      "is limited by the network or the seed (p2p cannot tell which): nas1 sends everything, 5.0 MiB/s",
  },
  {
    name: "has a slow seed among others",
    account: {
      spent: { bytes: 9000 },
      seeds: [seed("nas1"), seed("nas2"), seed("nas3", { rate: MIB })],
    },
    cause: "bytes",
    says: "3 seeds send 11 MiB/s together; slow: nas3 1.0 MiB/s",
  },
  {
    name: "needs many connections on a long line",
    account: receiving(far({ connections: 16 })),
    more: { limits: AUTO },
    cause: "bytes",
    says: `${UNKNOWN_PATH}: 16 connections to nas1 carry 320 KiB/s each at a round trip of 100 ms`,
  },
  {
    name: "keeps a long line full over many connections",
    account: receiving(far({ connections: 16 }, { rate: 64 * MIB })),
    more: { limits: AUTO },
    cause: "bytes",
    says: UNKNOWN_PATH,
  },
  {
    name: "gains nothing by more connections",
    account: receiving(far({ connections: 4 })),
    more: { limits: AUTO },
    cause: "bytes",
    says: UNKNOWN_PATH,
  },
  {
    name: "has many connections on a short line",
    account: receiving(far({ connections: 16, roundTripMs: 2 })),
    more: { limits: AUTO },
    cause: "bytes",
    says: UNKNOWN_PATH,
  },
  {
    name: "has few connections to a distant seed by a setting",
    account: receiving(far({ connections: 1 }, { rate: MIB })),
    more: { limits: { ...AUTO, seedConnections: 1 } },
    cause: "connections",
    says:
      "is limited by --seed-connections 1, or by the network or the seed: 1 connection to nas1 " +
      "carries 1.0 MiB/s at a round trip of 100 ms",
  },
  {
    name: "has as many connections as a setting asks for",
    account: receiving(far({ connections: 16 })),
    more: { limits: { ...AUTO, seedConnections: 16 } },
    cause: "bytes",
    says: UNKNOWN_PATH,
  },
  {
    name: "was recorded by a version that knew no such settings",
    account: receiving(far({ connections: 16, memoryBound: true })),
    cause: "bytes",
    says: UNKNOWN_PATH,
  },
  {
    name: "could have more on its way",
    account: receiving(far({ roundTripMs: 200.4, memoryBound: true }, { rate: 90 * MIB })),
    more: { limits: AUTO, running: 1 },
    cause: "memory",
    says:
      "is limited by --memory 48 MiB: with a round trip of 200 ms, nas1 could have more on its way",
  },
  {
    name: "shares the memory with others",
    account: receiving(far({ memoryBound: true }, { rate: 60 * MIB })),
    more: { limits: AUTO, running: 3 },
    cause: "memory",
    says: "is limited by --memory 48 MiB for 3 downloads: with a round trip of 100 ms",
  },
  {
    name: "has enough on its way although memory is full",
    account: receiving(far({ memoryBound: true }, { rate: 20 * MIB })),
    more: { limits: AUTO, running: 1 },
    cause: "bytes",
    says: UNKNOWN_PATH,
  },
  {
    name: "comes from several seeds, none of which sends most",
    account: receiving(far({ connections: 16 }), seed("nas2"), { ...far(), seed: "nas3" }),
    more: { limits: AUTO },
    cause: "bytes",
    says: "3 seeds send 15 MiB/s together",
  },
  {
    name: "is done and used many connections",
    task: over,
    account: { now: null, spent: { bytes: 10_000 }, seeds: [far({ connections: 12 })] },
    more: { limits: AUTO },
    cause: "bytes",
    says: "10 s (100%) were limited by the network or the seed (p2p cannot tell which): " +
      "12 connections to nas1 carry 85 KiB/s each",
  },
  {
    name: "waits for the processor",
    account: { spent: { bytes: 9000 }, hashMs: 6000, diskMs: 100 },
    cause: "processor",
    says: "is limited by this computer: hashing took 6.0 s of the 9.0 s of receiving",
  },
  {
    name: "waits for the disk",
    account: { spent: { bytes: 9000 }, hashMs: 600, diskMs: 5000 },
    cause: "disk",
    says: "is limited by this disk: writing took 5.0 s of the 9.0 s of receiving",
  },
  {
    name: "is being synced",
    account: { now: "finishing", spent: { finishing: 4000 } },
    cause: "finishing",
    says: "has all its bytes and is syncing them to the disk (4.0 s so far)",
  },
  {
    name: "is done and was held back",
    task: over,
    account: { now: null, spent: { limit: 9000, bytes: 800, asking: 200 } },
    more: { limits: LIMITS },
    cause: "limit",
    says: "a.iso is done; of its 10 s, 9.0 s (90%) were limited by --limit 1.0 MiB/s",
  },
  {
    name: "is done after a long wait",
    task: over,
    account: { now: null, spent: { place: 9000, bytes: 1000 } },
    cause: "place",
    says: "is done; of its 10 s, 9.0 s (90%) were spent in the queue",
  },
  {
    name: "is done and came from one seed",
    task: over,
    account: { now: null, spent: { bytes: 10_000 }, seeds: [seed("nas1", { rate: 0 })] },
    cause: "bytes",
    says: "10 s (100%) were limited by the network or the seed (p2p cannot tell which): " +
      "nas1 sent everything, 1.0 MiB/s",
  },
  {
    name: "is done at once",
    task: over,
    account: { now: null, spent: { bytes: 20 } },
    cause: "nothing",
    says: "a.iso is done; nothing held it up in its 20 ms.",
  },
  {
    name: "failed for want of a seed",
    task: { ...over, state: "failed", error: "no seed sent anything" },
    account: {
      now: null,
      spent: { bytes: 1000, unreachable: 120_000 },
      seeds: [seed("nas1", { standing: "failing", reason: "nas1 refuses" })],
    },
    cause: "unreachable",
    says: "a.iso failed: no seed sent anything; of its 2:01, 2:00 (99%) were spent " +
      "without a reachable seed: nas1 refuses",
  },
  {
    name: "failed at once",
    task: { ...over, state: "failed", error: "no seed has it" },
    account: null,
    cause: "nothing",
    says: "a.iso failed: no seed has it.",
  },
];
for (const { name, cause, says, ...rest } of cases) {
  Deno.test(`why names ${cause} for a task that ${name}`, () => {
    const theCase = caseOf(rest);
    assertEquals(diagnosisOf(theCase).cause, cause);
    assertStringIncludes(renderCase(theCase)[0]!, says);
  });
}

Deno.test("why shows where the time went, what each seed sent, and what to try", () => {
  const account = {
    spent: { bytes: 7500, limit: 500, asking: 2000 },
    seeds: [
      seed("nas1"),
      seed("lab", { standing: "failing", reason: "away", bytes: 0, failures: 2, corrupt: 1 }),
    ],
  };
  assertEquals(renderCase(caseOf({ account })).slice(1), [
    "time:  receiving 7.5 s (75%), asking seeds 2.0 s (20%), your limit 500 ms (5%)",
    "seeds: nas1 10 MiB, 5.0 MiB/s; lab failing, failed 2 times, 1 wrong piece",
    "try:   add seeds that have it with --seed; p2p list shows which do",
  ]);
});

Deno.test("why says when many connections to a distant seed are a sign of lost packets", () => {
  const account = receiving(far({ connections: 16 }));
  assertEquals(
    diagnosisOf(caseOf({ account, more: { limits: AUTO } })).advice,
    "if the line is faster than 5.0 MiB/s, packets are lost: let the seed send with BBR (on Linux: " +
      "sysctl net.ipv4.tcp_congestion_control=bbr), or add seeds with --seed",
  );
});

Deno.test("why shows the line to a distant seed", () => {
  const near = { ...far({ roundTripMs: 0.4 }), seed: "nas2" };
  const seeds = [far({ connections: 1 }), near, { ...far({ roundTripMs: null }), seed: "nas3" }];
  assertEquals(
    renderCase(caseOf({ account: receiving(...seeds) }))[2],
    "seeds: nas1 10 MiB, 5.0 MiB/s, round trip 100 ms, 1 connection; " +
      "nas2 10 MiB, 5.0 MiB/s; nas3 10 MiB, 5.0 MiB/s",
  );
});

Deno.test("why describes the seeds of a finished task in plain words", () => {
  const account = {
    now: null,
    spent: { limit: 2000 },
    seeds: [
      seed("nas1", { bytes: 0 }),
      seed("nas2", { standing: "lacks", bytes: 0 }),
      seed("nas3", { standing: "dissents", bytes: 0 }),
    ],
  };
  const more = { limits: { max: 3, limit: MIB, taskLimit: null } };
  assertEquals(renderCase(caseOf({ task: over, account, more })).slice(2), [
    "seeds: nas1 sent nothing; nas2 does not have it; nas3 has a different version",
    "try:   raise or drop --limit next time",
  ]);
});

Deno.test("why names only the limit that is set", () => {
  const account = { now: "limit", spent: { limit: 2000 } } as const;
  const more = { limits: { max: 3, limit: null, taskLimit: MIB } };
  assertStringIncludes(
    diagnosisOf(caseOf({ account, more })).advice!,
    "raise or drop --task-limit and",
  );
});

Deno.test("why --json has the figures", () => {
  const fields = caseFields(caseOf({ account: { spent: { bytes: 5 } } })) as Record<
    string,
    unknown
  >;
  assertEquals(Object.keys(fields), [
    "task",
    "name",
    "state",
    "cause",
    "sentence",
    "advice",
    "spentMs",
    "hashMs",
    "diskMs",
    "limits",
    "seeds",
  ]);
  assertEquals([fields.cause, fields.spentMs], ["bytes", { bytes: 5 }]);
});

Deno.test("why escapes control characters from seeds", () => {
  const account = {
    now: "unreachable",
    seeds: [seed("nas1", { standing: "failing", reason: "\x1b[2Jgone" })],
  } as const;
  for (const line of renderCase(caseOf({ task: { name: "a\x1b[1m" }, account }))) {
    // deno-lint-ignore no-control-regex -- escape sequences are what it looks for
    assertEquals(/\x1b/.test(line), false, line);
  }
});
