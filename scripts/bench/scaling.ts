/** How p2p behaves when there is more of it: more seeds, more clients, more downloads at a time. */
import type { Arena, Sample } from "./arena.ts";
import { LightClient } from "./light_client.ts";
import { p2pGet } from "./peers.ts";
import { runRounds } from "./rounds.ts";
import { startSeeds } from "./seeds.ts";
import { countCost } from "./server.ts";
import { median, ratioOf, type Spread, spreadOf } from "./statistics.ts";
import { bytes, mib, seconds, secondsSpread, spread, type Table } from "./table.ts";

export interface ScalingOptions {
  readonly arena: Arena;
  readonly program: string;
  readonly rounds: number;
  readonly quick: boolean;
  readonly tell: (text: string) => void;
}

/** What was measured with so many of them. */
export interface Step {
  readonly count: number;
  readonly samples: readonly Sample[];
}

export interface Scaling {
  readonly id: string;
  readonly steps: readonly Step[];
  readonly table: Table;
}

const MIB = 1024 * 1024;

const SEEDS = [1, 2, 4, 8];
const CLIENTS = [1, 16, 64];
const TASKS = [1, 3, 10, 30, 100];

/** One file, from more and more seeds. */
export async function scaleSeeds(options: ScalingOptions): Promise<Scaling> {
  const { arena, program, rounds, quick, tell } = options;
  const size = (quick ? 128 : 512) * MIB;
  using source = arena.makeSource("seeds", { count: 1, size });
  await using servers = new AsyncDisposableStack();
  const place = { program, root: source.dir, dir: arena.newFolder("seeds") };
  const names = source.files.map(({ name }) => name);
  const seeds = await startSeeds(place, Math.max(...SEEDS), names, arena.signal);
  for (const { server } of seeds) servers.use(server);
  const results = await runRounds(SEEDS, rounds, (count, round) => {
    tell(`seeds ${round + 1}/${rounds}: ${count}`);
    const some = seeds.slice(0, count);
    const addresses = some.map(({ address }) => address);
    const command = p2pGet({ program, seeds: addresses, out: arena.out, sync: "never" });
    return arena.run({ commands: [command], servers: some.map(({ server }) => server), source });
  });
  return scalingOf("seeds", `One file of ${bytes(size)} from more seeds`, results);
}

/** The same bytes in all, in more and more files downloaded at the same time. */
export async function scaleTasks(options: ScalingOptions): Promise<Scaling> {
  const { arena, program, rounds, quick, tell } = options;
  const total = (quick ? 128 : 512) * MIB;
  const results = new Map<number, Sample[]>();
  for (const count of TASKS) {
    using source = arena.makeSource(`tasks-${count}`, { count, size: Math.floor(total / count) });
    const place = { program, root: source.dir, dir: arena.newFolder("seeds") };
    const names = source.files.map(({ name }) => name);
    const [seed] = await startSeeds(place, 1, names, arena.signal);
    await using server = seed!.server;
    const seeds = [seed!.address];
    const command = p2pGet({ program, seeds, out: arena.out, sync: "never", atOnce: count });
    const samples = [];
    for (let round = 0; round < rounds; round++) {
      tell(`tasks ${round + 1}/${rounds}: ${count}`);
      samples.push(await arena.run({ commands: [command], servers: [server], source }));
    }
    results.set(count, samples);
  }
  return scalingOf("tasks", `${bytes(total)} in more files, all at a time, one seed`, results);
}

/** One seed, whose bytes go to more and more clients; these throw them away, all in this process. */
export async function scaleClients(options: ScalingOptions): Promise<Scaling> {
  const { arena, program, rounds, quick, tell } = options;
  const size = (quick ? 512 : 2048) * MIB;
  using source = arena.makeSource("clients", { count: 1, size });
  const [file] = source.files;
  // All clients have one address here, which would otherwise count as one that asks for too much.
  const flags = ["--client-connections", `${Math.max(...CLIENTS) + 1}`];
  const place = { program, root: source.dir, dir: arena.newFolder("seeds"), flags };
  const [seed] = await startSeeds(place, 1, [file!.name], arena.signal);
  await using server = seed!.server;
  const results = await runRounds(CLIENTS, rounds, async (count, round) => {
    tell(`clients ${round + 1}/${rounds}: ${count}`);
    const cost = countCost([server]);
    const wallMs = await takeBy(count, seed!.address, file!.name, size, arena.signal);
    const { cpuMs, residentKiB } = cost();
    const none = { userMs: 0, sysMs: 0, residentKiB: 0 };
    return { wallMs, ...none, serverCpuMs: cpuMs, serverResidentKiB: residentKiB };
  });
  const rows = Array.from(results, ([count, samples]) => {
    const wall = spreadOf(samples.map(({ wallMs }) => wallMs));
    return [
      `${count}`,
      secondsSpread(wall),
      (size / 2 ** 30 / (wall.median / 1000)).toFixed(2),
      seconds(median(samples.map(({ serverCpuMs }) => serverCpuMs)) / (size / 2 ** 30), 2),
      mib(Math.max(...samples.map(({ serverResidentKiB }) => serverResidentKiB))),
    ];
  });
  return {
    id: "clients",
    steps: stepsOf(results),
    table: {
      title: `${bytes(size)} from one seed to more clients, which throw them away`,
      head: ["clients", "wall s", "GiB/s", "seed CPU s a GiB", "seed MiB"],
      rows,
    },
  };
}

/** @returns milliseconds until the last one has its share. */
async function takeBy(
  count: number,
  address: string,
  name: string,
  size: number,
  signal: AbortSignal,
): Promise<number> {
  await using stack = new AsyncDisposableStack();
  const clients: LightClient[] = [];
  for (let i = 0; i < count; i++) {
    clients.push(stack.use(await LightClient.connect(address, signal)));
  }
  const startedAt = performance.now();
  await Promise.all(clients.map((client) => client.take(name, Math.floor(size / count), signal)));
  return performance.now() - startedAt;
}

function scalingOf(id: string, title: string, results: Map<number, Sample[]>): Scaling {
  const steps = stepsOf(results);
  const rows = steps.map(({ count, samples }) => [
    `${count}`,
    secondsSpread(wallOf(samples)),
    spread(ratioOf(wallsOf(samples), wallsOf(steps[0]!.samples)), 2),
    `${seconds(median(samples.map(({ userMs }) => userMs)), 2)}+${
      seconds(median(samples.map(({ sysMs }) => sysMs)), 2)
    }`,
    mib(Math.max(...samples.map(({ residentKiB }) => residentKiB))),
    seconds(median(samples.map(({ serverCpuMs }) => serverCpuMs)), 2),
    mib(Math.max(...samples.map(({ serverResidentKiB }) => serverResidentKiB))),
  ]);
  const head = [id, "wall s", "to one", "user+sys s", "MiB", "seeds CPU s", "seed MiB"];
  return { id, steps, table: { title, head, rows } };
}

function stepsOf(results: Map<number, Sample[]>): Step[] {
  return Array.from(results, ([count, samples]) => ({ count, samples }));
}

function wallsOf(samples: readonly Sample[]): number[] {
  return samples.map(({ wallMs }) => wallMs);
}

function wallOf(samples: readonly Sample[]): Spread {
  return spreadOf(wallsOf(samples));
}
