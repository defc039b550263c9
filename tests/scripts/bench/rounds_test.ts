import { assertEquals } from "@std/assert";
import { orderOf, runRounds } from "../../../scripts/bench/measure.ts";

Deno.test("orderOf() is reversed in every second round", () => {
  assertEquals([0, 1, 2].map((round) => orderOf(3, round)), [[0, 1, 2], [2, 1, 0], [0, 1, 2]]);
});

Deno.test("runRounds() runs all cases in each round, and keeps each one's results in the order of the rounds", async () => {
  const ran: string[] = [];
  const results = await runRounds(["a", "b"], 2, (one, round) => {
    ran.push(one + round);
    return Promise.resolve(one + round);
  });
  assertEquals(ran, ["a0", "b0", "b1", "a1"]);
  assertEquals(Array.from(results), [["a", ["a0", "a1"]], ["b", ["b0", "b1"]]]);
});
