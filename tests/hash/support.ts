/** Starts a hashing worker as the program does. */
export function startHasher(): Worker {
  const code = new URL("../../core/hash/worker.ts", import.meta.url);
  return new Worker(code, { type: "module" });
}
