import { assertEquals } from "@std/assert";
import { GainLog } from "../../../core/serve/swarm/gain_log.ts";
import { MAX_INDICES_IN_LINE } from "../../../core/protocol/swarm.ts";

Deno.test("GainLog tells what was gained after a position", () => {
  const log = new GainLog([5, 2]);
  log.add(9);
  log.add(5);
  assertEquals(log.count, 3);
  assertEquals(log.since(0), [5, 2, 9]);
  assertEquals(log.since(2), [9]);
  assertEquals(log.since(3), []);
  assertEquals(log.since(4), undefined);
});

Deno.test("GainLog does not answer positions from before a loss", () => {
  const log = new GainLog([0, 1, 2]);
  log.reset([0, 2]);
  for (const known of [0, 1, 2, 3]) assertEquals(log.since(known), undefined);
  const known = log.count;
  log.add(1);
  assertEquals(log.since(known), [1]);
  assertEquals([log.has(1), log.has(3), log.size], [true, false, 3]);
});

Deno.test("GainLog tells no more at a time than a line can hold", () => {
  const log = new GainLog(Array.from({ length: MAX_INDICES_IN_LINE + 1 }, (_, piece) => piece));
  assertEquals(log.since(0)!.length, MAX_INDICES_IN_LINE);
  assertEquals(log.since(MAX_INDICES_IN_LINE), [MAX_INDICES_IN_LINE]);
});
