/** `p2p pause`, `p2p resume` and `p2p cancel`: from any terminal, on any task of this user. */
import { Command } from "@cliffy/command";
import { type ControlAction, type ControlOutcome, P2pError, type TaskStatus } from "../core/mod.ts";
import { type Environment, writeLines } from "./environment.ts";
import { directoriesIn } from "./load_settings.ts";
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
    "Pauses downloads; what has arrived is kept, and others take their place.",
    "All that a process works on",
  )
    .example("one download, by its file name", "p2p pause ubuntu.iso")
    .example("everything", "p2p pause --all")
    .action((flags, ...tasks) => control(environment, "pause", flags, tasks));
}

export function resumeCommand(environment: Environment) {
  return controlCommand("Resumes paused downloads.")
    .example("one download, by the beginning of its id", "p2p resume 4d8")
    .example("everything", "p2p resume --all")
    .action((flags, ...tasks) => control(environment, "resume", flags, tasks));
}

export function cancelCommand(environment: Environment) {
  return controlCommand("Cancels downloads (keeps the partial file unless --delete).")
    .example("one download, and what has arrived of it", "p2p cancel ubuntu.iso --delete")
    .example("everything", "p2p cancel --all")
    .option("--delete", "Also remove the partial file")
    .action((flags, ...tasks) => {
      const order = flags.delete ? "cancel-and-delete" : "cancel";
      return control(environment, order, flags, tasks);
    });
}

function controlCommand(description: string, all = "All that are not over") {
  return new Command()
    .description(`${description}

${ABOUT_TASK}
Works on the downloads of every process; asking twice is no error.`)
    .type("task", new TaskType())
    .arguments("[task...:task]")
    .option("-a, --all", all)
    .option("--json", "One JSON object on standard output");
}

async function control(
  environment: Environment,
  order: ControlAction,
  { all = false, json }: Flags,
  names: readonly string[],
): Promise<void> {
  if ((names.length > 0) === all) {
    throw new CommandError(
      "usage",
      `Cannot ${order.split("-")[0]}: specify a task, or use --all`,
      "See them with p2p status",
    );
  }
  const { core, stdout, stderr } = environment;
  const directories = directoriesIn(environment);
  const tasks = all
    ? (await core.tasks(directories, { all: false })).filter((task) => takesPart(order, task))
    : await Promise.all(names.map((name) => core.findTask(directories, name)));
  const { obeyed, faults } = await giveOrders(environment, tasks, order);
  if (obeyed.length > 0 || faults.length === 0) {
    writeLines(stdout, json ? [jsonOf(order, obeyed)] : linesOf(order, obeyed));
  }
  const last = faults.pop();
  for (const fault of faults) {
    writeLines(stderr, renderFailure({ message: fault.message, hint: hintOf(fault) }));
  }
  if (last) throw last;
}

/** One that cannot obey must not hide what became of the others. */
async function giveOrders(
  environment: Environment,
  tasks: readonly TaskStatus[],
  order: ControlAction,
): Promise<{ obeyed: Obeyed[]; faults: P2pError[] }> {
  const obeyed: Obeyed[] = [];
  const faults: P2pError[] = [];
  for (const task of tasks) {
    try {
      const obedience = await environment.core.control(directoriesIn(environment), task, order);
      obeyed.push({ task, obedience });
    } catch (error) {
      if (!(error instanceof P2pError)) throw error;
      faults.push(error);
    }
  }
  return { obeyed, faults };
}

interface Obeyed {
  readonly task: TaskStatus;
  readonly obedience: ControlOutcome;
}

/** What no process works on is at rest already: `--all` pauses only what runs, but lets go and ends the rest too. */
function takesPart(order: ControlAction, { pid }: TaskStatus): boolean {
  return order !== "pause" || pid !== null;
}

function linesOf(order: ControlAction, obeyed: readonly Obeyed[]): string[] {
  if (obeyed.length === 0) return [NOTHING_ACTIVE];
  return obeyed.map(({ task, obedience }) => renderControlOutcome(order, task, obedience));
}

function jsonOf(order: ControlAction, obeyed: readonly Obeyed[]): string {
  return jsonLine({
    order,
    tasks: obeyed.map(({ task: { task, name }, obedience }) => ({ task, name, result: obedience })),
  });
}
