import { assertEquals } from "@std/assert";
import { rivalTimeoutMs } from "../../core/plan/content_trials.ts";
import { faultsOfVote } from "../sim/vote_world.ts";

Deno.test("rivalPatienceMs() leaves time for the others, however many contents there are", () => {
  assertEquals(rivalTimeoutMs(120_000, 5000, 2), 15_000);
  assertEquals(rivalTimeoutMs(120_000, 5000, 100), 5000);
  assertEquals(rivalTimeoutMs(6000, 5000, 2), 3000);
});

const worlds = Number(Deno.env.get("P2P_WORLDS") ?? 2000);
Deno.test(`DownloadMachine ends with the right content in each of ${worlds} made-up votes that live, useful seeds do not outvote`, () => {
  for (let world = 0; world < worlds; world++) {
    assertEquals(faultsOfVote(world), [], `world ${world}`);
  }
});
