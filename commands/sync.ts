/** `p2p sync`: makes a folder as the seeds offer it. */
import { Command } from "@cliffy/command";
import { resolve } from "node:path";
import { printable, RunProgress, type SyncPlan, type TaskOutcome } from "../core/mod.ts";
import { ValueArgumentType, withSettings } from "./options.ts";
import { type Environment, writeLines } from "./environment.ts";
import type { Interruption } from "./exit.ts";
import { downloadSettingsOf, loadSettings } from "./load_settings.ts";
import { withNearbySeeds } from "./nearby.ts";
import { conclude, interruptibleBy, jobOf, type Transfer, watcherFor } from "./transfer.ts";
import { jsonLine } from "./ui/json.ts";
import { renderPlan, renderSync } from "./ui/sync.ts";
import { FOLDER } from "./value_types.ts";
import { ResultWriter, type Watcher } from "./watchers.ts";

const DESCRIPTION = `Makes a folder as the seeds offer it.

Files of another size or time are compared, and only the pieces that differ are
fetched. Each file is replaced when its new version is complete. Files that the
seeds no longer offer stay, unless you give --delete: then those are deleted
that an earlier sync saw on the seeds, and no others. Nothing is deleted while a
seed does not answer, or if a download fails.`;

interface Flags {
  readonly seed?: readonly string[] | undefined;
  readonly delete?: boolean | undefined;
  readonly dryRun?: boolean | undefined;
  readonly json?: boolean | undefined;
}

export function syncCommand(environment: Environment) {
  const command = new Command()
    .description(DESCRIPTION)
    .example("a folder of the seeds, below this one", "p2p sync photos/ --seed nas1")
    .example("what would happen", "p2p sync photos/ --delete --dry-run")
    .example("all that the seeds offer", "p2p sync --out ~/mirror --delete")
    .type("folder", new ValueArgumentType(FOLDER))
    .arguments("[folder:folder]");
  return withSettings(command, "sync")
    .option("--delete", "Delete files that an earlier sync saw on the seeds, and which are gone")
    .option("-n, --dry-run", "Show what would happen, and change nothing")
    .option("--json", "Events on standard output, one JSON object a line")
    .action((options, folder = "") => sync(environment, options, folder));
}

async function sync(environment: Environment, flags: Flags, folder: string): Promise<void> {
  const { core } = environment;
  const loaded = await loadSettings(environment, { ...flags });
  const progress = new RunProgress();
  const given = { ...await downloadSettingsOf(loaded.values), onConflict: "overwrite" as const };
  const run = { environment, flags, loaded, settings: given, progress, seeds: flags.seed };
  const watcher = watcherFor(run);
  using interruption = interruptibleBy(environment, watcher);
  try {
    const nearby = await withNearbySeeds(environment, loaded, given, interruption.signal);
    watcher.note(nearby.notes);
    const { settings } = nearby;
    const { out } = loaded.values;
    const job = { folder, outDir: resolve(out), stateDir: loaded.directories.state };
    const plan = await core.planSync(job, settings, interruption.signal);
    const deletes = flags.delete === true && plan.silent.length === 0;
    if (flags.dryRun) return showPlan(run, flags, plan, deletes ? plan.gone : []);
    // A file that is now a folder would keep what is in it from being written.
    const inTheWay = deletes ? plan.gone.filter((name) => isFolderOf(plan.offered, name)) : [];
    const cleared = await core.finishSync(job, plan, inTheWay);
    const outcomes = await downloadAll({ ...run, settings }, plan, watcher, interruption);
    const failed = outcomes.some(({ outcome }) => !outcome.ok);
    const rest = await core.finishSync(job, plan, deletes && !failed ? plan.gone : []);
    const deleted = [...cleared, ...rest];
    if (flags.json) {
      const time = new Date(environment.wallTime()).toISOString();
      writeLines(
        environment.stdout,
        deleted.map((name) => jsonLine({ event: "deleted", time, name })),
      );
    }
    watcher.note(renderSync(plan, outcomes, { deleted, wanted: flags.delete === true }));
    watcher.end();
    conclude({ ...run, settings }, outcomes, interruption);
  } finally {
    watcher.end();
  }
}

function isFolderOf(offered: readonly string[], name: string): boolean {
  return offered.some((each) => each.startsWith(`${name}/`));
}

async function downloadAll(
  run: Transfer,
  plan: SyncPlan,
  watcher: Watcher,
  { signal, stoppedBy }: Interruption,
): Promise<TaskOutcome[]> {
  const results = new ResultWriter(run, run.flags.json === true);
  let outcomes: TaskOutcome[] = [];
  try {
    const job = jobOf(run, plan.requests, watcher);
    outcomes = await run.environment.core.download(job, (event) => {
      watcher.handle(event);
      results.handle(event, stoppedBy());
    }, signal);
    return outcomes;
  } finally {
    results.end(outcomes);
  }
}

function showPlan(
  { environment, loaded }: Transfer,
  flags: Flags,
  plan: SyncPlan,
  gone: readonly string[],
): void {
  const { stdout, stderr, wallTime } = environment;
  if (flags.json) {
    const { bytes, unchanged } = plan;
    const download = plan.requests.map(({ name, size = 0 }) => ({ name, size }));
    const time = new Date(wallTime()).toISOString();
    const event = { event: "plan", time, download, delete: gone, bytes, unchanged };
    return writeLines(stdout, [jsonLine(event)]);
  }
  writeLines(stdout, [
    ...plan.requests.map(({ name }) => printable(`get ${name}`)),
    ...gone.map((name) => printable(`delete ${name}`)),
  ]);
  if (!loaded.values.quiet) {
    writeLines(stderr, renderPlan(plan, gone.length, flags.delete === true));
  }
}
