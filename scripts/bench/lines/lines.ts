/** Measures p2p and others over lines with delay and loss. */
import { join } from "@std/path";
import { aria2cList, type Command, curlList, p2pGetDefault } from "../command_lines.ts";
import { runRounds } from "../measure.ts";
import { startNginx } from "../nginx.ts";
import { startSeed, untilOld } from "../seeds.ts";
import type { Server } from "../server.ts";
import type { Table } from "../table.ts";
import type { FoundTools } from "../tools.ts";
import type { Source, Workspace } from "../workspace.ts";
import { homeIn } from "../../p2p.ts";
import {
  type Cell,
  describeCell,
  type Entrant,
  entrantsOf,
  filesOf,
  type Job,
  JOBS,
  type LineField,
} from "./cells.ts";
import { Line, SERVER_ADDRESS, whyNoLine } from "./line.ts";
import type { LineOptions } from "./options.ts";
import { type CellResult, type LineSample, summaryOf, tableOfJob } from "./results.ts";

export interface LinesOptions {
  readonly workspace: Workspace;
  readonly program: string;
  readonly tools: FoundTools;
  readonly rounds: number;
  readonly lines: LineOptions;
  /** Called before each run, and after each cell. */
  readonly tell: (text: string) => void;
}

export interface LinesOutcome {
  readonly tables: readonly Table[];
  readonly data: unknown;
}

/** What runs at the server's end for one job. */
interface Stage {
  readonly line: Line;
  readonly source: Source;
  readonly field: LineField;
  readonly seed: Server;
  readonly nginx: Server | undefined;
}

/** Any free port will do: the namespace has no other program. */
const NGINX_PORT = 8080;

/** @throws {Error} if no line can be made here; it says why. */
export async function measureLines(options: LinesOptions): Promise<LinesOutcome> {
  const { workspace, lines, program } = options;
  const reason = await whyNoLine();
  if (reason !== undefined) throw new Error(`Cannot make a line: ${reason}`);
  const dir = workspace.newFolder("line");
  Deno.mkdirSync(dir);
  await using line = await Line.open(dir);
  const results: CellResult[] = [];
  for (const job of JOBS) {
    const cells = lines.cells.filter((cell) => cell.job === job);
    if (cells.length > 0) results.push(...await measureJob(job, cells, line, options));
  }
  const tables = JOBS.filter((job) => results.some(({ cell }) => cell.job === job))
    .map((job) => tableOfJob(job, results, titleOf(job, lines)));
  return { tables, data: { program, lines, results } };
}

function titleOf(job: Job, { largeMiB, mbit }: LineOptions): string {
  const rate = `${mbit} Mbit/s`;
  switch (job) {
    case "large":
      return `Lines of ${rate}: one file of ${largeMiB} MiB`;
    case "small":
      return `Lines of ${rate}: ${filesOf(job, largeMiB).count} files of 16 KiB`;
    case "one":
      return `Lines of ${rate}: one file of 16 KiB, without the start of the program`;
  }
}

async function measureJob(
  job: Job,
  cells: readonly Cell[],
  line: Line,
  options: LinesOptions,
): Promise<CellResult[]> {
  const { workspace, lines } = options;
  using source = workspace.makeSource(job, filesOf(job, lines.largeMiB));
  await using servers = new AsyncDisposableStack();
  const stage = await prepare(source, line, servers, options);
  const results: CellResult[] = [];
  for (const cell of cells) {
    const result = await measureCell(cell, stage, options);
    options.tell(summaryOf(result));
    results.push(result);
  }
  return results;
}

/** Starts the servers, and has the seed hash all files. */
async function prepare(
  source: Source,
  line: Line,
  servers: AsyncDisposableStack,
  { workspace, program, tools }: LinesOptions,
): Promise<Stage> {
  const { signal } = workspace;
  const prefix = line.server;
  const nginx = tools.get("nginx");
  const http = nginx && await startNginx({
    program: nginx.path,
    root: source.dir,
    dir: workspace.newFolder("nginx"),
    mirrors: 1,
    listen: [`${SERVER_ADDRESS}:${NGINX_PORT}`],
    prefix,
  }, signal);
  if (http) servers.use(http.server);
  await untilOld(source.dir, source.files, signal);
  const seed = await startSeed({
    program,
    root: source.dir,
    dir: workspace.newFolder("seeds"),
    host: SERVER_ADDRESS,
    prefix,
  });
  servers.use(seed.server);
  await hashAll(program, seed.address, line, workspace);
  const url = http?.urls[0] ?? "";
  const lists = workspace.newFolder("lists");
  Deno.mkdirSync(lists);
  const paths = { aria2c: join(lists, "aria2c"), curl: join(lists, "curl") };
  Deno.writeTextFileSync(paths.aria2c, aria2cList(source.files, url, { verify: false }));
  Deno.writeTextFileSync(paths.curl, curlList(source.files, url));
  const field = {
    program,
    files: source.files,
    url,
    seed: seed.address,
    lists: paths,
    out: workspace.out,
  };
  return { line, source, field, seed: seed.server, nginx: http?.server };
}

/** A download beside the seed, which makes it hash every file. */
async function hashAll(
  program: string,
  seed: string,
  { server }: Line,
  workspace: Workspace,
): Promise<void> {
  const out = workspace.newFolder("hashed");
  const [first, ...args] = [...server, ...p2pGetDefault({ program, seed, out })];
  const env = homeIn(workspace.newFolder("home"));
  const { signal } = workspace;
  const command = new Deno.Command(first!, { args, env, signal, stdin: "null", stdout: "null" });
  const { success, stderr } = await command.output();
  signal.throwIfAborted();
  if (!success) {
    throw new Error(`The seed does not work: ${new TextDecoder().decode(stderr).trim()}`);
  }
  Deno.removeSync(out, { recursive: true });
}

async function measureCell(
  cell: Cell,
  stage: Stage,
  options: LinesOptions,
): Promise<CellResult> {
  const { rounds, lines, tools, tell } = options;
  const isHere = ({ tool }: Entrant) => tool === "p2p" || (tools.has(tool) && tools.has("nginx"));
  const entrants = entrantsOf(cell.job, lines.programs).filter(isHere);
  await stage.line.useCongestionControl(cell.congestion);
  const results = await runRounds(entrants, rounds, (entrant, round) => {
    tell(`${describeCell(cell)} ${round + 1}/${rounds}: ${entrant.name}`);
    return runEntrant(entrant, { ...cell, mbit: lines.mbit, seed: round }, stage, options);
  });
  return { cell, results: Array.from(results, ([{ name }, samples]) => ({ name, samples })) };
}

async function runEntrant(
  { command, idle, tool }: Entrant,
  setting: Parameters<Line["set"]>[0],
  { line, source, field, seed, nginx }: Stage,
  { workspace, lines: { limitMs } }: LinesOptions,
): Promise<LineSample> {
  const servers = tool === "p2p" ? [seed] : nginx ? [nginx] : [];
  const at = (words: Command) => [...line.client, ...words];
  const start = idle && await workspace.run({
    commands: [at(idle(field))],
    servers,
    source,
    names: [],
  });
  await line.set(setting);
  const sample = await workspace.run({ commands: [at(command(field))], servers, source, limitMs });
  const traffic = await line.set(setting);
  return {
    wallMs: Math.max(1, sample.wallMs - (start?.wallMs ?? 0)),
    unfinished: sample.unfinished ?? false,
    userMs: sample.userMs,
    sysMs: sample.sysMs,
    residentKiB: sample.residentKiB,
    traffic,
  };
}
