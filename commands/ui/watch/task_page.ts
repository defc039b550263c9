/** The page of one task: progress, pieces, seeds and paths. */
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
import { withoutSeed } from "../list.ts";
import { type Column, renderDetail, renderTable } from "../table.ts";
import { formatBytes, formatElapsed, formatRate, formatTime, plural } from "../units.ts";
import { shortenEnd, shortenMiddle, wrap } from "../width.ts";

/** What is known of a task; where its time goes may not have been read yet. */
interface TaskInfo {
  readonly task: TaskStatus;
  readonly theCase?: TaskCase;
}

/** No line is wider than `width`. @param now ms since 1970 */
export function renderTaskPage({ task, theCase }: TaskInfo, now: number, width: number): string[] {
  const layout = layoutRows([task], width);
  return [
    renderRow(task, layout),
    "",
    ...renderDetail(entriesOf(task, now, width)),
    ...theCase === undefined ? [] : ["", ...renderWhy(theCase, width)],
    ...renderInside(task.detail, now, width),
  ].map((line) => shortenEnd(line, width));
}

export function renderInside(detail: TaskDetail | null, now: number, width: number): string[] {
  if (detail === null) return [];
  const { pieces, seeds, moreSeeds } = detail;
  return [
    ...pieces === null ? [] : ["", ...renderPieces(pieces, width)],
    ...seeds.length === 0 ? [] : ["", ...renderTable(SEED_COLUMNS, seeds, width)],
    ...seeds.flatMap((seed) => newsLines(seed, now, width)),
    ...moreSeeds > 0 ? [`and ${plural(moreSeeds, "more seed")}`] : [],
  ];
}

/** What limits it, where its time went, and what to do, as in `p2p why`. */
function renderWhy(theCase: TaskCase, width: number): string[] {
  const { sentence, advice } = diagnosisOf(theCase);
  const lines = [
    `it ${sentence}`,
    ...theCase.account === null ? [] : [`time: ${timesOf(theCase.account)}`],
    ...advice === undefined ? [] : [`try: ${advice}`],
  ];
  return lines.flatMap((line) => wrap(printable(line), width));
}

function entriesOf(task: TaskStatus, now: number, width: number): [string, string | null][] {
  return [
    ["task", task.task],
    ["state", stateText(task, now)],
    ["error", task.error],
    ["trouble", task.detail?.trouble ?? null],
    ["next try", nextTry(task.detail, now)],
    ["path", shortenMiddle(printable(task.path), width - LABEL)],
    ["partial", task.downloaded > 0 && task.state !== "done" ? partialOf(task.path, width) : null],
    ["id", task.id === null ? null : shortenMiddle(task.id, width - LABEL)],
    ["process", task.pid === null ? null : String(task.pid)],
  ];
}

/** The width of the labels of `renderDetail` here. */
const LABEL = 10;

function partialOf(path: string, width: number): string {
  const name = path.slice(path.replaceAll("\\", "/").lastIndexOf("/") + 1);
  return shortenMiddle(printable(`${name}.p2p-part`), width - LABEL);
}

function stateText(task: TaskStatus, now: number): string {
  const { pausedBy, since } = task;
  const word = pausedBy === "user" ? "paused by you" : stateWord(task);
  return `${word} for ${formatElapsed(Math.max(0, now - since))}, since ${formatTime(since)}`;
}

function nextTry(detail: TaskDetail | null, now: number): string | null {
  const [next] = (detail?.seeds ?? [])
    .flatMap(({ seed, retryAt }) => retryAt === null ? [] : [{ seed, retryAt }])
    .sort((a, b) => a.retryAt - b.retryAt);
  return next === undefined ? null : `${next.seed} ${inText(next.retryAt, now)}`;
}

function inText(time: number, now: number): string {
  return time <= now ? "now" : `in ${formatElapsed(time - now)}`;
}

/** The file from beginning to end; each sign stands for the same number of pieces. */
function renderPieces({ count, cells }: PiecesSnapshot, width: number): string[] {
  const signs = cells.map((there, i) =>
    there === 0 ? "." : there >= sizeOfCell(i, cells.length, count) ? "#" : "+"
  ).join("");
  const there = cells.reduce((sum, cell) => sum + cell, 0);
  const across = Math.max(1, Math.min(width - 2, signs.length));
  const lines = signs.match(new RegExp(`.{1,${across}}`, "g")) ?? [];
  return [
    ...wrap(`${there} of ${plural(count, "piece")} downloaded (# all, + some, . none):`, width),
    ...lines.map((line) => `  ${line}`),
  ];
}

const SEED_COLUMNS: readonly Column<SeedSnapshot>[] = [
  { title: "SEED", cut: true, text: ({ seed }) => seed },
  { title: "RATE", right: true, spare: 4, text: ({ rate }) => formatRate(rate) },
  { title: "SENT", right: true, spare: 3, text: ({ bytes }) => formatBytes(bytes) },
  { title: "ASKED", right: true, spare: 1, text: ({ inFlight }) => String(inFlight) },
  { title: "FAULTS", right: true, spare: 2, text: ({ failures }) => String(failures) },
  { title: "STATE", text: ({ slow, standing }) => slow ? "slow" : STANDINGS[standing] },
];

function newsLines(
  { seed, standing, reason, retryAt }: SeedSnapshot,
  now: number,
  width: number,
): string[] {
  if (reason === null) return [];
  const last = standing === "joined" || standing === "back" ? ", last trouble" : "";
  const retry = last !== "" || retryAt === null ? "" : `; next try ${inText(retryAt, now)}`;
  return wrap(printable(`${seed}${last}: ${withoutSeed(seed, reason)}${retry}`), width);
}

const STANDINGS = {
  joined: "active",
  back: "active",
  dissents: "differs",
  lacks: "does not have it",
  busy: "busy",
  failing: "no answer",
  corrupt: "sent corrupt data",
  dropped: "given up",
} as const;
