/** `status --watch` from key to action, on a fake terminal. */
import { assertEquals } from "@std/assert";
import type { Core } from "../../commands/environment.ts";
import { run } from "../../commands/run.ts";
import { NotFoundError, type Overview, type TaskStatus, UsageError } from "../../core/mod.ts";
import { TerminalScreen } from "../support/terminal_screen.ts";
import {
  type FakeEnvironment,
  fakeEnvironment,
  FakeInput,
  fakeOutput,
} from "./fake_environment.ts";
import { caseOf, taskOf, USUAL } from "./watch_support.ts";

/** `status --watch` on a fake terminal: reads the screen, types keys, and gets the exit code. */
class WatchFixture {
  readonly screen = new TerminalScreen(USUAL);
  readonly environment: FakeEnvironment;
  readonly controls: string[] = [];
  readonly code: Promise<number>;
  tasks: TaskStatus[] = [taskOf({ task: "t1" }), taskOf({ task: "t2" })];
  #changed = Promise.withResolvers<void>();

  constructor(core: Partial<Core> = {}, { args = ["status", "--watch"], typing = true } = {}) {
    const stdout = {
      ...fakeOutput({ terminal: true }),
      write: (text: string) => {
        this.screen.write(text);
        this.#changed.resolve();
        this.#changed = Promise.withResolvers();
      },
    };
    const overview = (): Promise<Overview> =>
      Promise.resolve({ tasks: this.tasks, moreWaiting: 0 });
    const control: Core["control"] = (_, { task }, action) => {
      this.controls.push(`${action} ${task}`);
      return Promise.resolve("told");
    };
    const why: Core["why"] = (_, task) => Promise.resolve(caseOf(taskOf({ task })));
    this.environment = fakeEnvironment({
      core: { overview, control, why, ...core },
      stdin: new FakeInput(typing),
      stdout,
    });
    this.code = run(args, this.environment);
  }

  type(text: string): void {
    this.environment.stdin.type(text);
  }

  async sees(wanted: RegExp): Promise<void> {
    while (!this.screen.lines.some((line) => wanted.test(line))) await this.#changed.promise;
  }

  assertTerminalGivenBack(): void {
    const { screen, environment } = this;
    assertEquals(
      [screen.alternate, screen.cursorShown, screen.wraps, environment.stdin.isRaw],
      [false, true, true, false],
    );
  }
}

Deno.test("status --watch acts on the picked task and exits 0 for q", async () => {
  const watch = new WatchFixture();
  await watch.sees(/^> t1\.bin/);
  assertEquals(watch.environment.stdin.isRaw, true);
  watch.type("\x1b[B");
  await watch.sees(/^> t2\.bin/);
  watch.type("p");
  await watch.sees(/^t2 {2}t2\.bin: paused$/);
  watch.type("cy");
  await watch.sees(/^t2 {2}t2\.bin: cancelled$/);
  watch.type("q");
  assertEquals(await watch.code, 0);
  assertEquals(watch.controls, ["pause t2", "cancel t2"]);
  watch.assertTerminalGivenBack();
});

Deno.test("status --watch reads an arrow key in two parts, and a single Escape", async () => {
  const watch = new WatchFixture();
  await watch.sees(/^> t1\.bin/);
  watch.type("\x1b");
  watch.type("[B");
  await watch.sees(/^> t2\.bin/);
  watch.type("\x1b");
  await watch.sees(/^q quits$/);
  watch.type("q");
  assertEquals(await watch.code, 0);
  watch.assertTerminalGivenBack();
});

Deno.test("status --watch exits 130 for Ctrl-C, and with the code of a signal", async () => {
  for (
    const [leave, code] of [
      [(watch: WatchFixture) => watch.type("\x03"), 130],
      [(watch: WatchFixture) => watch.environment.send("SIGINT"), 130],
      [(watch: WatchFixture) => watch.environment.send("SIGTERM"), 143],
    ] as const
  ) {
    const watch = new WatchFixture();
    await watch.sees(/^> t1\.bin/);
    leave(watch);
    assertEquals(await watch.code, code);
    watch.assertTerminalGivenBack();
  }
});

Deno.test("status --watch shows the result of an action, also when it is not possible", async () => {
  const control = () => Promise.reject(new UsageError('Cannot pause "t1.bin": it is done'));
  const watch = new WatchFixture({ control });
  await watch.sees(/^> t1\.bin/);
  watch.type("p");
  await watch.sees(/^Cannot pause "t1\.bin": it is done$/);
  watch.type("q");
  assertEquals(await watch.code, 0);
});

Deno.test("status --watch restores the terminal after a bug", async () => {
  const control = () => Promise.reject(new TypeError("boom"));
  const watch = new WatchFixture({ control });
  await watch.sees(/^> t1\.bin/);
  watch.type("p");
  assertEquals(await watch.code, 1);
  watch.assertTerminalGivenBack();
});

Deno.test("status --watch shows a log as it grows, and stops following when it is closed", async () => {
  let following: AbortSignal | undefined;
  async function* logLines(_: unknown, task: string, __: unknown, signal: AbortSignal) {
    following = signal;
    const event = { kind: "state", state: "finding" } as const;
    yield [{ time: new Date(0).toISOString(), level: "info" as const, task, event }];
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
  }
  const watch = new WatchFixture({ logLines });
  await watch.sees(/^> t1\.bin/);
  watch.type("l");
  await watch.sees(/asking the seeds$/);
  watch.type("\x1b[D");
  await watch.sees(/^> t1\.bin/);
  assertEquals(following?.aborted, true);
  watch.type("q");
  assertEquals(await watch.code, 0);
});

Deno.test("status --watch shows the log that was opened last, even right after another", async () => {
  let opened = 0;
  async function* logLines(_: unknown, task: string, __: unknown, signal: AbortSignal) {
    const event = { kind: "note", level: "info", text: `opened ${++opened}` } as const;
    await Promise.resolve();
    yield [{ time: new Date(0).toISOString(), level: "info" as const, task, event }];
    if (signal.aborted) return;
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
  }
  const watch = new WatchFixture({ logLines });
  await watch.sees(/^> t1\.bin/);
  watch.type("l\x1b[Dl");
  await watch.sees(/opened 2$/);
  assertEquals(watch.screen.lines.some((line) => line.includes("opened 1")), false);
  watch.type("q");
  assertEquals(await watch.code, 0);
});

Deno.test("status --watch repaints after a resize", async () => {
  const watch = new WatchFixture();
  await watch.sees(/^> t1\.bin/);
  watch.environment.stdout.size = () => ({ columns: 40, rows: 5 });
  watch.screen.resize({ columns: 40, rows: 5 });
  watch.environment.changeTerminal();
  await watch.sees(/^unfinished: 1-2 of 2$/);
  assertEquals([watch.screen.lines.length, watch.screen.widest < 40], [5, true]);
  watch.type("q");
  await watch.code;
});

Deno.test("status <task> --watch starts with that task", async () => {
  const findTask = () => Promise.resolve(taskOf({ task: "t2" }));
  const watch = new WatchFixture({ findTask }, { args: ["status", "t2", "--watch"] });
  await watch.sees(/^task: +t2$/);
  await watch.sees(/^time: receiving 2:09 \(97%\), in the queue 4\.0 s/);
  watch.type("q");
  assertEquals(await watch.code, 0);
});

Deno.test("status --watch keeps showing a task without a record", async () => {
  const why = () => Promise.reject(new NotFoundError('Cannot find task "t1"'));
  const watch = new WatchFixture({ why });
  await watch.sees(/^> t1\.bin/);
  watch.type("\r");
  await watch.sees(/^task: +t1$/);
  watch.type("q");
  assertEquals(await watch.code, 0);
});

Deno.test("status --watch without a keyboard ends at a signal", async () => {
  const watch = new WatchFixture({}, { typing: false });
  await watch.sees(/^> t1\.bin/);
  assertEquals(watch.environment.stdin.isRaw, false);
  watch.environment.send("SIGINT");
  assertEquals(await watch.code, 130);
});

for (
  const [name, env, terminal] of [
    ["is no terminal", {}, false],
    ["may not be painted on (NO_COLOR)", { NO_COLOR: "1" }, true],
    ["is dumb", { TERM: "dumb" }, true],
  ] as const
) {
  Deno.test(`status --watch prints repeated lists if the output ${name}`, async () => {
    const stdout = fakeOutput({ terminal });
    const looks = Promise.withResolvers<void>();
    let times = 0;
    const overview = () => {
      if (++times === 3) looks.resolve();
      return Promise.resolve({ tasks: [taskOf()], moreWaiting: 0 });
    };
    const environment = fakeEnvironment({ core: { overview }, env, stdout });
    const code = run(["status", "--watch"], environment);
    await looks.promise;
    environment.send("SIGINT");
    assertEquals(await code, 130);
    assertEquals(stdout.text.includes("\x1b"), false);
    assertEquals(stdout.text.match(/^TASK /gm)?.length, 3);
  });
}

Deno.test("status --watch --json writes lines until the output is closed", async () => {
  const stdout = fakeOutput();
  let times = 0;
  const tasks = () => {
    if (++times === 3) stdout.shut.abort();
    return Promise.resolve([taskOf()]);
  };
  const environment = fakeEnvironment({ core: { tasks }, stdout });
  assertEquals(await run(["status", "--watch", "--json"], environment), 0);
  const lines = stdout.text.trimEnd().split("\n").map((line) => JSON.parse(line));
  assertEquals(lines.map(({ tasks }) => tasks[0].task), ["t1", "t1", "t1"]);
});
