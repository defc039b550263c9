/** Tasks of all processes as a table, one in detail, and the results of actions on them. */
import {
  type ControlAction,
  type ControlOutcome,
  etaMs,
  isActive,
  isOver,
  type Overview,
  printable,
  type QuarantinedPart,
  type TaskStatus,
} from "../../core/mod.ts";
import { type Column, renderTable } from "./table.ts";
import { stateWord } from "./task_row.ts";
import {
  countsText,
  formatBytes,
  formatEta,
  formatMinute,
  formatPart,
  formatRate,
} from "./units.ts";
import { fitLine, shortenEnd } from "./width.ts";

export const NOTHING_ACTIVE = "No active downloads.";

/** @param width of the widest line that fits. */
export function renderStatus({ tasks, moreWaiting }: Overview, width: number): string[] {
  if (tasks.length === 0) return [NOTHING_ACTIVE];
  const more = moreWaiting > 0 ? [`and ${moreWaiting} more waiting (see all with --json)`] : [];
  return [...tableOf(tasks, width), ...more];
}

function tableOf(tasks: readonly TaskStatus[], width: number): string[] {
  // For finished tasks, time and reason matter more than speed.
  const over = tasks.some(({ state }) => isOver(state));
  const columns: Column<TaskStatus>[] = [
    // First to go: a name selects a task as well as an id.
    { title: "TASK", spare: 5, text: ({ task }) => task },
    { title: "STATE", text: stateWord },
    { title: "%", right: true, spare: 6, text: percentText },
    { title: "SIZE", right: true, spare: 2, text: sizeText },
    { title: "RATE", right: true, spare: 4, text: rateText },
    { title: "ETA", right: true, spare: 3, text: ({ etaMs }) => formatEta(etaMs) },
    { title: "SEEDS", right: true, spare: 1, text: ({ seeds }) => String(seeds.length || "-") },
    { title: "UPDATED", spare: 2, text: ({ updatedAt }) => formatMinute(updatedAt) },
    { title: "NAME", cut: true, text: ({ name }) => name },
    { title: "ERROR", spare: 0, text: errorText },
  ];
  const shown = columns.filter(({ title }) => over || (title !== "UPDATED" && title !== "ERROR"));
  return renderTable(shown, tasks, width);
}

/** The details of a task show the whole error. */
const MAX_ERROR_WIDTH = 50;

function errorText({ error }: TaskStatus): string {
  return shortenEnd(printable(error ?? "-"), MAX_ERROR_WIDTH);
}

export function renderAsides(asides: readonly QuarantinedPart[]): string[] {
  if (asides.length === 0) return [];
  return [
    "",
    "Partial files of other versions, removed after 30 days:",
    ...asides.map(({ path, bytes }) => `  ${formatBytes(bytes)}  ${path}`),
  ];
}

/** All unfinished tasks in one line: the longest form that fits, or the shortest. */
export function summaryOf({ tasks, moreWaiting }: Overview, width: number): string {
  const counts = { active: 0, paused: 0, waiting: moreWaiting };
  let rate = 0;
  let missing = moreWaiting > 0 ? null : 0;
  for (const { state, size, downloaded, rate: one } of tasks) {
    if (isOver(state)) continue;
    rate += one;
    counts[isActive(state) ? "active" : state === "paused" ? "paused" : "waiting"]++;
    // A paused task has no end to wait for.
    if (state === "paused" || missing === null) continue;
    missing = size === null ? null : missing + size - downloaded;
  }
  const { active, paused, waiting } = counts;
  if (active + paused + waiting === 0) return NOTHING_ACTIVE;
  const eta = missing === null || active + waiting === 0 ? null : etaMs(missing, rate);
  const counted = countsText({ active, waiting, paused }, ["active"]);
  const speed = formatRate(rate);
  const forms = [
    ...eta === null ? [] : [`${counted}  ${speed}  ETA ${formatEta(eta)}`],
    `${counted}  ${speed}`,
    `${counted.split(", ", 2).join(", ")}  ${speed}`,
    `${active} active  ${speed}`,
  ];
  return fitLine(forms, width);
}

export function percentText({ percent }: TaskStatus): string {
  return percent === null ? "-" : `${Math.floor(percent)}%`;
}

export function sizeText({ downloaded, size }: TaskStatus): string {
  return size === null ? `${formatBytes(downloaded)}/?` : formatPart(downloaded, size);
}

export function rateText({ state, rate }: TaskStatus): string {
  return state === "downloading" ? formatRate(rate) : "-";
}

const DONE: Record<ControlAction, string> = {
  pause: "paused",
  resume: "resumed",
  cancel: "cancelled",
  "cancel-and-delete": "cancelled and its partial file removed",
};

export function renderControlOutcome(
  action: ControlAction,
  { task, name, state }: TaskStatus,
  outcome: ControlOutcome,
): string {
  return printable(`${task}  ${name}: ${sentenceOf(action, outcome, state)}`);
}

function sentenceOf(
  action: ControlAction,
  outcome: ControlOutcome,
  state: TaskStatus["state"],
): string {
  if (state === "failed" && action.startsWith("cancel")) {
    const removed = action === "cancel-and-delete" ? "; its partial file was removed" : "";
    return `had failed already${removed}`;
  }
  if (outcome === "already") {
    return action === "resume" ? "was not paused" : `was ${DONE[action]} already`;
  }
  if (outcome !== "kept") return DONE[action];
  return action === "pause"
    ? "paused; not running, p2p get continues it"
    : "unpaused; run p2p get to continue";
}
