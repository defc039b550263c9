/**
 * HTTP/1.1 with one client: reads requests and answers them in order. While a request is answered,
 * the next one is read ahead; a client that sends requests faster than it reads responses is not
 * read from.
 */
import {
  badRequest,
  HttpError,
  type HttpRequest,
  parseHttpRequest,
} from "../../protocol/http_request.ts";
import { parseHttpTarget } from "../../protocol/http_target.ts";
import { hostIn, isAllowedHost } from "../../protocol/http_host.ts";
import { HeadTooLongError } from "../../protocol/read_buffer.ts";
import type { ClientConnection } from "../accept/client_connection.ts";
import { ConnectionLostError } from "../accept/client_connection.ts";
import type { ServeContext } from "../context.ts";
import { BrokenBodyError, reportRefusal, shutdown } from "../protocol/errors.ts";
import { CHALLENGE, checkCredentials } from "./credentials.ts";
import { httpErrorOf, replyOf } from "./errors.ts";
import { HttpReplies } from "./http_replies.ts";
import { HttpResponder } from "./responder.ts";

/** To send the token; a browser asks its user, and opens another connection later. */
const AUTH_TIMEOUT_MS = 10_000;

/** A request, or the response to bytes that are none. */
type Incoming = HttpRequest | HttpError;

export class HttpSession {
  readonly #connection: ClientConnection;
  readonly #context: ServeContext;
  readonly #responder: HttpResponder;
  /** The next request, if its head has arrived. */
  #next: Incoming | undefined;
  #isTrusted: boolean;
  #isEnding = false;
  /** Ends the wait for a request. */
  #stopWaiting = () => {};

  constructor(connection: ClientConnection, context: ServeContext) {
    this.#connection = connection;
    this.#context = context;
    this.#responder = new HttpResponder(connection, context);
    this.#isTrusted = context.settings.token === undefined;
  }

  /** Resolves when the last response is sent; the caller closes. @throws {ConnectionLostError} @throws {BrokenBodyError} */
  async run(): Promise<void> {
    const { scheduler, accessLog } = this.#context;
    this.#connection.onLeave = () => {
      this.#isEnding = true;
      this.#stopWaiting();
    };
    using replies = new HttpReplies(this.#connection, this.#context, this.#responder);
    try {
      for (;;) {
        const incoming = await this.#receive();
        if (!incoming) return;
        this.#connection.setBusy();
        await scheduler.startRequest(this.#connection.client);
        if (!this.#peek()) this.#connection.readAhead();
        if (await this.#answer(incoming, replies)) return;
        replies.end(this.#peek() !== undefined);
      }
    } finally {
      accessLog.end(replies);
    }
  }

  /** The next request; undefined at the end of the session. */
  async #receive(): Promise<Incoming | undefined> {
    const { draining } = this.#context;
    if (!this.#peek()) {
      this.#connection.setIdle(this.#isTrusted ? undefined : AUTH_TIMEOUT_MS);
      while (!this.#peek()) {
        if (this.#isEnding || draining.aborted) return undefined;
        if (await this.#readMore()) continue;
        const isCut = !this.#isEnding && this.#connection.readBuffer.buffered > 0;
        return isCut ? badRequest("it ends in its head") : undefined;
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

  /** The next request, if its head has arrived; it is taken from the connection once. */
  #peek(): Incoming | undefined {
    return this.#next ??= this.#takeIncoming();
  }

  #takeIncoming(): Incoming | undefined {
    try {
      const head = this.#connection.readBuffer.takeHead();
      return head && parseHttpRequest(head);
    } catch (error) {
      if (error instanceof HttpError) return error;
      if (!(error instanceof HeadTooLongError)) throw error;
      const hasLine = this.#connection.readBuffer.peek().includes(0x0a);
      return hasLine
        ? new HttpError(431, "the head of a request has at most 16 KiB")
        : new HttpError(414, "the address is too long");
    }
  }

  /** Sends one response. @returns whether it is the last one. */
  async #answer(incoming: Incoming, replies: HttpReplies): Promise<boolean> {
    const { metrics } = this.#context;
    const responder = this.#responder;
    const request = incoming instanceof HttpError ? undefined : incoming;
    using counted = metrics.request("http", kindOf(request));
    responder.begin(request, this.#isEnding || this.#context.draining.aborted);
    try {
      if (incoming instanceof HttpError) throw incoming;
      if (this.#context.draining.aborted) throw shutdown();
      await this.#requireAllowed(incoming);
      await replies.send(incoming);
      counted.answered();
    } catch (error) {
      if (responder.hasBegun) throw asBroken(error);
      const refusal = httpErrorOf(error);
      const reply = replyOf(refusal, error);
      counted.refused(reply);
      const line = request && `${request.method} ${request.target}`;
      reportRefusal(this.#context, this.#connection.address, line, reply, error);
      await responder.sendError(refusal);
    }
    return responder.isLast;
  }

  /** @throws {HttpError} */
  async #requireAllowed(request: HttpRequest): Promise<void> {
    const { method, target, fields } = request;
    if (method !== "GET" && method !== "HEAD") {
      throw new HttpError(405, "files can only be read", [["Allow", "GET, HEAD"]]);
    }
    const authority = parseHttpTarget(target).authority ?? fields.get("host");
    if (authority !== undefined) this.#requireHost(authority);
    await this.#requireToken(fields.get("authorization"));
  }

  #requireHost(authority: string): void {
    const host = hostIn(authority);
    if (host === undefined) throw new HttpError(400, "the request cannot be read: no valid host");
    if (isAllowedHost(host, this.#context.hostNames)) return;
    throw new HttpError(
      421,
      `this seed is not known as ${host}: use its address, or let its owner allow the name`,
    );
  }

  async #requireToken(authorization: string | undefined): Promise<void> {
    const { settings: { token, tls }, authThrottle, clock, draining } = this.#context;
    if (token === undefined) return;
    if (tls === undefined) {
      throw new HttpError(
        403,
        "this seed wants a token, which a browser must not send without TLS",
      );
    }
    const result = checkCredentials(authorization, token);
    this.#isTrusted = result === "right";
    if (this.#isTrusted) return;
    if (result === "wrong") {
      // As in a session: the connection keeps its place during the delay.
      await clock.sleep(authThrottle.fail(this.#connection.client), draining).catch(() => {});
    }
    throw new HttpError(401, "this seed wants a token", [["WWW-Authenticate", CHALLENGE]]);
  }
}

function kindOf(request: HttpRequest | undefined): "GET" | "HEAD" | "invalid" {
  const method = request?.method;
  return method === "GET" || method === "HEAD" ? method : "invalid";
}

/** Of an error behind the head: only closing tells the client. */
function asBroken(error: unknown): Error {
  return error instanceof ConnectionLostError || error instanceof BrokenBodyError
    ? error
    : new BrokenBodyError(error);
}
