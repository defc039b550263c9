/** How p2p behaves when there is more of it: more seeds, and more downloads at a time. */
import type { Sample, Source } from "./workspace.ts";
import { type GrowthOptions, measureGrowth, type Step } from "./growth.ts";
import { median, ratioOf, spreadOf } from "./statistics.ts";
import { bytes, mib, seconds, secondsSpread, spread, type Table } from "./table.ts";

export interface Scaling {
  readonly steps: readonly Step[];
  readonly table: Table;
}

const MIB = 1024 * 1024;

const SEEDS = [1, 2, 4, 8];
const TASKS = [1, 3, 10, 30, 100];

/** One file, from more and more seeds. */
export async function scaleSeeds(options: GrowthOptions): Promise<Scaling> {
  const size = (options.quick ? 128 : 512) * MIB;
  using source = options.workspace.makeSource("seeds", { count: 1, size });
  const { files } = source;
  const steps = await measureGrowth(options, "seeds", SEEDS, (seeds) => ({ source, files, seeds }));
  return { steps, table: tableOf("seeds", `One file of ${bytes(size)} from more seeds`, steps) };
}

/** The same bytes in all, in more and more files downloaded at the same time. */
export async function scaleTasks(options: GrowthOptions): Promise<Scaling> {
  const total = (options.quick ? 128 : 512) * MIB;
  using made = new DisposableStack();
  const sources = new Map<number, Source>();
  for (const count of TASKS) {
    const files = { count, size: Math.floor(total / count) };
    sources.set(count, made.use(options.workspace.makeSource(`tasks-${count}`, files)));
  }
  const steps = await measureGrowth(options, "tasks", TASKS, (count) => {
    const source = sources.get(count)!;
    return { source, files: source.files, seeds: 1, atOnce: count };
  });
  const title = `${bytes(total)} in more files, all at a time, one seed`;
  return { steps, table: tableOf("tasks", title, steps) };
}

function tableOf(what: string, title: string, steps: readonly Step[]): Table {
  const head = [what, "wall s", "to one", "user+sys s", "MiB", "seeds CPU s", "seed MiB"];
  return { title, head, rows: steps.map((step) => rowOf(step, steps[0]!)) };
}

function rowOf({ count, samples }: Step, first: Step): string[] {
  const walls = wallsOf(samples);
  const medianOf = (of: (sample: Sample) => number) => seconds(median(samples.map(of)), 2);
  return [
    `${count}`,
    secondsSpread(spreadOf(walls)),
    spread(ratioOf(walls, wallsOf(first.samples)), 2),
    `${medianOf(({ userMs }) => userMs)}+${medianOf(({ sysMs }) => sysMs)}`,
    mib(Math.max(...samples.map(({ residentKiB }) => residentKiB))),
    medianOf(({ serverCpuMs }) => serverCpuMs),
    mib(Math.max(...samples.map(({ serverResidentKiB }) => serverResidentKiB))),
  ];
}

function wallsOf(samples: readonly Sample[]): number[] {
  return samples.map(({ wallMs }) => wallMs);
}
