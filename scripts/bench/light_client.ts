/**
 * A client that costs next to nothing: it takes bytes and throws them away, so that sixty-four of
 * them in one process ask more of a seed than the machine has left for sixty-four whole downloads.
 */
import { systemClock } from "../../core/base/clock.ts";
import { splitRange } from "../../core/base/ranges.ts";
import { parseSocketAddress } from "../../core/base/source_address.ts";
import { openSession } from "../../core/source/detect.ts";
import { SessionConnection } from "../../core/source/session_connection.ts";
import { dialer } from "../../core/source/dial.ts";
import { ReadBuffer } from "../../core/protocol/read_buffer.ts";
import { MAX_MANIFEST_BYTES } from "../../core/protocol/manifest.ts";

/** As `p2p get`: the size of a piece, and several asked for ahead. */
const RANGE_BYTES = 1024 * 1024;
const IN_FLIGHT = 4;
/** The seed is on this machine: whoever is silent for so long is dead. */
const STALL_MS = 60_000;
/** Between two questions whether the digests are there. */
const PENDING_MS = 50;

export class LightClient implements AsyncDisposable {
  readonly #connection: SessionConnection;

  private constructor(connection: SessionConnection) {
    this.#connection = connection;
  }

  static async connect(address: string, signal: AbortSignal): Promise<LightClient> {
    const stream = await dialer()(parseSocketAddress(address), signal);
    const inbox = new ReadBuffer();
    const terms = { clock: systemClock, waitMs: STALL_MS, token: undefined };
    try {
      const greeting = await openSession(address, stream, inbox, terms, signal);
      if (typeof greeting === "string") {
        throw new Error(`${address} does not speak the session dialect`);
      }
      const limits = { clock: systemClock, stallMs: STALL_MS, idleMs: STALL_MS };
      return new LightClient(
        new SessionConnection(address, stream, inbox, greeting, limits, () => {}),
      );
    } catch (error) {
      stream.close();
      throw error;
    }
  }

  /** Waits until the seed has the digests of `name`. @throws {Error} if it refuses. */
  async manifest(name: string, signal: AbortSignal): Promise<void> {
    const place = { kind: "upTo", bytes: MAX_MANIFEST_BYTES } as const;
    while (true) {
      const { reply } = await this.#connection.request({ verb: "MANIFEST", name }, place, signal);
      if (reply.kind !== "error") return;
      if (reply.error.code !== "PENDING") throw reply.error;
      await systemClock.sleep(PENDING_MS, signal);
    }
  }

  /** Takes the first `size` bytes of `name`. */
  async take(name: string, size: number, signal: AbortSignal): Promise<void> {
    const ranges = splitRange({ start: 0, end: size }, RANGE_BYTES)[Symbol.iterator]();
    const takeNext = async () => {
      const memory = new Uint8Array(RANGE_BYTES);
      for (let next = ranges.next(); !next.done; next = ranges.next()) {
        const range = next.value;
        const bytes = memory.subarray(0, range.end - range.start);
        const request = { verb: "DOWNLOAD", name, range } as const;
        const { reply } = await this.#connection.request(request, { kind: "into", bytes }, signal);
        if (reply.kind === "error") throw reply.error;
      }
    };
    await Promise.all(Array.from({ length: IN_FLIGHT }, takeNext));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection[Symbol.asyncDispose]();
  }
}
