/** Keys as somebody types them, until nobody does any more. */
import type { Input } from "./environment.ts";
import { type Key, keysOfRest, parseKeys } from "./ui/watch/keys.ts";

/** A terminal sends a whole sequence at once: what comes later was typed later. */
const ESCAPE_MS = 50;

/** Calls `press` with each key, until `signal` aborts or the terminal is gone. */
export async function readKeys(
  stdin: Input,
  press: (key: Key) => void,
  signal: AbortSignal,
): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  let escapeAt: number | undefined;
  try {
    for await (const bytes of stdin.read(signal)) {
      clearTimeout(escapeAt);
      const parsed = parseKeys(rest + decoder.decode(bytes, { stream: true }));
      rest = parsed.rest;
      parsed.keys.forEach(press);
      if (rest === "") continue;
      escapeAt = setTimeout(() => {
        const keys = keysOfRest(rest);
        rest = "";
        keys.forEach(press);
      }, ESCAPE_MS);
    }
  } finally {
    clearTimeout(escapeAt);
  }
}
