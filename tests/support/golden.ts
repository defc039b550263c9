/** Screens that were read by a person once, and must stay so. */
import { assertEquals } from "@std/assert";

/** To record all anew: P2P_RECORD=1, and read the difference. */
export function assertGolden(path: URL, lines: readonly string[]): void {
  const text = lines.map((line) => line + "\n").join("");
  if (Deno.env.get("P2P_RECORD")) Deno.writeTextFileSync(path, text);
  assertEquals(text, Deno.readTextFileSync(path));
}
