import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { Core } from "../../commands/environment.ts";
import { run } from "../../commands/run.ts";
import { type ControlOutcome, NotFoundError, type TaskStatus, UsageError } from "../../core/mod.ts";
import { directoriesIn, fakeEnvironment } from "./fake_environment.ts";

function taskOf(task: string, more: Partial<TaskStatus> = {}): TaskStatus {
  return { task, name: `${task}.iso`, state: "downloading", pid: 12, ...more } as TaskStatus;
}

/** A core with these tasks and this outcome; it records the actions. */
function coreWith(outcome: ControlOutcome, tasks: readonly TaskStatus[] = [taskOf("t7k")]) {
  const sent: string[] = [];
  const core: Partial<Core> = {
    tasks: (directories, { all }) => {
      assertEquals([directories, all], [directoriesIn("/nowhere"), false]);
      return Promise.resolve([...tasks]);
    },
    findTask: (_, text) => {
      const found = tasks.find(({ task, name }) => task === text || name === text);
      return found
        ? Promise.resolve(found)
        : Promise.reject(new NotFoundError(`Cannot find a download "${text}"`));
    },
    control: (_, { task, state, name }, action) => {
      if (state === "done") {
        const error = new UsageError(`Cannot ${action} "${name}": it is done`);
        return Promise.reject(error);
      }
      sent.push(`${action} ${task}`);
      return Promise.resolve(outcome);
    },
  };
  return { core, sent };
}

async function p2p(line: string, core: Partial<Core> = {}) {
  const environment = fakeEnvironment({ core });
  const code = await run(line.split(" "), environment);
  return { code, stdout: environment.stdout.text, stderr: environment.stderr.text };
}

const usage = [
  ["pause", "Cannot pause: specify a task, or use --all", "p2p status"],
  ["resume", "Cannot resume: specify a task, or use --all", "p2p status"],
  ["cancel", "Cannot cancel: specify a task, or use --all", "p2p status"],
  ["cancel --delete", "Cannot cancel: specify a task, or use --all", "p2p status"],
  ["pause a --all", "Cannot pause: specify a task, or use --all", "p2p status"],
  ["pause a --delete", 'Unknown option "--delete"', ""],
  ["pause --bogus", 'Unknown option "--bogus"', ""],
  ["max 0", "it must be a whole number from 1 to", ""],
  ["max -1", "", ""],
  ["max many", "it must be a whole number from 1 to", ""],
  ["max 1.5", "it must be a whole number from 1 to", ""],
  ["max 1000000000", "it must be a whole number from 1 to", ""],
  ["max 1 2", "Too many arguments", ""],
] as const;
for (const [line, message, hint] of usage) {
  Deno.test(`run() exits 2 with the reason for: p2p ${line}`, async () => {
    const { code, stdout, stderr } = await p2p(line);
    assertEquals([code, stdout], [2, ""]);
    assertMatch(stderr, /^p2p: .+\n(hint: .+\n)?$/);
    assertStringIncludes(stderr, message);
    assertStringIncludes(stderr, hint);
  });
}

const OF_FAILED: readonly [line: string, outcome: ControlOutcome, text: string][] = [
  ["cancel t7k", "already", "had failed already"],
  ["cancel t7k --delete", "done", "had failed already; its partial file was removed"],
];
for (const [line, outcome, text] of OF_FAILED) {
  Deno.test(`${line} does not call a failed download cancelled`, async () => {
    const { core } = coreWith(outcome, [taskOf("t7k", { state: "failed", pid: null })]);
    const { code, stdout } = await p2p(line, core);
    assertEquals([code, stdout], [0, `t7k  t7k.iso: ${text}\n`]);
  });
}

const sentences: readonly [line: string, outcome: ControlOutcome, sent: string, text: string][] = [
  ["pause t7k", "told", "pause t7k", "paused"],
  ["pause t7k", "kept", "pause t7k", "paused; not running, p2p get continues it"],
  ["pause t7k", "already", "pause t7k", "was paused already"],
  ["resume t7k.iso", "told", "resume t7k", "resumed"],
  ["resume t7k", "kept", "resume t7k", "unpaused; run p2p get to continue"],
  ["resume t7k", "already", "resume t7k", "was not paused"],
  ["cancel t7k", "told", "cancel t7k", "cancelled"],
  ["cancel t7k", "done", "cancel t7k", "cancelled"],
  ["cancel t7k", "already", "cancel t7k", "was cancelled already"],
  [
    "cancel t7k --delete",
    "told",
    "cancel-and-delete t7k",
    "cancelled and its partial file removed",
  ],
  [
    "cancel t7k --delete",
    "done",
    "cancel-and-delete t7k",
    "cancelled and its partial file removed",
  ],
];
for (const [line, outcome, action, text] of sentences) {
  Deno.test(`${line} says "${text}" when the answer is "${outcome}"`, async () => {
    const { core, sent } = coreWith(outcome);
    const { code, stdout, stderr } = await p2p(line, core);
    assertEquals([code, stdout, stderr], [0, `t7k  t7k.iso: ${text}\n`, ""]);
    assertEquals(sent, [action]);
  });
}

Deno.test("pause takes several tasks, by id and by name, in the action given", async () => {
  const { core, sent } = coreWith("told", [taskOf("a"), taskOf("b"), taskOf("c")]);
  const { code, stdout } = await p2p("pause c a.iso", core);
  assertEquals([code, stdout], [0, "c  c.iso: paused\na  a.iso: paused\n"]);
  assertEquals(sent, ["pause c", "pause a"]);
});

for (const action of ["pause", "resume", "cancel"]) {
  Deno.test(`${action} --all ${action === "pause" ? "leaves out" : "takes"} tasks without a process`, async () => {
    const { core, sent } = coreWith("told", [taskOf("a"), taskOf("b", { pid: null }), taskOf("c")]);
    const { code } = await p2p(`${action} --all`, core);
    const taken = action === "pause" ? ["a", "c"] : ["a", "b", "c"];
    assertEquals([code, sent], [0, taken.map((task) => `${action} ${task}`)]);
  });

  Deno.test(`${action} --all reports that there is nothing and exits 0`, async () => {
    const { core, sent } = coreWith("told", []);
    const { code, stdout, stderr } = await p2p(`${action} --all`, core);
    assertEquals([code, stderr, sent], [0, "", []]);
    assertStringIncludes(stdout, "No active downloads.");
  });

  Deno.test(`${action} changes nothing if one of its tasks is unknown`, async () => {
    const { core, sent } = coreWith("told");
    const { code, stdout, stderr } = await p2p(`${action} t7k other`, core);
    assertEquals([code, stdout, sent], [3, "", []]);
    assertStringIncludes(stderr, 'Cannot find a download "other"');
  });

  Deno.test(`${action} exits 2 for a finished task`, async () => {
    const { core, sent } = coreWith("told", [taskOf("a", { state: "done", pid: null })]);
    const { code, stderr } = await p2p(`${action} a`, core);
    assertEquals([code, sent], [2, []]);
    assertStringIncludes(stderr, "it is done");
  });

  Deno.test(`${action} reports each result, and the reason of each failure`, async () => {
    const done = { state: "done", pid: null } as const;
    const { core, sent } = coreWith("told", [taskOf("a"), taskOf("b", done), taskOf("c", done)]);
    const { code, stdout, stderr } = await p2p(`${action} b a c`, core);
    assertEquals([code, sent], [2, [`${action} a`]]);
    assertMatch(stdout, /^a {2}a\.iso: .+\n$/);
    assertMatch(stderr, /"b\.iso": it is done\n(hint: .+\n)?p2p: .+"c\.iso": it is done\n/);
  });

  Deno.test(`${action} --json prints the action and the results`, async () => {
    const { core } = coreWith("kept");
    const { code, stdout } = await p2p(`${action} t7k --json`, core);
    assertEquals(code, 0);
    const tasks = [{ task: "t7k", name: "t7k.iso", result: "kept" }];
    assertEquals(JSON.parse(stdout), { order: action, tasks });
  });
}

Deno.test("cancel escapes control characters in names", async () => {
  const { core } = coreWith("told", [taskOf("a", { name: "\x1b[2Ja.iso" })]);
  const { stdout } = await p2p("cancel a", core);
  assertEquals(stdout.includes("\x1b"), false);
});

const running: readonly [processes: number, count: number, text: string][] = [
  [0, 5, "No downloads running. For the next one: p2p get --max 5"],
  [1, 1, "Now running up to 1 download at once"],
  [2, 5, "Now running up to 5 downloads at once in each of 2 processes"],
];
for (const [processes, count, text] of running) {
  Deno.test(`max ${count} says "${text}" with ${processes} running processes`, async () => {
    const asked: unknown[] = [];
    const core: Partial<Core> = {
      setMax: (...args) => {
        asked.push(args);
        return Promise.resolve(processes);
      },
    };
    const { code, stdout, stderr } = await p2p(`max ${count}`, core);
    assertEquals([code, stdout, stderr], [0, `${text}\n`, ""]);
    assertEquals(asked, [[directoriesIn("/nowhere"), count]]);
  });
}

Deno.test("max without a number shows the number of each running get", async () => {
  const core: Partial<Core> = {
    runningMax: () => Promise.resolve([{ pid: 7, max: 1 }, { pid: 9, max: 4 }]),
  };
  const lines = (await p2p("max", core)).stdout;
  assertEquals(
    lines,
    "up to 1 download at once in process 7\nup to 4 downloads at once in process 9\n",
  );
  const none = await p2p("max", { runningMax: () => Promise.resolve([]) });
  assertEquals(none.stdout, "No downloads running.\n");
});
