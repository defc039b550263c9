/** One seed, whose bytes go to more and more clients; these throw them away, all in this process. */
import { LightClient } from "./light_client.ts";
import type { GrowthOptions } from "./growth.ts";
import { runRounds } from "./measure.ts";
import { type Seed, startSeeds } from "./seeds.ts";
import { countCost, type ServerCost } from "./server.ts";
import { median, spreadOf } from "./statistics.ts";
import { bytes, mib, seconds, secondsSpread, type Table } from "./table.ts";

/** What one run with so many clients cost. */
interface CrowdSample extends ServerCost {
  readonly wallMs: number;
}

export interface ManyClients {
  readonly steps: readonly { readonly count: number; readonly samples: readonly CrowdSample[] }[];
  readonly table: Table;
}

const GIB = 2 ** 30;
const CLIENTS = [1, 16, 64];
/** All clients have one address here, which usually counts as one that asks for too much. */
const ROOM_FOR_ALL = ["--client-connections", "65"];

export async function measureManyClients(options: GrowthOptions): Promise<ManyClients> {
  const { workspace, program, rounds, quick, tell } = options;
  const size = quick ? GIB / 2 : 2 * GIB;
  using source = workspace.makeSource("clients", { count: 1, size });
  const place = {
    program,
    root: source.dir,
    dir: workspace.newFolder("seeds"),
    flags: ROOM_FOR_ALL,
  };
  const [seed] = await startSeeds(place, 1, source.files, workspace.signal);
  await using _server = seed!.server;
  const results = await runRounds(CLIENTS, rounds, async (count, round) => {
    tell(`clients ${round + 1}/${rounds}: ${count}`);
    const costOfSeed = countCost([seed!.server]);
    const wallMs = await takeShares(count, seed!, source.files[0]!, workspace.signal);
    return { wallMs, ...costOfSeed() };
  });
  const steps = Array.from(results, ([count, samples]) => ({ count, samples }));
  return { steps, table: tableOf(size, steps) };
}

/** @returns milliseconds until the last one has its share. */
async function takeShares(
  count: number,
  { address }: Seed,
  { name, size }: { readonly name: string; readonly size: number },
  signal: AbortSignal,
): Promise<number> {
  await using stack = new AsyncDisposableStack();
  const clients: LightClient[] = [];
  while (clients.length < count) {
    clients.push(stack.use(await LightClient.connect(address, signal)));
  }
  const share = Math.floor(size / count);
  const startedAt = performance.now();
  await Promise.all(clients.map((client) => client.take(name, share, signal)));
  return performance.now() - startedAt;
}

function tableOf(size: number, steps: ManyClients["steps"]): Table {
  return {
    title: `${bytes(size)} from one seed to more clients, which throw them away`,
    head: ["clients", "wall s", "GiB/s", "seed CPU s a GiB", "seed MiB"],
    rows: steps.map(({ count, samples }) => {
      const wall = spreadOf(samples.map(({ wallMs }) => wallMs));
      const cpuMs = median(samples.map(({ cpuMs }) => cpuMs));
      return [
        `${count}`,
        secondsSpread(wall),
        (size / GIB / (wall.median / 1000)).toFixed(2),
        seconds(cpuMs / (size / GIB), 2),
        mib(Math.max(...samples.map(({ residentKiB }) => residentKiB))),
      ];
    }),
  };
}
