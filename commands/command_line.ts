/** Parses the command line and runs its command, with errors in our form. */
import { ValidationError } from "@cliffy/command";
import { P2pError } from "../core/mod.ts";
import type { Environment } from "./environment.ts";
import { keepLastFlags } from "./last_flag.ts";
import { COMMAND_NAMES, commandsFor, commandTree } from "./mod.ts";
import { CommandError, didYouMean } from "./ui/hints.ts";

/** @throws {P2pError} that says what failed; of code "usage" if the command line is wrong. */
export async function runCommand(
  args: readonly string[],
  environment: Environment,
): Promise<void> {
  try {
    const tree = await commandTree(environment, commandsFor(args));
    await tree.parse(keepLastFlags(args, tree));
  } catch (error) {
    if (error instanceof ValidationError) throw usageErrorOf(error);
    throw error instanceof P2pError ? withHint(error, args) : error;
  }
}

/** A usage error without a hint of its own refers to the help of its command. */
function withHint(error: P2pError, args: readonly string[]): P2pError {
  const known = error.problem ?? (error instanceof CommandError ? error.hint : undefined);
  if (error.code !== "usage" || known !== undefined) return error;
  const command = args.find((arg) => COMMAND_NAMES.some((name) => name === arg));
  const hint = `See p2p ${command === undefined ? "" : `${command} `}--help`;
  return new CommandError("usage", error.message, hint, { cause: error });
}

/** The library's message in our form. Our suggestions are the same for flags, commands and settings. */
function usageErrorOf({ message, cmd }: ValidationError): CommandError {
  const [what = ""] = message.split(/ (?=Did you mean)/);
  const [, kind, word] = what.match(/^Unknown (option|command) "([^"=]*)/) ?? [];
  // Only long flags: every letter is near to every other.
  const words = kind === "command"
    ? cmd?.getCommands().map((each) => each.getName())
    : cmd?.getOptions().flatMap(({ flags }) => flags).filter((flag) => flag.startsWith("--"));
  const near = word === undefined ? undefined : didYouMean(word, words ?? []);
  const hint = near ?? `See ${cmd?.getPath() ?? "p2p"} --help`;
  return new CommandError("usage", what.replace(/\.$/, ""), hint);
}
