/** The readers of the state folder, given files that anything may have happened to. */
import { assert } from "@std/assert";
import { join } from "@std/path";
import { systemClock } from "../../core/base/clock.ts";
import { readLog } from "../../core/state/read_log.ts";
import { readTasks } from "../../core/state/task_status.ts";
import { readWishes } from "../../core/state/wishes.ts";
import { bytesOf, type Target } from "./target.ts";

const TASK = "0123456789";

/** Written anew for each input, below a folder that is removed with `using`. */
export class StateFolder implements Disposable {
  readonly path = Deno.makeTempDirSync({ prefix: "p2p-fuzz-" });

  constructor() {
    for (const dir of ["runs", "logs", "wishes"]) Deno.mkdirSync(join(this.path, dir));
  }

  write(name: string, content: Uint8Array): void {
    Deno.writeFileSync(join(this.path, ...name.split("/")), content);
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

const RECORD = [
  { pid: 7, startedAt: 1 },
  { time: 2, queued: { base: "/out/", tasks: [[TASK, "a"], ["9876543210", "b"]] } },
  { kind: "state", task: TASK, time: 3, state: "downloading" },
  { kind: "target", task: TASK, time: 3, path: "/out/a~1" },
  { kind: "found", task: TASK, time: 4, size: 9, id: "ab", seeds: ["s:1"], name: "a" },
  { kind: "resumed", task: TASK, time: 5, bytes: 3 },
  { kind: "failed", task: TASK, time: 6, failure: { code: "disk", message: "full", exit: 6 } },
  {
    kind: "done",
    task: TASK,
    time: 7,
    result: { path: "/out/a", size: 9, sha256: "", id: "ab", verified: true },
  },
].map((line) => `${JSON.stringify(line)}\n`);
const NOW = { time: 5, tasks: { [TASK]: { downloaded: 3, rate: 1, seeds: ["s:1"] } } };
const LOG = {
  time: "2026-11-22T00:00:00.000Z",
  level: "info",
  task: TASK,
  event: { kind: "done" },
};

export function stateTargets(folder: StateFolder): Target[] {
  return [
    {
      name: "run-record",
      seeds: [RECORD.join(""), RECORD.slice(0, 6).join("")].map(bytesOf),
      run: async (input) => {
        folder.write("runs/1-7.jsonl", input);
        await readAll(folder);
      },
    },
    {
      name: "run-now",
      seeds: [bytesOf(JSON.stringify(NOW))],
      run: async (input) => {
        folder.write("runs/1-7.jsonl", bytesOf(RECORD.slice(0, 6).join("")));
        folder.write("runs/1-7.now", input);
        await readAll(folder);
        Deno.removeSync(join(folder.path, "runs/1-7.now"));
      },
    },
    {
      name: "task-log",
      seeds: [bytesOf(`${JSON.stringify(LOG)}\n${JSON.stringify(LOG)}\n`)],
      run: async (input) => {
        folder.write(`logs/${TASK}.jsonl`, input);
        const { signal } = new AbortController();
        for await (
          const lines of readLog(folder.path, TASK, { follow: false }, systemClock, signal)
        ) {
          for (const { time, event } of lines) {
            assert(typeof time === "string" && typeof event.kind === "string");
          }
        }
      },
    },
    {
      name: "wish",
      seeds: ["pause", "cancel-and-delete", '{"value":3,"at":1}'].map(bytesOf),
      run: async (input) => {
        folder.write("wishes/max", input);
        folder.write(`wishes/${TASK}`, input);
        const { max } = await readWishes(folder.path);
        assert(max === undefined || (Number.isSafeInteger(max.value) && max.value >= 1));
      },
    },
  ];
}

async function readAll(folder: StateFolder): Promise<void> {
  for (const task of await readTasks(folder.path, 10)) {
    assert(typeof task.task === "string" && typeof task.name === "string", "a task has a name");
    assert(task.percent === null || Number.isFinite(task.percent), `percent ${task.percent}`);
    assert(Array.isArray(task.seeds), "seeds are a list");
  }
}
