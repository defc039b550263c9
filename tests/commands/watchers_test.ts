import { assertEquals } from "@std/assert";
import { RunProgress, type TaskEvent } from "../../core/mod.ts";
import { BarWatcher, QuietWatcher } from "../../commands/watchers.ts";
import { TerminalScreen } from "../fakes/terminal_screen.ts";
import { event, fakeEnvironment, fakeOutput, resultOf, StampedProgress } from "./stand_in.ts";

Deno.test("BarWatcher tells each failure, what to do about them once, and leaves no block", () => {
  const terminal = new TerminalScreen({ columns: 80, rows: 24 });
  const write = (text: string) => terminal.write(text.replaceAll("\n", "\r\n"));
  const stderr = { ...fakeOutput({ terminal: true }), write };
  const progress = new StampedProgress();
  const watcher = new BarWatcher(fakeEnvironment({ stderr }), progress, "info");
  const handle = (event: TaskEvent) => {
    progress.apply(event);
    watcher.handle(event);
  };
  const fail = (task: string, hint: string) => {
    handle(event({ kind: "queued", name: task, target: task }, { task }));
    const failure = { code: "not-found", message: `no seed has "${task}"`, hint } as const;
    handle(event({ kind: "failed", failure }, { task }));
  };
  for (const task of ["a", "b", "c"]) fail(task, "look at the list");
  fail("d.bin", "free some space");
  watcher.note([]);
  assertEquals(terminal.lines.at(-1), "0 done, 0 active, 4 failed  0 B/s  ETA 0:00");
  watcher.end();
  assertEquals(terminal.lines, [
    'p2p: no seed has "a"',
    "hint: look at the list; what is in a folder with p2p get 'a/**'",
    'p2p: no seed has "b"',
    'p2p: no seed has "c"',
    'p2p: no seed has "d.bin"',
    "hint: free some space",
  ]);
});

for (const quiet of [false, true]) {
  Deno.test(`QuietWatcher ${quiet ? "with --quiet says nothing" : "says"} that a download could not be verified`, () => {
    let text = "";
    const stderr = { ...fakeOutput(), write: (more: string) => void (text += more) };
    const watcher = new QuietWatcher(fakeEnvironment({ stderr }), new RunProgress(), quiet);
    watcher.handle(event({ kind: "done", result: resultOf() }));
    assertEquals(text, "");
    watcher.handle(event({ kind: "done", result: resultOf({ verified: false }) }));
    assertEquals(text.includes("unverified"), !quiet);
  });
}
