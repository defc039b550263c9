/** Patterns for names. */

/** Whether `pattern` may mean several names. */
export function isGlob(pattern: string): boolean {
  return /[*?[\]{}]/.test(pattern);
}

/** The message for patterns without a match. */
export function noMatchMessage(patterns: readonly string[]): string {
  return `Cannot find ${patterns.map((each) => `"${each}"`).join(", ")}: no seed has a match`;
}
