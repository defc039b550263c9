/** A server that runs while others download from it, and what it costs. */
import { cpuMsOf, familyOf, forgetHighWater, highWaterKiB } from "./process_usage.ts";

export interface ServerCost {
  /** Of all processes together. */
  readonly cpuMs: number;
  /** Of the largest process. */
  readonly residentKiB: number;
}

export class Server implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;

  constructor(process: Deno.ChildProcess) {
    this.#process = process;
  }

  /** nginx is a family: who accepts is not who serves. */
  processes(): number[] {
    return familyOf(this.#process.pid);
  }

  /** Without ado, but so that a family can end its children. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#process.kill("SIGTERM");
    } catch {
      // It has ended.
    }
    const late = setTimeout(() => this.#process.kill("SIGKILL"), 5000);
    await this.#process.status;
    clearTimeout(late);
  }
}

/** Begins to count; call the result to have what it cost since. */
export function countCost(servers: readonly Server[]): () => ServerCost {
  const pids = servers.flatMap((server) => server.processes());
  for (const pid of pids) forgetHighWater(pid);
  const cpuMs = () => pids.reduce((sum, pid) => sum + cpuMsOf(pid), 0);
  const before = cpuMs();
  return () => ({
    cpuMs: cpuMs() - before,
    residentKiB: Math.max(0, ...pids.map(highWaterKiB)),
  });
}
