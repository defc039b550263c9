/** Tasks of all processes, as a table or one in detail. */
import type { Overview, TaskStatus } from "../../core/mod.ts";
import { renderDetail, renderTable } from "./table.ts";
import { formatBytes, formatEta, formatMoment, formatPart, formatRate } from "./units.ts";

export const NOTHING_ACTIVE = "No active downloads.";

export function renderStatus({ tasks, moreWaiting }: Overview): string[] {
  if (tasks.length === 0) return [NOTHING_ACTIVE];
  const more = moreWaiting > 0 ? [`and ${moreWaiting} more waiting (all of them with --json)`] : [];
  return [...tableOf(tasks), ...more];
}

function tableOf(tasks: readonly TaskStatus[]): string[] {
  return renderTable(
    [
      { title: "TASK" },
      { title: "STATE" },
      { title: "%", right: true },
      { title: "SIZE", right: true },
      { title: "RATE", right: true },
      { title: "ETA", right: true },
      { title: "SEEDS", right: true },
      { title: "NAME" },
    ],
    tasks.map((task) => [
      task.task,
      task.state,
      percentText(task),
      sizeText(task),
      rateText(task),
      formatEta(task.etaMs),
      task.seeds.length === 0 ? "-" : String(task.seeds.length),
      task.name,
    ]),
  );
}

export function renderTask(task: TaskStatus): string[] {
  const optional: [string, string | null][] = [
    ["error", task.error],
    ["process", task.pid === null ? null : String(task.pid)],
  ];
  return renderDetail([
    ["task", task.task],
    ["name", task.name],
    ["state", task.state],
    ["size", `${sizeText(task)} (${percentText(task)})`],
    ["rate", rateText(task)],
    ["ETA", formatEta(task.etaMs)],
    ["seeds", task.seeds.join(", ") || "-"],
    ["path", task.path],
    ["verified", task.verified ? "yes" : "no"],
    ...optional.filter((entry): entry is [string, string] => entry[1] !== null),
    ["updated", formatMoment(task.updatedAt)],
  ]);
}

/** The fields of `status --json`, in their order. */
export function statusFields(task: TaskStatus): object {
  const { name, state, size, downloaded, percent, rate, etaMs } = task;
  const { seeds, path, pid, verified, error } = task;
  return {
    task: task.task,
    name,
    state,
    size,
    downloaded,
    percent,
    rate,
    etaMs,
    seeds,
    path,
    pid,
    verified,
    error,
  };
}

function percentText({ percent }: TaskStatus): string {
  return percent === null ? "-" : `${Math.floor(percent)}%`;
}

function sizeText({ downloaded, size }: TaskStatus): string {
  return size === null ? `${formatBytes(downloaded)}/?` : formatPart(downloaded, size);
}

function rateText({ state, rate }: TaskStatus): string {
  return state === "downloading" ? formatRate(rate) : "-";
}
