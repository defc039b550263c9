/** Streams in simulated worlds: order, a bounded window, liars, stalls and slow readers. */
import { assertEquals } from "@std/assert";
import { faultsOfStream } from "../sim/stream_world.ts";
import { type DownloadEnd, runWorld, type WorldPlan } from "../sim/world.ts";

const MIB = 1024 * 1024;

Deno.test("1,000 streams keep their order and window, whatever seeds and readers do", () => {
  for (let number = 0; number < 1000; number++) {
    assertEquals(faultsOfStream(number), [], `stream ${number}`);
  }
});

function endOf(world: Omit<WorldPlan, "dice">): DownloadEnd {
  return runWorld({ ...world, dice: 1 }).downloads[0]!;
}

Deno.test("a stream is as fast as its fastest seed, however slow another one is", () => {
  const stream = { windowPieces: 40, msAPiece: 0 };
  const downloads = [{ size: 200 * MIB, maxInFlight: 42, stream }];
  const fast = { name: "fast", rate: 20 * MIB, latencyMs: 5 };
  const alone = endOf({ downloads, seeds: [fast] });
  const helped = endOf({ downloads, seeds: [fast, { name: "slow", rate: 50_000, latencyMs: 5 }] });
  assertEquals([alone.how, helped.how], ["complete", "complete"]);
  const part = helped.ms / alone.ms;
  assertEquals(part < 1.1 ? "as fast" : `${helped.ms} ms against ${alone.ms} ms`, "as fast");
});

Deno.test("a reader that stops for an hour is no seed's silence", () => {
  const stream = { windowPieces: 4, msAPiece: 10, pause: { after: 3, ms: 3_600_000 } };
  const downloads = [{ size: 20 * MIB, maxInFlight: 6, giveUpMs: 5000, stream }];
  const end = endOf({ downloads, seeds: [{ name: "s0", rate: 10 * MIB }] });
  assertEquals([end.how, end.faults], ["complete", []]);
});

Deno.test("a seed that stops while the reader waits is given up all the same", () => {
  const stream = { windowPieces: 4, msAPiece: 10 };
  const downloads = [{ size: 20 * MIB, maxInFlight: 6, giveUpMs: 5000, stream }];
  const end = endOf({ downloads, seeds: [{ name: "s0", rate: 10 * MIB, silentFromMs: 500 }] });
  assertEquals(end.how, "give-up");
});

Deno.test("a stream that begins in the middle requests nothing before", () => {
  const stream = { windowPieces: 3, msAPiece: 1, firstPiece: 15 };
  const downloads = [{ size: 20 * MIB, maxInFlight: 5, stream }];
  const end = endOf({ downloads, seeds: [{ name: "s0", rate: 10 * MIB }] });
  assertEquals([end.how, end.faults, end.twice], ["complete", [], 0]);
});
