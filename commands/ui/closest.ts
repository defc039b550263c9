/** The word that somebody may have meant. */

/** The nearest of `words`, or undefined when none is near. */
export function closest(
  word: string,
  words: readonly string[],
): string | undefined {
  const ranked = words
    .map((each) => ({ each, distance: distance(word, each) }))
    .toSorted((a, b) => a.distance - b.distance);
  const best = ranked[0];
  const near = Math.max(2, Math.floor(word.length / 3));
  return best && best.distance <= near ? best.each : undefined;
}

/** Levenshtein's: how many letters to add, take away or change. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
