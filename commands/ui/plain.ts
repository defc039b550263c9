/** Downloads as plain lines: for logs, pipes, screen readers and dumb terminals. */
import {
  type FewDescriptors,
  type Level,
  printable,
  type TaskEvent,
  type TaskOutcome,
  type TaskResult,
  type Totals,
} from "../../core/mod.ts";
import { otherContents, renderFailure, renderTaskFailure } from "./failure.ts";
import { eventText, levelOf, reaches, speedText } from "./event_text.ts";
import { shareText } from "./progress_block.ts";
import { formatBytes, formatElapsed, formatEta, formatRate, formatTime, plural } from "./units.ts";

/** The lines of one event, or none when it matters less than `least`. Failures and unverified results always have some. */
export function renderEvent(
  event: TaskEvent,
  name: string,
  least: Level,
  seeds: readonly string[] = [],
): string[] {
  if (event.kind === "failed") {
    // Who stopped the run is told once, not for each of its downloads.
    const { failure } = event;
    return failure.code === "interrupted" ? [] : renderTaskFailure(name, failure, seeds);
  }
  const vote = event.kind === "done" ? renderVote(name, event.result) : [];
  if (!reaches(levelOf(event), least) && !isUnverified(event)) return vote;
  const label = `${formatTime(event.time)} ${printable(name)}`;
  return [
    event.kind === "done"
      ? `${label}: ${renderDone(event.result, name)}`
      : `${label}: ${eventText(event)}`,
    ...vote,
  ];
}

/** Which other bytes there were, where the seeds differ. */
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

/** Whether bytes were taken that nothing could prove. */
function isUnverified(event: TaskEvent): boolean {
  return event.kind === "done" && !event.result.verified && event.result.how !== "skipped";
}

/** How a download ended well; where the file is only when its name does not tell. */
export function renderDone(result: TaskResult, name: string): string {
  const { path, how, size, elapsedMs } = result;
  const proof = result.verified ? "verified" : "unverified (its seeds offer no digests)";
  const place = path.replaceAll("\\", "/").endsWith(name) ? "" : ` -> ${printable(path)}`;
  if (how === "skipped") return `skipped: a file with different content exists${place}`;
  if (how === "already-there") {
    return `already there, ${formatBytes(size)}, ${proof}${place}`;
  }
  return `done, ${formatBytes(size)} in ${formatElapsed(elapsedMs)}${
    speedText(result)
  }, ${proof}${place}`;
}

/** The line that comes now and then while nothing else does. */
export function renderTotal(totals: Totals, now: number): string {
  const share = totals.size > 0 ? `${shareText(totals)}, ` : "";
  const paused = totals.paused > 0 ? `${totals.paused} paused, ` : "";
  const cancelled = totals.cancelled > 0 ? `${totals.cancelled} cancelled, ` : "";
  return `${formatTime(now)} total: ${share}${formatRate(totals.rate)}, ` +
    `${totals.done} done, ${totals.active} active, ${totals.waiting} waiting, ${paused}` +
    `${totals.failed} failed, ${cancelled}ETA ${formatEta(totals.etaMs)}`;
}

/** Why fewer downloads run at a time than the user asked for. */
export function renderFewDescriptors({ running, wanted, limit }: FewDescriptors): string {
  const allowed = limit === undefined ? "few" : `${limit}`;
  return `p2p: running ${running} of ${wanted} downloads at a time: ` +
    `this system allows ${allowed} open files; raise it with ulimit -n`;
}

/** What a run of several downloads came to. */
export function renderSummary(outcomes: readonly TaskOutcome[], elapsedMs: number): string {
  const results = outcomes.flatMap(({ outcome }) => outcome.ok ? [outcome.result] : []);
  const downloaded = results.filter(({ how }) => how === "downloaded");
  const bytes = downloaded.reduce((sum, { size }) => sum + size, 0);
  const count = (how: TaskResult["how"]) => results.filter((result) => result.how === how).length;
  const cancelled = outcomes.filter(({ state }) => state === "cancelled").length;
  const rest: [number, string][] = [
    [count("already-there"), "already there"],
    [count("skipped"), "skipped because a file with different content exists"],
    [outcomes.length - results.length - cancelled, "failed"],
    [cancelled, "cancelled"],
    [downloaded.filter(({ verified }) => !verified).length, "unverified"],
  ];
  const files = plural(downloaded.length, "file");
  return [
    `Downloaded ${files} (${formatBytes(bytes)}) in ${formatElapsed(elapsedMs)}`,
    ...rest.flatMap(([many, what]) => many > 0 ? [`${many} ${what}`] : []),
  ].join(", ");
}
