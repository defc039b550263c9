/**
 * What one more piece, seed and download costs, in microseconds: a line through runs of different
 * sizes. Where the next one costs more than the one before it, the line bends upwards.
 */
import type { Arena, Sample, Source } from "./arena.ts";
import type { MadeFile } from "./data.ts";
import { p2pGet } from "./peers.ts";
import { runRounds } from "./rounds.ts";
import type { ScalingOptions, Step } from "./scaling.ts";
import { type Seed, startSeeds } from "./seeds.ts";
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

/** Each is twice the one before, so that a bend shows. A piece of a file up to 32 GiB has 1 MiB. */
const PIECES = { full: [16, 32, 64, 128, 256], quick: [8, 16, 32, 64] };
const TASKS = { full: [1, 250, 500, 1000, 2000], quick: [1, 100, 200, 400] };
const SEEDS = [1, 2, 4, 8];
const TASK_BYTES = 16 * KIB;

export async function measureCosts(options: ScalingOptions): Promise<Costs> {
  const lines = [
    await costOfPieces(options),
    await costOfSeeds(options),
    await costOfTasks(options),
  ];
  return { lines, table: costTable(lines) };
}

async function costOfPieces(options: ScalingOptions): Promise<CostLine> {
  const counts = options.quick ? PIECES.quick : PIECES.full;
  const { arena } = options;
  using _all = new DisposableStack();
  const sources = new Map<number, Source>();
  for (const count of counts) {
    const files = { count: 1, size: count * MIB };
    sources.set(count, _all.use(arena.makeSource(`pieces-${count}`, files)));
  }
  const steps = await measureSteps(options, "pieces", counts, (count) => ({
    source: sources.get(count)!,
    files: sources.get(count)!.files,
    seeds: 1,
  }));
  return { what: "piece of 1 MiB", steps };
}

async function costOfSeeds(options: ScalingOptions): Promise<CostLine> {
  using source = options.arena.makeSource("more-seeds", { count: 1, size: MIB });
  const steps = await measureSteps(options, "more seeds", SEEDS, (seeds) => ({
    source,
    files: source.files,
    seeds,
  }));
  return { what: "seed, for a file of 1 MiB", steps };
}

async function costOfTasks(options: ScalingOptions): Promise<CostLine> {
  const counts = options.quick ? TASKS.quick : TASKS.full;
  const files = { count: Math.max(...counts), size: TASK_BYTES };
  using source = options.arena.makeSource("more-tasks", files);
  const steps = await measureSteps(options, "more tasks", counts, (count) => ({
    source,
    files: source.files.slice(0, count),
    seeds: 1,
  }));
  return { what: "download of 16 KiB", steps };
}

interface Download {
  readonly source: Source;
  readonly files: readonly MadeFile[];
  readonly seeds: number;
}

async function measureSteps(
  { arena, program, rounds, tell }: ScalingOptions,
  what: string,
  counts: readonly number[],
  downloadOf: (count: number) => Download,
): Promise<Step[]> {
  await using servers = new AsyncDisposableStack();
  const most = Math.max(...counts.map((count) => downloadOf(count).seeds));
  const bySource = new Map<Source, Seed[]>();
  for (const { source } of counts.map(downloadOf)) {
    if (bySource.has(source)) continue;
    const place = { program, root: source.dir, dir: arena.newFolder("seeds") };
    const names = source.files.map(({ name }) => name);
    const seeds = await startSeeds(place, most, names, arena.signal);
    for (const { server } of seeds) servers.use(server);
    bySource.set(source, seeds);
  }
  const results = await runRounds(counts, rounds, (count, round) => {
    tell(`${what} ${round + 1}/${rounds}: ${count}`);
    const download = downloadOf(count);
    return get(download, bySource.get(download.source)!, program, arena);
  });
  return Array.from(results, ([count, samples]) => ({ count, samples }));
}

function get(
  { source, files, seeds: count }: Download,
  all: readonly Seed[],
  program: string,
  arena: Arena,
): Promise<Sample> {
  const seeds = all.slice(0, count);
  const names = files.map(({ name }) => name);
  const addresses = seeds.map(({ address }) => address);
  const command = p2pGet({ program, seeds: addresses, out: arena.out, sync: "never", names });
  return arena.run({
    commands: [command],
    servers: seeds.map(({ server }) => server),
    source,
    names,
  });
}

function costTable(lines: readonly CostLine[]): Table {
  return {
    title: "One more, in microseconds",
    head: ["one more", "wall", "CPU of get", "CPU of seeds", "start s", "bend", "measured at"],
    rows: lines.map(({ what, steps }) => {
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
    }),
    notes: [
      "lines of least squares through the medians; start: what is left for none of them",
      "bend: how much more one costs at the end than before, about 1 where cost does not grow",
    ],
  };
}

function pointsOf(steps: readonly Step[], valueOf: (sample: Sample) => number): Point[] {
  return steps.map(({ count, samples }) => ({ x: count, y: median(samples.map(valueOf)) }));
}

function microseconds(ms: number): string {
  return (ms * 1000).toFixed(0);
}
