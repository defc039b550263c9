/** What can limit a task, and what is said of it. */
import type { Span } from "../../../core/mod.ts";

/** Where its time goes, or, of the time for bytes, what of this computer they wait for. */
export type Cause = Span | "stopped" | "processor" | "disk" | "nothing";

export interface Diagnosis {
  readonly cause: Cause;
  /** Without the task's name in front. */
  readonly sentence: string;
  /** The next step; undefined where there is nothing to do. */
  readonly advice: string | undefined;
}

export const LABELS: Record<Span, string> = {
  place: "in the queue",
  paused: "paused",
  room: "no room on the disk",
  asking: "asking seeds",
  pending: "seeds hashing",
  busy: "seeds busy",
  unreachable: "no seed reachable",
  checking: "checking this disk",
  limit: "your limit",
  bytes: "receiving",
  finishing: "syncing",
};
