import { jsonLine, JsonLines } from "../../commands/ui/json.ts";
import { assertEquals } from "@std/assert";
import { renderLogLine } from "../../commands/ui/event_text.ts";
import { renderDone, renderEvent, renderSummary, renderTotal } from "../../commands/ui/plain.ts";
import { RepeatFilter } from "../../commands/watchers.ts";
import type { TaskEvent } from "../../core/mod.ts";
import {
  doneOutcome,
  event,
  failedOutcome,
  NOON,
  resultOf,
  StampedProgress,
} from "./fake_environment.ts";

const failure = { code: "not-found", message: 'Cannot find "a.iso": no seed has it' } as const;

const plain: { event: TaskEvent; want: string[] }[] = [
  {
    event: event({
      kind: "found",
      size: 5 * 2 ** 30,
      id: "4e1f00aabb",
      seeds: ["nas1:7270", "lab:1"],
    }),
    want: ["12:00:00 a.iso: found 5.0 GiB (id 4e1f00aa) at nas1:7270, lab:1"],
  },
  {
    event: event({ kind: "resumed", bytes: 2048, pieces: 2, rehashed: 1 }),
    want: ["12:00:00 a.iso: resumed with 2.0 KiB of an earlier run (2 pieces, 1 hashed again)"],
  },
  {
    event: event({
      kind: "seed",
      seed: "nas2:7270",
      what: "failing",
      reason: "Cannot connect\x1b[2J",
      retryInMs: 1400,
    }),
    want: ["12:00:00 a.iso: seed nas2:7270: Cannot connect\\x1b[2J; next try in 1.4 s"],
  },
  {
    event: event({ kind: "done", result: resultOf() }),
    want: ["12:00:00 a.iso: done, 2.0 KiB in 2.0 s, verified"],
  },
  {
    event: event({ kind: "failed", failure }),
    want: ['p2p: Cannot find "a.iso": no seed has it', "hint: See the seeds' files with p2p list"],
  },
  {
    event: event({ kind: "failed", failure: { code: "interrupted", message: "interrupted" } }),
    want: [],
  },
  { event: event({ kind: "state", state: "finding" }), want: [] },
  { event: event({ kind: "note", level: "info", text: "hm" }), want: ["12:00:00 a.iso: hm"] },
  { event: event({ kind: "note", level: "debug", text: "hm" }), want: [] },
];
for (const { event, want } of plain) {
  Deno.test(`renderEvent() of ${event.kind}: ${want[0] ?? "nothing"}`, () => {
    assertEquals(renderEvent(event, "a.iso", "info"), want);
  });
}

Deno.test("RepeatFilter finds repeated trouble until the seed answers", () => {
  const repeats = new RepeatFilter();
  const news = (what: "failing" | "back", reason: string) =>
    repeats.isRepeat(event({ kind: "seed", seed: "nas1", what, reason }));
  assertEquals(news("failing", "refused"), false);
  assertEquals(news("failing", "refused"), true);
  assertEquals(news("failing", "stalled"), false);
  assertEquals(news("back", ""), false);
  assertEquals(news("failing", "stalled"), false);
});

Deno.test("renderDone() shows the path if the name does not tell it", () => {
  const renamed = resultOf({ path: "out/a~cdcdcdcd.iso", verified: false });
  assertEquals(
    renderDone(renamed, "a.iso"),
    "done, 2.0 KiB in 2.0 s, unverified (its seeds offer no digests) -> out/a~cdcdcdcd.iso",
  );
  const large = { size: 3 * 2 ** 20, bytesBySeed: { "nas1:7270": 2 * 2 ** 20 } };
  assertEquals(
    renderDone(resultOf(large), "a.iso"),
    "done, 3.0 MiB in 2.0 s (2.0 MiB downloaded, 1.0 MiB/s), verified",
  );
  assertEquals(
    renderDone(resultOf({ how: "already-there" }), "a.iso"),
    "already there, 2.0 KiB, verified",
  );
  assertEquals(
    renderDone(resultOf({ how: "skipped" }), "a.iso"),
    "skipped: a file with different content exists",
  );
});

Deno.test("renderTotal() summarizes a run in one line", () => {
  const view = new StampedProgress();
  view.apply(event({ kind: "queued", name: "a", target: "a" }));
  view.apply(event({ kind: "found", size: 4096, id: null, seeds: [] }));
  view.apply(event({ kind: "resumed", bytes: 1024, pieces: 1, rehashed: 0 }));
  assertEquals(
    renderTotal(view.totals(NOON), NOON),
    "12:00:00 total: 25% of 4.0 KiB, 0 B/s, 0 done, 0 active, 1 waiting, 0 failed, ETA -",
  );
});

Deno.test("renderSummary() counts what was downloaded and what was not", () => {
  const there = doneOutcome("c");
  const already = {
    ...there,
    outcome: { ok: true, result: resultOf({ how: "already-there" }) },
  } as const;
  assertEquals(
    renderSummary([doneOutcome("a"), failedOutcome("b", "disk"), already], 3100),
    "Downloaded 1 file (2.0 KiB) in 3.1 s, 1 already there, 1 failed",
  );
  assertEquals(renderSummary([already, already], 40), "2 files are already there");
});

Deno.test("renderSummary() names the limit that shaped the run", () => {
  // 2 KiB in 2 s each, so 2 KiB/s together.
  const outcomes = [doneOutcome("a"), doneOutcome("b")];
  const sentence = (limits: { limit?: number; taskLimit?: number }) =>
    renderSummary(outcomes, 2000, limits);
  const all = "Downloaded 2 files (4.0 KiB) in 2.0 s";
  assertEquals(sentence({ limit: 2048 }), `${all}, limited to 2.0 KiB/s by --limit`);
  assertEquals(sentence({ taskLimit: 1024 }), `${all}, limited to 1.0 KiB/s each by --task-limit`);
  assertEquals(sentence({ limit: 2 ** 20, taskLimit: 2 ** 20 }), all);
});

Deno.test("renderLogLine() writes moment, level and sentence", () => {
  const { time, task, ...rest } = event(
    { kind: "stored", seed: "nas1", piece: 7, bytes: 1024 },
    { at: 114 },
  );
  const line = { time: new Date(time).toISOString(), level: "debug", task, event: rest } as const;
  assertEquals(
    renderLogLine(line),
    "2026-11-22 12:00:00.114 debug stored piece 7, 1.0 KiB from nas1",
  );
});

function jsonOf(events: readonly TaskEvent[]): unknown[] {
  const view = new StampedProgress();
  const lines = new JsonLines(view);
  return events.flatMap((event) => {
    view.apply(event);
    return lines.linesOf(event, event.time, "SIGTERM");
  }).map((line) => JSON.parse(line));
}

const queued = event({ kind: "queued", name: "a.iso", target: "out/a.iso" });
const found = event({ kind: "found", size: 4000, id: "4e", seeds: ["nas1"] });
const time = new Date(NOON).toISOString();

Deno.test("JsonLines writes task, seed, done and failed with the documented fields", () => {
  const result = resultOf();
  const { how, ...shown } = result;
  const hint = "See the seeds' files with p2p list";
  assertEquals(
    jsonOf([
      queued,
      found,
      event({ kind: "seed", seed: "nas2", what: "lacks", reason: "no file" }),
      event({ kind: "done", result }),
      event({ kind: "failed", failure }),
      event({ kind: "failed", failure: { code: "interrupted", message: "x" } }),
    ]),
    [
      {
        event: "task",
        time,
        task: "t1",
        name: "a.iso",
        size: 4000,
        id: "4e",
        verified: true,
        seeds: ["nas1"],
      },
      {
        event: "seed",
        time,
        task: "t1",
        seed: "nas2",
        what: "lacks",
        reason: "no file",
        retryInMs: null,
      },
      { event: "done", time, task: "t1", name: "a.iso", ...shown, how },
      { event: "failed", time, task: "t1", name: "a.iso", ...failure, hint, exit: 3 },
      {
        event: "failed",
        time,
        task: "t1",
        name: "a.iso",
        code: "interrupted",
        message: "x",
        hint: "Run the same command again to resume",
        exit: 143,
      },
    ],
  );
});

Deno.test("JsonLines writes progress at most twice a second, and every new state", () => {
  const stored = (at: number) =>
    event({ kind: "stored", seed: "nas1", piece: 0, bytes: 100 }, { at });
  const lines = jsonOf([
    queued,
    found,
    ...Array.from({ length: 20 }, (_, i) => stored(i * 100)),
    event({ kind: "state", state: "verifying" }, { at: 1950 }),
  ]).filter((line) => (line as { event: string }).event === "progress") as {
    downloaded: number;
    state: string;
  }[];
  assertEquals(lines.map(({ downloaded }) => downloaded), [100, 600, 1100, 1600, 2000]);
  assertEquals(lines.at(-1)!.state, "verifying");
});

Deno.test("JsonLines.summary() has one entry for each task, in order", () => {
  const lines = new JsonLines(new StampedProgress());
  const outcomes = [doneOutcome("a"), failedOutcome("b", "disk")];
  assertEquals(JSON.parse(lines.summary(outcomes, 5, NOON)), {
    event: "summary",
    time,
    done: 1,
    failed: 1,
    cancelled: 0,
    bytes: 0,
    elapsedMs: 5,
    tasks: [
      {
        task: "a",
        name: "a",
        state: "done",
        path: "a",
        size: 2048,
        sha256: "ab".repeat(32),
        verified: true,
        error: null,
      },
      {
        task: "b",
        name: "b",
        state: "failed",
        path: null,
        size: null,
        sha256: null,
        verified: false,
        error: 'Cannot get "b": because',
      },
    ],
  });
});

Deno.test("jsonLine() escapes control and bidirectional characters without changing the value", () => {
  const value = { name: "C1\u009b31mred\u202egpj.exe\u2028" };
  const line = jsonLine(value);
  assertEquals(line, '{"name":"C1\\u009b31mred\\u202egpj.exe\\u2028"}');
  assertEquals(JSON.parse(line), value);
});

const CONTENTS = [
  { id: "aa".repeat(32), size: 2048, seeds: ["liar:1", "liar:2"], setAside: "corrupt" },
  { id: "ab".repeat(32), size: 2048, seeds: ["nas:7270"] },
] as const;

Deno.test("renderEvent() names other versions on the seeds, even if only errors are shown", () => {
  const result = { ...resultOf(), id: CONTENTS[1].id, contents: CONTENTS };
  assertEquals(renderEvent(event({ kind: "done", result }), "a.iso", "error"), [
    'p2p: Seeds differ on "a.iso" (1 seed): ' +
    "liar:1, liar:2 have a different version: --id aaaaaaaa (sent corrupt data)",
    "hint: Pick a version with --id",
  ]);
});

Deno.test("renderEvent() names the versions of all seeds when a download fails", () => {
  const lines = renderEvent(
    event({ kind: "failed", failure: { ...failure, contents: CONTENTS } }),
    "a.iso",
    "error",
  );
  assertEquals(
    lines.at(-1),
    "hint: Seeds differ: liar:1, liar:2 have a different version: --id aaaaaaaa (sent corrupt data); " +
      "nas:7270 has a different version: --id abababab",
  );
});

Deno.test("JsonLines.summary() has the versions where seeds differ", () => {
  const outcome = { ok: true, result: resultOf({ contents: CONTENTS }) } as const;
  const lines = new JsonLines(new StampedProgress());
  const summary = JSON.parse(lines.summary([{ ...doneOutcome("a"), outcome }], 5, NOON));
  assertEquals(summary.tasks[0].contents, CONTENTS);
});
