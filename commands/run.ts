/** Runs the command line and turns its outcome into the exit code. */
import { P2pError } from "../core/mod.ts";
import { type Environment, type Output, writeLines } from "./environment.ts";
import { ExitError, Interrupted } from "./exit.ts";
import {
  EXIT_OF_BUG,
  exitOfFailure,
  exitOfSignal,
  renderBug,
  renderFailure,
} from "./ui/failure.ts";
import { hintOf, seedsAmong } from "./ui/hints.ts";
import { isVersionFlag, versionLine } from "./version.ts";

export async function run(args: readonly string[], environment: Environment): Promise<number> {
  const { stdout } = environment;
  try {
    if (args.length === 1 && isVersionFlag(args[0]!)) {
      // Without the command line library, which takes longer to load than all that is needed here.
      stdout.write(versionLine(environment.version));
    } else {
      const { runCommand } = await import("./command_line.ts");
      await runCommand(args, environment);
    }
    const { closed } = stdout;
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
  if (error instanceof P2pError) {
    const { code, message } = error;
    writeLines(stderr, renderFailure({ message, hint: hintOf(error, seedsAmong(args)) }));
    return exitOfFailure(code);
  }
  // The reader has closed the pipe, as `head` does: not a failure.
  if (stdout.closed.aborted) return 0;
  return reportBug(error, stderr);
}

export function reportBug(error: unknown, stderr: Output): number {
  writeLines(stderr, renderBug(error));
  return EXIT_OF_BUG;
}
