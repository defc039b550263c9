/** `p2p status`: the tasks of every process of this user. */
import { jsonLine } from "./present/json.ts";
import { Command } from "@cliffy/command";
import type { TaskStatus } from "../core/mod.ts";
import { type Environment, writeLines } from "./environment.ts";
import { text } from "./kinds.ts";
import { directoriesIn } from "./load.ts";
import { KindType } from "./options.ts";
import { renderStatus, renderTask, statusFields } from "./present/status.ts";

/** More waiting tasks than this say nothing more to a person. */
const MOST_WAITING = 20;

interface Flags {
  readonly all?: boolean | undefined;
  readonly json?: boolean | undefined;
}

export function statusCommand(environment: Environment) {
  return new Command()
    .description(
      "Shows running, waiting and paused downloads, of every process of this user.",
    )
    .example("what is going on", "p2p status")
    .example("one download in detail", "p2p status ubuntu.iso")
    .example("also what is over, for a program", "p2p status --all --json")
    .type("task", new KindType(text("task")))
    .arguments("[task:task]")
    .option("-a, --all", "Also downloads that are over")
    .option("--json", "One JSON object on standard output")
    .action((flags, task) => status(environment, flags, task));
}

async function status(
  environment: Environment,
  { all, json }: Flags,
  task: string | undefined,
): Promise<void> {
  const { core, stdout } = environment;
  const directories = directoriesIn(environment);
  if (task !== undefined) {
    const found = await core.findTask(directories, task);
    writeLines(stdout, json ? [jsonOf([found])] : renderTask(found));
  } else if (json) {
    writeLines(stdout, [jsonOf(await core.tasks(directories, { all: all === true }))]);
  } else if (all) {
    writeLines(
      stdout,
      renderStatus({ tasks: await core.tasks(directories, { all }), moreWaiting: 0 }),
    );
  } else {
    writeLines(stdout, renderStatus(await core.overview(directories, MOST_WAITING)));
  }
}

function jsonOf(tasks: readonly TaskStatus[]): string {
  return jsonLine({ tasks: tasks.map(statusFields) });
}
