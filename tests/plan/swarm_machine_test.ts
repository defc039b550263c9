/** The timer of a swarm's state machine. */
import { assert } from "@std/assert";
import { SwarmMachine } from "../../core/plan/swarm_machine.ts";

const SEED = "seed:7000";
const PEER = "peer:7000";

Deno.test("A timer that is handled at its time is not set to that time again", () => {
  let rounded = 0;
  for (let index = 1; index <= 50_000; index++) {
    const startMs = index * 0.137;
    // The difference of two such times is now and then smaller than what was added.
    if (startMs + 5000 - startMs < 5000) rounded++;
    const machine = new SwarmMachine(() => 0.5, startMs);
    machine.start(startMs);
    machine.handle({ kind: "seed", seed: SEED }, startMs);
    machine.handle({ kind: "joined", hub: SEED, peers: [PEER] }, startMs);
    const report = { kind: "map", pieces: [], known: 0, queue: 0 } as const;
    machine.handle({ kind: "has", peer: PEER, report }, startMs);
    for (const atMs of [startMs + 500, startMs + 5000]) {
      for (const command of machine.handle({ kind: "timer" }, atMs)) {
        if (command.kind === "setTimer") assert(command.atMs > atMs, `${startMs}: ${command.atMs}`);
      }
    }
  }
  assert(rounded > 0, "no start makes a difference that is rounded down");
});
