import { HasherPool } from "../../core/hash/pool.ts";

/** Starts a hashing worker as the program does. */
export function startHasher(): Worker {
  const code = new URL("../../core/hash/worker.ts", import.meta.url);
  return new Worker(code, { type: "module" });
}

/** Hashes on the main thread, as on a single processor. */
export const noWorkers = new HasherPool(0, startHasher);
