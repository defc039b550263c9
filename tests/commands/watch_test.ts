/** `status --watch` from key to action, on a fake terminal. */
import { assertEquals } from "@std/assert";
import type { Core } from "../../commands/environment.ts";
import { run } from "../../commands/run.ts";
import { NotFoundError, type Overview, type TaskStatus, UsageError } from "../../core/mod.ts";
import { TerminalScreen } from "../support/terminal_screen.ts";
import { type FakeEnvironment, fakeEnvironment, FakeInput, fakeOutput } from "./stand_in.ts";
import { caseOf, taskOf, USUAL } from "./watch_support.ts";

/** A person before a terminal: sees, types, and in the end has an exit code. */
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

Deno.test("status --watch acts on the picked task and ends for q with 0", async () => {
  const person = new WatchFixture();
  await person.sees(/^> t1\.bin/);
  assertEquals(person.environment.stdin.isRaw, true);
  person.type("\x1b[B");
  await person.sees(/^> t2\.bin/);
  person.type("p");
  await person.sees(/^t2 {2}t2\.bin: paused$/);
  person.type("cy");
  await person.sees(/^t2 {2}t2\.bin: cancelled$/);
  person.type("q");
  assertEquals(await person.code, 0);
  assertEquals(person.controls, ["pause t2", "cancel t2"]);
  person.assertTerminalGivenBack();
});

Deno.test("status --watch reads an arrow key that comes in two parts, and a lone Escape", async () => {
  const person = new WatchFixture();
  await person.sees(/^> t1\.bin/);
  person.type("\x1b");
  person.type("[B");
  await person.sees(/^> t2\.bin/);
  person.type("\x1b");
  await person.sees(/^q quits$/);
  person.type("q");
  assertEquals(await person.code, 0);
  person.assertTerminalGivenBack();
});

Deno.test("status --watch ends for Ctrl-C with 130, and for a signal with that signal's code", async () => {
  for (
    const [leave, code] of [
      [(person: WatchFixture) => person.type("\x03"), 130],
      [(person: WatchFixture) => person.environment.send("SIGINT"), 130],
      [(person: WatchFixture) => person.environment.send("SIGTERM"), 143],
    ] as const
  ) {
    const person = new WatchFixture();
    await person.sees(/^> t1\.bin/);
    leave(person);
    assertEquals(await person.code, code);
    person.assertTerminalGivenBack();
  }
});

Deno.test("status --watch shows the result of an action, also when it is not possible", async () => {
  const control = () => Promise.reject(new UsageError('Cannot pause "t1.bin": it is done'));
  const person = new WatchFixture({ control });
  await person.sees(/^> t1\.bin/);
  person.type("p");
  await person.sees(/^Cannot pause "t1\.bin": it is done$/);
  person.type("q");
  assertEquals(await person.code, 0);
});

Deno.test("status --watch gives the terminal back when a bug ends it", async () => {
  const control = () => Promise.reject(new TypeError("boom"));
  const person = new WatchFixture({ control });
  await person.sees(/^> t1\.bin/);
  person.type("p");
  assertEquals(await person.code, 1);
  person.assertTerminalGivenBack();
});

Deno.test("status --watch shows a log as it grows, and stops following when it is closed", async () => {
  let following: AbortSignal | undefined;
  async function* logLines(_: unknown, task: string, __: unknown, signal: AbortSignal) {
    following = signal;
    const event = { kind: "state", state: "finding" } as const;
    yield [{ time: new Date(0).toISOString(), level: "info" as const, task, event }];
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
  }
  const person = new WatchFixture({ logLines });
  await person.sees(/^> t1\.bin/);
  person.type("l");
  await person.sees(/asking the seeds$/);
  person.type("\x1b[D");
  await person.sees(/^> t1\.bin/);
  assertEquals(following?.aborted, true);
  person.type("q");
  assertEquals(await person.code, 0);
});

Deno.test("status --watch shows the log that was opened last, however soon after another", async () => {
  let opened = 0;
  async function* logLines(_: unknown, task: string, __: unknown, signal: AbortSignal) {
    const event = { kind: "note", level: "info", text: `opened ${++opened}` } as const;
    await Promise.resolve();
    yield [{ time: new Date(0).toISOString(), level: "info" as const, task, event }];
    if (signal.aborted) return;
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
  }
  const person = new WatchFixture({ logLines });
  await person.sees(/^> t1\.bin/);
  person.type("l\x1b[Dl");
  await person.sees(/opened 2$/);
  assertEquals(person.screen.lines.some((line) => line.includes("opened 1")), false);
  person.type("q");
  assertEquals(await person.code, 0);
});

Deno.test("status --watch draws itself anew when the terminal has another size", async () => {
  const person = new WatchFixture();
  await person.sees(/^> t1\.bin/);
  person.environment.stdout.size = () => ({ columns: 40, rows: 5 });
  person.screen.resize({ columns: 40, rows: 5 });
  person.environment.changeTerminal();
  await person.sees(/^unfinished: 1-2 of 2$/);
  assertEquals([person.screen.lines.length, person.screen.widest < 40], [5, true]);
  person.type("q");
  await person.code;
});

Deno.test("status <task> --watch begins with that task", async () => {
  const findTask = () => Promise.resolve(taskOf({ task: "t2" }));
  const person = new WatchFixture({ findTask }, { args: ["status", "t2", "--watch"] });
  await person.sees(/^task: +t2$/);
  await person.sees(/^time: receiving 2:09 \(97%\), in the queue 4\.0 s/);
  person.type("q");
  assertEquals(await person.code, 0);
});

Deno.test("status --watch shows a task on, though nobody can say what limits it", async () => {
  const why = () => Promise.reject(new NotFoundError('Cannot find task "t1"'));
  const person = new WatchFixture({ why });
  await person.sees(/^> t1\.bin/);
  person.type("\r");
  await person.sees(/^task: +t1$/);
  person.type("q");
  assertEquals(await person.code, 0);
});

Deno.test("status --watch without a keyboard ends by a signal", async () => {
  const person = new WatchFixture({}, { typing: false });
  await person.sees(/^> t1\.bin/);
  assertEquals(person.environment.stdin.isRaw, false);
  person.environment.send("SIGINT");
  assertEquals(await person.code, 130);
});

for (
  const [name, env, terminal] of [
    ["is no terminal", {}, false],
    ["may not be painted on (NO_COLOR)", { NO_COLOR: "1" }, true],
    ["is dumb", { TERM: "dumb" }, true],
  ] as const
) {
  Deno.test(`status --watch prints list after list where the output ${name}`, async () => {
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

Deno.test("status --watch --json writes a line at a time, until nobody reads", async () => {
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
