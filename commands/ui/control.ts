/** What came of pausing, resuming and cancelling, in a sentence. */
import {
  type ControlAction,
  type ControlOutcome,
  printable,
  type TaskStatus,
} from "../../core/mod.ts";

const DONE: Record<ControlAction, string> = {
  pause: "paused",
  resume: "goes on",
  cancel: "cancelled",
  "cancel-and-delete": "cancelled, and its partial file removed",
};

export function renderControlOutcome(
  order: ControlAction,
  { task, name, state }: TaskStatus,
  obedience: ControlOutcome,
): string {
  return printable(`${task}  ${name}: ${sentenceOf(order, obedience, state)}`);
}

function sentenceOf(
  order: ControlAction,
  obedience: ControlOutcome,
  state: TaskStatus["state"],
): string {
  if (state === "failed" && order === "cancel") return "had failed already";
  if (state === "failed" && order === "cancel-and-delete") {
    return "had failed already; its partial file is removed";
  }
  if (obedience === "already") {
    return order === "resume" ? "was not paused" : `was ${DONE[order]} already`;
  }
  if (obedience !== "kept") return DONE[order];
  return order === "pause"
    ? "paused: not running; p2p get continues it"
    : "unpaused; run p2p get to continue";
}
