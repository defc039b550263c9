/** What is to be seen on a real terminal, and that it is given back on every way out. */
import { assertEquals, assertGreater, assertLess, assertMatch } from "@std/assert";
import { type CliFixture, type Fn, from, noise, test } from "./harness.ts";
import { ON_TERMINAL, type Size, Terminal } from "./terminal.ts";

const MIB = 1_048_576;

/** Slow enough to be looked at, whatever the machine. */
const SLOWLY = ["--limit", "1MiB"];

const USUAL: Size = { columns: 80, rows: 24 };

const SIZES: Size[] = [40, 80, 200].flatMap((columns) =>
  [5, 24, 60].map((rows) => ({ columns, rows }))
);

function onTerminal(name: string, fn: Fn): void {
  test(name, fn, ON_TERMINAL);
}

/** Names that would do harm if they could, and names that are hard to measure. */
const NAMES = [
  "c1-\x9b2J\x9d0;title.bin",
  "rtl\u202egpj.exe",
  "家族旅行の思い出.zip",
  "👍🏽👩‍👩‍👧🇩🇪☃️.png",
  "combining-e\u0301\u0301\u0301.txt",
  `${"long-".repeat(49)}255-by.bin`,
  "folder/with a 'quote' and \u2028.bin",
];

for (const size of SIZES) {
  const { columns, rows } = size;
  onTerminal(
    `p2p get keeps its block within ${columns} columns and ${rows} rows`,
    async (world) => {
      NAMES.forEach((name, i) => world.write(`seed/${name}`, noise(4 * MIB, i + 1)));
      const seed = await world.serve(world.path("seed"));
      const args = ["get", "--all", "--max", "7", ...from(seed), ...SLOWLY];
      await using terminal = await Terminal.start(world, size, ...args);
      const { story, widest } = await terminal.until(
        ({ lines }) => /7 active|^0\/7/.test(lines.at(-1) ?? ""),
        "seven downloads at work",
      );
      const shown = Math.min(7, Math.min(10, rows - 2) - 1);
      assertEquals(story.length, 1 + shown + 1, story.join("\n"));
      assertLess(widest, columns);
      terminal.kill("SIGTERM");
      assertEquals(await terminal.ended, 143);
    },
  );
}

const QUEUES = [
  { count: 30, max: 30, size: { columns: 40, rows: 5 }, lines: 3, total: /^0\/30 done/ },
  { count: 30, max: 30, size: USUAL, lines: 10, total: /^0 done, 30 active/ },
  { count: 10_000, max: 3, size: USUAL, lines: 4, total: /^0 done, 3 active, 9997 waiting/ },
];

for (const { count, max, size, lines, total } of QUEUES) {
  const what = `${count} downloads, ${max} at a time, on ${size.rows} rows`;
  onTerminal(`p2p get shows ${lines} lines for ${what}`, async (world) => {
    // So slow that the first of them are not done before they were seen.
    for (let i = 0; i < count; i++) world.write(`seed/${i}.bin`, noise(2048, i + 1));
    const seed = await world.serve(world.path("seed"));
    const args = ["get", "--all", "--max", `${max}`, ...from(seed), "--limit", "1KiB"];
    await using terminal = await Terminal.start(world, size, ...args);
    const { story } = await terminal.until(
      ({ lines }) => total.test(lines.at(-1) ?? ""),
      String(total),
    );
    assertEquals(story.length, 1 + lines, story.join("\n"));
    await terminal.type("\x03");
    assertEquals(await terminal.ended, 130);
    const end = terminal.screen.lines.slice(-2).join("");
    assertMatch(end, /hint: (Run the same command again to resume|Run the same command again)$/);
  });
}

onTerminal("p2p get goes on below what it wrote when its terminal is resized", async (world) => {
  world.write("seed/first.bin", noise(6 * MIB, 1));
  world.write("seed/second.bin", noise(6 * MIB, 2));
  const seed = await world.serve(world.path("seed"));
  const args = ["get", "--all", ...from(seed), ...SLOWLY];
  await using terminal = await Terminal.start(world, USUAL, ...args);
  await terminal.until(({ lines }) => /2 active/.test(lines.at(-1) ?? ""), "both");
  for (const [columns, rows] of [[60, 24], [200, 60], [40, 5], [80, 24]] as const) {
    await terminal.resize({ columns, rows });
    const { length } = terminal.screen.text;
    await terminal.until(
      ({ text, lines }) =>
        text.length > length && lines.filter((line) => /^first\.bin .*%/.test(line)).length === 1,
      `one block on ${columns} columns`,
    );
  }
  await terminal.type("\x03");
  assertEquals(await terminal.ended, 130);
});

onTerminal(
  "p2p get leaves a line for each download, one hint for all, and no block",
  async (world) => {
    for (const name of ["a.bin", "b.bin"]) world.write(`seed/${name}`, noise(1000));
    const seed = await world.serve(world.path("seed"));
    const args = ["get", "a.bin", "b.bin", "no.1", "no.2", "no.3", ...from(seed)];
    await using terminal = await Terminal.start(world, { columns: 140, rows: 24 }, ...args);
    assertEquals(await terminal.ended, 3);
    const lines = terminal.screen.story.map(masked);
    assertEquals(lines.filter((line) => !/^(p2p|hint): /.test(line)).sort(), [
      "Downloaded 2 files (2.0 KiB) in TIME, 3 failed",
      "HH:MM:SS a.bin: done, 1000 B in TIME, verified",
      "HH:MM:SS b.bin: done, 1000 B in TIME, verified",
      "ready",
    ]);
    assertEquals(lines.filter((line) => /^p2p: .*no\.[123]/.test(line)).length, 3);
    assertEquals(lines.filter((line) => line.startsWith("hint: ")).length, 1);
  },
);

/** Times are another each time. */
function masked(line: string): string {
  return line.replace(/^\d\d:\d\d:\d\d/, "HH:MM:SS").replace(/in [\d.:]+( m?s)?/, "in TIME");
}

/** What somebody does to leave, and the exit code of it. */
const WAYS_OUT: { name: string; leave: (terminal: Terminal) => unknown; code: number }[] = [
  { name: "q", leave: (terminal) => terminal.type("q"), code: 0 },
  { name: "Ctrl-C", leave: (terminal) => terminal.type("\x03"), code: 130 },
  { name: "SIGINT", leave: (terminal) => terminal.kill("SIGINT"), code: 130 },
  { name: "SIGTERM", leave: (terminal) => terminal.kill("SIGTERM"), code: 143 },
  { name: "SIGHUP", leave: (terminal) => terminal.kill("SIGHUP"), code: 129 },
];

for (const { name, leave, code } of WAYS_OUT) {
  onTerminal(`p2p status --watch gives the terminal back after ${name}`, async (world) => {
    await using terminal = await watch(world);
    await terminal.until(({ lines }) => lines[0] === NOTHING, "the list");
    assertEquals([terminal.screen.alternate, terminal.screen.cursorShown], [true, false]);
    assertMatch(await terminal.modes(), /-icanon.*-echo /s);
    await leave(terminal);
    assertEquals(await terminal.ended, code);
    assertGivenBack(terminal, /^$/);
  });
}

onTerminal("p2p status --watch gives the terminal back when it cannot go on", async (world) => {
  await using terminal = await watch(world);
  await terminal.until(({ lines }) => lines[0] === NOTHING, "the list");
  Deno.mkdirSync(world.path("state"), { recursive: true });
  // A file where the folder of records should be: a fault that nobody foresaw.
  Deno.writeTextFileSync(world.path("state", "runs"), "");
  assertGreater(await terminal.ended, 0);
  assertGivenBack(terminal, /./);
});

onTerminal("p2p status --watch acts by keys on what another process downloads", async (world) => {
  world.write("seed/film.bin", noise(64 * MIB));
  const seed = await world.serve(world.path("seed"));
  const get = world.start("get", "film.bin", ...from(seed), ...SLOWLY, "--json");
  await get.stdout.line(/"progress"/);
  await using terminal = await watch(world);
  const press = async (key: string, seen: RegExp) => {
    await terminal.type(key);
    await terminal.until(({ lines }) => lines.some((line) => seen.test(line)), String(seen));
  };
  await press("", /^> film\.bin .*B\/s/);
  await press("p", /^> film\.bin .*paused/);
  await press("r", /^> film\.bin .*B\/s/);
  await press("\r", new RegExp(`^${seed.address} .* active$`));
  await press("\x1b[D", /^> film\.bin .*B\/s/);
  await press("l", / paused; run p2p resume to continue$/);
  await press("\x1b", /^> film\.bin .*B\/s/);
  await press("c", /^cancel "film\.bin"\? .*y\/n$/);
  await press("n", /^not cancelled$/);
  await press("cy", /^No active downloads\.$/);
  await get.ended;
  await terminal.type("q");
  assertEquals(await terminal.ended, 0);
});

function watch(world: CliFixture): Promise<Terminal> {
  return Terminal.start(world, USUAL, "status", "--watch");
}

const NOTHING = "No active downloads.";

/** The screen from before, with its cursor, and below it only what the program says of its end. */
function assertGivenBack({ screen }: Terminal, said: RegExp): void {
  assertEquals([screen.alternate, screen.cursorShown, screen.wraps], [false, true, true]);
  assertEquals(screen.lines[0], "ready");
  assertMatch(screen.lines.slice(1).join("\n"), said);
}
