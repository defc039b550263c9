/**
 * Connects to a host with several addresses as in RFC 8305: attempts start one after the other
 * without waiting for the previous one to fail, families alternate, and the first connection wins.
 */
import type { Clock } from "../base/clock.ts";
import { onAbort } from "../base/abort.ts";

/** The delay between the starts of two attempts, as RFC 8305 recommends. */
export const ATTEMPT_DELAY_MS = 250;

export interface Connected<Conn> {
  readonly conn: Conn;
  readonly address: string;
}

export interface FailedAttempt {
  readonly address: string;
  readonly error: unknown;
}

export class AllAttemptsFailed extends Error {
  constructor(readonly attempts: readonly FailedAttempt[]) {
    super("No address could be connected to");
  }
}

/** Alternates IPv6 and IPv4, beginning with the family of the first address; otherwise keeps the order. */
export function alternateFamilies(addresses: readonly string[]): string[] {
  const isV6 = (address: string) => address.includes(":");
  const firstIsV6 = addresses.length > 0 && isV6(addresses[0]!);
  const first = addresses.filter((address) => isV6(address) === firstIsV6);
  const second = addresses.filter((address) => isV6(address) !== firstIsV6);
  const pairs = first.map((address, i) => [address, ...second.slice(i, i + 1)]);
  return [...pairs.flat(), ...second.slice(first.length)];
}

/**
 * The first connection to one of `addresses`, which are tried in order. Later connections are closed.
 *
 * @throws {AllAttemptsFailed} @throws the signal's reason if it aborts.
 */
export async function connectToAny<Conn extends { close(): void }>(
  addresses: readonly string[],
  connect: (address: string) => Promise<Conn>,
  clock: Clock,
  signal: AbortSignal,
): Promise<Connected<Conn>> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<Connected<Conn>>();
  const failures: FailedAttempt[] = [];
  let started = 0;
  let over = false;
  let timer: Disposable | undefined;

  function end(settle: () => void): void {
    over = true;
    timer?.[Symbol.dispose]();
    settle();
  }

  function startNext(): void {
    timer?.[Symbol.dispose]();
    const address = addresses[started++]!;
    connect(address).then(
      (conn) => over ? conn.close() : end(() => resolve({ conn, address })),
      (error) => {
        failures.push({ address, error });
        if (over) return;
        if (started < addresses.length) startNext();
        else if (failures.length === addresses.length) {
          end(() => reject(new AllAttemptsFailed(failures)));
        }
      },
    );
    if (started < addresses.length) timer = clock.after(ATTEMPT_DELAY_MS, startNext);
  }

  using _stop = onAbort(signal, () => end(() => reject(signal.reason)));
  if (addresses.length === 0) end(() => reject(new AllAttemptsFailed([])));
  else startNext();
  return await promise;
}
