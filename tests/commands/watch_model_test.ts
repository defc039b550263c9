import { assertEquals } from "@std/assert";
import { listRows, wantsFinished } from "../../commands/ui/watch/model.ts";
import { taskOf, tasksOf, USUAL, Watching } from "./watch_support.ts";

Deno.test("reduce() lists active, paused and waiting tasks in this order, and finished ones only on request", () => {
  const watching = new Watching(tasksOf(9));
  const shown = () => watching.model.shown.map(({ task }) => task);
  assertEquals(shown(), ["t3", "t5", "t6", "t1", "t0", "t7", "t8"]);
  const states = ["active", "waiting", "paused", "failed", "done", "all"].map((filter) => {
    watching.type("f");
    assertEquals(watching.model.filter, filter);
    return shown();
  });
  assertEquals(states, [
    ["t3", "t5", "t6"],
    ["t0", "t7", "t8"],
    ["t1"],
    ["t4"],
    ["t2"],
    ["t3", "t5", "t6", "t1", "t0", "t7", "t8", "t2", "t4"],
  ]);
  watching.type("F");
  assertEquals(watching.model.filter, "done");
});

Deno.test("reduce() reads finished tasks only for a filter that shows them, and at once", () => {
  const watching = new Watching(tasksOf(9));
  assertEquals(wantsFinished(watching.model), false);
  watching.type("F");
  assertEquals([wantsFinished(watching.model), watching.commands], [true, [{ kind: "poll" }]]);
  watching.type("f");
  // The page of one task reads that task, not all finished ones each second.
  watching.press("enter");
  assertEquals(wantsFinished(watching.model), false);
});

Deno.test("reduce() keeps the picked task while others appear, disappear and change", () => {
  const watching = new Watching(tasksOf(30));
  watching.press("down", "down", "down", "down", "down");
  assertEquals(watching.picked, "t7");
  watching.look(
    tasksOf(30).map((task) => task.task === "t7" ? { ...task, state: "finding" } : task),
  );
  assertEquals(watching.picked, "t7");
  watching.look(tasksOf(30).filter(({ task }) => task !== "t3"));
  assertEquals(watching.picked, "t7");
  // When it disappears, its neighbour is picked.
  watching.look(tasksOf(6));
  assertEquals(watching.model.shown.length > watching.model.at, true);
});

Deno.test("reduce() keeps the picked task on the screen for all keys and sizes", () => {
  const watching = new Watching(tasksOf(1000));
  const keys = ["end", "up", "page-up", "home", "down", "page-down", "page-down"] as const;
  for (const columns of [40, 200]) {
    for (const rows of [1, 2, 3, 5, 24, 60]) {
      watching.take({ kind: "resized", size: { columns, rows } });
      for (const key of keys) {
        watching.press(key);
        const { at, top, shown, size } = watching.model;
        assertEquals(at >= top && at < top + listRows(size), true, `${key} on ${rows} rows`);
        assertEquals(at >= 0 && at < shown.length, true);
      }
    }
  }
});

Deno.test("reduce() pages by whole screens", () => {
  const watching = new Watching(tasksOf(1000));
  const rows = listRows(USUAL);
  watching.press("down", "page-down");
  assertEquals([watching.model.top, watching.model.at], [rows, rows + 1]);
  watching.press("page-up");
  assertEquals([watching.model.top, watching.model.at], [0, 1]);
});

Deno.test("reduce() returns the command of a key for the picked task", () => {
  const watching = new Watching(tasksOf(9));
  watching.press("down");
  watching.type("pr");
  assertEquals(
    watching.commands.map((command) =>
      command.kind === "control" ? [command.action, command.task.task] : []
    ),
    [["pause", "t5"], ["resume", "t5"]],
  );
});

Deno.test("reduce() cancels only after y", () => {
  for (const [answer, cancelled] of [["y", 1], ["Y", 1], ["n", 0], ["x", 0], ["q", 0]] as const) {
    const watching = new Watching(tasksOf(9));
    watching.type("c");
    assertEquals(watching.commands, []);
    assertEquals(watching.model.question?.task, "t3");
    watching.type(answer);
    assertEquals(watching.commands.length, cancelled, answer);
    assertEquals(watching.model.question, undefined);
  }
});

Deno.test("reduce() cancels the task of the question even if another one took its place", () => {
  const watching = new Watching([taskOf({ task: "a" })]);
  watching.type("c");
  watching.look([taskOf({ task: "b" })]);
  watching.type("y");
  const [command] = watching.commands;
  assertEquals(command?.kind === "control" && command.task.task, "a");
});

Deno.test("reduce() does not ask to cancel a finished task", () => {
  const watching = new Watching([taskOf({ state: "failed" })]);
  watching.type("ffff");
  watching.type("c");
  assertEquals([watching.model.question, watching.model.message], [
    undefined,
    "it is failed already",
  ]);
});

Deno.test("reduce() reports that there is no task", () => {
  const watching = new Watching([]);
  for (const key of ["p", "r", "c", "l"]) {
    watching.type(key);
    assertEquals([watching.commands, watching.model.message], [[], "there is no task to pick"]);
  }
  watching.press("enter", "up", "end", "page-down");
  assertEquals(watching.model.page.kind, "list");
});

Deno.test("reduce() shows the details of a task, finished or not", () => {
  const watching = new Watching(tasksOf(9));
  watching.press("enter");
  watching.look([taskOf({ task: "t3", state: "done" })]);
  const { page } = watching.model;
  assertEquals(page.kind === "task" && page.task.state, "done");
  // Without a record, the last known state stays.
  watching.look([]);
  assertEquals(watching.model.page, page);
  watching.press("escape");
  assertEquals(watching.model.page.kind, "list");
});

Deno.test("reduce() scrolls details no further than their end", () => {
  const watching = new Watching(tasksOf(9), { columns: 80, rows: 5 });
  watching.press("enter", "end", "down", "down");
  const { page } = watching.model;
  const top = page.kind === "task" ? page.top : 0;
  watching.press("up");
  assertEquals(watching.model.page.kind === "task" && watching.model.page.top, top - 1);
  watching.press("home", "up");
  assertEquals(watching.model.page.kind === "task" && watching.model.page.top, 0);
});

Deno.test("reduce() opens a log, follows its end, and stays in place when scrolled up", () => {
  const watching = new Watching(tasksOf(9));
  watching.type("l");
  const log = (...lines: string[]) => watching.take({ kind: "logged", task: "t3", lines });
  const up = () => watching.model.page.kind === "log" ? watching.model.page.up : undefined;
  log("one", "two");
  assertEquals(up(), 0);
  watching.press("up");
  log("three");
  assertEquals(up(), 2);
  watching.press("end");
  assertEquals(up(), 0);
  watching.take({ kind: "logged", task: "another", lines: ["no"] });
  log(...Array.from({ length: 5000 }, (_, i) => `${i}`));
  const { page } = watching.model;
  assertEquals(page.kind === "log" && [page.lines.length, page.lines.at(-1)], [2000, "4999"]);
  watching.press("escape");
  assertEquals(watching.commands.map(({ kind }) => kind), ["open-log", "close-log", "poll"]);
});

Deno.test("Escape returns from a log to the page it was opened from, and does not leave the list", () => {
  for (const [keys, back] of [[["enter"], "task"], [[], "list"]] as const) {
    const watching = new Watching(tasksOf(9));
    watching.press(...keys, { character: "l" });
    assertEquals(watching.model.page.kind, "log");
    watching.press("escape");
    assertEquals(watching.model.page.kind, back);
    watching.press("escape", "escape", "escape");
    assertEquals([watching.model.page.kind, watching.model.message], ["list", "q quits"]);
    assertEquals(watching.commands.filter(({ kind }) => kind === "end"), []);
  }
});

Deno.test("reduce() shows the keys for ?, and the next key returns", () => {
  const watching = new Watching(tasksOf(9));
  watching.press("down", { character: "?" });
  assertEquals([watching.model.help, watching.picked], [true, "t5"]);
  watching.press({ character: "q" });
  assertEquals([watching.model.help, watching.picked, watching.commands], [false, "t5", []]);
});

Deno.test("reduce() ends for q on every page, and for Ctrl-C even within a question", () => {
  const ends = (act: (watching: Watching) => void) => {
    const watching = new Watching(tasksOf(9));
    act(watching);
    return watching.commands.filter(({ kind }) => kind === "end");
  };
  const end = { kind: "end", interrupted: false } as const;
  assertEquals(ends((watching) => watching.type("q")), [end]);
  assertEquals(ends((watching) => watching.press("enter", { character: "q" })), [end]);
  assertEquals(ends((watching) => watching.press({ character: "c" }, "interrupt")), [
    { kind: "end", interrupted: true },
  ]);
});

Deno.test("reduce() shows the result of an action until the next key", () => {
  const watching = new Watching(tasksOf(9));
  watching.take({ kind: "message", text: "paused" });
  assertEquals(watching.model.message, "paused");
  watching.look(tasksOf(9));
  assertEquals(watching.model.message, "paused");
  watching.press("down");
  assertEquals(watching.model.message, "");
});
