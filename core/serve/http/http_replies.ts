/** The successful responses on one HTTP connection: files, their manifests, and folders. */
import { layoutOf } from "../../base/pieces.ts";
import { type ByteRange, lengthOf } from "../../base/ranges.ts";
import { ErrorReply } from "../../protocol/error_replies.ts";
import {
  failedCondition,
  formatTag,
  mayContinue,
  type Validators,
} from "../../protocol/http_conditions.ts";
import { formatHttpDate } from "../../protocol/http_date.ts";
import { contentRange, parseRanges } from "../../protocol/http_range.ts";
import { HttpError, type HttpField, type HttpRequest } from "../../protocol/http_request.ts";
import { encodePath } from "../../base/url_path.ts";
import { type HttpTarget, parseHttpTarget } from "../../protocol/http_target.ts";
import { encodeListing } from "../../protocol/listing.ts";
import { digestOfPiece, type Manifest } from "../../protocol/manifest.ts";
import type { ClientConnection } from "../accept/client_connection.ts";
import type { ServeContext } from "../context.ts";
import { isRacy } from "../files/file_version.ts";
import type { Located, OpenFile } from "../files/open_file.ts";
import { manifestBody } from "../manifests/manifest_cache.ts";
import { sendBody, sendBytes } from "../protocol/send_body.ts";
import type { Upload } from "../schedule/scheduler.ts";
import { contentTypeOf } from "./content_types.ts";
import { FolderReplies } from "./folder_replies.ts";
import type { HttpResponder } from "./responder.ts";

/** Between two entries of the access log and of the metrics, in a body that may take hours. */
const LOGGED_BYTES = 8 * 1024 * 1024;
/** Bytes of a random boundary, which must not occur in the file. */
const BOUNDARY_BYTES = 12;

export class HttpReplies implements Disposable {
  readonly #connection: ClientConnection;
  readonly #context: ServeContext;
  readonly #responder: HttpResponder;
  /** Made on demand: some connections only ask for heads. */
  #openUpload: Upload | undefined;
  /** The file of the last request: the next range is most likely from the same one. */
  #file: OpenFile | undefined;

  constructor(connection: ClientConnection, context: ServeContext, responder: HttpResponder) {
    this.#connection = connection;
    this.#context = context;
    this.#responder = responder;
  }

  get upload(): Upload {
    return this.#openUpload ??= this.#context.scheduler.open(
      this.#connection.client,
      this.#connection.signal,
    );
  }

  /** @throws {HttpError} or what `httpErrorOf` turns into one. @throws {ConnectionLostError} @throws {BrokenBodyError} */
  async send(request: HttpRequest): Promise<void> {
    const target = parseHttpTarget(request.target);
    if (target.isFolder) return await this.#folder(request, target);
    let found: Located;
    try {
      found = this.#find(target.name);
    } catch (error) {
      await this.#redirectToFolder(target, error);
      return;
    }
    if (target.query.has("manifest")) return await this.#manifest(found);
    if (target.query.has("json")) return await this.#entry(found);
    await this.#sendFile(request, found);
  }

  /** A response has ended. @param more the next request has arrived. */
  end(more: boolean): void {
    this.#openUpload?.end(more);
  }

  [Symbol.dispose](): void {
    this.#openUpload?.[Symbol.dispose]();
    this.#file?.[Symbol.dispose]();
  }

  async #folder(request: HttpRequest, target: HttpTarget): Promise<void> {
    const folders = new FolderReplies({
      connection: this.#connection,
      context: this.#context,
      responder: this.#responder,
      upload: this.upload,
    });
    await folders.send(request, target);
  }

  /** A folder without its slash: links on its page would be relative to its parent. @throws `error` if it is none. */
  async #redirectToFolder({ name }: HttpTarget, error: unknown): Promise<void> {
    if (!(error instanceof ErrorReply) || error.code !== "NOT_FOUND") throw error;
    if (!(await FolderReplies.exists(name, this.#context))) throw error;
    // A valid name begins with no slash, so the location is no other host.
    await this.#responder.sendHead(301, [
      ["Location", `/${encodePath(name)}/`],
      ["Content-Length", "0"],
    ]);
  }

  async #manifest(found: Located): Promise<void> {
    const { address, signal } = this.#connection;
    const open = () => this.#open(found);
    const manifest = await this.#context.manifests.manifestOf(found, open, address, signal);
    await this.#sendText(manifestBody(found.name, manifest), "application/json");
  }

  async #entry({ name, version: { size, modifiedMs } }: Located): Promise<void> {
    const line = encodeListing([{ name, size, modified: modifiedMs }]);
    await this.#sendText(new TextEncoder().encode(line), "application/x-ndjson");
  }

  async #sendText(body: Uint8Array, type: string): Promise<void> {
    const fields: HttpField[] = [
      ["Content-Type", type],
      ["Content-Length", String(body.length)],
      ["Cache-Control", "no-cache"],
    ];
    if (this.#responder.isHead) return await this.#responder.sendHead(200, fields);
    await this.upload.next(0);
    const head = this.#responder.head(200, fields);
    this.#responder.hasBegun = true;
    await sendBytes(this.#connection, this.upload, body, head);
  }

  async #sendFile(request: HttpRequest, found: Located): Promise<void> {
    const { version: { size }, name } = found;
    const nowMs = this.#context.clock.wallTime();
    const validators = validatorsOf(found, nowMs);
    const described = this.#fieldsOf(found, validators);
    const failed = failedCondition(request, validators, nowMs);
    if (failed === 304) return await this.#responder.sendHead(304, described.always);
    if (failed === 412) throw new HttpError(412, "the file is another version");
    // Ranges are defined for GET alone.
    const ranges = request.method === "GET" && mayContinue(request, validators, nowMs)
      ? parseRanges(request.fields.get("range"), size)
      : undefined;
    if (ranges?.length === 0) {
      throw new HttpError(416, `${name} has no such bytes`, [
        ["Content-Range", contentRange(undefined, size)],
      ]);
    }
    const [only] = ranges ?? [];
    if (ranges && ranges.length > 1) return await this.#sendParts(found, ranges, described);
    const range = only ?? { start: 0, end: size };
    const fields: HttpField[] = [
      ...described.always,
      ...described.content,
      ["Content-Length", String(lengthOf(range))],
      ...only ? [["Content-Range", contentRange(only, size)] as const] : [],
      ...contentDigest(described.manifest, range, size),
    ];
    const status = only ? 206 : 200;
    if (this.#responder.isHead || size === 0) return await this.#responder.sendHead(status, fields);
    const file = this.#open(found);
    await this.#sendRange(file, range, this.#responder.head(status, fields));
  }

  /** Several ranges, each behind a head of its own (RFC 9110, section 14.6). */
  async #sendParts(
    found: Located,
    ranges: readonly ByteRange[],
    { always, content }: Described,
  ): Promise<void> {
    const { size } = found.version;
    const boundary = this.#context.random.hex(BOUNDARY_BYTES);
    const type = content.find(([name]) => name === "Content-Type")![1];
    const heads = ranges.map((range, i) =>
      `${i === 0 ? "" : "\r\n"}--${boundary}\r\nContent-Type: ${type}\r\n` +
      `Content-Range: ${contentRange(range, size)}\r\n\r\n`
    );
    const tail = `\r\n--${boundary}--\r\n`;
    const length = ranges.reduce((sum, range) => sum + lengthOf(range), 0) +
      heads.reduce((sum, head) => sum + head.length, tail.length);
    const head = this.#responder.head(206, [
      ...always,
      ...content.filter(([name]) => name !== "Content-Type"),
      ["Content-Type", `multipart/byteranges; boundary=${boundary}`],
      ["Content-Length", String(length)],
    ]);
    const file = this.#open(found);
    for (const [i, range] of ranges.entries()) {
      await this.#sendRange(file, range, i === 0 ? head + heads[i] : heads[i]!);
    }
    await this.#connection.sendText(tail);
  }

  /** Sends `head` and the bytes; the log learns of them in parts. */
  async #sendRange(file: OpenFile, range: ByteRange, head: string): Promise<void> {
    const { clock, buffers, accessLog } = this.#context;
    const { name, version: { size } } = file;
    for (let start = range.start; start < range.end;) {
      const part = { start, end: Math.min(start + LOGGED_BYTES, range.end) };
      const startedAt = clock.now();
      const first = start === range.start ? head : "";
      await sendBody(this.#connection, this.upload, buffers, file, part, first);
      this.#responder.hasBegun = true;
      const { address: client } = this.#connection;
      accessLog.add(this, { client, name, size, bytes: lengthOf(part), startedAt });
      start = part.end;
    }
  }

  #fieldsOf(found: Located, validators: Validators): Described {
    const { type, policy } = contentTypeOf(found.name);
    const manifest = this.#context.manifests.known(found);
    return {
      manifest,
      always: [
        ["ETag", formatTag(validators)],
        // The name may get another content at any time.
        ["Cache-Control", "no-cache"],
        ...manifest ? digestFields(manifest) : [],
      ],
      content: [
        ["Content-Type", type],
        ["Last-Modified", formatHttpDate(validators.modified)],
        ["Accept-Ranges", "bytes"],
        ...policy === undefined ? [] : [["Content-Security-Policy", policy] as const],
      ],
    };
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
    this.#file = undefined;
    return this.#file = this.#context.files.open(found);
  }
}

interface Described {
  readonly manifest: Manifest | undefined;
  /** Also in a 304. */
  readonly always: readonly HttpField[];
  readonly content: readonly HttpField[];
}

/** Not from the digest: a tag that changes when hashing ends would break a download that goes on then. */
function validatorsOf({ version }: Located, nowMs: number): Validators {
  const { size, modifiedMs, ino } = version;
  const hex = [size, Math.floor(modifiedMs), ino ?? 0].map((number) => number.toString(16));
  // A time in the future cannot be sent: a client would take it for the time of its request.
  const modified = Math.floor(Math.min(modifiedMs, nowMs) / 1000);
  return {
    tag: `"${hex.join("-")}"`,
    isStrong: !isRacy({ ...version, changedMs: 0 }, nowMs),
    modified: Math.max(0, modified),
  };
}

/** Of the whole file: RFC 9530, and RFC 3230, which aria2 verifies. */
function digestFields({ sha256, id }: Manifest): readonly HttpField[] {
  const base64 = Uint8Array.fromHex(sha256).toBase64();
  return [
    ["Repr-Digest", `sha-256=:${base64}:`],
    ["Digest", `SHA-256=${base64}`],
    ["P2P-Id", id],
  ];
}

/** Of the body: known for the whole file, and for one whole piece. */
function contentDigest(
  manifest: Manifest | undefined,
  range: ByteRange,
  size: number,
): readonly HttpField[] {
  if (!manifest || size === 0) return [];
  const { pieceSize } = layoutOf(size);
  const isWhole = lengthOf(range) === size;
  const isPiece = range.start % pieceSize === 0 &&
    range.end === Math.min(range.start + pieceSize, size);
  if (!isWhole && !isPiece) return [];
  const digest = isWhole
    ? Uint8Array.fromHex(manifest.sha256)
    : digestOfPiece(manifest, range.start / pieceSize);
  return [["Content-Digest", `sha-256=:${digest.toBase64()}:`]];
}
