/** By which signals somebody asks p2p to end. */
import type { StopSignal } from "./present/failure.ts";

/** @param platform as `Deno.build.os` names it. Windows knows no SIGTERM, and listening to it would throw. */
export function stopSignalsOf(platform: string): readonly StopSignal[] {
  return platform === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM"];
}
