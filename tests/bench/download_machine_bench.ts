/**
 * What deciding costs: whole downloads in which seeds answer at once, so that nothing but the
 * state machine takes time. Where ten times the pieces take more than ten times as long, it grows.
 */
import { layoutOf } from "../../core/base/pieces.ts";
import { DownloadMachine } from "../../core/plan/download_machine.ts";
import type { DownloadCommand, DownloadEvent } from "../../core/plan/messages.ts";

const MIB = 1024 * 1024;
/** What one of three downloads at a time may have. */
const MAX_IN_FLIGHT = 21;
/** A piece comes in parts, each reported. */
const PARTS = 2;

const downloads = [
  { pieces: 1000, seeds: 1 },
  { pieces: 1000, seeds: 4 },
  { pieces: 1000, seeds: 32 },
  { pieces: 10_000, seeds: 4 },
];
for (const { pieces, seeds } of downloads) {
  const name = `schedule ${pieces} pieces from ${seeds} seeds`;
  Deno.bench(name, { group: "schedule", baseline: seeds === 1 }, () => download(pieces, seeds));
}

/** @throws {Error} if it does not end: then nothing was measured. */
function download(pieces: number, seeds: number): void {
  const ids = Array.from({ length: seeds }, (_, i) => `seed-${i}`);
  let nowMs = 0;
  const machine = new DownloadMachine({
    sources: ids.map((id) => ({ id, troubled: false, known: true })),
    wanted: { id: undefined, sha256: undefined },
    requireVerified: false,
    giveUpMs: 120_000,
    stallMs: 5000,
    minBytesPerSecond: 128,
    random: () => 0.5,
  }, nowMs);
  const requests: number[] = [];
  const layout = layoutOf(pieces * MIB);
  const perform = (commands: readonly DownloadCommand[]): boolean => {
    for (const command of commands) {
      if (command.kind === "request") requests.push(command.request);
      if (command.kind === "finish") return true;
      if (command.kind !== "open") continue;
      const missing = Array.from({ length: pieces }, (_, i) => i);
      return send({ kind: "opened", layout, missing, maxInFlight: MAX_IN_FLIGHT });
    }
    return false;
  };
  const send = (event: DownloadEvent) => perform(machine.handle(event, nowMs));
  perform(machine.start(nowMs));
  const answer = { kind: "manifest", id: "a", size: layout.size, sha256: "a" } as const;
  for (const source of ids) send({ kind: "answered", source, answer });
  let complete = false;
  for (let next = 0; !complete; next++, nowMs++) {
    const request = requests[next];
    if (request === undefined) throw new Error("The machine requests nothing more");
    for (let i = 0; i < PARTS; i++) send({ kind: "received", request, bytes: MIB / PARTS });
    complete = send({ kind: "stored", request });
  }
}
