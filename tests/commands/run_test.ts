import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { EXITS, type StopSignal } from "../../commands/ui/failure.ts";
import { SETTING_NAMES, variableOf } from "../../commands/settings.ts";
import { TOPICS } from "../../commands/topics.ts";
import { run } from "../../commands/run.ts";
import type { Core } from "../../commands/environment.ts";
import type { DownloadSettings } from "../../core/config.ts";
import {
  DiskError,
  type DownloadJob,
  formatSourceAddress,
  NotFoundError,
  type Offer,
  type SeedHealth,
  type TaskStatus,
} from "../../core/mod.ts";
import {
  doneOutcome,
  event,
  Exited,
  failedOutcome,
  fakeEnvironment,
  type FakeOutput,
  fakeOutput,
  resultOf,
} from "./fake_environment.ts";
import { seedOf } from "./watch_support.ts";

/** Runs one command line in a fake environment. */
async function p2p(line: string, options: Parameters<typeof fakeEnvironment>[0] = {}) {
  const environment = fakeEnvironment(options);
  const code = await run(line.split(" ").filter(Boolean), environment);
  const { stdout, stderr } = environment;
  return { code, stdout: stdout.text, stderr: stderr.text };
}

/** A core that downloads everything and records the jobs. */
function downloader(outcomes = [doneOutcome("a")]) {
  const jobs: DownloadJob[] = [];
  const core: Partial<Core> = {
    download(job, emit) {
      jobs.push(job);
      const events = [
        event({ kind: "queued", name: "a", target: "a" }),
        event({ kind: "found", size: 2048, id: "4e", seeds: ["nas1"] }),
        event({ kind: "done", result: resultOf({ path: "a" }) }),
      ];
      for (const each of events) {
        job.progress?.apply(each, each.time);
        emit(each);
      }
      return Promise.resolve(outcomes);
    },
    resolveNames: (patterns) =>
      Promise.resolve(patterns.map((pattern) => ({ name: pattern.replace("*", "1") }))),
  };
  return { core, jobs };
}

const usage = [
  ["gett", 'Unknown command "gett"', 'Did you mean "get"?'],
  ["get a --maxx 3", 'Unknown option "--maxx"', 'Did you mean "--max"?'],
  ["get --seeed=a", 'Unknown option "--seeed"', 'Did you mean "--seed"?'],
  ["get a -5", 'Unknown option "-5"', "p2p get --help"],
  ["get --bogus", 'Unknown option "--bogus"', ""],
  ["status --bogus", 'Unknown option "--bogus"', ""],
  ["logs --bogus", 'Unknown option "--bogus"', ""],
  ["list --bogus", 'Unknown option "--bogus"', ""],
  ["serve --bogus", 'Unknown option "--bogus"', ""],
  ["seeds ad x", 'Unknown command "ad"', 'Did you mean "add"?'],
  ["logs", "task", ""],
  ["logs a -n x", "it must be a whole number", ""],
  ["logs a --level loud", "it must be one of debug, info, warn, error", ""],
  ["status a b", "Too many arguments", ""],
  ["get", "no name was given", "--all"],
  ["get a --all", "names and --all", ""],
  ["get a b --sha256 " + "a".repeat(64), "--sha256 with more than one", ""],
  ["get --all --id 4e", "--id with more than one", ""],
  ["get a --sha256 xyz", "it must be 64 hexadecimal digits", ""],
  ["get ../a", 'it has a part ".."', ""],
  ["get a --max 0", 'Cannot use "0" from --max', ""],
  ["get a --stall 5", 'Cannot use "5" from --stall', ""],
  ["get a --on-conflict ask", 'Cannot use "ask" from --on-conflict', ""],
  ["get a --token-file /nowhere/token", "--token-file", ""],
  ["serve --tls-cert x", "go together", ""],
  ["serve --port 70000", 'Cannot use "70000" from --port', ""],
] as const;
for (const [line, message, hint] of usage) {
  Deno.test(`run() exits 2 with the reason for: p2p ${line}`, async () => {
    const { code, stdout, stderr } = await p2p(line);
    assertEquals([code, stdout], [2, ""]);
    assertMatch(stderr, /^p2p: .+\nhint: .+\n$/);
    assertStringIncludes(stderr, message);
    assertStringIncludes(stderr, hint);
  });
}

const commands = [
  "",
  "get",
  "cat",
  "sync",
  "serve",
  "list",
  "link",
  "status",
  "logs",
  "seeds",
  "seeds add",
  "seeds remove",
  "config",
  "completions",
  "pause",
  "resume",
  "cancel",
  "max",
  "why",
  "verify",
  "manifest",
  "help",
];
for (const command of commands) {
  Deno.test(`run() shows help that begins with examples, within 80 columns, for: p2p ${command} --help`, async () => {
    for (const flag of ["--help", "-h"]) {
      const { code, stdout, stderr } = await p2p(`${command} ${flag}`);
      assertEquals([code, stderr], [0, ""]);
      assertMatch(stdout, /^Examples:\n( {2}\S.*# .+\n){2,3}\nUsage:\n {2}p2p/);
      assertEquals(stdout.includes("\x1b"), false);
      assertEquals(stdout.split("\n").filter((line) => line.length > 80), []);
    }
  });

  Deno.test(`run() shows the version for: p2p ${command} --version`, async () => {
    const { code, stdout } = await p2p(`${command} --version`);
    assertEquals([code, stdout], [0, "p2p 1.2.3\n"]);
  });
}

for (const { name } of TOPICS) {
  Deno.test(`help shows the page of the topic ${name}, within 80 columns`, async () => {
    const { code, stdout } = await p2p(`help ${name}`);
    assertEquals(code, 0);
    assertEquals(stdout.split("\n").filter((line) => line.length > 80), []);
    assertEquals(stdout.length > 300, true);
    assertStringIncludes((await p2p("--help")).stdout.replaceAll("\n", " "), name);
  });
}

Deno.test("help shows a command's help, and the whole help without an argument", async () => {
  assertEquals((await p2p("help get")).stdout, (await p2p("get --help")).stdout);
  const [{ stdout: overview }, { stdout: help }] = [await p2p("help"), await p2p("--help")];
  assert(overview.startsWith(help));
  for (const { name, about } of TOPICS) {
    assertMatch(overview.slice(help.length), new RegExp(`^  ${name} +${about}$`, "m"));
  }
});

Deno.test("help suggests a topic for an unknown one", async () => {
  const { code, stderr } = await p2p("help resum");
  assertEquals(code, 2);
  assertMatch(stderr, /"resum".*\nhint: Did you mean "resume"\?/);
  assertMatch((await p2p("help xyzxyz")).stderr, /hint: The topics are seeds, /);
});

Deno.test("help exit-codes and help config match the program", async () => {
  const exits = (await p2p("help exit-codes")).stdout;
  for (const [code, meaning] of EXITS) {
    const line = exits.split("\n").find((line) => line.endsWith(meaning));
    assertEquals(line?.trim().split(" ")[0], String(code));
  }
  const config = (await p2p("help config")).stdout;
  for (const name of SETTING_NAMES) assertStringIncludes(config, variableOf(name));
});

Deno.test("run() shows help without arguments", async () => {
  const { code, stdout } = await p2p("");
  assertEquals(code, 0);
  assertStringIncludes(stdout, "Commands:\n  get ");
});

Deno.test("run() exits 1 with the stack for a bug", async () => {
  const overview = () => Promise.reject(new TypeError("boom"));
  const { code, stderr } = await p2p("status", { core: { overview } });
  assertEquals(code, 1);
  assertMatch(stderr, /^TypeError: boom\n {4}at /);
  assertStringIncludes(stderr, "this is a bug in p2p, please report it\n");
});

Deno.test("run() exits 0 quietly when its output is closed", async () => {
  const stdout = fakeOutput();
  const overview = () => {
    stdout.shut.abort();
    return Promise.reject(new Error("stopped"));
  };
  const { code, stderr } = await p2p("status", { core: { overview }, stdout });
  assertEquals([code, stderr], [0, ""]);
});

Deno.test("run() exits 6 when its output cannot be written", async () => {
  const stdout = fakeOutput();
  stdout.shut.abort(new DiskError("Cannot write the output: full"));
  const overview = () => Promise.resolve({ tasks: [], moreWaiting: 0 });
  const { code, stderr } = await p2p("status", { core: { overview }, stdout });
  assertEquals([code, stderr], [
    6,
    "p2p: Cannot write the output: full\n" +
    "hint: Check that the disk has space and that you may write there\n",
  ]);
});

Deno.test("get passes names and settings to core, flag before variable before file", async () => {
  const { core, jobs } = downloader();
  const directory = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(
      join(directory, "config.json"),
      '{"seeds": ["nas1", "nas2:7271"], "max": 9, "stall": "1s"}',
    );
    const env = { P2P_MAX: "8", P2P_STALL: "2s" };
    const line = "get a b a --max 7 --limit 1MiB --out x --require-verified";
    assertEquals((await p2p(line, { core, env, directory })).code, 0);
    const [{ requests, outDir, settings }] = jobs as [DownloadJob];
    assertEquals(requests, [{ name: "a" }, { name: "b" }]);
    assertEquals(outDir, "x");
    assertEquals(
      [settings.max, settings.stallMs, settings.limit, settings.sync],
      [7, 2000, 1_048_576, "finish"],
    );
    assertEquals(settings.requireVerified, true);
    assertEquals(settings.seeds.map((seed) => formatSourceAddress(seed).slice(-4)), [
      "7270",
      "7271",
    ]);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("get takes several seeds, and names after -- that begin with a dash", async () => {
  const { core, jobs } = downloader();
  await p2p("get --seed a --seed b:1 -- -x", { core });
  assertEquals(jobs[0]!.requests, [{ name: "-x" }]);
  assertEquals(jobs[0]!.settings.seeds.map(formatSourceAddress), ["a:7270", "b:1"]);
});

Deno.test("get downloads the names that match a glob", async () => {
  const { core, jobs } = downloader();
  await p2p("get a*", { core });
  assertEquals(jobs[0]!.requests, [{ name: "a1" }]);
});

Deno.test("get reads the token from its file", async () => {
  const { core, jobs } = downloader();
  const file = await Deno.makeTempFile();
  await Deno.writeTextFile(file, "secret\n");
  await p2p(`get a --token-file ${file}`, { core });
  assertEquals(jobs[0]!.settings.token, "secret");
  await Deno.remove(file);
});

Deno.test("get prints paths into a pipe, none on a terminal, and plain lines on stderr", async () => {
  const { core } = downloader();
  const piped = await p2p("get a", { core });
  assertEquals(piped.stdout, "a\n");
  assertMatch(piped.stderr, /a: found 2\.0 KiB.*\n.*a: done, 2\.0 KiB/);
  const stdout = fakeOutput({ terminal: true });
  assertEquals((await p2p("get a", { core, stdout })).stdout, "");
});

Deno.test("get prints JSON lines that end with a summary", async () => {
  const { core } = downloader();
  const { stdout } = await p2p("get a --json --progress none", { core });
  const events = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  assertEquals(events.map(({ event }) => event), ["task", "done", "summary"]);
});

Deno.test("get prints a summary even if no name was found", async () => {
  const resolveNames = () => Promise.reject(new NotFoundError('Cannot find "x*": no seed has it'));
  const { code, stdout, stderr } = await p2p("get x* --json", { core: { resolveNames } });
  assertEquals(code, 3);
  assertEquals(JSON.parse(stdout).event, "summary");
  assertEquals(
    stderr,
    `p2p: Cannot find "x*": no seed has it\nhint: See the seeds' files with p2p list\n`,
  );
});

Deno.test("get downloads the other names and exits 3 when one glob has no match", async () => {
  const { core, jobs } = downloader();
  const resolveNames = () =>
    Promise.resolve([{ name: "a" }, { name: "zip/*", unmatched: true as const }]);
  const { code, stdout, stderr } = await p2p("get a zip/* -q --json", {
    core: { ...core, resolveNames },
  });
  assertEquals(code, 3);
  assertEquals(jobs[0]?.requests.map(({ name }) => name), ["a"]);
  assertStringIncludes(stderr, 'p2p: Cannot find "zip/*": no seed has a match');
  const summary = JSON.parse(stdout.trimEnd().split("\n").at(-1)!);
  assertEquals([summary.done, summary.failed], [1, 1]);
});

Deno.test("get -q writes only failures", async () => {
  const { core } = downloader();
  const { stderr } = await p2p("get a -q", { core });
  assertEquals(stderr, "");
});

Deno.test("get exits with the code of its failures", async () => {
  const { core } = downloader([doneOutcome("a"), failedOutcome("b", "disk")]);
  assertEquals((await p2p("get a b", { core })).code, 6);
});

Deno.test("get draws bars on a terminal, and leaves only permanent lines", async () => {
  const { core } = downloader();
  const stderr = fakeOutput({ terminal: true });
  const { code } = await p2p("get a", { core, stderr });
  assertEquals(code, 0);
  assertMatch(stderr.text, /a: done, 2\.0 KiB/);
  assertEquals(stderr.text.includes("found"), false);
});

for (
  const [why, env] of [["NO_COLOR", { NO_COLOR: "1" }], ["TERM=dumb", { TERM: "dumb" }]] as const
) {
  Deno.test(`get never moves the cursor with ${why}`, async () => {
    const { core } = downloader();
    const stderr = fakeOutput({ terminal: true });
    await p2p("get a", { core, stderr, env });
    assertEquals(stderr.text.includes("\x1b"), false);
    assertStringIncludes(stderr.text, "found");
  });
}

Deno.test("get reports once why fewer downloads run than --max allows", async () => {
  const environment = fakeEnvironment({
    core: {
      download({ onFewDescriptors }) {
        onFewDescriptors?.({ running: 40, wanted: 140, limit: 256 });
        return Promise.resolve([doneOutcome("a")]);
      },
    },
  });
  assertEquals(await run(["get", "a"], environment), 0);
  assertEquals(
    environment.stderr.text,
    "p2p: running 40 of 140 downloads at a time: this system allows 256 open files; raise it with ulimit -n\n",
  );
});

const KEPT = "p2p: interrupted; partial files kept\n" +
  "hint: Run the same command again to resume\n";
const NOTHING_KEPT = "p2p: interrupted\nhint: Run the same command again\n";

const interruptions: readonly [signal: StopSignal, partial: boolean, exit: number, says: string][] =
  [
    ["SIGINT", true, 130, `p2p: stopping; press Ctrl-C again to quit immediately\n${KEPT}`],
    [
      "SIGINT",
      false,
      130,
      `p2p: stopping; press Ctrl-C again to quit immediately\n${NOTHING_KEPT}`,
    ],
    [
      "SIGTERM",
      true,
      143,
      `p2p: stopping after SIGTERM; send another signal to quit immediately\n${KEPT}`,
    ],
    [
      "SIGHUP",
      true,
      129,
      `p2p: stopping after SIGHUP; send another signal to quit immediately\n${KEPT}`,
    ],
  ];
for (const [signal, partial, exit, says] of interruptions) {
  const what = partial ? "a partial file" : "none";
  Deno.test(`get stops at ${signal}, exits ${exit}, and reports what is kept with ${what}`, async () => {
    const begun = Promise.withResolvers<void>();
    const failure = { code: "interrupted", message: "interrupted" } as const;
    const outcome = { ok: false, failure, partial } as const;
    const environment = fakeEnvironment({
      core: {
        download: (_job, _emit, signal) =>
          new Promise((resolve) => {
            const stopped = { task: "a", name: "a", state: "paused", outcome } as const;
            signal.addEventListener("abort", () => resolve([stopped]));
            begun.resolve();
          }),
      },
    });
    const running = run(["get", "a"], environment);
    await begun.promise;
    environment.send(signal);
    assertEquals(await running, exit);
    assertEquals(environment.stderr.text, says);
  });
}

Deno.test("get finishes its files when its output is closed, and exits with their code", async () => {
  const stdout = fakeOutput();
  const { core } = downloader([failedOutcome("a", "disk")]);
  stdout.shut.abort();
  assertEquals((await p2p("get a --json", { core, stdout })).code, 6);
});

Deno.test("get ends at once at the second signal", async () => {
  let finish = () => {};
  const begun = Promise.withResolvers<void>();
  const environment = fakeEnvironment({
    core: {
      download: () =>
        new Promise((resolve) => {
          finish = () => resolve([]);
          begun.resolve();
        }),
    },
  });
  const running = run(["get", "a"], environment);
  await begun.promise;
  environment.send("SIGINT");
  try {
    environment.send("SIGINT");
  } catch (error) {
    assertEquals(error instanceof Exited && error.code, 130);
  }
  finish();
  await running;
});

const offer: Offer = {
  files: [
    {
      name: "a\x1b[2J.iso",
      size: 2048,
      modified: 5,
      seeds: ["nas1:7270", "nas2:7270"],
      ids: ["4e"],
      idOf: {},
    },
    { name: "b", size: 1, modified: 0, seeds: ["nas1:7270"], ids: [], idOf: {} },
    {
      name: "c",
      size: 1,
      modified: 0,
      seeds: ["n", "m"],
      ids: ["1", "2"],
      idOf: { n: "2", m: "1" },
    },
  ],
  seeds: [
    { seed: "nas1:7270", dialect: "session", ok: true, error: null },
    { seed: "lab:7270", dialect: null, ok: false, error: "Cannot connect" },
  ],
};

Deno.test("list prints a table, and silent seeds on stderr", async () => {
  const core = { list: () => Promise.resolve(offer) };
  const { code, stdout, stderr } = await p2p("list", { core });
  assertEquals(code, 0);
  assertEquals(stdout.split("\n"), [
    "   SIZE  SEEDS  CONTENT     NAME",
    "2.0 KiB      2  same        a\\x1b[2J.iso",
    "    1 B      1  unknown     b",
    "    1 B      2  2 versions  c",
    "",
    "3 files, 2.0 KiB",
    "c differs: 1 at m; 2 at n (choose with p2p get --id)",
    "",
  ]);
  assertEquals(stderr, "seed lab:7270: Cannot connect\n");
});

Deno.test("list --json prints the offer", async () => {
  const core = { list: () => Promise.resolve(offer) };
  const { stdout } = await p2p("list --json", { core });
  const files = offer.files.map(({ idOf: _, ...file }) => file);
  assertEquals(JSON.parse(stdout), { ...offer, files });
});

const poorOffers = [
  { line: "list", offer: { files: [], seeds: offer.seeds }, code: 0 },
  { line: "list x*", offer: { files: [], seeds: offer.seeds }, code: 3 },
  { line: "list", offer: { files: [], seeds: [offer.seeds[1]!] }, code: 4 },
];
for (const { line, offer, code } of poorOffers) {
  Deno.test(`p2p ${line} exits ${code} with ${offer.seeds.length} seeds and no file`, async () => {
    const core = { list: () => Promise.resolve(offer) };
    assertEquals((await p2p(line, { core })).code, code);
  });
}

const task: TaskStatus = {
  target: "/home/me/a.iso",
  id: "ab",
  task: "t7k",
  name: "a.iso",
  state: "downloading",
  size: 5 * 2 ** 30,
  downloaded: 3.1 * 2 ** 30,
  percent: 62.4,
  rate: 88 * 2 ** 20,
  etaMs: 21_000,
  seeds: ["nas1:7270", "nas2:7270"],
  path: "/x/a.iso",
  pid: 12,
  verified: true,
  error: null,
  pausedBy: null,
  since: 1000,
  detail: null,
  updatedAt: 0,
};

Deno.test("status reports that there is nothing", async () => {
  const core = {
    tasks: () => Promise.resolve([]),
    overview: () => Promise.resolve({ tasks: [], moreWaiting: 0 }),
  };
  assertEquals((await p2p("status", { core })).stdout, "No active downloads.\n");
  assertEquals((await p2p("status --json", { core })).stdout, '{"tasks":[]}\n');
});

Deno.test("status --all lists partial files of other versions", async () => {
  const asides = [{ path: "/out/a~01234567.p2p-part", bytes: 12 * 1024 * 1024, since: 1000 }];
  const core = { tasks: () => Promise.resolve([]), asides: () => Promise.resolve(asides) };
  const { stdout } = await p2p("status --all", { core });
  assertStringIncludes(stdout, "\n  12 MiB  /out/a~01234567.p2p-part\n");
  assertEquals(JSON.parse((await p2p("status --all --json", { core })).stdout), {
    tasks: [],
    asides,
  });
});

Deno.test("status prints a table, or one task in detail", async () => {
  const core: Partial<Core> = {
    tasks: () => Promise.resolve([task]),
    overview: () => Promise.resolve({ tasks: [task], moreWaiting: 99_980 }),
    findTask: () => Promise.resolve(task),
  };
  assertEquals((await p2p("status", { core })).stdout.split("\n"), [
    "TASK  STATE          %         SIZE      RATE   ETA  SEEDS  NAME",
    "t7k   downloading  62%  3.1/5.0 GiB  88 MiB/s  0:21      2  a.iso",
    "and 99980 more waiting (see all with --json)",
    "",
  ]);
  const { stdout } = await p2p("status t7k", { core });
  assertStringIncludes(stdout, "size:     3.1/5.0 GiB (62%)\n");
  const json = JSON.parse((await p2p("status --json", { core })).stdout);
  const { updatedAt: _, target: _target, id: _id, since: _since, detail: _detail, ...shown } = task;
  assertEquals(json, { tasks: [shown] });
});

function logOf(levels: readonly ("debug" | "info" | "warn")[]) {
  return levels.map((level, i) => ({
    time: new Date(2026, 10, 22, 12, 0, i).toISOString(),
    level,
    task: "t7k",
    event: { kind: "note" as const, level, text: `line ${i}` },
  }));
}

Deno.test("logs shows the last lines at the level, and follows", async () => {
  const all = logOf(["info", "debug", "warn", "debug", "info"]);
  const [stored, later] = [all.slice(0, 3), all.slice(3)];
  const core: Partial<Core> = {
    findTask: () => Promise.resolve(task),
    async *logLines(_directories, _task, { follow }) {
      await Promise.resolve();
      yield stored;
      if (follow) yield later;
    },
  };
  const shown = async (line: string) =>
    (await p2p(line, { core })).stdout.trimEnd().split("\n")
      .map((line) => line.match(/line \d/)?.[0]);
  assertEquals(await shown("logs t7k"), ["line 0", "line 2"]);
  assertEquals(await shown("logs t7k -n 1"), ["line 2"]);
  assertEquals(await shown("logs t7k --level debug"), ["line 0", "line 1", "line 2"]);
  assertEquals(await shown("logs t7k -n 1 --follow"), ["line 2", "line 4"]);
  const json = await p2p("logs t7k --json -n 1", { core });
  assertEquals(JSON.parse(json.stdout), stored[2]);
});

Deno.test("seeds add and remove change only the seeds in config.json", async () => {
  const directory = join(await Deno.makeTempDir(), "deep");
  const path = join(directory, "config.json");
  const read = async () => JSON.parse(await Deno.readTextFile(path));
  assertEquals((await p2p("seeds add nas1 nas2:7271", { directory })).code, 0);
  assertEquals(await read(), { seeds: ["nas1:7270", "nas2:7271"] });
  await Deno.writeTextFile(path, '{"max": 4, "seeds": ["nas1"]}');
  assertEquals((await p2p("seeds add nas1 lab", { directory })).code, 0);
  assertEquals(await read(), { max: 4, seeds: ["nas1:7270", "lab:7270"] });
  const env = { P2P_SEEDS: "other" };
  const { stderr } = await p2p("seeds remove nas1", { directory, env });
  assertStringIncludes(stderr, "P2P_SEEDS is set and overrides it");
  assertEquals(await read(), { max: 4, seeds: ["lab:7270"] });
  assertEquals((await p2p("seeds remove nas1", { directory })).code, 2);
  assertEquals((await p2p("seeds add ftp://x", { directory })).code, 2);
  const added = await p2p("seeds add https://me:secret@x/files", { directory });
  assertEquals(await read(), { max: 4, seeds: ["lab:7270", "https://me:secret@x/files/"] });
  assertEquals(added.stderr.includes("secret"), false);
  assertEquals(
    (await Array.fromAsync(Deno.readDir(directory))).map(({ name }) => name),
    ["config.json"],
  );
  await Deno.remove(join(directory, ".."), { recursive: true });
});

const answering = { ok: true, error: null, files: 12, bytes: 2048 };
const health: SeedHealth[] = [
  { ...answering, seed: "nas1:7270", dialect: "session", roundTripMs: 0 },
  { ...answering, seed: "nas2:7270", dialect: "session", roundTripMs: 34 },
  { ...answering, seed: "old:7270", dialect: "one-shot", roundTripMs: null },
  {
    seed: "lab:7270",
    dialect: null,
    ok: false,
    error: "Cannot connect",
    roundTripMs: null,
    files: null,
    bytes: null,
  },
];

Deno.test("seeds shows the state of each seed", async () => {
  const core = { seedHealth: () => Promise.resolve(health) };
  const { code, stdout } = await p2p("seeds", { core });
  assertEquals(code, 0);
  assertEquals(stdout.split("\n"), [
    "SEED       STATE   PROTOCOL   PING  FILES     SIZE  ERROR",
    "nas1:7270  ok      v2        <1 ms     12  2.0 KiB",
    "nas2:7270  ok      v2        34 ms     12  2.0 KiB",
    "old:7270   ok      v1            -     12  2.0 KiB",
    "lab:7270   failed  -             -      -        -  Cannot connect",
    "",
  ]);
  const json = await p2p("seeds --json", { core });
  assertEquals(JSON.parse(json.stdout), { seeds: health });
});

Deno.test("seeds asks those of --seed, and exits 4 if all of them fail", async () => {
  const asked: DownloadSettings[] = [];
  const failing = health.filter(({ ok }) => !ok);
  const core = {
    seedHealth: (settings: DownloadSettings) => {
      asked.push(settings);
      return Promise.resolve(failing);
    },
  };
  const { code, stdout } = await p2p("seeds --seed lab", { core });
  assertEquals([code, asked[0]?.seeds.map(formatSourceAddress)], [4, ["lab:7270"]]);
  assertStringIncludes(stdout, "lab:7270  failed");
});

Deno.test("get undoes an exported P2P_QUIET when --no-quiet is given, and the last --max wins", async () => {
  const asked: DownloadSettings[] = [];
  const core = {
    download: ({ settings }: { settings: DownloadSettings }) => {
      asked.push(settings);
      return Promise.resolve([]);
    },
  };
  const env = { P2P_QUIET: "on" };
  const loud = await p2p("get a --limit 10 --max 8 --no-quiet --max=2", { core, env });
  assertStringIncludes(loud.stderr, "--limit is 10 bytes a second");
  const quiet = await p2p("get a --limit 10", { core, env });
  assertEquals([quiet.stderr, asked.map(({ max }) => max)], ["", [2, 3]]);
});

for (const line of ["list", "status", "status t7k", "seeds"]) {
  Deno.test(`p2p ${line} fits tables into a narrow terminal, and cuts nothing in a pipe`, async () => {
    const detail = {
      pieces: null,
      seeds: [seedOf({ seed: "a-seed-with-a-rather-long-name.example.org:7270" })],
      moreSeeds: 0,
      trouble: null,
    };
    const long = { ...task, name: "x".repeat(60), path: "/x", detail, seeds: [] };
    const core: Partial<Core> = {
      list: () => Promise.resolve({ ...offer, files: [{ ...offer.files[0]!, name: long.name }] }),
      overview: () => Promise.resolve({ tasks: [long], moreWaiting: 0 }),
      findTask: () => Promise.resolve({ ...long, name: "x" }),
      seedHealth: () => Promise.resolve(health),
    };
    const widest = async (stdout: FakeOutput) => {
      const lines = (await p2p(line, { core, stdout })).stdout.split("\n");
      return Math.max(...lines.map((line) => line.length));
    };
    const narrow = await widest(fakeOutput({ terminal: true, columns: 40 }));
    assert(narrow < 40, `${narrow} columns`);
    assert(await widest(fakeOutput({ terminal: false, columns: 40 })) > 40);
  });
}

Deno.test("config shows every setting, its value and where it came from", async () => {
  const env = { P2P_MAX: "5", P2P_SEEDS: "nas1,tls://b:1" };
  const { stdout } = await p2p("config", { env });
  assertMatch(stdout, /^max +5 +P2P_MAX$/m);
  assertMatch(stdout, /^seeds +nas1:7270,tls:\/\/b:1 +P2P_SEEDS$/m);
  assertMatch(stdout, /^limit +none +default$/m);
  assertMatch(stdout, /^http-host +none +default$/m);
  const json = JSON.parse((await p2p("config --json", { env })).stdout);
  const of = (wanted: string) =>
    json.settings.find(({ name }: { name: string }) => name === wanted);
  assertEquals(of("max"), { name: "max", value: 5, origin: "P2P_MAX" });
  assertEquals(of("seeds").value, ["nas1:7270", "tls://b:1"]);
  assertEquals(of("http-host").value, []);
  assertEquals([of("stall").value, of("hidden").value], ["5s", false]);
  assertEquals(json.file, "/nowhere/config.json");
});

Deno.test("config shows large sizes in units, and exactly in JSON", async () => {
  const env = { P2P_LIMIT: "1.5GB", P2P_TASK_LIMIT: "1500000KiB", P2P_CHUNK: "64KiB" };
  const { stdout } = await p2p("config", { env });
  assertMatch(stdout, /^limit +1500000000 \(1\.4 GiB\) +P2P_LIMIT$/m);
  assertMatch(stdout, /^task-limit +1500000KiB \(1\.4 GiB\) +P2P_TASK_LIMIT$/m);
  assertMatch(stdout, /^client-limit +none +default$/m);
  assertMatch(stdout, /^chunk +64KiB +P2P_CHUNK$/m);
  const { settings } = JSON.parse((await p2p("config --json", { env })).stdout);
  const values = Object.fromEntries(
    settings.map(({ name, value }: { name: string; value: unknown }) => [name, value]),
  );
  assertEquals([values.limit, values["task-limit"], values.chunk], [
    1_500_000_000,
    "1500000KiB",
    "64KiB",
  ]);
});

Deno.test("serve prints where it listens, and the command for clients", async () => {
  const directory = await Deno.makeTempDir();
  const core: Partial<Core> = {
    serve(_settings, _directories, emit) {
      const names = ["-x", "a*b", "sub dir/it's.txt"];
      emit({
        kind: "listening",
        addresses: [{ host: "0.0.0.0", port: 99 }],
        files: 1,
        bytes: 1,
        names,
      });
      emit({
        kind: "sent",
        client: "10.0.0.2:5\x1b",
        name: "x",
        size: 2048,
        bytes: 1024,
        elapsedMs: 1000,
      });
      return Promise.resolve();
    },
  };
  const { code, stdout, stderr } = await p2p(`serve ${directory}`, { core });
  assertEquals([code, stdout], [0, "listening on 0.0.0.0:99\n"]);
  assertStringIncludes(stderr, "sharing 1 file, 1 B\n");
  assertStringIncludes(stderr, "p2p get 'sub dir/it'\\''s.txt' --seed 127.0.0.1:99\n");
  assertStringIncludes(
    stderr,
    "sent x to 10.0.0.2:5\\x1b: 1.0 KiB of 2.0 KiB in 1.0 s (1.0 KiB/s)",
  );
  const json = await p2p(`serve ${directory} --json -q`, { core });
  assertEquals(json.stderr, "");
  const [first, second] = json.stdout.split("\n");
  assertEquals(JSON.parse(first!), {
    event: "listening",
    host: "0.0.0.0",
    port: 99,
    files: 1,
    bytes: 1,
  });
  const { event, name, bytes } = JSON.parse(second!);
  assertEquals([event, name, bytes], ["sent", "x", 1024]);
  await Deno.remove(directory, { recursive: true });
});

Deno.test("serve drains at the first signal, and ends at the second", async () => {
  const said: string[] = [];
  const begun = Promise.withResolvers<void>();
  const environment = fakeEnvironment({
    core: {
      serve: (_settings, _directories, _emit, signal, now) =>
        new Promise((resolve) => {
          signal.addEventListener("abort", () => said.push("drain"));
          now.addEventListener("abort", () => {
            said.push("now");
            resolve();
          });
          begun.resolve();
        }),
    },
  });
  const running = run(["serve"], environment);
  await begun.promise;
  environment.send("SIGINT");
  environment.send("SIGINT");
  assertEquals(await running, 130);
  assertEquals(said, ["drain", "now"]);
});

Deno.test("p2p config names the folders that the README says to remove", async () => {
  const env = { P2P_CONFIG_DIR: "/c", P2P_STATE_DIR: "/s", P2P_CACHE_DIR: "/k" };
  const core = { directoriesOf: () => ({ config: "/c", state: "/s", cache: "/k" }) };
  const { code, stdout } = await p2p("config", { core, env });
  assertEquals(code, 0);
  for (const line of ["config folder: /c", "state folder: /s", "cache folder: /k"]) {
    assertStringIncludes(stdout, line);
  }
});

for (
  const [where, env, terminal] of [["NO_COLOR", { NO_COLOR: "1" }, true], [
    "a pipe",
    {},
    false,
  ]] as const
) {
  Deno.test(`get --progress bar draws bars, or explains why not, with ${where}`, async () => {
    const { core } = downloader();
    const stderr = fakeOutput({ terminal });
    await p2p("get a --progress bar", { core, stderr, env });
    assertEquals(stderr.text.includes("\x1b["), terminal);
    assertEquals(stderr.text.includes("bars need a terminal"), !terminal);
  });
}
