/** One task in detail, for `p2p status <task>`. */
import type { TaskStatus } from "../../core/mod.ts";
import { percentText, rateText, sizeText } from "./status.ts";
import { renderDetail } from "./table.ts";
import { stateWord } from "./task_row.ts";
import { formatEta, formatMoment } from "./units.ts";
import { renderInside } from "./watch/task_page.ts";

/** Only pieces and seeds are fitted to `width`. @param now ms since 1970 */
export function renderTask(task: TaskStatus, now: number, width: number): string[] {
  const entries = renderDetail([
    ["task", task.task],
    ["name", task.name],
    ["state", stateText(task)],
    ["size", `${sizeText(task)} (${percentText(task)})`],
    ["rate", rateText(task)],
    ["ETA", formatEta(task.etaMs)],
    ["seeds", task.seeds.join(", ") || "-"],
    ["path", task.path],
    ["verified", verifiedText(task)],
    ["error", task.error],
    ["process", task.pid === null ? null : String(task.pid)],
    ["updated", formatMoment(task.updatedAt)],
  ]);
  return [...entries, ...renderInside(task.detail, now, width)];
}

function stateText(task: TaskStatus): string {
  const word = stateWord(task);
  if (word === "stopped") return "stopped; run the same p2p get again to resume";
  return task.pausedBy === "user" ? `paused by you; run p2p resume ${task.task} to continue` : word;
}

/** A partial file has only verified pieces. */
function verifiedText({ state, verified, size }: TaskStatus): string {
  if (!verified) return size === null ? "-" : "no: its seeds offer no digests";
  return state === "done" ? "yes" : "every piece so far";
}
