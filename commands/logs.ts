/** `p2p logs`: one task's log. */
import { Command } from "@cliffy/command";
import { type Level, LEVELS, type LogLine } from "../core/mod.ts";
import { directoriesIn, type Environment, writeLines } from "./environment.ts";
import { interruptible } from "./exit.ts";
import { choice, wholeNumber } from "./value_types.ts";
import { ABOUT_TASK, TaskType, ValueArgumentType } from "./options.ts";
import { jsonLine } from "./ui/json.ts";
import { reaches, renderLogLine } from "./ui/event_text.ts";

const DESCRIPTION = `Shows the log of one download, as prose.

${ABOUT_TASK}`;

interface Flags {
  readonly follow?: boolean | undefined;
  readonly lines?: number | undefined;
  readonly level: Level;
  readonly json?: boolean | undefined;
}

export function logsCommand(environment: Environment) {
  return new Command()
    .description(DESCRIPTION)
    .example("what happened to a file", "p2p logs ubuntu.iso")
    .example("its last lines, and new ones", "p2p logs ubuntu.iso -n 20 -f")
    .example("only what went wrong", "p2p logs ubuntu.iso --level warn")
    .type("task", new TaskType())
    .type("count", new ValueArgumentType(wholeNumber(0, 1_000_000_000)))
    .type("level", new ValueArgumentType(choice(...LEVELS)))
    .arguments("<task:task>")
    .option("-f, --follow", "Follow until the download is over")
    .option("-n, --lines <n:count>", "Only the last lines")
    .option(
      "--level <debug|info|warn|error:level>",
      "Minimum level to show (info)",
      { default: "info" as const },
    )
    .option("--json", "The lines as stored, one JSON object each")
    .action((flags, task) => logs(environment, flags, task));
}

async function logs(environment: Environment, flags: Flags, text: string): Promise<void> {
  const { core } = environment;
  const directories = directoriesIn(environment);
  const { task } = await core.findTask(directories, text);
  using interruption = interruptible(environment);
  // Stop following when the reader of the pipe is gone.
  const signal = AbortSignal.any([interruption.signal, environment.stdout.closed]);
  const { follow = false, lines: count = Infinity, level } = flags;
  let first = true;
  for await (const lines of core.logLines(directories, task, { follow }, signal)) {
    const matter = lines.filter((line) => reaches(line.level, level));
    // --lines cuts only the existing lines.
    write(environment, flags, first ? matter.slice(Math.max(0, matter.length - count)) : matter);
    first = false;
  }
  interruption.throwIfInterrupted();
}

function write({ stdout }: Environment, { json }: Flags, lines: readonly LogLine[]): void {
  writeLines(stdout, lines.map(json ? (line) => jsonLine(line) : renderLogLine));
}
