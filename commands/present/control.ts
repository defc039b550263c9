/** What came of pausing, resuming and cancelling, in a sentence. */
import { type Obedience, type Order, printable, type TaskStatus } from "../../core/mod.ts";

const DONE: Record<Order, string> = {
  pause: "paused",
  resume: "goes on",
  cancel: "cancelled",
  "cancel-and-delete": "cancelled, and its partial file removed",
};

export function renderObedience(
  order: Order,
  { task, name }: TaskStatus,
  obedience: Obedience,
): string {
  return printable(`${task}  ${name}: ${sentenceOf(order, obedience)}`);
}

function sentenceOf(order: Order, obedience: Obedience): string {
  if (obedience === "already") {
    return order === "resume" ? "was not paused" : `was ${DONE[order]} already`;
  }
  if (obedience !== "kept") return DONE[order];
  return order === "pause"
    ? "paused: the next p2p get of it will wait for p2p resume"
    : "no longer paused: run p2p get again";
}
