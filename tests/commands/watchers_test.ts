import { assertEquals } from "@std/assert";
import { RunProgress, type TaskEvent } from "../../core/mod.ts";
import { BarWatcher, quietWatcher } from "../../commands/watchers.ts";
import { TerminalScreen } from "../support/terminal_screen.ts";
import {
  event,
  fakeEnvironment,
  fakeOutput,
  resultOf,
  StampedProgress,
} from "./fake_environment.ts";

Deno.test("BarWatcher writes each failure, a repeated hint once, and leaves no block", () => {
  const terminal = new TerminalScreen({ columns: 80, rows: 24 });
  const write = (text: string) => terminal.write(text.replaceAll("\n", "\r\n"));
  const stderr = { ...fakeOutput({ terminal: true }), write };
  const progress = new StampedProgress();
  const watcher = new BarWatcher({
    environment: fakeEnvironment({ stderr }),
    progress,
    level: "info",
  });
  const handle = (event: TaskEvent) => {
    progress.apply(event);
    watcher.handle(event);
  };
  const fail = (task: string, code: "not-found" | "busy") => {
    handle(event({ kind: "queued", name: task, target: task }, { task }));
    const failure = { code, message: `no seed has "${task}"` };
    handle(event({ kind: "failed", failure }, { task }));
  };
  for (const task of ["a", "b", "c"]) fail(task, "not-found");
  fail("d.bin", "busy");
  watcher.note([]);
  assertEquals(terminal.lines.at(-1), "0 done, 0 active, 4 failed  0 B/s  ETA 0:00");
  watcher.end();
  assertEquals(terminal.lines, [
    'p2p: no seed has "a"',
    "hint: See the seeds' files with p2p list; " +
    "for a folder: p2p get a/",
    'p2p: no seed has "b"',
    'p2p: no seed has "c"',
    'p2p: no seed has "d.bin"',
    "hint: Try again later, or name more seeds with --seed",
  ]);
});

for (const quiet of [false, true]) {
  Deno.test(`quietWatcher ${quiet ? "with --quiet says nothing" : "says"} that a download could not be verified`, () => {
    let text = "";
    const stderr = { ...fakeOutput(), write: (more: string) => void (text += more) };
    const watcher = quietWatcher(
      { environment: fakeEnvironment({ stderr }), progress: new RunProgress(), level: "info" },
      quiet,
    );
    watcher.handle(event({ kind: "done", result: resultOf() }));
    assertEquals(text, "");
    watcher.handle(event({ kind: "done", result: resultOf({ verified: false }) }));
    assertEquals(text.includes("unverified"), !quiet);
  });
}
