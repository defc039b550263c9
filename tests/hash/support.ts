/** The thread that hashes, as the program starts it. */
export function startHasher(): Worker {
  const code = new URL("../../core/hash/worker.ts", import.meta.url);
  return new Worker(code, { type: "module" });
}
