/** `p2p status`: the tasks of every process of this user. */
import { Command } from "@cliffy/command";
import type { QuarantinedPart, TaskStatus } from "../core/mod.ts";
import {
  directoriesIn,
  type Environment,
  mayMoveCursor,
  widthOf,
  writeLines,
} from "./environment.ts";
import { interruptible } from "./exit.ts";
import { ABOUT_TASK, TaskType } from "./options.ts";
import { renderAsides, renderStatus } from "./ui/status.ts";
import { formatTime } from "./ui/units.ts";

/** Further waiting tasks are only counted. */
const MAX_WAITING_TASKS = 20;

/** How often `--watch` writes the list where it cannot repaint it. */
const LIST_INTERVAL_MS = 5000;
const JSON_INTERVAL_MS = 1000;

interface Flags {
  readonly all?: boolean | undefined;
  readonly watch?: boolean | undefined;
  readonly json?: boolean | undefined;
}

export function statusCommand(environment: Environment) {
  return new Command()
    .description(`Shows running, waiting and paused downloads, of every process of this user.

A single one is shown in detail. ${ABOUT_TASK}`)
    .example("all current downloads", "p2p status")
    .example("on the screen; keys pause, resume and cancel", "p2p status --watch")
    .example("finished ones as well, for a program", "p2p status --all --json")
    .type("task", new TaskType())
    .arguments("[task:task]")
    .option("-a, --all", "Also finished downloads")
    .option("-w, --watch", "Keep it on the screen; pick a download with the arrow keys")
    .option("--json", "One JSON object on standard output; with --watch one a second")
    .action((flags, task) => status(environment, flags, task));
}

async function status(
  environment: Environment,
  flags: Flags,
  task: string | undefined,
): Promise<void> {
  const { stdout } = environment;
  if (!flags.watch) return writeLines(stdout, await linesOf(environment, flags, task));
  if (flags.json || !mayMoveCursor(environment, stdout)) {
    return await repeat(environment, flags, task);
  }
  const directories = directoriesIn(environment);
  const picked = task === undefined
    ? undefined
    : await environment.core.findTask(directories, task);
  const { watchTasks } = await import("./watch.ts");
  await watchTasks(environment, directories, picked);
}

async function linesOf(
  environment: Environment,
  { all, json }: Flags,
  task: string | undefined,
): Promise<string[]> {
  const { core, wallTime, stdout } = environment;
  const directories = directoriesIn(environment);
  const width = widthOf(stdout);
  if (task !== undefined) {
    const found = await core.findTask(directories, task);
    if (json) return [await jsonOf([found])];
    const { renderTask } = await import("./ui/task_detail.ts");
    return renderTask(found, wallTime(), width);
  }
  const asides = all ? await core.asides(directories) : undefined;
  if (json) return [await jsonOf(await core.tasks(directories, { all: all === true }), asides)];
  const known = all
    ? { tasks: await core.tasks(directories, { all }), moreWaiting: 0 }
    : await core.overview(directories, MAX_WAITING_TASKS, { all: false });
  return [...renderStatus(known, width), ...renderAsides(asides ?? [])];
}

/** For pipes, files and dumb terminals: writes the list at intervals until a signal or a closed pipe. */
async function repeat(
  environment: Environment,
  flags: Flags,
  task: string | undefined,
): Promise<void> {
  const { stdout, wallTime } = environment;
  using interruption = interruptible(environment);
  const signal = AbortSignal.any([interruption.signal, stdout.closed]);
  while (!signal.aborted) {
    const lines = await linesOf(environment, flags, task);
    writeLines(stdout, flags.json ? lines : [formatTime(wallTime()), ...lines, ""]);
    await environment.sleep(flags.json ? JSON_INTERVAL_MS : LIST_INTERVAL_MS, signal);
  }
  interruption.throwIfInterrupted();
}

async function jsonOf(
  tasks: readonly TaskStatus[],
  asides?: readonly QuarantinedPart[],
): Promise<string> {
  const { renderStatusJson } = await import("./ui/status_json.ts");
  return renderStatusJson(tasks, asides);
}
