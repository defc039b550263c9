/** Divides the file descriptors of the process among tasks and connections. */

/** How many descriptors can still be opened. */
export interface FreeDescriptors {
  readonly count: number;
  /** How many this process may have open, where that is why `count` is low. */
  readonly limit?: number | undefined;
}

export interface DescriptorShares {
  /** Tasks at a time. */
  readonly tasks: number;
  /** Connections to all seeds together. */
  readonly connections: number;
}

/** The part file, its journal, the log, and one for a moment, such as the folder to sync. */
const PER_TASK = 4;
/** For control files, name look-ups, sockets that are being closed, and the threads that hash. */
const RESERVED = 24;
/** Below this, not even one download works, and the runtime may abort. */
export const MIN_DESCRIPTORS = 12;
const MIN_CONNECTIONS = 2;

/** The number of descriptors that all of `wanted` needs. */
export function descriptorsFor({ tasks, connections }: DescriptorShares): number {
  return RESERVED + tasks * PER_TASK + connections;
}

/**
 * Divides `free` descriptors. If they are too few for all that is wanted, connections get a third and
 * tasks the rest; there is always at least one task and two connections.
 */
export function divideDescriptors(free: number, wanted: DescriptorShares): DescriptorShares {
  if (free >= descriptorsFor(wanted)) return wanted;
  const left = Math.max(0, free - RESERVED);
  const connections = Math.min(wanted.connections, Math.max(MIN_CONNECTIONS, Math.floor(left / 3)));
  const tasks = Math.min(wanted.tasks, Math.max(1, Math.floor((left - connections) / PER_TASK)));
  return {
    tasks,
    connections: Math.min(wanted.connections, Math.max(connections, left - tasks * PER_TASK)),
  };
}

/** How many more tasks fit into `free` descriptors beside those that run. */
export function additionalTasksFor(free: number): number {
  return Math.max(0, Math.floor((free - RESERVED) / PER_TASK));
}

const CODES = new Set(["EMFILE", "ENFILE"]);

/** Whether `error` says that this process, or the system, has too many open files. */
export function isOutOfDescriptors(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return CODES.has(String((error as { code?: unknown }).code)) ||
    /too many open files/i.test(error.message);
}
