/** What every task is given: the same for all of one process, but for the events. */
import type { Clock } from "../base/clock.ts";
import type { DownloadSettings } from "../config.ts";
import type { TaskEventData } from "../events.ts";
import type { RateLimit } from "../source/source.ts";
import type { Hasher } from "../hash/pool.ts";
import type { SourcePool } from "../source/pool.ts";
import type { Prefetch } from "./prefetch.ts";
import type { PieceBuffers } from "./piece_memory.ts";
import type { Permit } from "./permit.ts";
import type { StoreOptions } from "../store/stored_file.ts";

export interface TaskContext {
  readonly settings: DownloadSettings;
  readonly pool: SourcePool;
  readonly prefetch: Prefetch;
  readonly clock: Clock;
  readonly random: () => number;
  readonly store: StoreOptions;
  /** For the pieces of all tasks. */
  readonly memory: PieceBuffers;
  readonly hashers: Hasher;
  /** Pieces that one task may have in flight. */
  maxInFlight(pieceSize: number): number;
  /** Where an earlier run began to put this content, under whatever name. */
  partialsOf(id: string): string[];
  /** Its place among those that run. */
  readonly permit: Permit;
  /** The limits on bytes a second, where there are any. */
  readonly rateLimit: RateLimit | undefined;
  readonly emit: (news: TaskEventData) => void;
}
