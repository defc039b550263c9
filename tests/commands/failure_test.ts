import { assertEquals } from "@std/assert";
import type { ErrorCode, TaskOutcome } from "../../core/mod.ts";
import {
  exitOfFailure,
  exitOfOutcomes,
  EXITS,
  renderBug,
  renderFailure,
  renderTaskFailure,
} from "../../commands/ui/failure.ts";
import { doneOutcome, failedOutcome } from "./fake_environment.ts";

const exits: Record<ErrorCode | "bug" | "cancelled" | "interrupted", number> = {
  bug: 1,
  usage: 2,
  "not-found": 3,
  unreachable: 4,
  timeout: 4,
  busy: 4,
  auth: 4,
  protocol: 5,
  corrupt: 5,
  changed: 5,
  disk: 6,
  conflict: 7,
  cancelled: 8,
  interrupted: 130,
};
for (const [code, exit] of Object.entries(exits)) {
  Deno.test(`exitOfFailure() is ${exit} for ${code}`, () => {
    assertEquals(exitOfFailure(code as ErrorCode), exit);
  });
}

const runs: { name: string; outcomes: TaskOutcome[]; exit: number }[] = [
  { name: "nothing", outcomes: [], exit: 0 },
  { name: "all good", outcomes: [doneOutcome("a"), doneOutcome("b")], exit: 0 },
  {
    name: "one bad of two",
    outcomes: [doneOutcome("a"), failedOutcome("b", "not-found")],
    exit: 3,
  },
  {
    name: "two bad for one reason",
    outcomes: [failedOutcome("a", "unreachable"), failedOutcome("b", "timeout")],
    exit: 4,
  },
  {
    name: "two bad for two reasons",
    outcomes: [failedOutcome("a", "disk"), failedOutcome("b", "not-found")],
    exit: 1,
  },
  {
    name: "cancelled elsewhere beside good ones",
    outcomes: [doneOutcome("a"), failedOutcome("b", "cancelled")],
    exit: 8,
  },
  {
    name: "bad, and another one cancelled elsewhere",
    outcomes: [failedOutcome("a", "disk"), failedOutcome("b", "cancelled")],
    exit: 6,
  },
  {
    name: "cancelled elsewhere and interrupted",
    outcomes: [failedOutcome("a", "cancelled"), failedOutcome("b", "interrupted")],
    exit: 143,
  },
  {
    name: "bad and interrupted",
    outcomes: [failedOutcome("a", "disk"), failedOutcome("b", "interrupted")],
    exit: 143,
  },
];
for (const { name, outcomes, exit } of runs) {
  Deno.test(`exitOfOutcomes() is ${exit} for ${name}`, () => {
    assertEquals(exitOfOutcomes(outcomes, "SIGTERM"), exit);
  });
}

Deno.test("renderFailure() writes one line and the hint, with control characters escaped", () => {
  assertEquals(
    renderFailure({ message: "Cannot read \x1b[2J\nmore", hint: "Do\x07 it" }),
    ["p2p: Cannot read \\x1b[2J; more", "hint: Do\\x07 it"],
  );
});

Deno.test("renderTaskFailure() names the file once", () => {
  const code = "not-found";
  assertEquals(renderTaskFailure("a.iso", { code, message: 'Cannot find "a.iso"' }), [
    'p2p: Cannot find "a.iso"',
    "hint: See the seeds' files with p2p list",
  ]);
  assertEquals(renderTaskFailure("b.iso", { code, message: "No seed" }, ["nas 1"]), [
    'p2p: Cannot get "b.iso": No seed',
    "hint: See the seeds' files with p2p list --seed 'nas 1'",
  ]);
});

const missing = [
  { name: "data", step: "p2p get data/" },
  { name: "films/holidays 2024", step: "p2p get 'films/holidays 2024/'" },
  { name: "p2p-0.1.0", step: "p2p get p2p-0.1.0/" },
  { name: "it's", step: "p2p get 'it'\\''s/'" },
  { name: "films/a.mkv", step: undefined },
  { name: "a.tar.7z", step: undefined },
  { name: "data/*", step: undefined },
];
for (const { name, step } of missing) {
  Deno.test(`renderTaskFailure() of a missing ${name} suggests ${step ?? "no folder"}`, () => {
    const failure = { code: "not-found", message: "No seed has it" } as const;
    const look = "hint: See the seeds' files with p2p list";
    const wanted = step === undefined ? look : `${look}; for a folder: ${step}`;
    assertEquals(renderTaskFailure(name, failure)[1], wanted);
    const busy = { code: "busy", message: "No seed has time" } as const;
    assertEquals(renderTaskFailure(name, busy)[1]!.includes("folder"), false);
  });
}

Deno.test("renderTaskFailure() repeats the --seed flags of the command in its hint", () => {
  const failure = { code: "not-found", message: "No seed has it" } as const;
  assertEquals(
    renderTaskFailure("data", failure, ["nas1", "a b"])[1],
    "hint: See the seeds' files with p2p list --seed nas1 --seed 'a b'; " +
      "for a folder: p2p get data/ --seed nas1 --seed 'a b'",
  );
});

Deno.test("EXITS has every code that a failure can have, once", () => {
  const reported = EXITS.map(([code]) => code);
  assertEquals(reported, [0, 1, 2, 3, 4, 5, 6, 7, 8, 129, 130, 143]);
  for (const exit of Object.values(exits)) assertEquals(reported.includes(exit), true, `${exit}`);
});

Deno.test("renderBug() ends with a request for a report", () => {
  const lines = renderBug(new TypeError("x is not a function"));
  assertEquals(lines[0], "TypeError: x is not a function");
  assertEquals(lines.at(-1), "this is a bug in p2p, please report it");
});
