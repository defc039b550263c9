/** Runs the command line and turns its outcome into the exit code. */
import { ValidationError } from "@cliffy/command";
import { P2pError } from "../core/mod.ts";
import { type Environment, type Output, writeLines } from "./environment.ts";
import { ExitError, Interrupted } from "./exit.ts";
import { keepLastFlags } from "./last_flag.ts";
import { COMMAND_NAMES, commandsFor, commandTree } from "./mod.ts";
import {
  EXIT_OF_BUG,
  EXIT_OF_USAGE,
  exitOfFailure,
  exitOfSignal,
  renderBug,
  renderFailure,
} from "./ui/failure.ts";
import { CommandError, didYouMean, hintOf, seedsAmong } from "./ui/hints.ts";

export async function run(args: readonly string[], environment: Environment): Promise<number> {
  try {
    const tree = await commandTree(environment, commandsFor(args));
    await tree.parse(keepLastFlags(args, tree));
    const { closed } = environment.stdout;
    if (closed.reason instanceof P2pError) throw closed.reason;
    return 0;
  } catch (error) {
    return report(error, environment, args);
  }
}

function report(error: unknown, environment: Environment, args: readonly string[]): number {
  const { stdout, stderr } = environment;
  if (error instanceof ExitError) return error.exitCode;
  if (error instanceof Interrupted) return exitOfSignal(error.signal);
  if (error instanceof ValidationError) {
    writeLines(stderr, renderFailure(usageFailureOf(error)));
    return EXIT_OF_USAGE;
  }
  if (error instanceof P2pError) {
    const { code, message } = error;
    writeLines(stderr, renderFailure({ message, hint: hintFor(error, args) }));
    return exitOfFailure(code);
  }
  // The reader has closed the pipe, as `head` does: not a failure.
  if (stdout.closed.aborted) return 0;
  return reportBug(error, stderr);
}

/** A usage error without a hint of its own refers to the help of its command. */
function hintFor(error: P2pError, args: readonly string[]) {
  const known = error.problem ?? (error instanceof CommandError ? error.hint : undefined);
  if (error.code !== "usage" || known !== undefined) return hintOf(error, seedsAmong(args));
  const command = args.find((arg) => COMMAND_NAMES.some((name) => name === arg));
  return `See p2p ${command === undefined ? "" : `${command} `}--help`;
}

export function reportBug(error: unknown, stderr: Output): number {
  writeLines(stderr, renderBug(error));
  return EXIT_OF_BUG;
}

/** The library's message in our form. Our suggestions are the same for flags, commands and settings. */
function usageFailureOf({ message, cmd }: ValidationError): { message: string; hint: string } {
  const [what = ""] = message.split(/ (?=Did you mean)/);
  const [, kind, word] = what.match(/^Unknown (option|command) "([^"=]*)/) ?? [];
  // Only long flags: every letter is near to every other.
  const words = kind === "command"
    ? cmd?.getCommands().map((each) => each.getName())
    : cmd?.getOptions().flatMap(({ flags }) => flags).filter((flag) => flag.startsWith("--"));
  const near = word === undefined ? undefined : didYouMean(word, words ?? []);
  const hint = near ?? `See ${cmd?.getPath() ?? "p2p"} --help`;
  return { message: what.replace(/\.$/, ""), hint };
}
