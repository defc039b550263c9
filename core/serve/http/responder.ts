/** Sends the heads of responses, and whole small responses. */
import type { HttpError, HttpField, HttpRequest } from "../../protocol/http_request.ts";
import { encodeHttpHead } from "../../protocol/http_response.ts";
import { formatHttpDate } from "../../protocol/http_date.ts";
import type { ClientConnection } from "../accept/client_connection.ts";
import type { ServeContext } from "../context.ts";

/** A page of p2p itself: it needs no scripts and nothing from elsewhere. */
const PAGE_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/**
 * In every response. The type is never guessed. Pages of other sites cannot embed what the seed
 * sends, and without CORS they cannot read it.
 */
const COMMON: readonly HttpField[] = [
  ["X-Content-Type-Options", "nosniff"],
  ["Cross-Origin-Resource-Policy", "same-origin"],
  ["Referrer-Policy", "no-referrer"],
];

export class HttpResponder {
  readonly #connection: ClientConnection;
  readonly #context: Pick<ServeContext, "clock">;
  #request: HttpRequest | undefined;
  #isLast = false;

  /** The head of the current response is sent: an error can only close the connection. */
  hasBegun = false;

  constructor(connection: ClientConnection, context: Pick<ServeContext, "clock">) {
    this.#connection = connection;
    this.#context = context;
  }

  /** Whether the connection closes after the current response. */
  get isLast(): boolean {
    return this.#isLast;
  }

  /** A new response. @param request undefined if it could not be read; nothing can follow then. */
  begin(request: HttpRequest | undefined, isLast: boolean): void {
    this.#request = request;
    this.#isLast = isLast || request === undefined || !request.keepAlive;
    this.hasBegun = false;
  }

  /** The response to HEAD is a head alone. */
  get isHead(): boolean {
    return this.#request?.method === "HEAD";
  }

  /** Chunks are unknown to HTTP/1.0, where the end of the connection ends a body of unknown length. */
  get canChunk(): boolean {
    return this.#request?.minor === 1;
  }

  /** The next response cannot follow on this connection. */
  close(): void {
    this.#isLast = true;
  }

  head(status: number, fields: readonly HttpField[]): string {
    const connection: HttpField[] = this.#isLast
      ? [["Connection", "close"]]
      : this.#request?.minor === 0
      ? [["Connection", "keep-alive"]]
      : [];
    const date: HttpField = [
      "Date",
      formatHttpDate(Math.floor(this.#context.clock.wallTime() / 1000)),
    ];
    return encodeHttpHead(status, [date, ...connection, ...fields, ...COMMON]);
  }

  /** A response without a body, or the head of one that is not sent. */
  async sendHead(status: number, fields: readonly HttpField[]): Promise<void> {
    const head = this.head(status, fields);
    this.hasBegun = true;
    await this.#connection.sendText(head);
  }

  async sendError({ status, sentence, fields }: HttpError): Promise<void> {
    // Its body is unread, and where the next request begins is not certain.
    if (status === 405) this.close();
    const body = `${sentence}\n`;
    const head = this.head(status, [
      ["Content-Type", "text/plain; charset=utf-8"],
      ["Content-Length", String(new TextEncoder().encode(body).length)],
      ["Cache-Control", "no-store"],
      ...fields,
      ...pageFields(),
    ]);
    this.hasBegun = true;
    await this.#connection.sendText(this.isHead ? head : head + body);
  }
}

export function pageFields(): readonly HttpField[] {
  return [["Content-Security-Policy", PAGE_POLICY]];
}
