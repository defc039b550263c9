/** Downloads by p2p that differ in one count only, in turn: how time and memory grow with it. */
import type { Sample, Source, Workspace } from "./workspace.ts";
import type { MadeFile } from "./data.ts";
import { p2pGet } from "./command_lines.ts";
import { runRounds } from "./measure.ts";
import { type Seed, startSeeds } from "./seeds.ts";

export interface GrowthOptions {
  readonly workspace: Workspace;
  readonly program: string;
  readonly rounds: number;
  readonly quick: boolean;
  /** Told before each run. */
  readonly tell: (text: string) => void;
}

/** What was measured with so many of them. */
export interface Step {
  readonly count: number;
  readonly samples: readonly Sample[];
}

export interface Download {
  readonly source: Source;
  /** Of the source's. */
  readonly files: readonly MadeFile[];
  readonly seeds: number;
  readonly atOnce?: number;
}

type Fleet = ReadonlyMap<Source, readonly Seed[]>;

/** `what` names the count; `downloadOf` says what is downloaded for each of `counts`. */
export async function measureGrowth(
  options: GrowthOptions,
  what: string,
  counts: readonly number[],
  downloadOf: (count: number) => Download,
): Promise<Step[]> {
  const { rounds, tell } = options;
  await using servers = new AsyncDisposableStack();
  const fleet = await startFleet(options, counts.map(downloadOf), servers);
  const results = await runRounds(counts, rounds, (count, round) => {
    tell(`${what} ${round + 1}/${rounds}: ${count}`);
    return get(downloadOf(count), fleet, options);
  });
  return Array.from(results, ([count, samples]) => ({ count, samples }));
}

/** As many seeds for each source as any download from it takes. */
async function startFleet(
  { workspace, program }: GrowthOptions,
  downloads: readonly Download[],
  servers: AsyncDisposableStack,
): Promise<Fleet> {
  const fleet = new Map<Source, Seed[]>();
  for (const [source, group] of Map.groupBy(downloads, ({ source }) => source)) {
    const most = Math.max(...group.map(({ seeds }) => seeds));
    const place = { program, root: source.dir, dir: workspace.newFolder("seeds") };
    const seeds = await startSeeds(place, most, source.files, workspace.signal);
    for (const { server } of seeds) servers.use(server);
    fleet.set(source, seeds);
  }
  return fleet;
}

async function get(
  { source, files, seeds: count, atOnce = 3 }: Download,
  fleet: Fleet,
  { program, workspace }: GrowthOptions,
): Promise<Sample> {
  const chosen = fleet.get(source)!.slice(0, count);
  const names = files.map(({ name }) => name);
  const seeds = chosen.map(({ address }) => address);
  const servers = chosen.map(({ server }) => server);
  const command = p2pGet({ program, seeds, out: workspace.out, sync: "never", atOnce, names });
  return await workspace.run({ commands: [command], servers, source, names });
}
