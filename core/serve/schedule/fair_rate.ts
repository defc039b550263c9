/**
 * Keeps what is asked for under a rate, and shares it by client: whoever has had
 * the fewest bytes goes first (start-time fair queueing). A client that asks on
 * sixteen connections gets as much as one that asks on one.
 */
import { onAbort } from "../../base/abort.ts";
import type { Clock } from "../../base/clock.ts";

/** What all who wait are given in one round: so nobody is silent for long, and the first second is slow, too. */
const ROUND_MS = 100;
/** Timers are late by so much: time lost to them is made up for, and no more than that is saved up. */
const SLACK_MS = 25;

interface Waiter {
  readonly bytes: number;
  readonly go: () => void;
}

/** Forgotten when it waits for nothing and is no longer ahead of the others. */
interface Share {
  readonly waiting: Waiter[];
  /** Bytes it has had, on a scale that all who wait share. */
  had: number;
}

export class FairRate {
  readonly #clock: Clock;
  readonly #bytesPerSecond: number;
  readonly #shares = new Map<string, Share>();
  #waiting = 0;
  /** When the next asker may go. */
  #freeAt = 0;
  /** Where on the scale of `had` the last one to go began: a newcomer starts there. */
  #level = 0;
  #timer: Disposable | undefined;

  constructor(clock: Clock, bytesPerSecond: number) {
    this.#clock = clock;
    this.#bytesPerSecond = bytesPerSecond;
  }

  /** Asks of so many bytes keep a round short, however many wait. */
  get stepBytes(): number {
    const round = this.#bytesPerSecond * ROUND_MS / 1000;
    return Math.max(1, Math.floor(round / (this.#waiting + 1)));
  }

  /** Whether there is nothing to remember: nobody waits, and the next asker may go at once. */
  get idle(): boolean {
    return this.#waiting === 0 && this.#freeAt <= this.#clock.now();
  }

  /** Resolves when `client` may send `bytes`. @throws the signal's reason if it aborts before. */
  async wait(client: string, bytes: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const share = this.#shareOf(client);
    const turn = Promise.withResolvers<void>();
    const waiter = { bytes, go: turn.resolve };
    share.waiting.push(waiter);
    this.#waiting++;
    using _leave = onAbort(signal, () => {
      this.#leave(share, waiter);
      turn.reject(signal.reason);
    });
    this.#serve();
    await turn.promise;
  }

  #shareOf(client: string): Share {
    const known = this.#shares.get(client);
    if (known) return known;
    const share = { waiting: [], had: this.#level };
    this.#shares.set(client, share);
    return share;
  }

  #leave(share: Share, waiter: Waiter): void {
    const at = share.waiting.indexOf(waiter);
    if (at < 0) return;
    share.waiting.splice(at, 1);
    this.#waiting--;
    this.#serve();
  }

  /** Lets go who may go now, and comes back when the next one may. */
  #serve(): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    while (this.#waiting > 0) {
      const now = this.#clock.now();
      if (this.#freeAt > now) {
        this.#timer = this.#clock.after(this.#freeAt - now, () => this.#serve());
        return;
      }
      this.#admit(this.#neediest()!, now);
    }
  }

  #admit(share: Share, nowMs: number): void {
    const { bytes, go } = share.waiting.shift()!;
    this.#waiting--;
    this.#level = Math.max(this.#level, share.had);
    share.had += bytes;
    this.#freeAt = Math.max(this.#freeAt, nowMs - SLACK_MS) + bytes * 1000 / this.#bytesPerSecond;
    go();
  }

  /** Who has had the fewest bytes; those who have fallen behind while they wanted nothing are moved up. */
  #neediest(): Share | undefined {
    const credit = this.#bytesPerSecond * ROUND_MS / 1000;
    let best: Share | undefined;
    for (const [client, share] of this.#shares) {
      share.had = Math.max(share.had, this.#level - credit);
      if (share.waiting.length > 0) {
        if (best === undefined || share.had < best.had) best = share;
      } else if (share.had <= this.#level - credit) this.#shares.delete(client);
    }
    return best;
  }
}
