/**
 * A connection's right to send bodies, asked for step by step: bytes under the
 * rates, then a slot among the uploads. Where no rate is kept, it keeps its slot
 * from step to step and from body to body; where one is, it waits for its bytes without a slot, so that
 * those who wait for their rate take nothing from those who need not.
 */
import type { ClientRateLimits } from "./rate_limits.ts";
import type { Slot, Uploads } from "./uploads.ts";

export interface UploadTurnOptions {
  readonly uploads: Uploads;
  readonly rates: ClientRateLimits;
}

export class UploadTurn implements Disposable {
  readonly #parts: UploadTurnOptions;
  readonly #client: string;
  readonly #signal: AbortSignal;
  #slot: Slot | undefined;
  #begun = false;

  /** @param client whose share it comes from. @param signal gives up every wait. */
  constructor(parts: UploadTurnOptions, client: string, signal: AbortSignal) {
    this.#parts = parts;
    this.#client = client;
    this.#signal = signal;
  }

  /** A new body: until its first bytes are sent it can be refused. */
  begin(): void {
    this.#begun = false;
  }

  /** A body has ended. @param more whether the next one is asked for already. */
  end(more: boolean): void {
    if (!more || !this.#slot?.mayStay) this[Symbol.dispose]();
  }

  /** Waits for room to make a body, before its length is known. @throws what refuses it, or the signal's reason. */
  async ready(): Promise<void> {
    if (this.#slot?.held) this.#slot.renew();
    else this.#slot = await this.#parts.uploads.take(this.#client, this.#signal, this.#begun);
  }

  /** Waits until some of `most` bytes may be sent; says how many. @throws what refuses it, or the signal's reason. */
  async next(most: number): Promise<number> {
    const { rates } = this.#parts;
    let bytes = most;
    if (rates.limited) {
      this[Symbol.dispose]();
      bytes = await rates.wait(this.#client, most, this.#signal);
    }
    await this.ready();
    this.#begun = true;
    return bytes;
  }

  [Symbol.dispose](): void {
    this.#slot?.[Symbol.dispose]();
    this.#slot = undefined;
  }
}
