/** `p2p status --json`. */
import type { QuarantinedPart, TaskStatus } from "../../core/mod.ts";
import { jsonLine, pick } from "./json.ts";

export function renderStatusJson(
  tasks: readonly TaskStatus[],
  asides?: readonly QuarantinedPart[],
): string {
  return jsonLine({ tasks: tasks.map(fieldsOf), ...(asides ? { asides } : {}) });
}

/** In their order. */
function fieldsOf(task: TaskStatus): object {
  return {
    ...pick(task, ["task", "name", "state", "size", "downloaded", "percent", "rate", "etaMs"]),
    ...pick(task, ["seeds", "path", "pid", "verified", "error", "pausedBy"]),
  };
}
