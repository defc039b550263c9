/** `p2p max`: how many downloads run at once, changed while they run. */
import { Command } from "@cliffy/command";
import { directoriesIn, type Environment, writeLines } from "./environment.ts";
import { wholeNumber } from "./value_types.ts";
import { ValueArgumentType } from "./options.ts";
import { jsonLine } from "./ui/json.ts";
import { plural } from "./ui/units.ts";
import { MAX_DOWNLOADS } from "./settings.ts";

const DESCRIPTION = `Shows or changes how many downloads every running get does at once.

A smaller number does not stop running downloads; fewer waiting ones start.`;

export function maxCommand(environment: Environment) {
  return new Command()
    .description(DESCRIPTION)
    .example("the current numbers", "p2p max")
    .example("five at once from now on", "p2p max 5")
    .example("one after the other", "p2p max 1")
    .type("count", new ValueArgumentType(wholeNumber(1, MAX_DOWNLOADS)))
    .arguments("[n:count]")
    .option("--json", "One JSON object on standard output")
    .action(async ({ json }, count) => {
      if (count === undefined) return await showMax(environment, json === true);
      const running = await environment.core.setMax(directoriesIn(environment), count);
      const text = running === 0
        ? `No downloads running. For the next one: p2p get --max ${count}`
        : `Now running up to ${plural(count, "download")} at once` +
          (running === 1 ? "" : ` in each of ${running} processes`);
      writeLines(environment.stdout, [json ? jsonLine({ max: count, running }) : text]);
    });
}

async function showMax(environment: Environment, json: boolean): Promise<void> {
  const { core, stdout } = environment;
  const running = await core.runningMax(directoriesIn(environment));
  if (json) return writeLines(stdout, [jsonLine({ running })]);
  if (running.length === 0) return writeLines(stdout, ["No downloads running."]);
  writeLines(
    stdout,
    running.map(({ pid, max }) => `up to ${plural(max, "download")} at once in process ${pid}`),
  );
}
