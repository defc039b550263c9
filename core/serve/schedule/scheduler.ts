/** The edge of the fair queue: promises for its grants, its timer, and the rounds of the event loop. */
import { setImmediate } from "node:timers";
import { onAbort } from "../../base/abort.ts";
import type { Clock } from "../../base/clock.ts";
import type { ErrorReply } from "../../protocol/error_replies.ts";
import { FairQueue, type FairQueueOptions, Flow, type Grant } from "./fair_queue.ts";

interface Waiter {
  readonly hasBegun: boolean;
  readonly resolve: (bytes: number) => void;
  readonly reject: (reason: unknown) => void;
}

export class Scheduler {
  readonly #queue: FairQueue;
  readonly #clock: Clock;
  readonly #waiters = new Map<Flow, Waiter>();
  #closed: ErrorReply | undefined;
  #timer: Disposable | undefined;
  #timerAt = Infinity;
  #isRoundPlanned = false;

  constructor(options: FairQueueOptions, clock: Clock) {
    this.#queue = new FairQueue(options);
    this.#clock = clock;
  }

  /** Connections that send, and that wait until they may. */
  get taken(): number {
    return this.#queue.taken;
  }

  get waiting(): number {
    return this.#queue.waiting;
  }

  /** Resolves when a request of this client may be handled: at once for its first one in a round of the event loop. */
  startRequest(client: string, hasBody = false): Promise<void> {
    return new Promise((resolve) => {
      if (this.#queue.startRequest(client, hasBody, resolve, this.#clock.now())) resolve();
      if (!this.#isRoundPlanned) this.#planRound();
    });
  }

  /** Sends bodies for one connection of a client. @param signal ends every wait. */
  open(client: string, signal: AbortSignal): Upload {
    return new Upload(this, client, signal);
  }

  /** Refuses bodies that have not begun, now and later. */
  close(reply: ErrorReply): void {
    this.#closed = reply;
    for (const [flow, { hasBegun, reject }] of this.#waiters) {
      if (hasBegun) continue;
      this.release(flow);
      reject(reply);
    }
  }

  /** For `Upload`: waits until the flow may send up to `maxBytes`. */
  async request(
    flow: Flow,
    maxBytes: number,
    hasBegun: boolean,
    signal: AbortSignal,
  ): Promise<number> {
    signal.throwIfAborted();
    if (this.#closed && !hasBegun) throw this.#closed;
    const own = this.#deliver(this.#queue.request(flow, maxBytes, this.#clock.now()), flow);
    if (own !== undefined) return own;
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    this.#waiters.set(flow, { hasBegun, resolve, reject });
    using _abort = onAbort(signal, () => {
      this.release(flow);
      reject(signal.reason);
    });
    return await promise;
  }

  /** For `Upload`: gives up the flow's slot, or its wait. */
  release(flow: Flow): void {
    this.#waiters.delete(flow);
    this.#deliver(this.#queue.release(flow, this.#clock.now()));
  }

  /** @returns what was granted to `own`, which has no waiter yet. */
  #deliver(grants: readonly Grant[], own?: Flow): number | undefined {
    let granted: number | undefined;
    for (const { flow, bytes } of grants) {
      if (flow === own) granted = bytes;
      this.#waiters.get(flow)?.resolve(bytes);
      this.#waiters.delete(flow);
    }
    this.#setTimer();
    return granted;
  }

  /** A timer that is too early stays: it costs less than a new one. */
  #setTimer(): void {
    const now = this.#clock.now();
    const at = this.#queue.nextAt(now) ?? Infinity;
    if (at === Infinity ? !this.#timer : at >= this.#timerAt) return;
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    this.#timerAt = at;
    if (at === Infinity) return;
    this.#timer = this.#clock.after(at - now, () => {
      this.#timer = undefined;
      this.#timerAt = Infinity;
      this.#deliver(this.#queue.advance(this.#clock.now()));
    });
  }

  #planRound(): void {
    this.#isRoundPlanned = true;
    setImmediate(() => {
      this.#isRoundPlanned = false;
      if (this.#queue.nextRound()) this.#planRound();
    });
  }
}

/** The bodies of one connection: it asks before each step. */
export class Upload implements Disposable {
  readonly #scheduler: Scheduler;
  readonly #signal: AbortSignal;
  readonly #flow: Flow;
  #hasBegun = false;

  constructor(scheduler: Scheduler, client: string, signal: AbortSignal) {
    this.#scheduler = scheduler;
    this.#signal = signal;
    this.#flow = new Flow(client);
  }

  /**
   * Waits until it may send up to `maxBytes`; 0 waits for a slot alone, to make a body.
   *
   * @returns how many bytes it may send. @throws the reply given to `close`, or the signal's reason.
   */
  async next(maxBytes: number): Promise<number> {
    const bytes = await this.#scheduler.request(
      this.#flow,
      maxBytes,
      this.#hasBegun,
      this.#signal,
    );
    this.#hasBegun ||= bytes > 0;
    return bytes;
  }

  /** A body has ended. @param more the next request has arrived: the slot is kept for it. */
  end(more: boolean): void {
    this.#hasBegun = false;
    if (!more) this[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    this.#scheduler.release(this.#flow);
  }
}
