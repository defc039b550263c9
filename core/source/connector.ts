/** Connects to one seed, within the limits on connections and time. */
import type { Clock } from "../base/clock.ts";
import { deadline } from "../base/abort.ts";
import { BusyError, TimeoutError } from "../base/errors.ts";
import { Semaphore } from "../base/semaphore.ts";
import { formatSourceAddress, type SocketAddress } from "../base/source_address.ts";
import type { Dial } from "./dial.ts";
import { type ByteStream, withOnClose } from "./transport.ts";

export interface ConnectorOptions {
  readonly clock: Clock;
  readonly dial: Dial;
  /** Connections to this seed. */
  readonly connections: number;
  /** Connections to all seeds together. */
  readonly slots: Semaphore;
  readonly connectMs: number;
  /** Called when no socket can be opened because this process has too many open files. */
  readonly onOutOfDescriptors?: () => void;
}

/** A connect that takes longer than this is not worth waiting for where other sources answer. */
const SLOW_CONNECT_MS = 1000;

export class Connector {
  readonly #address: SocketAddress;
  readonly #options: ConnectorOptions;
  readonly #slots: Semaphore;
  #troubled = false;
  #reached = false;

  constructor(address: SocketAddress, options: ConnectorOptions) {
    this.#address = address;
    this.#options = options;
    this.#slots = new Semaphore(options.connections);
  }

  /** Whether a connect ever succeeded. */
  get reached(): boolean {
    return this.#reached;
  }

  /** Whether the last connect failed or takes long. */
  get troubled(): boolean {
    return this.#troubled;
  }

  /**
   * Takes a slot of this seed and one of all seeds; closing the connection frees both.
   *
   * @throws {UnreachableError} @throws {TimeoutError} @throws {BusyError} without free descriptors.
   */
  async connect(signal: AbortSignal): Promise<ByteStream> {
    using slots = new DisposableStack();
    slots.use(await this.#slots.acquire(signal));
    slots.use(await this.#options.slots.acquire(signal));
    const stream = await this.#dial(signal);
    const held = slots.move();
    return withOnClose(stream, () => held.dispose());
  }

  async #dial(signal: AbortSignal): Promise<ByteStream> {
    const { clock, connectMs, dial, onOutOfDescriptors } = this.#options;
    using _slow = clock.after(SLOW_CONNECT_MS, () => this.#troubled = true);
    const late = () => {
      const id = formatSourceAddress(this.#address);
      return new TimeoutError(`Cannot connect to ${id}: no answer for ${connectMs / 1000} s`);
    };
    using limit = deadline(signal, clock, connectMs, late);
    try {
      const stream = await dial(this.#address, limit.signal);
      this.#troubled = false;
      this.#reached = true;
      return stream;
    } catch (error) {
      if (!signal.aborted) this.#troubled = true;
      if (error instanceof BusyError) onOutOfDescriptors?.();
      throw error;
    }
  }
}
