/**
 * Connections to other receivers, and those over which seeds are asked about them. Questions have a
 * connection of their own: behind pieces, their answers would come too late.
 */
import type { Clock } from "../base/clock.ts";
import { ProtocolError } from "../base/errors.ts";
import { Semaphore } from "../base/semaphore.ts";
import { formatSourceAddress, type SocketAddress } from "../base/source_address.ts";
import {
  MAX_PEERS_BYTES,
  MAX_SUGGESTED,
  parseAddress,
  parseIndices,
  parsePeers,
  parsePieceMap,
} from "../protocol/swarm.ts";
import { parseSize } from "../protocol/syntax.ts";
import type { Dial } from "./dial.ts";
import { textOf } from "./listing.ts";
import { SeedSource } from "./seed_source.ts";
import type { SessionReply } from "./session_connection.ts";

export interface SwarmPoolOptions {
  readonly clock: Clock;
  readonly dial: Dial;
  readonly stallMs: number;
  readonly token: string | undefined;
}

/** Two connections to each of 24 peers, and one for questions to each of some seeds. */
export const MAX_SWARM_CONNECTIONS = 64;
/** A peer in the same network answers at once; one that is not reached is not waited for. */
const CONNECT_TIMEOUT_MS = 2000;

/** What another receiver, or a seed, says of the pieces that it has. */
export type PieceAnswer =
  | { readonly kind: "all"; readonly queue: number }
  | {
    readonly kind: "map" | "news";
    readonly pieces: readonly number[];
    readonly known: number;
    readonly queue: number;
  };

/** One end that is asked about a content. */
export class SwarmSource {
  readonly #source: SeedSource;

  constructor(source: SeedSource) {
    this.#source = source;
  }

  /** @throws as `SeedSource.askSwarm`, and {ProtocolError} if the reply makes no sense. */
  async have(
    id: string,
    count: number,
    known: number | undefined,
    signal: AbortSignal,
  ): Promise<PieceAnswer> {
    const request = { verb: "HAVE", id, ...known === undefined ? {} : { known } } as const;
    const answer = await this.#source.askSwarm(request, Math.ceil(count / 8), signal);
    const { fields } = fieldsOf(answer);
    const queue = parseSize(fields.get("queue") ?? "") ?? 0;
    if (fields.get("complete") === "1") return { kind: "all", queue };
    const position = parseSize(fields.get("count") ?? "");
    if (position === undefined) throw new ProtocolError(`${this.#source.id} sent no count`);
    const news = fields.get("new");
    if (known !== undefined && news !== undefined) {
      return { kind: "news", pieces: parseIndices(news, count), known: position, queue };
    }
    return { kind: "map", pieces: parsePieceMap(answer.body, count), known: position, queue };
  }

  /** Announces this receiver. @returns the addresses of others. */
  async join(id: string, port: number, pieces: number, signal: AbortSignal): Promise<string[]> {
    const request = { verb: "JOIN", id, port, pieces } as const;
    const answer = await this.#source.askSwarm(request, MAX_PEERS_BYTES, signal);
    return parsePeers(textOf(this.#source.id, answer.body)).map(addressOf);
  }

  /** Which of `pieces` to request from it, at most `count`. */
  async suggest(
    id: string,
    port: number,
    count: number,
    pieces: readonly number[],
    signal: AbortSignal,
  ): Promise<{ readonly pieces: readonly number[]; readonly retryAfterMs: number }> {
    const request = { verb: "SUGGEST", id, port, count, pieces } as const;
    const { fields } = fieldsOf(await this.#source.askSwarm(request, 0, signal));
    const most = Math.max(-1, ...pieces) + 1;
    const suggested = parseIndices(fields.get("pieces") ?? "", most).slice(0, MAX_SUGGESTED);
    const retryMs = parseSize(fields.get("retry-after-ms") ?? "") ?? MAX_RETRY_MS;
    return {
      pieces: suggested,
      retryAfterMs: Math.max(MIN_RETRY_MS, Math.min(MAX_RETRY_MS, retryMs)),
    };
  }
}

/** Limits the load and the delay that a hostile seed can cause. */
const MIN_RETRY_MS = 50;
const MAX_RETRY_MS = 10_000;

function fieldsOf({ reply }: SessionReply): { readonly fields: ReadonlyMap<string, string> } {
  if (reply.kind === "ok") return reply;
  throw new ProtocolError("A size is no answer to a question about receivers");
}

/** As `formatSourceAddress`. */
export function addressOf({ host, port }: { host: string; port: number }): string {
  return formatSourceAddress({ host, port, tls: false });
}

export class SwarmPool implements AsyncDisposable {
  readonly #options: SwarmPoolOptions;
  readonly #slots = new Semaphore(MAX_SWARM_CONNECTIONS);
  readonly #forPieces = new Map<string, SeedSource>();
  readonly #forQuestions = new Map<string, SeedSource>();

  constructor(options: SwarmPoolOptions) {
    this.#options = options;
  }

  /** A receiver as a source of pieces. @param id as `addressOf` returns it. */
  peer(id: string): SeedSource {
    return this.#sourceIn(this.#forPieces, addressIn(id));
  }

  /** A receiver to be asked. @param id as `addressOf` returns it. */
  askPeer(id: string): SwarmSource {
    return this.askSeed(addressIn(id));
  }

  askSeed(address: SocketAddress): SwarmSource {
    return new SwarmSource(this.#sourceIn(this.#forQuestions, address));
  }

  /** Closes the connections to a receiver that is not used any more. */
  async forget(id: string): Promise<void> {
    const sources = [this.#forPieces, this.#forQuestions].flatMap((sources) => {
      const source = sources.get(id);
      sources.delete(id);
      return source ?? [];
    });
    await Promise.all(sources.map((source) => source[Symbol.asyncDispose]()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const sources = [...this.#forPieces.values(), ...this.#forQuestions.values()];
    await Promise.all(sources.map((source) => source[Symbol.asyncDispose]()));
  }

  #sourceIn(sources: Map<string, SeedSource>, address: SocketAddress): SeedSource {
    const id = formatSourceAddress(address);
    const known = sources.get(id);
    if (known) return known;
    const source = new SeedSource(address, {
      ...this.#options,
      connections: 1,
      slots: this.#slots,
      connectMs: CONNECT_TIMEOUT_MS,
    });
    sources.set(id, source);
    return source;
  }
}

function addressIn(id: string): SocketAddress {
  const address = parseAddress(id);
  if (address === undefined) throw new Error(`"${id}" is not the address of a receiver`);
  return { ...address, tls: false };
}
