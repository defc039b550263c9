/**
 * One client in a session, from the greeting to the goodbye. The reader turns
 * lines into requests and puts them in a queue; the writer answers them in
 * order. Either ends the other: the reader when the client has said its last
 * word, the writer when we have.
 */
import { type ByteRange, lengthOf } from "../../base/ranges.ts";
import { TaskGroup } from "../../base/task_group.ts";
import { isValidAuthResponse } from "../../protocol/auth.ts";
import { encodeGreeting, READ_FEATURE } from "../../protocol/greeting.ts";
import { LineNotTextError, LineTooLongError } from "../../protocol/read_buffer.ts";
import { onAbort } from "../../base/abort.ts";
import { encodeErrorReply, ErrorReply } from "../../protocol/error_replies.ts";
import { encodeOk, encodeSize } from "../../protocol/replies.ts";
import {
  encodeSessionRequest,
  parseSessionRequest,
  type SessionRequest,
} from "../../protocol/requests.ts";
import { BrokenBodyError, changed, sendBody, sendBytes } from "./send_body.ts";
import { type ClientConnection, ConnectionLostError } from "../accept/client_connection.ts";
import { manifestBody } from "../manifests/manifest_cache.ts";
import { RequestQueue } from "./request_queue.ts";
import { loggable, type ServeContext, shutdown, unauthorized } from "../context.ts";
import { FileChangedError, type Located, type OpenFile } from "../files/open_file.ts";
import { SentVersions } from "./sent_versions.ts";
import type { Upload } from "../schedule/scheduler.ts";

/** Fixed, so that nobody learns our version from it. */
const AGENT = "p2p/1";
/** A body of a millisecond on a fast line; larger ones would only make others wait longer. */
const MAX_LENGTH = 1_048_576;
/** Keeps 16 MiB on the way to one connection: enough for 1 Gbit/s at 130 ms. */
const MAX_INFLIGHT = 16;
/** Names whose version a session remembers; a client that walks a large folder needs only the last. */
const MAX_SEEN = 1024;

/** To prove the token: a client does it at once. */
const AUTH_TIMEOUT_MS = 10_000;
/**
 * A connection over which nothing was asked but refused requests and PING for so
 * long gives its place to others: longer than a download holds on without a byte.
 */
const USELESS_TIMEOUT_MS = 300_000;

/** A line that came: what it asks for, or why it asks for nothing. */
type Incoming = SessionRequest | ErrorReply;

export class Session {
  readonly #connection: ClientConnection;
  readonly #seed: ServeContext;
  readonly #nonce: string;
  readonly #queue = new RequestQueue<Incoming>(MAX_INFLIGHT);
  #turn: Upload | undefined;
  /** The version of a name that this client was told of, where no manifest did. */
  readonly #seen = new SentVersions(MAX_SEEN);
  /** The file asked for last, kept open: the next range is most likely of the same. */
  #file: OpenFile | undefined;
  #trusted: boolean;
  /** When something was last served. */
  #usefulAt: number;
  /** The session ends, and this answers requests that come nevertheless. */
  #ending: ErrorReply | undefined;
  /** We have said our last word. */
  #over = false;

  constructor(connection: ClientConnection, seed: ServeContext) {
    this.#connection = connection;
    this.#seed = seed;
    this.#nonce = seed.nonce();
    this.#trusted = seed.settings.token === undefined;
    this.#usefulAt = seed.clock.now();
  }

  /** Resolves when the client is through. @throws {ConnectionLostError} @throws {BrokenBodyError} */
  async run(signal: AbortSignal): Promise<void> {
    await using jobs = new TaskGroup(signal);
    using _close = onAbort(jobs.signal, () => this.#stop());
    try {
      await this.#greet();
      jobs.spawn(() => this.#read());
      jobs.spawn((signal) => this.#write(signal));
      await jobs.join();
    } finally {
      this.#turn?.[Symbol.dispose]();
      this.#file?.[Symbol.dispose]();
      this.#seed.accessLog.end(this);
    }
  }

  /** Ends every wait: for the client, and of reader and writer for each other. */
  #stop(): void {
    this.#connection.close();
    this.#queue.end();
  }

  /** Finishes what is being sent, and answers `refusal` to what waits behind it. */
  #end(refusal: ErrorReply): void {
    this.#ending = refusal;
    if (this.#connection.isIdle) this.#queue.end();
  }

  async #greet(): Promise<void> {
    await this.#connection.sendText(encodeGreeting({
      agent: AGENT,
      nonce: this.#nonce,
      auth: this.#trusted ? "none" : "token",
      maxLength: MAX_LENGTH,
      maxInflight: MAX_INFLIGHT,
      features: [READ_FEATURE],
    }));
    this.#connection.onLeave = (refusal) => this.#end(refusal);
    this.#connection.setIdle(this.#trusted ? undefined : AUTH_TIMEOUT_MS);
    // Evicted while it was being greeted.
    if (this.#connection.leaving) this.#end(this.#connection.leaving);
  }

  async #read(): Promise<void> {
    try {
      while (!this.#over) {
        const incoming = this.#nextIncoming();
        if (incoming) await this.#accept(incoming);
        else if (!(await this.#connection.read())) return;
      }
    } finally {
      this.#queue.end();
    }
    await this.#connection.discard();
  }

  async #accept(incoming: Incoming): Promise<void> {
    this.#connection.setBusy();
    await this.#queue.put(incoming);
    // Behind a line without an end, there are no lines.
    if (isLast(incoming)) this.#over = true;
  }

  /** undefined when no line is complete. */
  #nextIncoming(): Incoming | undefined {
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

  async #write(signal: AbortSignal): Promise<void> {
    for (;;) {
      const incoming = await this.#queue.take();
      if (!incoming) break;
      const hasBody = !(incoming instanceof ErrorReply) && incoming.verb === "DOWNLOAD";
      await this.#seed.scheduler.startRequest(this.#connection.client, hasBody);
      if (await this.#answer(incoming, signal)) break;
      this.#turn?.end(this.#queue.size > 0);
      if (this.#seed.clock.now() - this.#usefulAt >= USELESS_TIMEOUT_MS) break;
      if (this.#queue.size > 0) continue;
      if (this.#ending || this.#seed.draining.aborted) break;
      this.#connection.setIdle();
    }
    this.#over = true;
    this.#queue.end();
    await this.#connection.endWriting();
  }

  /** Sends one reply; true when it was the last. */
  async #answer(incoming: Incoming, signal: AbortSignal): Promise<boolean> {
    const kind = incoming instanceof ErrorReply ? "invalid" : incoming.verb;
    using counted = this.#seed.metrics.request("session", kind);
    try {
      if (incoming instanceof ErrorReply) throw incoming;
      this.#requireTrust(incoming);
      await this.#serve(incoming, signal);
      if (incoming.verb !== "PING") this.#usefulAt = this.#seed.clock.now();
      counted.answered();
      return incoming.verb === "BYE";
    } catch (error) {
      const refusal = this.#refusalOf(error, signal);
      await this.#connection.sendText(encodeErrorReply(refusal));
      counted.refused(refusal);
      if (refusal.code !== "PENDING") this.#tell(refusal.message, incoming);
      else this.#usefulAt = this.#seed.clock.now();
      return refusal.code === "AUTH" || isLast(incoming);
    }
  }

  #requireTrust({ verb }: SessionRequest): void {
    const free = verb === "AUTH" || verb === "BYE";
    if (!this.#trusted && !free) throw unauthorized();
    if (verb === "BYE") return;
    if (this.#seed.draining.aborted) throw shutdown();
    if (this.#ending) throw this.#ending;
  }

  /** What to answer to a failure. @throws what ends the session. */
  #refusalOf(error: unknown, signal: AbortSignal): ErrorReply {
    if (error instanceof ErrorReply) {
      return this.#trusted || isLast(error) ? error : unauthorized();
    }
    if (error instanceof FileChangedError) return changed();
    const ends = error instanceof ConnectionLostError ||
      error instanceof BrokenBodyError;
    if (ends || signal.aborted) throw error;
    // A bug of ours, or a failing disk: the client learns no more than that.
    this.#tell(String(error));
    return new ErrorReply("INTERNAL", "the seed failed");
  }

  async #serve(request: SessionRequest, signal: AbortSignal): Promise<void> {
    switch (request.verb) {
      case "AUTH":
        return await this.#authenticate(request.answer, signal);
      case "LIST":
        return await this.#list(request.after, signal);
      case "FILESIZE":
        return await this.#size(request.name);
      case "MANIFEST":
        return await this.#manifest(request.name, signal);
      case "DOWNLOAD":
        return await this.#download(request.name, request.range, signal);
      case "READ":
        return await this.#readContent(request.id, request.range, signal);
      case "PING":
      case "BYE":
        return await this.#connection.sendText(encodeOk(0));
    }
  }

  async #authenticate(answer: string, signal: AbortSignal): Promise<void> {
    const { settings: { token }, authThrottle, clock, draining } = this.#seed;
    if (token !== undefined && !isValidAuthResponse(answer, this.#nonce, token)) {
      // With its place, whether it waits for the answer or goes: who resets would else try again at once.
      await clock.sleep(authThrottle.fail(this.#connection.client), draining).catch(() => {});
      signal.throwIfAborted();
      throw new ErrorReply("AUTH", "the token is not right");
    }
    this.#trusted = true;
    await this.#connection.sendText(encodeOk(0));
  }

  async #list(after: string, signal: AbortSignal): Promise<void> {
    // A listing is large: it is made when it can be sent, not while it waits.
    const turn = this.#newTurn(signal);
    await turn.next(0);
    const { body, more } = await this.#seed.index.page(after);
    await this.#sendWhole(turn, body, more ? { more: 1 } : {});
  }

  async #size(name: string): Promise<void> {
    const { version } = this.#seed.files.find(name);
    this.#seen.remember(this.#connection.address, name, version.id);
    await this.#connection.sendText(encodeSize(version.size));
  }

  async #manifest(name: string, signal: AbortSignal): Promise<void> {
    const { address: client } = this.#connection;
    const found = this.#find(name);
    const open = () => this.#open(found);
    const manifest = await this.#seed.manifests.manifestOf(found, open, client, signal);
    this.#seed.sentVersions.remember(client, name, found.version.id);
    const turn = this.#newTurn(signal);
    await turn.next(0);
    await this.#sendWhole(turn, manifestBody(name, manifest), {});
  }

  async #download(
    name: string,
    range: ByteRange,
    signal: AbortSignal,
  ): Promise<void> {
    const file = this.#open(this.#find(name));
    this.#requireKnown(file);
    await this.#sendRange(file, range, signal);
  }

  /** Needs no memory of what the client was told: the id names the bytes. */
  async #readContent(id: string, range: ByteRange, signal: AbortSignal): Promise<void> {
    const found = this.#seed.manifests.fileOf(id);
    if (found === undefined) throw new ErrorReply("NOT_FOUND", "no such content");
    const kept = this.#file?.path === found.path && this.#file.version.id === found.version.id;
    await this.#sendRange(kept ? this.#file! : this.#open(found), range, signal);
  }

  async #sendRange(file: OpenFile, range: ByteRange, signal: AbortSignal): Promise<void> {
    requireInside(file, range);
    const { name } = file;
    const { address: client } = this.#connection;
    const startedAt = this.#seed.clock.now();
    const bytes = lengthOf(range);
    const { buffers } = this.#seed;
    const turn = this.#newTurn(signal);
    await sendBody(this.#connection, turn, buffers, file, range, encodeOk(bytes));
    const { size } = file.version;
    this.#seed.accessLog.add(this, { client, name, size, bytes, startedAt });
  }

  #newTurn(signal: AbortSignal): Upload {
    return this.#turn ??= this.#seed.scheduler.open(this.#connection.client, signal);
  }

  async #sendWhole(
    turn: Upload,
    body: Uint8Array,
    fields: Record<string, number>,
  ): Promise<void> {
    await sendBytes(this.#connection, turn, body, encodeOk(body.length, fields));
  }

  /** The file of that name as it is now. */
  #find(name: string): Located {
    const kept = this.#file?.name === name && this.#file.isUnchanged();
    return kept ? this.#file! : this.#seed.files.find(name);
  }

  /** @throws {ErrorReply} CHANGED if that version is not there any more. */
  #open(found: Located): OpenFile {
    if (found === this.#file) return this.#file;
    this.#file?.[Symbol.dispose]();
    this.#file = undefined;
    return this.#file = this.#seed.files.open(found);
  }

  /** Bytes are only given out of the version that the client knows. */
  #requireKnown({ name, version }: OpenFile): void {
    const { address: client } = this.#connection;
    const known = this.#seed.sentVersions.of(client, name) ?? this.#seen.of(client, name);
    if (known === undefined) this.#seen.remember(client, name, version.id);
    else if (known !== version.id) throw changed();
  }

  #tell(reason: string, incoming?: Incoming): void {
    const { address: client } = this.#connection;
    // A line that is no request is gone by now.
    const known = incoming !== undefined && !(incoming instanceof ErrorReply);
    const request = known ? { request: loggable(encodeSessionRequest(incoming)) } : {};
    this.#seed.emit({ kind: "refused", client, ...request, reason });
  }
}

/** Nothing can follow this. */
function isLast(incoming: Incoming): boolean {
  return incoming instanceof ErrorReply ? incoming.code === "TOO_LONG" : incoming.verb === "BYE";
}

function requireInside(file: OpenFile, range: ByteRange): void {
  const bytes = lengthOf(range);
  const fits = bytes >= 1 && bytes <= MAX_LENGTH &&
    range.end <= file.version.size;
  if (!fits) {
    throw new ErrorReply(
      "RANGE",
      `a range is 1 to ${MAX_LENGTH} bytes inside the file's ${file.version.size}`,
    );
  }
}
