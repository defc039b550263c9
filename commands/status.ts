/** `p2p status`: the tasks of every process of this user. */
import { Command } from "@cliffy/command";
import type { QuarantinedPart, TaskStatus } from "../core/mod.ts";
import { type Environment, mayMoveCursor, widthOf, writeLines } from "./environment.ts";
import { Interrupted, interruptible } from "./exit.ts";
import { directoriesIn } from "./load_settings.ts";
import { ABOUT_TASK, TaskType } from "./options.ts";
import { jsonLine } from "./ui/json.ts";
import { renderAsides, renderStatus, renderTask, statusFields } from "./ui/status.ts";
import { formatTime } from "./ui/units.ts";
import { watchTasks } from "./watch.ts";

/** More waiting tasks than this say nothing more to a person. */
const MAX_WAITING_TASKS = 20;

/** Where nothing may be painted over, a whole new list comes this often. */
const LIST_EVERY_MS = 5000;
const JSON_EVERY_MS = 1000;

interface Flags {
  readonly all?: boolean | undefined;
  readonly watch?: boolean | undefined;
  readonly json?: boolean | undefined;
}

export function statusCommand(environment: Environment) {
  return new Command()
    .description(`Shows running, waiting and paused downloads, of every process of this user.

A single one is shown in detail. ${ABOUT_TASK}`)
    .example("what is going on", "p2p status")
    .example("keep it on the screen; pause, resume or cancel by a key", "p2p status --watch")
    .example("also what is over, for a program", "p2p status --all --json")
    .type("task", new TaskType())
    .arguments("[task:task]")
    .option("-a, --all", "Also downloads that are over")
    .option("-w, --watch", "Keep it on the screen: the arrow keys pick a download to act on")
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
    return json ? [jsonOf([found])] : renderTask(found, wallTime(), width);
  }
  const asides = all ? await core.asides(directories) : undefined;
  if (json) return [jsonOf(await core.tasks(directories, { all: all === true }), asides)];
  const known = all
    ? { tasks: await core.tasks(directories, { all }), moreWaiting: 0 }
    : await core.overview(directories, MAX_WAITING_TASKS);
  return [...renderStatus(known, width), ...renderAsides(asides ?? [])];
}

/** For pipes, logs and those whose terminal is not to be painted on: the same again and again, until a signal or a closed pipe. */
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
    await environment.sleep(flags.json ? JSON_EVERY_MS : LIST_EVERY_MS, signal);
  }
  const stoppedBy = interruption.stoppedBy();
  if (stoppedBy !== undefined) throw new Interrupted(stoppedBy);
}

function jsonOf(tasks: readonly TaskStatus[], asides?: readonly QuarantinedPart[]): string {
  return jsonLine({ tasks: tasks.map(statusFields), ...(asides ? { asides } : {}) });
}
