/** `p2p help`: pages on topics, and the help of any command. */
import { Command } from "@cliffy/command";
import { ValueArgumentType } from "./options.ts";
import { type Environment, writeLines } from "./environment.ts";
import { TOPICS } from "./topics.ts";
import { text } from "./value_types.ts";
import { CommandError, didYouMean } from "./ui/hints.ts";
import { type Described, renderHelp, renderOverview } from "./ui/help.ts";

export function helpCommand(environment: Environment) {
  return new Command()
    .description(`Explains a topic, or a command.

${TOPICS.map(({ name, about }) => `${name}: ${about}`).join("\n")}`)
    .example("where files come from", "p2p help seeds")
    .example("what exit codes mean", "p2p help exit-codes")
    .example("one command, as p2p get --help does", "p2p help get")
    .type("topic", new ValueArgumentType(text("topic")))
    .arguments("[topic:topic]")
    .action(function (_, topic) {
      const root = this.getMainCommand() as unknown as Described;
      writeLines(environment.stdout, [pageOf(topic, root)]);
    });
}

/** @throws {CommandError} if there is neither a topic nor a command of that name. */
function pageOf(name: string | undefined, root: Described): string {
  if (name === undefined) return renderOverview(root, TOPICS).trimEnd();
  const topic = TOPICS.find((each) => each.name === name);
  if (topic) return topic.text;
  const commands = root.getCommands();
  const command = commands.find((each) => each.getName() === name);
  if (command) return renderHelp(command).trimEnd();
  const topics = TOPICS.map((each) => each.name);
  throw new CommandError(
    "usage",
    `Cannot help with "${name}": there is no such topic or command`,
    didYouMean(name, [...topics, ...commands.map((each) => each.getName())]) ??
      `The topics are ${topics.join(", ")}`,
  );
}
