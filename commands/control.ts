/** `p2p pause`, `p2p resume` and `p2p cancel`: from any terminal, on any task of this user. */
import { Command } from "@cliffy/command";
import { type ControlAction, type ControlOutcome, P2pError, type TaskStatus } from "../core/mod.ts";
import { directoriesIn, type Environment, writeLines } from "./environment.ts";
import { ABOUT_TASK, TaskType } from "./options.ts";
import { NOTHING_ACTIVE, renderControlOutcome } from "./ui/status.ts";
import { renderFailure } from "./ui/failure.ts";
import { CommandError, hintOf } from "./ui/hints.ts";
import { jsonLine } from "./ui/json.ts";

interface Flags {
  readonly all?: boolean | undefined;
  readonly json?: boolean | undefined;
}

export function pauseCommand(environment: Environment) {
  return controlCommand(
    "Pauses downloads; what has arrived is kept, and waiting downloads start.",
    "All that are running",
  )
    .example("one download, by its file name", "p2p pause ubuntu.iso")
    .example("everything", "p2p pause --all")
    .action((flags, ...tasks) => control(environment, "pause", flags, tasks));
}

export function resumeCommand(environment: Environment) {
  return controlCommand("Resumes paused downloads.")
    .example("one download, by a prefix of its id", "p2p resume 4d8")
    .example("everything", "p2p resume --all")
    .action((flags, ...tasks) => control(environment, "resume", flags, tasks));
}

export function cancelCommand(environment: Environment) {
  return controlCommand("Cancels downloads (keeps the partial file unless --delete).")
    .example("one download, and what has arrived of it", "p2p cancel ubuntu.iso --delete")
    .example("everything", "p2p cancel --all")
    .option("--delete", "Also remove the partial file")
    .action((flags, ...tasks) => {
      const action = flags.delete ? "cancel-and-delete" : "cancel";
      return control(environment, action, flags, tasks);
    });
}

function controlCommand(description: string, all = "All that are not finished") {
  return new Command()
    .description(`${description}

${ABOUT_TASK}
Works on the downloads of every process; repeating it is not an error.`)
    .type("task", new TaskType())
    .arguments("[task...:task]")
    .option("-a, --all", all)
    .option("--json", "One JSON object on standard output");
}

async function control(
  environment: Environment,
  action: ControlAction,
  { all = false, json }: Flags,
  names: readonly string[],
): Promise<void> {
  if ((names.length > 0) === all) {
    throw new CommandError(
      "usage",
      `Cannot ${action.split("-")[0]}: specify a task, or use --all`,
      "See them with p2p status",
    );
  }
  const { core, stdout, stderr } = environment;
  const directories = directoriesIn(environment);
  const tasks = all
    ? (await core.tasks(directories, { all: false })).filter((task) => takesPart(action, task))
    : await Promise.all(names.map((name) => core.findTask(directories, name)));
  const results: ActionResult[] = [];
  const errors: P2pError[] = [];
  // The failure of one task must not hide the results of the others.
  for (const task of tasks) {
    try {
      results.push({ task, outcome: await core.control(directories, task, action) });
    } catch (error) {
      if (!(error instanceof P2pError)) throw error;
      errors.push(error);
    }
  }
  if (results.length > 0 || errors.length === 0) {
    const lines = results.map((each) => renderControlOutcome(action, each.task, each.outcome));
    if (json) writeLines(stdout, [jsonOf(action, results)]);
    else writeLines(stdout, lines.length > 0 ? lines : [NOTHING_ACTIVE]);
  }
  const last = errors.pop();
  for (const error of errors) {
    writeLines(stderr, renderFailure({ message: error.message, hint: hintOf(error) }));
  }
  if (last) throw last;
}

interface ActionResult {
  readonly task: TaskStatus;
  readonly outcome: ControlOutcome;
}

/** A task without a process is not running: `pause --all` leaves it out, `resume` and `cancel` do not. */
function takesPart(action: ControlAction, { pid }: TaskStatus): boolean {
  return action !== "pause" || pid !== null;
}

function jsonOf(action: ControlAction, results: readonly ActionResult[]): string {
  return jsonLine({
    order: action,
    tasks: results.map(({ task: { task, name }, outcome }) => ({ task, name, result: outcome })),
  });
}
