/** What every task is given: the same for all of one process, but for the events. */
import type { Clock } from "../base/clock.ts";
import type { DownloadSettings } from "../config.ts";
import type { TaskEvent } from "../events.ts";
import type { Pace } from "../net/seed_link.ts";
import type { SeedPool } from "../net/seed_pool.ts";
import type { StoreTerms } from "../store/stored_file.ts";

/** An event without what every event has. */
export type TaskNews = TaskEvent extends infer Event
  ? Event extends TaskEvent ? Omit<Event, "task" | "time"> : never
  : never;

export interface TaskParts {
  readonly settings: DownloadSettings;
  readonly pool: SeedPool;
  readonly clock: Clock;
  readonly random: () => number;
  readonly store: StoreTerms;
  /** Pieces that one task may have in flight. */
  mostInFlight(pieceSize: number): number;
  /** The limits on bytes a second, where there are any. */
  readonly pace: Pace | undefined;
  readonly tell: (news: TaskNews) => void;
}
