/** The cost of the progress model: for each block that is received, and for each small file. */
import type { TaskEvent, TaskEventData } from "../../core/events.ts";
import { RunProgress } from "../../core/progress/run_progress.ts";

const SEEDS = ["nas1:7270", "nas2:7270", "nas3:7270"];
const SMALL_FILES = 2000;
const eventOf = (task: string, data: TaskEventData): TaskEvent => ({ ...data, task, time: 0 });
const begun = (task: string, size: number): TaskEvent[] => [
  eventOf(task, { kind: "state", state: "finding" }),
  eventOf(task, { kind: "found", size, id: "ab", seeds: SEEDS }),
  eventOf(task, { kind: "pieces", count: 1, cells: [0] }),
  eventOf(task, { kind: "state", state: "downloading" }),
];

const progress = new RunProgress();
for (const event of begun("large", 2 ** 40)) progress.apply(event, 0);
const received = SEEDS.map((seed) => eventOf("large", { kind: "received", seed, bytes: 65_536 }));
let nowMs = 0;

Deno.bench("apply a received event", { group: "progress", baseline: true }, () => {
  nowMs += 0.1;
  progress.apply(received[Math.floor(nowMs) % received.length]!, nowMs);
});

const small = Array.from({ length: SMALL_FILES }, (_, i) => `t${i}`).flatMap((task) => [
  ...begun(task, 16_384),
  eventOf(task, { kind: "received", seed: SEEDS[0]!, bytes: 16_384 }),
  eventOf(task, { kind: "stored", seed: SEEDS[0]!, piece: 0, bytes: 16_384 }),
  eventOf(task, {
    kind: "done",
    result: {
      path: task,
      size: 16_384,
      sha256: null,
      id: "ab",
      verified: true,
      elapsedMs: 1,
      bytesBySeed: {},
      how: "downloaded",
    },
  }),
]);

Deno.bench(`apply the events of ${SMALL_FILES} small files`, { group: "progress" }, () => {
  const run = new RunProgress();
  for (const event of small) run.apply(event, 0);
});
