/**
 * What one more piece, seed and download costs, in microseconds: a line through runs of different
 * sizes. Where the next one costs more than the one before it, the line bends upwards.
 */
import type { Sample, Source } from "./workspace.ts";
import { type GrowthOptions, measureGrowth, type Step } from "./growth.ts";
import { bendOf, fitLine, median, type Point } from "./statistics.ts";
import { seconds, type Table } from "./table.ts";

export interface Costs {
  readonly lines: readonly CostLine[];
  readonly table: Table;
}

/** One thing of which there was more and more. */
export interface CostLine {
  readonly what: string;
  readonly steps: readonly Step[];
}

const KIB = 1024;
const MIB = 1024 * KIB;

/** About twice the one before each, so that a bend shows. A piece of a file up to 32 GiB has 1 MiB. */
const PIECES = { full: [16, 32, 64, 128, 256], quick: [8, 16, 32, 64] };
const TASKS = { full: [1, 250, 500, 1000, 2000], quick: [1, 100, 200, 400] };
const SEEDS = [1, 2, 4, 8];
const TASK_BYTES = 16 * KIB;

export async function measureCosts(options: GrowthOptions): Promise<Costs> {
  const lines = [
    await costOfPieces(options),
    await costOfSeeds(options),
    await costOfTasks(options),
  ];
  return { lines, table: costTable(lines) };
}

async function costOfPieces(options: GrowthOptions): Promise<CostLine> {
  const counts = options.quick ? PIECES.quick : PIECES.full;
  using made = new DisposableStack();
  const sources = new Map<number, Source>();
  for (const count of counts) {
    const files = { count: 1, size: count * MIB };
    sources.set(count, made.use(options.workspace.makeSource(`pieces-${count}`, files)));
  }
  const steps = await measureGrowth(options, "costs: pieces", counts, (count) => {
    const source = sources.get(count)!;
    return { source, files: source.files, seeds: 1 };
  });
  return { what: "piece of 1 MiB", steps };
}

async function costOfSeeds(options: GrowthOptions): Promise<CostLine> {
  using source = options.workspace.makeSource("more-seeds", { count: 1, size: MIB });
  const { files } = source;
  const steps = await measureGrowth(options, "costs: seeds", SEEDS, (seeds) => ({
    source,
    files,
    seeds,
  }));
  return { what: "seed, for a file of 1 MiB", steps };
}

async function costOfTasks(options: GrowthOptions): Promise<CostLine> {
  const counts = options.quick ? TASKS.quick : TASKS.full;
  const most = { count: Math.max(...counts), size: TASK_BYTES };
  using source = options.workspace.makeSource("more-tasks", most);
  const steps = await measureGrowth(options, "costs: downloads", counts, (count) => {
    return { source, files: source.files.slice(0, count), seeds: 1 };
  });
  return { what: "download of 16 KiB", steps };
}

function costTable(lines: readonly CostLine[]): Table {
  return {
    title: "One more, in microseconds",
    head: ["one more", "wall", "CPU of get", "CPU of seeds", "start s", "bend", "measured at"],
    rows: lines.map(rowOf),
    notes: [
      "lines of least squares through the medians; start: what is left for none of them",
      "bend: how much more one costs at the end than before, about 1 where cost does not grow",
    ],
  };
}

function rowOf({ what, steps }: CostLine): string[] {
  const wall = pointsOf(steps, ({ wallMs }) => wallMs);
  const bend = bendOf(wall);
  return [
    what,
    microseconds(fitLine(wall).slope),
    microseconds(fitLine(pointsOf(steps, ({ userMs, sysMs }) => userMs + sysMs)).slope),
    microseconds(fitLine(pointsOf(steps, ({ serverCpuMs }) => serverCpuMs)).slope),
    seconds(fitLine(wall).start),
    bend === undefined ? "-" : bend.toFixed(2),
    steps.map(({ count }) => count).join(", "),
  ];
}

function pointsOf(steps: readonly Step[], valueOf: (sample: Sample) => number): Point[] {
  return steps.map(({ count, samples }) => ({ x: count, y: median(samples.map(valueOf)) }));
}

function microseconds(ms: number): string {
  return (ms * 1000).toFixed(0);
}
