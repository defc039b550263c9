/**
 * A session with one client: reads requests and answers them in order. While a request is
 * answered, the next one is read ahead; a client that sends requests faster than it reads
 * replies is not read from.
 */
import { encodeErrorReply, ErrorReply } from "../../protocol/error_replies.ts";
import {
  encodeGreeting,
  FETCH_FEATURE,
  isValidAuthResponse,
  READ_FEATURE,
} from "../../protocol/greeting.ts";
import { LineNotTextError, LineTooLongError } from "../../protocol/read_buffer.ts";
import { encodeOk } from "../../protocol/replies.ts";
import { SWARM_FEATURE } from "../../protocol/swarm.ts";
import {
  encodeSessionRequest,
  parseSessionRequest,
  type SessionRequest,
} from "../../protocol/requests.ts";
import type { ClientConnection } from "../accept/client_connection.ts";
import type { ServeContext } from "../context.ts";
import { errorReplyOf, reportRefusal, shutdown, unauthorized } from "./errors.ts";
import { MAX_LENGTH, Replies } from "./replies.ts";

/** Fixed, so that the greeting does not tell the program's version. */
const AGENT = "p2p/1";
/**
 * Keeps 16 MiB in flight on one connection in ranges of 256 KiB, or 64 small files a round trip. A
 * request that waits costs the system one line: only one is read ahead.
 */
const MAX_INFLIGHT = 64;
/** To prove the token; clients do it at once. */
const AUTH_TIMEOUT_MS = 10_000;
/** A session that only sent PING and refused requests is closed after this: longer than a download waits for a byte. */
const USELESS_TIMEOUT_MS = 300_000;

/** The meaning of a line, or the reply to a line that has none. */
type Incoming = SessionRequest | ErrorReply;

export class Session {
  readonly #connection: ClientConnection;
  readonly #context: ServeContext;
  readonly #nonce: string;
  /** The next request, if its line has arrived. */
  #next: Incoming | undefined;
  #isTrusted: boolean;
  /** When a request was last served. */
  #usefulAt: number;
  /** The session ends: this is the reply to requests that arrive nevertheless. */
  #ending: ErrorReply | undefined;
  /** Ends the wait for a request. */
  #stopWaiting = () => {};

  constructor(connection: ClientConnection, context: ServeContext) {
    this.#connection = connection;
    this.#context = context;
    this.#nonce = context.random.hex(16);
    this.#isTrusted = context.settings.token === undefined;
    this.#usefulAt = context.clock.now();
  }

  /** Resolves when the last reply is sent; the caller closes. @throws {ConnectionLostError} @throws {BrokenBodyError} */
  async run(): Promise<void> {
    const { scheduler, accessLog } = this.#context;
    using replies = new Replies(this.#connection, this.#context, this.#nonce);
    try {
      await this.#greet();
      for (;;) {
        const incoming = await this.#receive();
        if (!incoming) return;
        this.#connection.setBusy();
        await scheduler.startRequest(this.#connection.client, hasBody(incoming));
        if (!this.#peek()) this.#connection.readAhead();
        if (await this.#answer(incoming, replies)) return;
        replies.end(this.#peek() !== undefined);
      }
    } finally {
      accessLog.end(replies);
    }
  }

  async #greet(): Promise<void> {
    await this.#connection.sendText(encodeGreeting({
      agent: AGENT,
      nonce: this.#nonce,
      auth: this.#isTrusted ? "none" : "token",
      maxLength: MAX_LENGTH,
      maxInflight: MAX_INFLIGHT,
      features: this.#context.swarm
        ? [READ_FEATURE, FETCH_FEATURE, SWARM_FEATURE]
        : [READ_FEATURE, FETCH_FEATURE],
    }));
    this.#ending = this.#connection.leaving;
    this.#connection.onLeave = (reply) => {
      this.#ending = reply;
      this.#stopWaiting();
    };
  }

  /** The next request; undefined at the end of the session. */
  async #receive(): Promise<Incoming | undefined> {
    const { clock, draining } = this.#context;
    if (clock.now() - this.#usefulAt >= USELESS_TIMEOUT_MS) return undefined;
    if (!this.#peek()) {
      this.#connection.setIdle(this.#isTrusted ? undefined : AUTH_TIMEOUT_MS);
      while (!this.#peek()) {
        if (this.#ending || draining.aborted || !(await this.#readMore())) return undefined;
      }
    }
    const next = this.#next;
    this.#next = undefined;
    return next;
  }

  /** False at the end of the stream or of the session. */
  #readMore(): Promise<boolean> {
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    this.#stopWaiting = () => resolve(false);
    this.#connection.read().then((more) => resolve(more === true), reject);
    return promise;
  }

  /** The next request, if its line has arrived; it is taken from the connection once. */
  #peek(): Incoming | undefined {
    return this.#next ??= this.#takeIncoming();
  }

  #takeIncoming(): Incoming | undefined {
    try {
      const line = this.#connection.readBuffer.takeLine();
      return line === undefined ? undefined : parseSessionRequest(line);
    } catch (error) {
      if (error instanceof ErrorReply) return error;
      if (error instanceof LineNotTextError) {
        return new ErrorReply("BAD_REQUEST", "the line is not UTF-8");
      }
      if (error instanceof LineTooLongError) {
        return new ErrorReply("TOO_LONG", "the line is too long");
      }
      throw error;
    }
  }

  /** Sends one reply. @returns whether it is the last one. */
  async #answer(incoming: Incoming, replies: Replies): Promise<boolean> {
    const { metrics, clock } = this.#context;
    const request = incoming instanceof ErrorReply ? undefined : incoming;
    using counted = metrics.request("session", request?.verb ?? "invalid");
    try {
      if (incoming instanceof ErrorReply) throw incoming;
      this.#requireAllowed(incoming);
      if (incoming.verb === "AUTH") await this.#authenticate(incoming.answer);
      else await replies.send(incoming);
      if (incoming.verb !== "PING") this.#usefulAt = clock.now();
      counted.answered();
      return incoming.verb === "BYE";
    } catch (error) {
      const reply = this.#errorReplyOf(error);
      await this.#connection.sendText(encodeErrorReply(reply));
      counted.refused(reply);
      if (reply.code === "PENDING") this.#usefulAt = clock.now();
      else {
        const line = request && encodeSessionRequest(request);
        reportRefusal(this.#context, this.#connection.address, line, reply, error);
      }
      // No line can be found behind one that is too long.
      return reply.code === "AUTH" || reply.code === "TOO_LONG" || request?.verb === "BYE";
    }
  }

  #requireAllowed({ verb }: SessionRequest): void {
    if (verb === "BYE") return;
    if (!this.#isTrusted && verb !== "AUTH") throw unauthorized();
    if (this.#context.draining.aborted) throw shutdown();
    if (this.#ending) throw this.#ending;
  }

  /** A stranger learns nothing from a refusal. */
  #errorReplyOf(error: unknown): ErrorReply {
    const reply = errorReplyOf(error);
    return this.#isTrusted || reply.code === "TOO_LONG" ? reply : unauthorized();
  }

  async #authenticate(answer: string): Promise<void> {
    const { settings: { token }, authThrottle, clock, draining } = this.#context;
    if (token !== undefined && !isValidAuthResponse(answer, this.#nonce, token)) {
      // The connection keeps its place during the delay even if the client disconnects, so
      // that a reset does not allow an immediate retry.
      await clock.sleep(authThrottle.fail(this.#connection.client), draining).catch(() => {});
      throw new ErrorReply("AUTH", "the token is not right");
    }
    this.#isTrusted = true;
    await this.#connection.sendText(encodeOk(0));
  }
}

/** Whether the reply's cost is its bytes: other requests cost the server about the same. */
function hasBody(incoming: Incoming): boolean {
  return !(incoming instanceof ErrorReply) &&
    ["DOWNLOAD", "READ", "FETCH"].includes(incoming.verb);
}
