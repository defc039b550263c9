/** Helpers of the source and download tests. */
import type { P2pError } from "../../core/base/errors.ts";
import type { Dial } from "../../core/source/dial.ts";
import { type ByteStream, withOnClose } from "../../core/source/transport.ts";
import { memoryPair } from "../support/memory_stream.ts";
import { ClientLeft, SeedSide } from "../support/scripted_seed.ts";

/** A signal that never aborts. */
export const noAbort = new AbortController().signal;

export const ADDRESS = { host: "seed", port: 7270, tls: false };

/** How a promise settled. */
export type Outcome<T> = { readonly value: T } | { readonly error: unknown };

/** Observes a promise without waiting: `ending` is set once it has settled. */
export function watch<T>(promise: Promise<T>): { ending: Outcome<T> | undefined } {
  const seen: { ending: Outcome<T> | undefined } = { ending: undefined };
  promise.then((value) => seen.ending = { value }, (error) => seen.ending = { error });
  return seen;
}

/** Returns what `promise` throws; fails if it does not throw. */
export async function thrownBy(promise: Promise<unknown>): Promise<P2pError> {
  let value: unknown;
  try {
    value = await promise;
  } catch (error) {
    return error as P2pError;
  }
  throw new Error(`Expected to throw, but returned ${JSON.stringify(value)}`);
}

/** A seed in memory; `play` handles each connection. */
export class RawSeed implements AsyncDisposable {
  connections = 0;
  open = 0;
  mostOpen = 0;
  readonly #play: (seed: SeedSide, connection: number) => Promise<void>;
  readonly #playing = new Map<ByteStream, Promise<void>>();

  constructor(play: (seed: SeedSide, connection: number) => Promise<void>) {
    this.#play = play;
  }

  readonly dial: Dial = (_, signal) => {
    signal.throwIfAborted();
    const [client, seed] = memoryPair();
    this.mostOpen = Math.max(this.mostOpen, ++this.open);
    this.#playing.set(seed, this.#run(seed, this.connections++));
    return Promise.resolve(withOnClose(client, () => this.open--));
  };

  /** @throws what `play` threw. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const seed of this.#playing.keys()) seed.close();
    await Promise.all(this.#playing.values());
  }

  async #run(stream: ByteStream, connection: number): Promise<void> {
    try {
      await this.#play(new SeedSide(stream), connection);
    } catch (error) {
      if (!(error instanceof ClientLeft)) throw error;
    } finally {
      stream.close();
    }
  }
}
