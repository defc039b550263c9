/** `p2p completions`: scripts for the shells, made by the command line library. */
import { CompletionsCommand } from "@cliffy/command/completions";
import type { Environment } from "./environment.ts";

const DESCRIPTION = `Prints a script that completes commands and flags.

Load it in the start file of your shell, as the examples do.`;

export function completionsCommand({ stdout, version }: Environment) {
  return new CompletionsCommand()
    .description(DESCRIPTION)
    .example("in ~/.bashrc", "source <(p2p completions bash)")
    .example("in ~/.zshrc", "source <(p2p completions zsh)")
    .example(
      "in ~/.config/fish/config.fish",
      "p2p completions fish | source",
    )
    // The library's command takes no flags of the root.
    .option("-V, --version", "Show the version", {
      standalone: true,
      action: () => stdout.write(`p2p ${version}\n`),
    });
}
