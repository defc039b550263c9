/**
 * Runs one program to its end and says what it cost. The shell's `time` does the accounting: the
 * kernel tells it the CPU time of a child that has ended to the millisecond, which Deno cannot ask
 * for. The shell's own work is not in it, but for one fork, about a millisecond.
 */
import { watchHighWater } from "./process_usage.ts";

export interface Cost {
  readonly wallMs: number;
  readonly userMs: number;
  readonly sysMs: number;
  /** The most memory that was resident; as last seen, at most 20 ms before the end. */
  readonly residentKiB: number;
  /** It was ended at its limit. */
  readonly unfinished?: true;
}

export interface Run {
  /** The program, and its arguments. */
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Where its output goes. */
  readonly log: string;
  /** End it after this time, which is no error. */
  readonly limitMs?: number;
}

/** The process that tells its id becomes the program. Without the braces it would be the one to tell the times, too, and could not any more. */
const TIMED = 'TIMEFORMAT="%3R %3U %3S"; time { (echo "$BASHPID"; exec "$@" >"$0" 2>&1); }';

/** @throws {Error} if it does not end with exit code 0. @throws the signal's reason if it aborts. */
export async function measure(
  { command, env = {}, log, limitMs }: Run,
  signal: AbortSignal,
): Promise<Cost> {
  signal.throwIfAborted();
  const shell = new Deno.Command("bash", {
    args: ["-c", TIMED, log, ...command],
    // A decimal point in every country.
    env: { ...env, LC_ALL: "C" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const times = new Response(shell.stderr).text();
  const pid = await firstNumber(shell.stdout);
  const stop = () => kill(pid);
  signal.addEventListener("abort", stop);
  // The signal may have come before the process was started.
  if (signal.aborted) stop();
  // The timer sets it, which the compiler does not see.
  let unfinished = false as boolean;
  const limit = limitMs === undefined ? undefined : setTimeout(() => {
    unfinished = true;
    stop();
  }, limitMs);
  try {
    const residentKiB = await watchHighWater(pid, shell.status);
    const { code } = await shell.status;
    signal.throwIfAborted();
    if (code !== 0 && !unfinished) throw await failure(command, code, log);
    return { ...parseTimes(await times), residentKiB, ...(unfinished && { unfinished }) };
  } finally {
    clearTimeout(limit);
    signal.removeEventListener("abort", stop);
  }
}

/** "1.325 0.200 0.760": real, user and system seconds. */
export function parseTimes(text: string): Omit<Cost, "residentKiB" | "unfinished"> {
  const [, wall, user, sys] = text.match(/^(\d+\.\d+) (\d+\.\d+) (\d+\.\d+)$/m) ?? [];
  if (sys === undefined) throw new Error(`Cannot read the times of a run in "${text.trim()}"`);
  const ms = (seconds: string | undefined) => Math.round(Number(seconds) * 1000);
  return { wallMs: ms(wall), userMs: ms(user), sysMs: ms(sys) };
}

async function firstNumber(stream: ReadableStream<Uint8Array>): Promise<number> {
  let text = "";
  for await (const part of stream.pipeThrough(new TextDecoderStream())) {
    text += part;
    if (text.includes("\n")) break;
  }
  return Number(text);
}

async function failure(command: readonly string[], code: number, log: string): Promise<Error> {
  const words = await Deno.readTextFile(log).catch(() => "");
  const last = words.trim().split("\n").slice(-5).join("\n");
  const said = last === "" ? "" : `:\n${last}`;
  return new Error(`"${command.slice(0, 12).join(" ")}" ended with exit code ${code}${said}`);
}

function kill(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}

/** The order of `count` cases in one round: reversed in every second one, so that no case always follows the same one. */
export function orderOf(count: number, round: number): number[] {
  const order = Array.from({ length: count }, (_, i) => i);
  return round % 2 === 0 ? order : order.reverse();
}

/**
 * Runs all cases in turn, round after round, so that drift (heat, write-back, other processes) affects
 * all of them alike. @returns the results of each case, in the order of the rounds.
 */
export async function runRounds<Case, Result>(
  cases: readonly Case[],
  rounds: number,
  run: (one: Case, round: number) => Promise<Result>,
): Promise<Map<Case, Result[]>> {
  const results = new Map(cases.map((one) => [one, [] as Result[]]));
  for (let round = 0; round < rounds; round++) {
    for (const i of orderOf(cases.length, round)) {
      const one = cases[i]!;
      results.get(one)!.push(await run(one, round));
    }
  }
  return results;
}
