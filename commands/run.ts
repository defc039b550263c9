/** Runs the command line once: outcome → exit code. */
import { ValidationError } from "@cliffy/command";
import { P2pError } from "../core/mod.ts";
import { type Environment, type Output, writeLines } from "./environment.ts";
import { ExitError, Interrupted } from "./exit.ts";
import { keepLastFlags } from "./last_flag.ts";
import { commandTree } from "./mod.ts";
import { closest, CommandError, hintOf, seedsAmong } from "./ui/hints.ts";
import {
  EXIT_OF_BUG,
  EXIT_OF_USAGE,
  exitOfFailure,
  exitOfSignal,
  renderBug,
  renderFailure,
} from "./ui/failure.ts";

export async function run(args: readonly string[], environment: Environment): Promise<number> {
  try {
    const tree = commandTree(environment);
    await tree.parse(keepLastFlags(args, tree));
    const { closed } = environment.stdout;
    if (closed.reason instanceof P2pError) throw closed.reason;
    return 0;
  } catch (error) {
    return tell(error, environment, args);
  }
}

function tell(error: unknown, environment: Environment, args: readonly string[]): number {
  const { stdout, stderr } = environment;
  if (error instanceof ExitError) return error.exitCode;
  if (error instanceof Interrupted) return exitOfSignal(error.signal);
  if (error instanceof ValidationError) {
    writeLines(stderr, renderFailure(usageFailureOf(error)));
    return EXIT_OF_USAGE;
  }
  if (error instanceof P2pError) {
    const { code, message } = error;
    writeLines(stderr, renderFailure({ message, hint: hintFor(error, args, environment) }));
    return exitOfFailure(code);
  }
  // Who reads our output has enough of it, as `head` does: that is no failure.
  if (stdout.closed.aborted) return 0;
  return reportBug(error, stderr);
}

/** A usage error without a hint of its own is explained by the help of its command. */
function hintFor(error: P2pError, args: readonly string[], environment: Environment) {
  const known = error.problem ?? (error instanceof CommandError ? error.hint : undefined);
  if (error.code !== "usage" || known !== undefined) return hintOf(error, seedsAmong(args));
  const commands = commandTree(environment).getCommands().map((each) => each.getName());
  const command = args.find((arg) => commands.includes(arg));
  return `See p2p ${command === undefined ? "" : `${command} `}--help`;
}

/** A fault of ours, with all that a report needs. */
export function reportBug(error: unknown, stderr: Output): number {
  writeLines(stderr, renderBug(error));
  return EXIT_OF_BUG;
}

/**
 * The library's message in our form. Its guesses differ from release to release,
 * so what somebody may have meant is found here.
 */
function usageFailureOf({ message, cmd }: ValidationError): { message: string; hint: string } {
  const [what = ""] = message.split(/ (?=Did you mean)/);
  const [, kind, word] = what.match(/^Unknown (option|command) "([^"=]*)/) ??
    [];
  const near = kind === undefined || word === undefined
    ? undefined
    : closest(word, kind === "command" ? commandsOf(cmd) : flagsOf(cmd));
  const hint = near === undefined
    ? `See ${cmd?.getPath() ?? "p2p"} --help`
    : `Did you mean "${near}"?`;
  return { message: what.replace(/\.$/, ""), hint };
}

function commandsOf(command: ValidationError["cmd"]): string[] {
  return command?.getCommands().map((each) => each.getName()) ?? [];
}

/** Long ones only: every letter is near to every other. */
function flagsOf(command: ValidationError["cmd"]): string[] {
  return command?.getOptions().flatMap(({ flags }) => flags)
    .filter((flag) => flag.startsWith("--")) ?? [];
}
