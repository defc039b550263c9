/**
 * What `p2p status --watch` shows, as golden screens: the compiled program in a
 * pseudo-terminal, over records as a process at work writes them. Read the
 * screens in `screens/` when they change: they are what a user sees.
 */
import { join } from "@std/path";
import { assertEquals } from "@std/assert";
import { assertGolden } from "../support/golden.ts";
import { type CliFixture, test } from "./harness.ts";
import { ON_TERMINAL, type Size, Terminal } from "./terminal.ts";

const MIB = 2 ** 20;

/** The first tasks, each in another state; those behind them wait. */
const NAMES = [
  "ubuntu-24.04-desktop-amd64.iso",
  "写真/家族旅行の思い出 2026.zip",
  "model-weights-part-0001-of-0007.safetensors",
  "c1-\x9b31m\u202egpj.exe",
  "👍🏽 flags 🇩🇪 and marks e\u0301\u0301.mov",
  `${"a-name-of-255-bytes-".repeat(12)}0123456789.wav`,
];

function nameOf(i: number): string {
  return NAMES[i] ?? `data/part-${String(i).padStart(6, "0")}.parquet`;
}

/** A process at work on `count` tasks, as its record reports it; alive as long as the handle is held. */
function atWork(world: CliFixture, count: number): Disposable {
  const runs = world.path("state", "runs");
  Deno.mkdirSync(runs, { recursive: true });
  const base = join(runs, `${Date.now()}-4242`);
  const ids = Array.from({ length: count }, (_, i) => `t${i}`);
  const lines = [
    { pid: 4242, startedAt: Date.now() },
    {
      time: Date.now(),
      queued: { base: "/out/", tasks: ids.map((id, i) => [id, nameOf(i)]) },
    },
    ...ids.slice(0, 6).flatMap(eventsOf),
  ];
  Deno.writeTextFileSync(
    `${base}.jsonl`,
    lines.map((line) => JSON.stringify(line) + "\n").join(""),
  );
  Deno.writeTextFileSync(`${base}.now`, JSON.stringify(nowOf(ids)));
  const lock = Deno.openSync(`${base}.lock`, { create: true, write: true });
  lock.lockSync(true);
  return lock;
}

function eventsOf(task: string, i: number): object[] {
  const time = Date.now();
  const seeds = ["nas1:7270", "nas2:7270"];
  const failure = { code: "disk", message: "Cannot write: no space is left" };
  return [
    { kind: "state", task, time, state: "finding" },
    { kind: "found", task, time, size: (i + 1) * 700 * MIB, id: "ab", seeds },
    ...i === 5
      ? [{ kind: "failed", task, time, failure }]
      : [{ kind: "state", task, time, state: STATES[i] }],
  ];
}

const STATES = ["downloading", "downloading", "verifying", "waiting", "paused"];

/** As if it were written in the future, so that it does not grow old while the test runs. */
function nowOf(ids: readonly string[]): object {
  const seeds = ["nas1:7270", "nas2:7270"];
  const moving = ids.slice(0, 5).map((id, i) => [
    id,
    { downloaded: (i + 1) * 123 * MIB, rate: i < 2 ? (50 - 45 * i) * MIB : 0, seeds },
  ]);
  const seed = {
    seed: "nas1:7270",
    standing: "joined",
    rate: 1,
    slow: false,
    bytes: 1,
    inFlight: 1,
    failures: 0,
    reason: null,
    retryAt: null,
  };
  const slow = { ...seed, seed: "nas2:7270", slow: true };
  const away = { ...seed, standing: "failing", reason: "Cannot connect to nas1:7270: refused" };
  const inside = [[slow], [seed], [seed], [away], [seed]].slice(0, ids.length)
    .map((seeds, i) => [ids[i], { seeds, moreSeeds: 0, pieces: null, trouble: null }]);
  return {
    time: Date.now() + 3_600_000,
    tasks: Object.fromEntries(moving),
    details: Object.fromEntries(inside),
  };
}

const SIZES: Size[] = [40, 80, 200].flatMap((columns) =>
  [5, 24, 60].map((rows) => ({ columns, rows }))
);

const CASES = [
  ...SIZES.map((size) => ({ ...size, count: 10_000 })),
  { columns: 80, rows: 24, count: 1 },
  { columns: 40, rows: 24, count: 30 },
  { columns: 80, rows: 24, count: 30 },
  { columns: 200, rows: 24, count: 30 },
];

for (const { columns, rows, count } of CASES) {
  const what = `${count} tasks on ${columns} columns and ${rows} rows`;
  test(`p2p status --watch shows ${what}`, async (world) => {
    using _alive = atWork(world, count);
    await using terminal = await Terminal.start(world, { columns, rows }, "status", "--watch");
    const { lines } = await terminal.until(isDrawn, "the tasks");
    assertGolden(screen(`watch-${count}-${columns}x${rows}`), lines);
    await terminal.type("q");
    assertEquals(await terminal.ended, 0);
  }, ON_TERMINAL);
}

function isDrawn({ lines }: { lines: readonly string[] }): boolean {
  return lines.some((line) => /^unfinished: 1-\d+ of \d+/.test(line));
}

function screen(name: string): URL {
  return new URL(`screens/${name}.txt`, import.meta.url);
}

/** What is pressed, one after the other, and the part of the list that is seen then. */
const KEYS = [
  { keys: "\x1b[6~", place: "22-42 of", name: "page-down" },
  { keys: "\x1b[F", place: "9979-9999 of", name: "end" },
  { keys: "\x1b[1~", place: "1-21 of", name: "home" },
  { keys: "f", place: "active: 1-3 of 3", name: "filter-active" },
  { keys: "fff", place: "failed: 1-1 of 1", name: "filter-failed" },
];

test("p2p status --watch goes through 10,000 tasks by page and by state", async (world) => {
  using _alive = atWork(world, 10_000);
  const size = { columns: 80, rows: 24 };
  await using terminal = await Terminal.start(world, size, "status", "--watch");
  await terminal.until(isDrawn, "the tasks");
  for (const { keys, place, name } of KEYS) {
    await terminal.type(keys);
    const { lines } = await terminal.until(
      ({ lines }) => lines.some((line) => line.includes(place)),
      name,
    );
    assertGolden(screen(`watch-keys-${name}`), lines);
  }
}, ON_TERMINAL);

test("p2p status --watch draws itself anew for each size in the middle", async (world) => {
  using _alive = atWork(world, 10_000);
  await using terminal = await Terminal.start(world, SIZES[4]!, "status", "--watch");
  await terminal.until(isDrawn, "the tasks");
  for (const size of [SIZES[0]!, SIZES[8]!, SIZES[3]!, SIZES[4]!]) {
    const golden = screen(`watch-10000-${size.columns}x${size.rows}`);
    const want = Deno.readTextFileSync(golden).trimEnd().split("\n");
    await terminal.resize(size);
    // The very screen of a terminal that had the size from the beginning, and nothing left of the old one.
    await terminal.until(
      ({ lines }) => lines.join("\n") === want.join("\n"),
      "the screen of the size",
    );
  }
}, ON_TERMINAL);
