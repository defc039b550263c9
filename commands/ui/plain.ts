/** Downloads as plain lines: for logs, pipes, screen readers and dumb terminals. */
import {
  type DownloadSettings,
  type FewDescriptors,
  type Level,
  printable,
  type TaskEvent,
  type TaskOutcome,
  type TaskResult,
  type Totals,
} from "../../core/mod.ts";
import { eventText, levelOf, reaches, speedText } from "./event_text.ts";
import { otherContents, renderFailure, renderTaskFailure } from "./failure.ts";
import { shareText } from "./progress_block.ts";
import {
  countsText,
  formatBytes,
  formatElapsed,
  formatEta,
  formatRate,
  formatTime,
  plural,
} from "./units.ts";

/** The lines of one event; none below `least`, except for failures and unverified results. */
export function renderEvent(
  event: TaskEvent,
  name: string,
  least: Level,
  seeds: readonly string[] = [],
): string[] {
  if (event.kind === "failed") {
    // An interruption is reported once for the run, not for each download.
    const { failure } = event;
    return failure.code === "interrupted" ? [] : renderTaskFailure(name, failure, seeds);
  }
  const vote = event.kind === "done" ? renderVote(name, event.result) : [];
  if (!reaches(levelOf(event), least) && !isUnverified(event)) return vote;
  const text = event.kind === "done" ? renderDone(event.result, name) : eventText(event);
  return [`${formatTime(event.time)} ${printable(name)}: ${text}`, ...vote];
}

/** The other versions of the file, if the seeds differ. */
function renderVote(name: string, { id, contents = [] }: TaskResult): string[] {
  const others = contents.filter((content) => content.id !== id);
  if (others.length === 0) return [];
  const taken = contents.find((content) => content.id === id);
  const votes = taken === undefined ? "" : ` (${plural(taken.seeds.length, "seed")})`;
  return renderFailure({
    message: `Seeds differ on "${name}"${votes}: ${otherContents(others)}`,
    hint: "Pick a version with --id",
  });
}

function isUnverified(event: TaskEvent): boolean {
  return event.kind === "done" && !event.result.verified && event.result.how !== "skipped";
}

/** Stands for the path of a file that was streamed. */
const STANDARD_OUTPUT = "-";

/** How a download succeeded; with the path only if the name does not tell it. */
export function renderDone(result: TaskResult, name: string): string {
  const { path, how, elapsedMs } = result;
  const size = formatBytes(result.size);
  const proof = result.verified ? "verified" : "unverified (its seeds offer no digests)";
  const isNamed = path === STANDARD_OUTPUT || path.replaceAll("\\", "/").endsWith(name);
  const place = isNamed ? "" : ` -> ${printable(path)}`;
  if (how === "skipped") return `skipped: a file with different content exists${place}`;
  if (how === "already-there") return `already there, ${size}, ${proof}${place}`;
  return `done, ${size} in ${formatElapsed(elapsedMs)}${speedText(result)}, ${proof}${place}`;
}

export function renderTotal(totals: Totals, now: number): string {
  const { done, active, waiting, paused, failed, cancelled } = totals;
  const counts = { done, active, waiting, paused, failed, cancelled };
  return [
    `${formatTime(now)} total: ${totals.size > 0 ? `${shareText(totals)}, ` : ""}` +
    formatRate(totals.rate),
    countsText(counts, ["done", "active", "waiting", "failed"]),
    `ETA ${formatEta(totals.etaMs)}`,
  ].join(", ");
}

/** Why fewer downloads run at a time than the user asked for. */
export function renderFewDescriptors({ running, wanted, limit }: FewDescriptors): string {
  return `p2p: running ${running} of ${wanted} downloads at a time: ` +
    `this system allows ${limit ?? "few"} open files; raise it with ulimit -n`;
}

export function renderSummary(
  outcomes: readonly TaskOutcome[],
  elapsedMs: number,
  limits: Limits = {},
): string {
  const results = outcomes.flatMap(({ outcome }) => outcome.ok ? [outcome.result] : []);
  const downloaded = results.filter(({ how }) => how === "downloaded");
  const there = results.filter(({ how }) => how === "already-there").length;
  const skipped = results.filter(({ how }) => how === "skipped").length;
  const cancelled = outcomes.filter(({ state }) => state === "cancelled").length;
  const failed = outcomes.length - results.length - cancelled;
  const unverified = downloaded.filter(({ verified }) => !verified).length;
  const bytes = downloaded.reduce((sum, { size }) => sum + size, 0);
  const sentence = downloaded.length === 0 && there > 0
    ? `${plural(there, "file")} ${there === 1 ? "is" : "are"} already there`
    : `Downloaded ${plural(downloaded.length, "file")} (${formatBytes(bytes)}) in ` +
      formatElapsed(elapsedMs) + limitText(downloaded, elapsedMs, limits);
  const rest: [number, string][] = [
    [downloaded.length === 0 ? 0 : there, "already there"],
    [skipped, "skipped because a file with different content exists"],
    [failed, "failed"],
    [cancelled, "cancelled"],
    [unverified, "unverified"],
  ];
  return [sentence, ...rest.flatMap(([count, what]) => count > 0 ? [`${count} ${what}`] : [])]
    .join(", ");
}

type Limits = Partial<Pick<DownloadSettings, "limit" | "taskLimit">>;

/** A run whose rate came this close to a limit was shaped by it. */
const LIMITED_PART = 0.8;

function limitText(
  results: readonly TaskResult[],
  elapsedMs: number,
  { limit, taskLimit }: Limits,
): string {
  const received = (result: TaskResult) =>
    Object.values(result.bytesBySeed).reduce((sum, bytes) => sum + bytes, 0);
  const reached = (bytes: number, ms: number, rate: number | undefined) =>
    rate !== undefined && bytes * 1000 >= rate * ms * LIMITED_PART;
  const bytes = results.reduce((sum, result) => sum + received(result), 0);
  if (reached(bytes, elapsedMs, limit)) return `, limited to ${formatRate(limit!)} by --limit`;
  return results.some((result) => reached(received(result), result.elapsedMs, taskLimit))
    ? `, limited to ${formatRate(taskLimit!)} each by --task-limit`
    : "";
}
