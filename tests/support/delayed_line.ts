/** A line with a round trip, under a clock that the test turns: so tests count round trips. */
import type { Dial } from "../../core/source/dial.ts";
import type { ByteStream } from "../../core/source/transport.ts";
import type { ManualClock } from "./manual_clock.ts";

/** A connect takes a round trip, and all bytes arrive half of one after they were sent. */
export function delayedDial(dial: Dial, clock: ManualClock, roundTripMs: number): Dial {
  return async (address, signal) => {
    await clock.sleep(roundTripMs, signal);
    return new DelayedStream(await dial(address, signal), clock, roundTripMs / 2);
  };
}

type Arrival = Uint8Array | { readonly end: unknown };

class DelayedStream implements ByteStream {
  readonly peer = "127.0.0.1";
  readonly released = Promise.resolve();
  readonly #inner: ByteStream;
  readonly #clock: ManualClock;
  readonly #delayMs: number;
  readonly #timers = new Set<Disposable>();
  readonly #arrived: Arrival[] = [];
  #wake = Promise.withResolvers<void>();
  #closed = false;

  constructor(inner: ByteStream, clock: ManualClock, delayMs: number) {
    this.#inner = inner;
    this.#clock = clock;
    this.#delayMs = delayMs;
    void this.#pump();
  }

  async read(into: Uint8Array): Promise<number | null> {
    while (this.#arrived.length === 0) {
      if (this.#closed) throw new Deno.errors.Interrupted("operation canceled");
      await this.#wake.promise;
    }
    const first = this.#arrived[0]!;
    if (!(first instanceof Uint8Array)) {
      if (first.end === null) return null;
      throw first.end;
    }
    const count = Math.min(into.length, first.length);
    into.set(first.subarray(0, count));
    if (count === first.length) this.#arrived.shift();
    else this.#arrived[0] = first.subarray(count);
    return count;
  }

  write(bytes: Uint8Array): Promise<void> {
    const sent = bytes.slice();
    this.#later(() => void this.#inner.write(sent).catch(() => {}));
    return Promise.resolve();
  }

  endWriting(): Promise<void> {
    this.#later(() => void this.#inner.endWriting());
    return Promise.resolve();
  }

  close(): void {
    this.#closed = true;
    for (const timer of this.#timers) timer[Symbol.dispose]();
    this.#inner.close();
    this.#wake.resolve();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #later(act: () => void): void {
    const timer = this.#clock.after(this.#delayMs, () => {
      this.#timers.delete(timer);
      act();
    });
    this.#timers.add(timer);
  }

  async #pump(): Promise<void> {
    for (let open = true; open && !this.#closed;) {
      const buffer = new Uint8Array(64 * 1024);
      const arrival: Arrival = await this.#inner.read(buffer).then(
        (count) => count === null ? { end: null } : buffer.subarray(0, count),
        (end) => ({ end }),
      );
      open = arrival instanceof Uint8Array;
      if (this.#closed) return;
      this.#later(() => {
        this.#arrived.push(arrival);
        this.#wake.resolve();
        this.#wake = Promise.withResolvers();
      });
    }
  }
}
