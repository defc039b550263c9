/**
 * Runs the resolver and the scheduler through made-up worlds: `deno task simulate [count] [first]`.
 * A world that breaks a rule is printed with its number; `deno task simulate 1 <number>` meets it again.
 * `deno task simulate swarm [text]` runs swarms of receivers that share, those whose name has the text.
 */
import { faultsOfWorld, planOfWorld } from "../tests/sim/random_world.ts";
import { runSwarmCases } from "../tests/sim/swarm_worlds.ts";
import { faultsOfStream } from "../tests/sim/stream_world.ts";
import { faultsOfVote } from "../tests/sim/vote_world.ts";

if (Deno.args[0] === "swarm") {
  const bad = runSwarmCases(Deno.args[1] ?? "", (line) => console.log(line));
  Deno.exit(bad === 0 ? 0 : 1);
}
const [count = 1000, first = 0] = Deno.args.map(Number);
const startedAt = performance.now();
let bad = 0;
for (let world = first; world < first + count; world++) {
  const faults = [...faultsOfWorld(world), ...faultsOfVote(world), ...faultsOfStream(world)];
  if (faults.length === 0) continue;
  bad++;
  console.log(`world ${world}: ${faults.slice(0, 5).join("; ")}`);
  if (count === 1) console.log(JSON.stringify(planOfWorld(world), null, 2));
}
const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
console.log(`${count} worlds in ${seconds} s, ${bad} of them against the rules`);
Deno.exitCode = bad === 0 ? 0 : 1;
