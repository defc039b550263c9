/** The command tree. A new command is one file beside this one and one line here. */
import { Command } from "@cliffy/command";
import { withSettings } from "./options.ts";
import { completeCommand } from "./complete.ts";
import { completionsCommand } from "./completions.ts";
import { configCommand } from "./config.ts";
import { cancelCommand, pauseCommand, resumeCommand } from "./control.ts";
import type { Environment } from "./environment.ts";
import { getCommand } from "./get.ts";
import { helpCommand, TOPICS } from "./help.ts";
import { listCommand } from "./list.ts";
import { logsCommand } from "./logs.ts";
import { maxCommand } from "./max.ts";
import { type Described, renderHelp } from "./ui/help.ts";
import { seedsCommand } from "./seeds.ts";
import { serveCommand } from "./serve.ts";
import { statusCommand } from "./status.ts";
import { verifyCommand } from "./verify.ts";
import { whyCommand } from "./why.ts";

export function commandTree(environment: Environment) {
  return rootCommand(environment)
    .command("get", getCommand(environment))
    .command("serve", serveCommand(environment))
    .command("list", listCommand(environment))
    .command("status", statusCommand(environment))
    .command("pause", pauseCommand(environment))
    .command("resume", resumeCommand(environment))
    .command("cancel", cancelCommand(environment))
    .command("max", maxCommand(environment))
    .command("logs", logsCommand(environment))
    .command("why", whyCommand(environment))
    .command("verify", verifyCommand(environment))
    .command("seeds", seedsCommand(environment))
    .command("config", configCommand(environment))
    .command("completions", completionsCommand(environment))
    .command("help", helpCommand(environment))
    .command("complete", completeCommand(environment))
    .reset();
}

/** Global options must be added before the first command. */
function rootCommand(environment: Environment) {
  const { stdout, version } = environment;
  const showVersion = () => stdout.write(`p2p ${version}\n`);
  function showHelp(this: Described): void {
    stdout.write(renderHelp(this));
  }
  const root = new Command()
    .name("p2p")
    .description(
      `Downloads files from several seeds at once, checks every byte, and shares a folder as a seed.

p2p help <topic> explains more: ${TOPICS.map(({ name }) => name).join(", ")}.`,
    )
    .example("share this folder", "p2p serve")
    .example("download a file", "p2p get ubuntu.iso --seed 192.168.1.20")
    .example("watch from another terminal", "p2p status")
    .help((command: Described) => renderHelp(command))
    .noExit()
    .helpOption("-h, --help", "Show this help", { global: true, action: showHelp })
    .versionOption("-V, --version", "Show the version", { global: true, action: showVersion })
    .version(version);
  return withSettings(root, "all").action(showHelp);
}
