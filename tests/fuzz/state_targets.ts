/** The readers of the state folder, given files that anything may have happened to. */
import { assert } from "@std/assert";
import { join } from "@std/path";
import { systemClock } from "../../core/base/clock.ts";
import { readLastRun, readTasks } from "../../core/state/read_tasks.ts";
import { readLog } from "../../core/state/task_log.ts";
import { readControlRequests } from "../../core/state/control.ts";
import { bytesOf, type Target } from "./target.ts";
import { TempFolder } from "../support/temp_folder.ts";

const TASK = "0123456789";

/** Written anew for each input, below a folder that is removed with `using`. */
export class StateFolder extends TempFolder {
  constructor() {
    super();
    for (const dir of ["runs", "logs", "wishes"]) Deno.mkdirSync(this.pathOf(dir));
  }

  /** A long record is moved to the archive by who reads it, and the file of now is removed with it. */
  remove(name: string): void {
    try {
      Deno.removeSync(join(this.path, name));
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
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

/** What may stand where an id, a number or a list belongs. */
const ODD_VALUES = [
  TASK,
  "9876543210",
  "__proto__",
  "constructor",
  "toString",
  "../../..",
  "",
  null,
  0,
  -1,
  1e308,
  [],
  [null],
  {},
  { length: 3 },
  true,
] as const;

/**
 * A record and a file of now made of valid lines, in each of which one value is replaced. Each line is
 * three bytes of the input: which line, which of its values, and what stands there instead.
 */
function oddRecord(input: Uint8Array): { readonly record: string; readonly now: string } {
  const lines: string[] = [];
  let now: unknown = NOW;
  for (let at = 0; at + 2 < input.length; at += 3) {
    const [line, field, value] = [input[at]!, input[at + 1]!, input[at + 2]!];
    const odd = ODD_VALUES[value % ODD_VALUES.length];
    if (line % (RECORD.length + 1) === RECORD.length) now = withValue(now, field, odd);
    else {
      const model: unknown = JSON.parse(RECORD[line % (RECORD.length + 1)]!);
      lines.push(JSON.stringify(withValue(model, field, odd)) + "\n");
    }
  }
  return { record: lines.join(""), now: JSON.stringify(now) };
}

/** The `n`th value or key in `model`, counted through all its levels, replaced by `odd`. */
function withValue(model: unknown, n: number, odd: unknown): unknown {
  let left = n % Math.max(1, JSON.stringify(model).split(/[:,]/).length);
  const change = (value: unknown): unknown => {
    if (left-- === 0) return odd;
    if (Array.isArray(value)) return value.map(change);
    if (typeof value !== "object" || value === null) return value;
    const entries = Object.entries(value).map(([key, inner]) => {
      return [left-- === 0 ? String(odd) : key, change(inner)] as const;
    });
    return Object.fromEntries(entries);
  };
  return change(model);
}

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
        folder.remove("runs/1-7.now");
      },
    },
    {
      name: "run-record-values",
      seeds: RECORD.map((_, line) => Uint8Array.of(0, 0, 0, 2, 2, 0, line, 3, 3)),
      run: async (input) => {
        const { record, now } = oddRecord(input);
        folder.write("runs/1-7.jsonl", bytesOf(record));
        folder.write("runs/1-7.now", bytesOf(now));
        await readAll(folder);
        folder.remove("runs/1-7.now");
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
        const { max } = await readControlRequests(folder.path);
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
    assert(/^[0-9a-z]+$/.test(task.task), `made-up id ${task.task}`);
    await readLastRun(folder.path, task.task, 10);
  }
}
