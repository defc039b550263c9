/**
 * p2p side by side with aria2c, curl and axel, and with more of itself:
 * `deno task bench [quick] [w1|w2|w3|w4|seeds|clients|tasks|costs|startup|lines ...]
 * [--rounds n] [--out folder] [--dir folder for temporary files] [--p2p program]`; the flags of
 * `lines` are in bench/lines/options.ts.
 * Writes a page and a JSON file; nothing else is left behind.
 */
import { Workspace } from "./bench/workspace.ts";
import { runComparison } from "./bench/comparison.ts";
import { measureCosts } from "./bench/costs.ts";
import { measureManyClients } from "./bench/many_clients.ts";
import type { GrowthOptions } from "./bench/growth.ts";
import { describeMachine } from "./bench/machine.ts";
import { type BenchOptions, parseOptions, type Part } from "./bench/options.ts";
import { writeReport } from "./bench/report.ts";
import { scaleSeeds, scaleTasks } from "./bench/scaling.ts";
import { rankingOf, tableOf } from "./bench/ranking.ts";
import { measureLines } from "./bench/lines/lines.ts";
import { measureStartup } from "./bench/startup.ts";
import { renderTable, type Table } from "./bench/table.ts";
import { adviceFor, findTools, type FoundTools } from "./bench/tools.ts";
import { WORKLOADS } from "./bench/workloads.ts";
import { PROGRAM } from "./p2p.ts";

interface Outcome {
  readonly tables: readonly Table[];
  readonly data: unknown;
}

const stop = new AbortController();
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

try {
  for (const signal of SIGNALS) Deno.addSignalListener(signal, interrupt);
  await bench(parseOptions(Deno.args, PROGRAM), stop.signal);
} catch (error) {
  console.error(`bench: ${error instanceof Error ? error.message : error}`);
  Deno.exitCode = stop.signal.aborted ? 130 : 1;
} finally {
  for (const signal of SIGNALS) Deno.removeSignalListener(signal, interrupt);
}

/** Everything unwinds by itself: servers are ended, the temporary folder is removed. */
function interrupt(): void {
  stop.abort(new Error("interrupted"));
}

async function bench(options: BenchOptions, signal: AbortSignal): Promise<void> {
  const tools = await findTools();
  const advice = adviceFor(tools);
  if (advice !== undefined) tell(advice);
  const startedAt = new Date();
  using workspace = new Workspace(options.dir, signal);
  const machine = await describeMachine(workspace.out, options.program, tools);
  const outcomes = new Map<Part, Outcome>();
  for (const part of options.parts) {
    const outcome = await measurePart(part, options, workspace, tools);
    outcomes.set(part, outcome);
    // What is known is told at once: the whole may take half an hour.
    for (const table of outcome.tables) console.log(renderTable(table));
  }
  const paths = await writeReport({
    startedAt: startedAt.toISOString(),
    elapsedMs: Date.now() - startedAt.getTime(),
    quick: options.quick,
    rounds: options.rounds,
    machine,
    notes: advice === undefined ? [] : [advice],
    tables: Array.from(outcomes.values()).flatMap(({ tables }) => tables),
    data: Object.fromEntries(Array.from(outcomes, ([part, { data }]) => [part, data])),
  }, options.out);
  tell(`written: ${paths.join(", ")}`);
}

async function measurePart(
  part: Part,
  { program, rounds, quick, lines }: BenchOptions,
  workspace: Workspace,
  tools: FoundTools,
): Promise<Outcome> {
  // A quick look at growth is one round: what grows shows over its steps.
  const growth: GrowthOptions = { workspace, program, rounds: quick ? 1 : rounds, quick, tell };
  switch (part) {
    case "seeds":
      return outcomeOf(await scaleSeeds(growth));
    case "clients":
      return outcomeOf(await measureManyClients(growth));
    case "tasks":
      return outcomeOf(await scaleTasks(growth));
    case "costs":
      return outcomeOf(await measureCosts(growth));
    case "startup":
      return outcomeOf(await measureStartup(growth));
    case "lines":
      return await measureLines({ ...growth, rounds, tools, lines });
  }
  const workload = WORKLOADS.find(({ id }) => id === part)!;
  const comparison = await runComparison(workload, { ...growth, rounds, tools });
  const standings = rankingOf(comparison);
  const { files, results } = comparison;
  return { tables: [tableOf(comparison, standings)], data: { files, standings, results } };
}

function outcomeOf({ table, ...data }: { readonly table: Table }): Outcome {
  return { tables: [table], data };
}

function tell(text: string): void {
  console.error(`bench: ${text}`);
}
