/** The signals that ask p2p to end. */
import type { StopSignal } from "./ui/failure.ts";

/**
 * The runtime ends the process at SIGHUP, even under `nohup`, as soon as it listens to any signal:
 * listening to SIGHUP as well makes that end a clean one.
 *
 * @param platform as `Deno.build.os` names it. Windows has no SIGTERM, and listening to it would throw.
 */
export function stopSignalsOf(platform: string): readonly StopSignal[] {
  return platform === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM", "SIGHUP"];
}
