/** The successful replies of one session. */
import { layoutOf, type PieceLayout } from "../../base/pieces.ts";
import { type ByteRange, lengthOf } from "../../base/ranges.ts";
import { ErrorReply } from "../../protocol/error_replies.ts";
import { encodeOk, encodeSize } from "../../protocol/replies.ts";
import type { SessionRequest, SwarmRequest } from "../../protocol/requests.ts";
import type { ClientConnection } from "../accept/client_connection.ts";
import type { ServeContext } from "../context.ts";
import type { Located, OpenFile } from "../files/open_file.ts";
import { manifestBody } from "../manifests/manifest_cache.ts";
import type { Upload } from "../schedule/scheduler.ts";
import type { SharedContent } from "../swarm/shared_contents.ts";
import { answerSwarm } from "../swarm/swarm_replies.ts";
import { changed } from "./errors.ts";
import { joined, type Readable, sendBody, sendBytes } from "./send_body.ts";

/** A body of a millisecond on a fast line; longer ones would only make other clients wait. */
export const MAX_LENGTH = 1_048_576;

/** What ranges are sent of. */
type ReadableFile = Readable & {
  readonly name: string;
  readonly version: { readonly size: number };
};

export class Replies implements Disposable {
  readonly #connection: ClientConnection;
  readonly #context: ServeContext;
  readonly #sessionId: string;
  /** Made on demand: some sessions only ask for a size. */
  #openUpload: Upload | undefined;
  /** The file of the last request: the next range is most likely from the same one. */
  #file: OpenFile | undefined;
  /** The content that was read from `#file` by its id. */
  #contentId: string | undefined;

  constructor(connection: ClientConnection, context: ServeContext, sessionId: string) {
    this.#connection = connection;
    this.#context = context;
    this.#sessionId = sessionId;
  }

  get #upload(): Upload {
    return this.#openUpload ??= this.#context.scheduler.open(
      this.#connection.client,
      this.#connection.signal,
    );
  }

  /** @throws {ErrorReply} or what `errorReplyOf` turns into one. @throws {ConnectionLostError} @throws {BrokenBodyError} */
  async send(request: Exclude<SessionRequest, { verb: "AUTH" }>): Promise<void> {
    switch (request.verb) {
      case "LIST":
        return await this.#list(request.after);
      case "FILESIZE":
        return await this.#size(request.name);
      case "MANIFEST":
        return await this.#manifest(request.name);
      case "FETCH":
        return await this.#fetch(request.name, request.maxBytes);
      case "DOWNLOAD":
        return await this.#download(request.name, request.range);
      case "READ":
        return await this.#read(request.id, request.range);
      case "HAVE":
      case "JOIN":
      case "SUGGEST":
        return await this.#swarm(request);
      case "PING":
      case "BYE":
        return await this.#connection.sendText(encodeOk(0));
    }
  }

  /** A reply has ended. @param more the next request has arrived. */
  end(more: boolean): void {
    this.#openUpload?.end(more);
  }

  [Symbol.dispose](): void {
    this.#openUpload?.[Symbol.dispose]();
    this.#file?.[Symbol.dispose]();
  }

  async #list(after: string): Promise<void> {
    // The list is large: it is made when it can be sent.
    await this.#upload.next(0);
    const { body, more } = await this.#context.index.page(after);
    await this.#sendWhole(body, more ? { more: 1 } : {});
  }

  async #size(name: string): Promise<void> {
    const { version } = this.#context.files.find(name);
    this.#remember(this.#sessionId, name, version.id);
    await this.#connection.sendText(encodeSize(version.size));
  }

  async #manifest(name: string): Promise<void> {
    const { body } = await this.#makeManifest(name);
    await this.#upload.next(0);
    await this.#sendWhole(body);
  }

  /** The manifest, and behind it the bytes of a small file. */
  async #fetch(name: string, maxBytes: number): Promise<void> {
    const { found, body } = await this.#makeManifest(name);
    const { size } = found.version;
    if (size === 0 || size > maxBytes || layoutOf(size).count > 1) {
      await this.#upload.next(0);
      return await this.#sendWhole(body, { manifest: body.length });
    }
    const head = joined(encodeOk(body.length + size, { manifest: body.length }), body);
    await this.#sendLogged(this.#open(found), { start: 0, end: size }, head);
  }

  async #makeManifest(name: string): Promise<{ found: Located; body: Uint8Array }> {
    const { address, signal } = this.#connection;
    const found = this.#find(name);
    const open = () => this.#open(found);
    const manifest = await this.#context.manifests.manifestOf(found, open, address, signal);
    this.#remember(address, name, found.version.id);
    return { found, body: manifestBody(name, manifest) };
  }

  async #sendWhole(body: Uint8Array, fields: Record<string, number> = {}): Promise<void> {
    await sendBytes(this.#connection, this.#upload, body, encodeOk(body.length, fields));
  }

  async #download(name: string, range: ByteRange): Promise<void> {
    const file = this.#open(this.#find(name));
    this.#requireKnown(file);
    await this.#sendRange(file, range);
  }

  async #swarm(request: SwarmRequest): Promise<void> {
    const { body, fields } = answerSwarm(request, this.#connection, this.#context);
    await this.#connection.send(joined(encodeOk(body.length, fields), body));
  }

  async #read(id: string, range: ByteRange): Promise<void> {
    const shared = this.#context.shared?.find(id);
    if (shared) return await this.#sendShared(shared, range);
    if (this.#contentId !== id || !this.#file?.isUnchanged()) {
      const found = this.#context.manifests.fileOf(id);
      if (!found) throw new ErrorReply("NOT_FOUND", "no such content");
      this.#open(found);
      this.#contentId = id;
    }
    const file = this.#file!;
    requireInside(range, file.version.size);
    const { pieceSize } = layoutOf(file.version.size);
    const { swarm } = this.#context;
    // The rest of a piece that is longer than a range, or was begun elsewhere, is not another copy.
    const isBegin = range.start % pieceSize === 0;
    const ended = isBegin
      ? swarm?.requested(id, this.#connection.address, range.start / pieceSize)
      : undefined;
    try {
      await this.#sendRange(file, range);
    } finally {
      ended?.();
    }
  }

  /** Verified pieces of a content that may be here in part. */
  async #sendShared({ id, source, onSent }: SharedContent, range: ByteRange): Promise<void> {
    const { layout } = source.content;
    requireInside(range, layout.size);
    for (let at = range.start; at < range.end; at += layout.pieceSize) {
      if (!source.has(pieceAt(layout, at))) throw new ErrorReply("NOT_FOUND", "not here yet");
    }
    if (!source.has(pieceAt(layout, range.end - 1))) {
      throw new ErrorReply("NOT_FOUND", "not here yet");
    }
    const read = (into: Uint8Array, position: number) => {
      source.read({ start: position, end: position + into.length }, into);
      onSent(into.length);
    };
    await this.#sendRange({ name: id, version: { size: layout.size }, read }, range);
  }

  async #sendRange(file: ReadableFile, range: ByteRange): Promise<void> {
    requireInside(range, file.version.size);
    await this.#sendLogged(file, range, encodeOk(lengthOf(range)));
  }

  /** @param head stands before the bytes. */
  async #sendLogged(
    file: ReadableFile,
    range: ByteRange,
    head: string | Uint8Array,
  ): Promise<void> {
    const { name, version: { size } } = file;
    const bytes = lengthOf(range);
    const { clock, buffers, accessLog } = this.#context;
    const startedAt = clock.now();
    await sendBody(this.#connection, this.#upload, buffers, file, range, head);
    accessLog.add(this, { client: this.#connection.address, name, size, bytes, startedAt });
  }

  /** The file of that name as it is now. */
  #find(name: string): Located {
    const isSame = this.#file?.name === name && this.#file.isUnchanged();
    return isSame ? this.#file! : this.#context.files.find(name);
  }

  /** @throws {ErrorReply} CHANGED if that version is not there any more. */
  #open(found: Located): OpenFile {
    if (found === this.#file) return this.#file;
    this.#file?.[Symbol.dispose]();
    this.#file = this.#contentId = undefined;
    return this.#file = this.#context.files.open(found);
  }

  /**
   * A download goes on with the version whose manifest the client has, by its address because it
   * uses several connections; without a manifest, with the first version of the session. For each
   * client separately: a client that requests the new manifest must not make another one, which
   * has the old one, receive bytes of both.
   */
  #requireKnown({ name, version }: OpenFile): void {
    const { sentVersions } = this.#context;
    const known = sentVersions.get(keyOf(this.#connection.address, name)) ??
      sentVersions.get(keyOf(this.#sessionId, name));
    if (known === undefined) this.#remember(this.#sessionId, name, version.id);
    else if (known !== version.id) throw changed();
  }

  #remember(client: string, name: string, version: string): void {
    this.#context.sentVersions.set(keyOf(client, name), version);
  }
}

/** @throws {ErrorReply} RANGE */
function requireInside(range: ByteRange, size: number): void {
  const bytes = lengthOf(range);
  if (bytes >= 1 && bytes <= MAX_LENGTH && range.end <= size) return;
  throw new ErrorReply("RANGE", `a range is 1 to ${MAX_LENGTH} bytes inside the file's ${size}`);
}

function pieceAt({ pieceSize }: PieceLayout, offset: number): number {
  return Math.floor(offset / pieceSize);
}

/** Neither an address, a session's id nor a name contains a line end. */
function keyOf(client: string, name: string): string {
  return `${client}\n${name}`;
}
