import { assertEquals } from "@std/assert";
import { linesIn } from "../../core/state/run_files.ts";
import { wantedLines } from "../../core/state/wanted_lines.ts";
import { readOverview, readTasks } from "../../core/state/read_tasks.ts";
import { done, found, header, NOW, queued, state, StateFolder } from "./support.ts";

/** A record of so many tasks that it counts as long, with an incomplete last line. */
function longRecord(): { readonly lines: readonly object[]; readonly text: string } {
  const ids = Array.from({ length: 2000 }, (_, i) => `t${i}`);
  const together = {
    time: NOW,
    queued: { base: "/out/", tasks: ids.map((id) => [id, `${id}.bin`]) },
  };
  const events = ids.flatMap((id) => [state(id, "finding"), found(id, 9), done(id, 9)]);
  const lines = [header(7), together, queued("x", "d/queued"), ...events, state("x", "finding")];
  const text = lines.map((line) => JSON.stringify(line) + "\n").join("");
  return { lines, text: text + '{"kind":"state","task":"t7",' };
}

Deno.test("wantedLines() gives only the lines of wanted tasks of a long record", () => {
  const { text } = longRecord();
  const lines = wantedLines(text, (task, name) => task === "t7" || name === "d/queued");
  assertEquals(lines, [
    header(7),
    { time: NOW, queued: { base: "/out/", tasks: [["t7", "t7.bin"]] } },
    queued("x", "d/queued"),
    ...[state("t7", "finding"), found("t7", 9), done("t7", 9)],
    state("x", "finding"),
  ]);
});

Deno.test("wantedLines() gives all lines of a short record", () => {
  const short = longRecord().text.slice(0, 1000);
  assertEquals(wantedLines(short, () => false), linesIn(short));
});

Deno.test("wantedLines() omits only the lines of tasks that are done", () => {
  const { text } = longRecord();
  assertEquals(wantedLines(text, "unfinished"), [
    header(7),
    { time: NOW, queued: { base: "/out/", tasks: [] } },
    queued("x", "d/queued"),
    state("x", "finding"),
  ]);
});

Deno.test("readOverview() gives the same unfinished tasks for a long record as for a short one", async () => {
  const { lines } = longRecord();
  const look = async (some: readonly object[]) => {
    using folder = new StateFolder();
    const base = folder.writeRun(`${NOW}-7`, some);
    using lock = Deno.openSync(`${base}.lock`, { write: true, create: true });
    lock.lockSync(true);
    return await readOverview(folder.path, NOW, 2);
  };
  const more = {
    time: NOW,
    queued: { base: "/out/", tasks: [["w1", "1"], ["w2", "2"], ["w3", "3"]] },
  };
  const long = await look([...lines, more]);
  assertEquals(long.tasks.map(({ task }) => task), ["x", "w1", "w2"]);
  assertEquals(long, await look([header(7), queued("x", "d/queued"), more, state("x", "finding")]));
});

Deno.test("readTasks() reads only the named task of a long record", async () => {
  using folder = new StateFolder();
  const base = folder.writeRun(`${NOW}-7`, longRecord().lines);
  using lock = Deno.openSync(`${base}.lock`, { write: true, create: true });
  lock.lockSync(true);
  const look = async (named: string) =>
    (await readTasks(folder.path, NOW, { named })).map((
      { task, state, pid },
    ) => [task, state, pid]);
  assertEquals(await look("t7.bin"), [["t7", "done", null]]);
  assertEquals(await look("queued"), [["x", "finding", 7]]);
  assertEquals(await look("nope"), []);
});
