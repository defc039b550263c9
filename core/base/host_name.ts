/**
 * The name of this machine, as it knows it; undefined if it has none. Others may know it by another
 * name, or by none.
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import { hostName } from "p2p";
 *
 * assert(hostName() !== "");
 * ```
 */
export function hostName(): string | undefined {
  try {
    return Deno.hostname() || undefined;
  } catch {
    return undefined;
  }
}
