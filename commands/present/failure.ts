/** What failed: as lines for people, and as the exit code, both decided here alone. */
import {
  type ErrorCode,
  P2pError,
  printable,
  type TaskFailure,
  type TaskOutcome,
} from "../../core/mod.ts";

/** The signal that stopped us. */
export type StopSignal = "SIGINT" | "SIGTERM";

export const EXIT_OF_BUG = 1;
export const EXIT_OF_USAGE = 2;

const EXIT_OF_CODE: Readonly<Record<ErrorCode | "bug", number>> = {
  bug: EXIT_OF_BUG,
  usage: EXIT_OF_USAGE,
  "not-found": 3,
  unreachable: 4,
  timeout: 4,
  busy: 4,
  auth: 4,
  protocol: 5,
  corrupt: 5,
  changed: 5,
  disk: 6,
  conflict: 7,
};

export function exitOfSignal(signal: StopSignal): number {
  return signal === "SIGINT" ? 130 : 143;
}

/** @param stopped by which signal, where one came. */
export function exitOfFailure(
  code: TaskFailure["code"],
  stopped: StopSignal = "SIGINT",
): number {
  if (code === "interrupted") return exitOfSignal(stopped);
  // The user's own wish, said elsewhere: as after a Ctrl-C, the partial file is kept.
  return code === "cancelled" ? exitOfSignal("SIGINT") : EXIT_OF_CODE[code];
}

/** One kind of failure keeps its code, several become 1; an interrupted run is that before all. */
export function exitOfOutcomes(
  outcomes: readonly TaskOutcome[],
  stopped: StopSignal | undefined,
): number {
  const codes = outcomes.flatMap(({ outcome }) => outcome.ok ? [] : [outcome.failure.code]);
  if (codes.includes("interrupted")) return exitOfSignal(stopped ?? "SIGINT");
  const exits = new Set(codes.map((code) => exitOfFailure(code)));
  if (exits.size > 1) return 1;
  return exits.values().next().value ?? 0;
}

export function failureOf(error: P2pError): TaskFailure {
  const { code, message, hint } = error;
  return hint === undefined ? { code, message } : { code, message, hint };
}

/** What a line begins with that tells what to do. */
export const HINT = "hint: ";

/** `p2p: <what failed>: <why>`, and the hint where there is one. */
export function renderFailure(
  { message, hint }: Omit<TaskFailure, "code">,
): string[] {
  const lines = [`p2p: ${oneLine(message)}`];
  if (hint !== undefined) lines.push(HINT + oneLine(hint));
  return lines;
}

/** The same for one of several downloads: the name must be in it. */
export function renderTaskFailure(
  name: string,
  failure: TaskFailure,
): string[] {
  const { message } = failure;
  return renderFailure(
    message.includes(`"${name}"`)
      ? failure
      : { ...failure, message: `Cannot get "${name}": ${message}` },
  );
}

/** A fault of ours, with all that a report needs. */
export function renderBug(error: unknown): string[] {
  const text = error instanceof Error ? error.stack ?? error.message : String(error);
  return [
    ...text.split("\n").map(printable),
    "this is a bug in p2p, please report it",
  ];
}

function oneLine(text: string): string {
  return printable(text.replaceAll(/\s*\n\s*/g, "; "));
}
