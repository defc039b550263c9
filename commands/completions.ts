/** `p2p completions`: a script for a shell, which calls the hidden `p2p complete`. */
import { Command } from "@cliffy/command";
import type { Environment } from "./environment.ts";
import { choice } from "./value_types.ts";
import { ValueArgumentType } from "./options.ts";
import { COMPLETION_SCRIPTS, SHELLS } from "./ui/completion_scripts.ts";

const DESCRIPTION = `Prints a script that completes commands, flags, tasks and the seeds' names.

Load it in the start-up file of your shell, as in the examples. Pressing Tab
asks the seeds for names; seeds that do not answer within a second are left out.`;

export function completionsCommand({ stdout }: Environment) {
  return new Command()
    .description(DESCRIPTION)
    .example("in ~/.bashrc", "source <(p2p completions bash)")
    .example("in ~/.zshrc", "source <(p2p completions zsh)")
    .example("in ~/.config/fish/config.fish", "p2p completions fish | source")
    .type("shell", new ValueArgumentType(choice(...SHELLS)))
    .arguments("<shell:shell>")
    .action((_, shell) => stdout.write(COMPLETION_SCRIPTS[shell]));
}
