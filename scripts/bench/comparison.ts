/** Measures one workload with every tool that supports it, in rounds. */
import { join } from "@std/path";
import type { Sample, Source, Workspace } from "./workspace.ts";
import { startNginx } from "./nginx.ts";
import { aria2cList, curlList } from "./command_lines.ts";
import { runRounds } from "./measure.ts";
import { type Seed, startSeed, startSeeds } from "./seeds.ts";
import type { Server } from "./server.ts";
import type { FoundTools } from "./tools.ts";
import type { Case, Field, Workload } from "./workloads.ts";

export interface ComparisonOptions {
  readonly workspace: Workspace;
  readonly program: string;
  readonly tools: FoundTools;
  readonly rounds: number;
  readonly quick: boolean;
  /** Told before each run. */
  readonly tell: (text: string) => void;
}

export interface Comparison {
  readonly workload: Workload;
  readonly files: { readonly count: number; readonly size: number };
  /** In the order of the workload's cases. */
  readonly results: readonly { readonly name: string; readonly samples: readonly Sample[] }[];
}

interface Stage {
  readonly field: Field;
  readonly source: Source;
  readonly seeds: readonly Seed[];
  readonly nginx: Server | undefined;
}

export async function runComparison(
  workload: Workload,
  options: ComparisonOptions,
): Promise<Comparison> {
  const { workspace, program, tools, quick, rounds, tell } = options;
  const files = quick ? workload.quickFiles : workload.files;
  using source = workspace.makeSource(workload.id, files);
  await using servers = new AsyncDisposableStack();
  const seedOptions = { program, root: source.dir, dir: workspace.newFolder("seeds") };
  const seeds = await startSeeds(seedOptions, workload.sources, source.files, workspace.signal);
  for (const { server } of seeds) servers.use(server);
  const nginx = await nginxFor(workload, options);
  if (nginx) servers.use(nginx.server);
  const urls = (nginx?.urls ?? []).map((url) => `${url}/${workload.id}`);
  const field = {
    ...fieldOf(source, urls, seeds, options),
    lists: writeLists(source, urls, workspace),
  };
  const stage = { field, source, seeds, nginx: nginx?.server };
  const cases = workload.cases.filter((one) => canRun(one, tools) && (!quick || one.quick));
  const results = await runRounds(cases, rounds, (one, round) => {
    tell(`${workload.id} ${round + 1}/${rounds}: ${one.name}`);
    return runCase(one, stage, options);
  });
  return {
    workload,
    files,
    results: Array.from(results, ([{ name }, samples]) => ({ name, samples })),
  };
}

function canRun({ tool }: Case, tools: FoundTools): boolean {
  return tool === undefined || (tools.has(tool) && tools.has("nginx"));
}

async function nginxFor({ sources }: Workload, { workspace, tools }: ComparisonOptions) {
  const nginx = tools.get("nginx");
  if (nginx === undefined) return undefined;
  return await startNginx({
    program: nginx.path,
    root: workspace.sources,
    dir: workspace.newFolder("nginx"),
    mirrors: sources,
  }, workspace.signal);
}

function fieldOf(
  { files }: Source,
  urls: readonly string[],
  seeds: readonly Seed[],
  { workspace, program }: ComparisonOptions,
): Omit<Field, "lists"> {
  const [only] = files;
  // A single file has its own URL; lists are made from the folder's.
  const own = files.length === 1 && only ? urls.map((url) => `${url}/${only.name}`) : urls;
  return {
    program,
    files,
    urls: own,
    seeds: seeds.map(({ address }) => address),
    out: workspace.out,
  };
}

function writeLists(
  { files }: Source,
  [url = ""]: readonly string[],
  workspace: Workspace,
): Field["lists"] {
  const dir = workspace.newFolder("lists");
  Deno.mkdirSync(dir);
  const write = (name: string, text: string) => {
    Deno.writeTextFileSync(join(dir, name), text);
    return join(dir, name);
  };
  return {
    aria2c: write("aria2c", aria2cList(files, url, { verify: false })),
    aria2cVerify: write("aria2c-verify", aria2cList(files, url, { verify: true })),
    curl: write("curl", curlList(files, url)),
  };
}

/** A peer may crash now and then (axel does), which must not cost us the hour; one that always does is an error. */
const MAX_TRIES = 3;

async function runCase(one: Case, stage: Stage, options: ComparisonOptions): Promise<Sample> {
  for (let tries = 1;; tries++) {
    try {
      return await tryCase(one, stage, options);
    } catch (error) {
      if (!one.tool || tries === MAX_TRIES || options.workspace.signal.aborted) throw error;
      options.tell(`once more, for ${error instanceof Error ? error.message : error}`);
    }
  }
}

async function tryCase(one: Case, stage: Stage, options: ComparisonOptions): Promise<Sample> {
  if (one.cold) return await runCold(one, stage, options);
  const seeds = stage.seeds.slice(0, one.seeds ?? 1);
  const field = { ...stage.field, seeds: seeds.map(({ address }) => address) };
  const servers = one.tool && stage.nginx ? [stage.nginx] : seeds.map(({ server }) => server);
  return await options.workspace.run({
    commands: one.commands(field),
    servers,
    source: stage.source,
  });
}

async function runCold(
  one: Case,
  { field, source }: Stage,
  { workspace, program }: ComparisonOptions,
): Promise<Sample> {
  const { server, address } = await startSeed({
    program,
    root: source.dir,
    dir: workspace.newFolder("cold"),
  });
  await using _server = server;
  const commands = one.commands({ ...field, seeds: [address] });
  return await workspace.run({ commands, servers: [server], source });
}
