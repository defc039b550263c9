/** One task, looked into: how far it is, its pieces, its seeds, its places. */
import {
  type PiecesSnapshot,
  printable,
  type SeedSnapshot,
  sizeOfCell,
  type TaskCase,
  type TaskDetail,
  type TaskStatus,
} from "../../../core/mod.ts";
import { timesOf } from "../why/account.ts";
import { diagnosisOf } from "../why/diagnosis.ts";
import { layoutRows, renderRow, stateWord } from "../task_row.ts";
import { renderDetail, renderTable } from "../table.ts";
import { formatBytes, formatElapsed, formatRate, formatTime, plural } from "../units.ts";
import { shortenEnd, shortenMiddle, wrap } from "../width.ts";

/** What is known of one task; of where its time goes maybe nothing yet. */
interface TaskFacts {
  readonly task: TaskStatus;
  readonly theCase?: TaskCase;
}

/** No line is wider than `width`. @param now ms since 1970 */
export function renderTaskPage({ task, theCase }: TaskFacts, now: number, width: number): string[] {
  const layout = layoutRows([task], width);
  return [
    renderRow(task, layout),
    "",
    ...renderDetail(factsOf(task, now, width)),
    ...theCase === undefined ? [] : ["", ...renderWhy(theCase, width)],
    ...renderInside(task.detail, now, width),
  ].map((line) => shortenEnd(line, width));
}

/** The pieces and the seeds of a task at work; nothing of one that is not. */
export function renderInside(detail: TaskDetail | null, now: number, width: number): string[] {
  if (detail === null) return [];
  const { pieces, seeds, moreSeeds } = detail;
  return [
    ...pieces === null ? [] : ["", ...renderPieces(pieces, width)],
    ...seeds.length === 0 ? [] : ["", ...renderSeeds(seeds, width)],
    ...seeds.flatMap((seed) => newsLines(seed, now, width)),
    ...moreSeeds > 0 ? [`and ${plural(moreSeeds, "more seed")}`] : [],
  ];
}

/** What limits it, where its time went, and what to do, as `p2p why` tells them. */
function renderWhy(theCase: TaskCase, width: number): string[] {
  const { sentence, advice } = diagnosisOf(theCase);
  const lines = [
    `it ${sentence}`,
    ...theCase.account === null ? [] : [`time: ${timesOf(theCase.account)}`],
    ...advice === undefined ? [] : [`to do: ${advice}`],
  ];
  return lines.flatMap((line) => wrap(printable(line), width));
}

function factsOf(task: TaskStatus, now: number, width: number): [string, string | null][] {
  return [
    ["task", task.task],
    ["state", stateText(task, now)],
    ["error", task.error],
    ["in its way", task.detail?.trouble ?? null],
    ["next try", nextTry(task.detail, now)],
    ["path", shortenMiddle(printable(task.path), width - LABEL)],
    ["part file", task.downloaded > 0 && task.state !== "done" ? "beside it, .p2p-part" : null],
    ["content", task.id === null ? null : shortenMiddle(task.id, width - LABEL)],
    ["process", task.pid === null ? null : String(task.pid)],
  ];
}

/** What `renderDetail` puts before a value here. */
const LABEL = 12;

function stateText(task: TaskStatus, now: number): string {
  const { pausedBy, since } = task;
  const word = pausedBy === "user" ? "paused by you" : stateWord(task);
  return `${word} for ${formatElapsed(Math.max(0, now - since))}, since ${formatTime(since)}`;
}

/** The first of the seeds that are away to be asked again. */
function nextTry(detail: TaskDetail | null, now: number): string | null {
  const [next] = (detail?.seeds ?? [])
    .flatMap(({ seed, retryAt }) => retryAt === null ? [] : [{ seed, retryAt }])
    .sort((a, b) => a.retryAt - b.retryAt);
  return next === undefined ? null : `${next.seed} ${inText(next.retryAt, now)}`;
}

function inText(time: number, now: number): string {
  return time <= now ? "now" : `in ${formatElapsed(time - now)}`;
}

/** The file from its beginning to its end: each sign is as many pieces as the next. */
function renderPieces({ count, cells }: PiecesSnapshot, width: number): string[] {
  const signs = cells.map((there, i) =>
    there === 0 ? "." : there >= sizeOfCell(i, cells.length, count) ? "#" : "+"
  ).join("");
  const there = cells.reduce((sum, cell) => sum + cell, 0);
  const across = Math.max(1, Math.min(width - 2, signs.length));
  const lines = signs.match(new RegExp(`.{1,${across}}`, "g")) ?? [];
  return [
    ...wrap(`${there} of ${plural(count, "piece")} there (# all, + some, . none):`, width),
    ...lines.map((line) => `  ${line}`),
  ];
}

function renderSeeds(seeds: readonly SeedSnapshot[], width: number): string[] {
  return renderTable(
    [
      { title: "SEED", cut: true },
      { title: "RATE", right: true, spare: 4 },
      { title: "GAVE", right: true, spare: 3 },
      { title: "ASKED", right: true, spare: 1 },
      { title: "FAULTS", right: true, spare: 2 },
      { title: "STATE" },
    ],
    seeds.map((seed) => [
      seed.seed,
      formatRate(seed.rate),
      formatBytes(seed.bytes),
      String(seed.inFlight),
      String(seed.failures),
      seed.slow ? "slow" : STANDINGS[seed.standing],
    ]),
    width,
  );
}

function newsLines(seed: SeedSnapshot, now: number, width: number): string[] {
  const news = newsOf(seed, now);
  return news === "" ? [] : wrap(news, width);
}

/** Why a seed does not give, or did not the last time; "" where there is nothing to tell. */
function newsOf({ seed, standing, reason, retryAt }: SeedSnapshot, now: number): string {
  if (reason === null) return "";
  const retry = retryAt === null ? "" : `, asked again ${inText(retryAt, now)}`;
  const when = standing === "joined" || standing === "back" ? ", last trouble" : retry;
  return printable(`${seed}${when}: ${reason}`);
}

const STANDINGS = {
  joined: "gives",
  back: "gives",
  dissents: "has other bytes",
  lacks: "does not have it",
  busy: "busy",
  failing: "away",
  corrupt: "sent wrong bytes",
  dropped: "given up",
} as const;
