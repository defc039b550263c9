/** The signals that ask p2p to end. */
import type { StopSignal } from "./present/failure.ts";

/**
 * @param platform as `Deno.build.os` names it. Windows has no SIGTERM, and listening to it would throw.
 * @param terminal whether any standard stream is a terminal. SIGHUP says that it is gone. Without one,
 * SIGHUP keeps its default: listening would undo `nohup`, which makes the process ignore it.
 */
export function stopSignalsOf(platform: string, terminal: boolean): readonly StopSignal[] {
  if (platform === "windows") return ["SIGINT"];
  return terminal ? ["SIGINT", "SIGTERM", "SIGHUP"] : ["SIGINT", "SIGTERM"];
}
