/** Keeps what seeds said at their greetings from one process to the next. */
import type { GreetingMemory } from "../source/greeting_memory.ts";
import { readKnownSeeds, writeKnownSeeds } from "../state/known_seeds.ts";

/** Reads what earlier processes remembered; disposing the result writes what is new. */
export function keepGreetings(
  stateDir: string,
  greetings: GreetingMemory | undefined,
): Disposable {
  greetings?.add(readKnownSeeds(stateDir));
  return {
    [Symbol.dispose]() {
      if (greetings?.changed) writeKnownSeeds(stateDir, greetings.entries());
    },
  };
}
