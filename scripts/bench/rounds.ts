/** Rounds over all cases in turn, so that what drifts (heat, write-back, neighbours) meets all of them alike. */

/** The order of `count` cases in one round: reversed in every second, so that none always follows the same one. */
export function orderOf(count: number, round: number): number[] {
  const order = Array.from({ length: count }, (_, i) => i);
  return round % 2 === 0 ? order : order.reverse();
}

/** What `run` gave for each case, in the order of the rounds. */
export async function runRounds<Case, Result>(
  cases: readonly Case[],
  rounds: number,
  run: (one: Case, round: number) => Promise<Result>,
): Promise<Map<Case, Result[]>> {
  const results = new Map(cases.map((one) => [one, [] as Result[]]));
  for (let round = 0; round < rounds; round++) {
    for (const i of orderOf(cases.length, round)) {
      const one = cases[i]!;
      results.get(one)!.push(await run(one, round));
    }
  }
  return results;
}
