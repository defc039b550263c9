/** `p2p why`: what limits a download now, or limited it. */
import { Command } from "@cliffy/command";
import { directoriesIn, type Environment, writeLines } from "./environment.ts";
import { ABOUT_TASK, TaskType } from "./options.ts";
import { jsonLine } from "./ui/json.ts";
import { caseFields, renderCase } from "./ui/why/why.ts";

const DESCRIPTION = `Shows what limits a download now, or limited it, and what to do about it.

The queue, the seeds, the network, this computer, its disk, or a limit that you
set; with the time spent on each. ${ABOUT_TASK}`;

export function whyCommand(environment: Environment) {
  return new Command()
    .description(DESCRIPTION)
    .example("why is it so slow", "p2p why ubuntu.iso")
    .example("why did it fail", "p2p why 4d8")
    .example("the figures, for a program", "p2p why ubuntu.iso --json | jq .spentMs")
    .type("task", new TaskType())
    .arguments("<task:task>")
    .option("--json", "One JSON object on standard output")
    .action(async ({ json }, task) => {
      const found = await environment.core.why(directoriesIn(environment), task);
      const lines = json ? [jsonLine(caseFields(found))] : renderCase(found);
      writeLines(environment.stdout, lines);
    });
}
