/** Which sockets a host name means to a listener: both families where it stands for both. */
import { reasonOf } from "../base/errors.ts";
import type { Listening, ListenOptions } from "./transport.ts";

/** All addresses of the machine, and its loopback addresses; the first one chooses the port. */
const BOTH_FAMILIES: ReadonlyMap<string, readonly string[]> = new Map([
  // A second listener is needed where a socket for IPv6 takes no IPv4, as on Windows.
  ["::", ["::", "0.0.0.0"]],
  ["localhost", ["127.0.0.1", "::1"]],
]);

/** Tries to find a port that is free in both families, where any port will do. */
const MAX_TRIES = 5;

/**
 * Listens on every address that `host` means: `::` is both families, and IPv4 alone where the
 * machine has no IPv6; `localhost` is both loopback addresses.
 *
 * @param listenOnce makes one listener.
 * @throws {UsageError} if it cannot be listened on.
 */
export function listenOn(
  options: ListenOptions,
  listenOnce: (options: ListenOptions) => Listening,
): readonly Listening[] {
  const hosts = BOTH_FAMILIES.get(options.host.toLowerCase());
  if (!hosts) return [listenOnce(options)];
  for (let tries = 1;; tries++) {
    const listeners: Listening[] = [];
    try {
      listenOnAll(hosts, options, listenOnce, listeners);
      return listeners;
    } catch (error) {
      for (const listener of listeners) listener.close();
      const mayBeFree = options.port === 0 && listeners.length > 0 && isInUse(error);
      if (!mayBeFree || tries === MAX_TRIES) throw error;
    }
  }
}

/** Adds the listeners to `made`. @throws if there is none, or one of them is in the way of another program's. */
function listenOnAll(
  hosts: readonly string[],
  options: ListenOptions,
  listenOnce: (options: ListenOptions) => Listening,
  made: Listening[],
): void {
  let missing: unknown;
  for (const host of hosts) {
    try {
      made.push(listenOnce({ ...options, host, port: made[0]?.port ?? options.port }));
    } catch (error) {
      // The first socket takes IPv4, too.
      if (made[0]?.host === "::" && isInUse(error)) continue;
      if (!isFamilyMissing(error)) throw error;
      missing ??= error;
    }
  }
  if (made.length === 0) throw missing;
}

function isInUse(error: unknown): boolean {
  return Object(error).cause instanceof Deno.errors.AddrInUse;
}

/** Whether the machine has no address of that family, or does not know the family. */
function isFamilyMissing(error: unknown): boolean {
  const { cause } = Object(error);
  return cause instanceof Deno.errors.AddrNotAvailable ||
    /address family not supported|os error (?:97|47|10047)\b/i.test(reasonOf(cause));
}
