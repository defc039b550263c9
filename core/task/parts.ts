/** What every task is given: the same for all of one process, but for the events. */
import type { Clock } from "../base/clock.ts";
import type { DownloadSettings } from "../config.ts";
import type { TaskNews } from "../events.ts";
import type { Pace } from "../net/read_options.ts";
import type { Hashers } from "../hash/hashers.ts";
import type { SeedPool } from "../net/seed_pool.ts";
import type { Foresight } from "./foresight.ts";
import type { PieceMemory } from "./piece_memory.ts";
import type { Place } from "./place.ts";
import type { StoreTerms } from "../store/stored_file.ts";

export interface TaskParts {
  readonly settings: DownloadSettings;
  readonly pool: SeedPool;
  readonly foresight: Foresight;
  readonly clock: Clock;
  readonly random: () => number;
  readonly store: StoreTerms;
  /** For the pieces of all tasks. */
  readonly memory: PieceMemory;
  readonly hashers: Hashers;
  /** Pieces that one task may have in flight. */
  mostInFlight(pieceSize: number): number;
  /** Where an earlier run began to put this content, under whatever name. */
  begunWith(id: string): string[];
  /** Its place among those that run. */
  readonly place: Place;
  /** The limits on bytes a second, where there are any. */
  readonly pace: Pace | undefined;
  readonly tell: (news: TaskNews) => void;
}
