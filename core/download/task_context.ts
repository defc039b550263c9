/** What a task works with: shared by all tasks of a process, except permit, rate limit and events. */
import type { Clock } from "../base/clock.ts";
import type { DownloadSettings } from "../config.ts";
import type { TaskEventData } from "../events.ts";
import type { RateLimit } from "../source/source.ts";
import type { Hasher } from "../hash/pool.ts";
import type { SourcePool } from "../source/pool.ts";
import type { Sharing } from "./share.ts";
import type { Prefetch } from "./prefetch.ts";
import type { MemoryShares } from "./memory_shares.ts";
import type { PieceBuffers } from "./piece_buffers.ts";
import type { Permit } from "./run_queue.ts";
import type { StoreOptions } from "../store/stored_file.ts";

export interface TaskContext {
  readonly settings: DownloadSettings;
  readonly pool: SourcePool;
  readonly prefetch: Prefetch;
  /** undefined: nothing is shared. */
  readonly sharing: Sharing | undefined;
  readonly clock: Clock;
  readonly random: () => number;
  readonly store: StoreOptions;
  /** Buffers for the pieces of all tasks. */
  readonly memory: PieceBuffers;
  readonly hasher: Hasher;
  /** How that memory is divided among the tasks. */
  readonly shares: MemoryShares;
  /** Targets to which earlier runs downloaded this content. */
  partialsOf(id: string): string[];
  readonly permit: Permit;
  /** undefined: no limit. */
  readonly rateLimit: RateLimit | undefined;
  readonly emit: (data: TaskEventData) => void;
}
