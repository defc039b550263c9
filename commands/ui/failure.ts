/** Failures as lines for people and as exit codes. */
import {
  type ContentVotes,
  type ErrorCode,
  printable,
  type TaskFailure,
  type TaskOutcome,
} from "../../core/mod.ts";
import { hintOf, orFolder } from "./hints.ts";

export type StopSignal = "SIGINT" | "SIGTERM" | "SIGHUP";

export const EXIT_OF_BUG = 1;
export const EXIT_OF_USAGE = 2;
const EXIT_OF_CANCELLED = 8;

const EXIT_OF_SIGNAL: Readonly<Record<StopSignal, number>> = {
  SIGHUP: 129,
  SIGINT: 130,
  SIGTERM: 143,
};

const EXIT_OF_CODE: Readonly<Record<ErrorCode | "bug", number>> = {
  ...{ bug: EXIT_OF_BUG, usage: EXIT_OF_USAGE, "not-found": 3 },
  ...{ unreachable: 4, timeout: 4, busy: 4, auth: 4 },
  ...{ protocol: 5, corrupt: 5, changed: 5, disk: 6, conflict: 7 },
};

export const EXITS: readonly (readonly [code: number, meaning: string])[] = [
  [0, "success: everything asked for is there"],
  [EXIT_OF_BUG, "a bug, or several downloads failed for different reasons"],
  [EXIT_OF_USAGE, "usage or configuration"],
  [3, "no seed has it"],
  [4, "no seed can be reached, or retries and time ran out"],
  [5, "seeds answered wrongly, or sent other bytes than asked for"],
  [6, "disk full, permission denied, or read-only"],
  [7, "would overwrite, or another p2p works on the same target"],
  [EXIT_OF_CANCELLED, "cancelled with p2p cancel or in p2p status --watch; nothing failed"],
  [129, "stopped by SIGHUP (the terminal was closed); run it again to resume"],
  [130, "stopped by Ctrl-C (SIGINT); run it again to resume"],
  [143, "stopped by SIGTERM; run it again to resume"],
];

export function exitOfSignal(signal: StopSignal): number {
  return EXIT_OF_SIGNAL[signal];
}

/** For the first signal, while work stops gracefully. */
export function stoppingText(signal: StopSignal): string {
  return signal === "SIGINT"
    ? "stopping; press Ctrl-C again to quit immediately"
    : `stopping after ${signal}; send another signal to quit immediately`;
}

/** @param stopped the signal that came, if any. */
export function exitOfFailure(code: TaskFailure["code"], stopped: StopSignal = "SIGINT"): number {
  if (code === "interrupted") return exitOfSignal(stopped);
  return code === "cancelled" ? EXIT_OF_CANCELLED : EXIT_OF_CODE[code];
}

/** As `exitOfFailures`, but an interruption wins. */
export function exitOfOutcomes(
  outcomes: readonly TaskOutcome[],
  stopped: StopSignal | undefined,
): number {
  const codes = outcomes.flatMap(({ outcome }) => outcome.ok ? [] : [outcome.failure.code]);
  if (codes.includes("interrupted")) return exitOfSignal(stopped ?? "SIGINT");
  return exitOfFailures(codes);
}

/** The code of the only kind of failure, 1 for several kinds, 0 for none. Other failures win over cancelled downloads. */
export function exitOfFailures(codes: readonly TaskFailure["code"][]): number {
  const failed = codes.filter((code) => code !== "cancelled");
  const exits = new Set((failed.length > 0 ? failed : codes).map((code) => exitOfFailure(code)));
  const [exit = 0] = exits;
  return exits.size > 1 ? EXIT_OF_BUG : exit;
}

/** Says whether an interrupted run keeps partial files, and how to resume. */
export function renderInterruption(outcomes: readonly TaskOutcome[]): string[] {
  const partial = outcomes.some(({ outcome }) => !outcome.ok && outcome.partial);
  return partial
    ? ["p2p: interrupted; partial files kept", `${HINT}Run the same command again to resume`]
    : ["p2p: interrupted", `${HINT}Run the same command again`];
}

export const HINT = "hint: ";

/** `p2p: <what failed>: <why>`, and the hint where there is one. */
export function renderFailure(
  { message, hint }: { readonly message: string; readonly hint?: string | undefined },
): string[] {
  const lines = [`p2p: ${oneLine(message)}`];
  if (hint !== undefined) lines.push(HINT + oneLine(hint));
  return lines;
}

/** The same for one of several downloads, with its name. @param seeds as `--seed` names them. */
export function renderTaskFailure(
  name: string,
  failure: TaskFailure,
  seeds: readonly string[] = [],
): string[] {
  const { code, message } = failure;
  const step = hintOf(failure, seeds);
  const hint = step !== undefined && code === "not-found"
    ? orFolder(step, "get", name, seeds)
    : step;
  const contents = failure.contents ?? [];
  const lines = renderFailure({
    message: message.includes(`"${name}"`) ? message : `Cannot get "${name}": ${message}`,
    hint,
  });
  if (contents.length > 1) lines.push(`${HINT}Seeds differ: ${oneLine(otherContents(contents))}`);
  return lines;
}

/** The seeds of each version, and the flag that selects it. */
export function otherContents(contents: readonly ContentVotes[]): string {
  return contents.map(({ id, seeds, setAside }) => {
    const version = id === null
      ? "version without digests"
      : `different version: --id ${id.slice(0, 8)}`;
    const tried = setAside === undefined ? "" : ` (${SET_ASIDE[setAside]})`;
    return `${seeds.join(", ")} ${seeds.length === 1 ? "has" : "have"} a ${version}${tried}`;
  }).join("; ");
}

const SET_ASIDE: Readonly<Record<NonNullable<ContentVotes["setAside"]>, string>> = {
  silence: "sent nothing",
  corrupt: "sent corrupt data",
  refused: "could not be downloaded",
  "wrong-sha256": "has another SHA-256",
  "too-large": "is larger than the disk",
};

/** A bug of ours, with everything that a report needs. */
export function renderBug(error: unknown): string[] {
  const text = error instanceof Error ? error.stack ?? error.message : String(error);
  return [...text.split("\n").map(printable), "this is a bug in p2p, please report it"];
}

function oneLine(text: string): string {
  const lines = text.split("\n").map((line) => line.trim());
  return printable(lines.filter((line) => line !== "").join("; "));
}
