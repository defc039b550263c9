/** Responses for folders: a page, a listing, and an archive of all files. */
import { join } from "@std/path";
import { LruCache } from "../../base/lru_cache.ts";
import { ErrorReply } from "../../protocol/error_replies.ts";
import { HttpError, type HttpField, type HttpRequest } from "../../protocol/http_request.ts";
import { encodePart } from "../../base/url_path.ts";
import type { HttpTarget } from "../../protocol/http_target.ts";
import { encodeListing, type ListedFile } from "../../protocol/listing.ts";
import type { ClientConnection } from "../accept/client_connection.ts";
import type { ServeContext } from "../context.ts";
import type { OpenFile } from "../files/open_file.ts";
import { sendBody, sendBytes } from "../protocol/send_body.ts";
import type { Upload } from "../schedule/scheduler.ts";
import { renderFolderPage } from "./folder_page.ts";
import {
  type FolderEntry,
  FolderView,
  MAX_PAGE_ENTRIES,
  MAX_SORTED,
  sortEntries,
  type SortKey,
} from "./folder_view.ts";
import { PageBytes } from "./page_bytes.ts";
import { type HttpResponder, pageFields } from "./responder.ts";
import { paddingOf, TAR_END, tarHeader } from "./tar.ts";

/** Lines that are made at a time: a client that does not read keeps them. */
const LINES_PER_CHUNK = 500;

/** The digest of a file shows on its page this long after it is known. */
const MAX_PAGE_AGE_MS = 1000;
/** Of one listing: some MiB. */
const MAX_CACHED_PAGES = 16;
/** Of one listing: what a client that does not read fills its socket with. */
const MAX_CACHED_LINE_BYTES = 8 * 1024 * 1024;
/** Stands for the host in a cached page. A file called so would show the host instead, and nothing worse. */
const HOST = "\ue000host\ue000";

interface CachedPage {
  readonly at: number;
  readonly page: PageBytes;
}

const cachedPages = new WeakMap<readonly ListedFile[], LruCache<string, CachedPage>>();

/** Pages of that listing, which stays the same object while nothing changes. */
function pagesOf(files: readonly ListedFile[]): LruCache<string, CachedPage> {
  const pages = cachedPages.get(files) ?? new LruCache({ maxSize: MAX_CACHED_PAGES });
  cachedPages.set(files, pages);
  return pages;
}

const cachedLines = new WeakMap<readonly ListedFile[], LruCache<string, Uint8Array>>();

/** Lines of `files` from `start` up to `end`, with names from their character `skip` on; shared by all responses. */
function linesOf(
  files: readonly ListedFile[],
  start: number,
  end: number,
  skip: number,
): Uint8Array {
  let lines = cachedLines.get(files);
  if (!lines) {
    lines = new LruCache({ maxSize: MAX_CACHED_LINE_BYTES, sizeOf: ({ length }) => length });
    cachedLines.set(files, lines);
  }
  const key = `${start} ${end} ${skip}`;
  const cached = lines.get(key);
  if (cached) return cached;
  const some = files.slice(start, end);
  const text = encodeListing(some.map((file) => ({ ...file, name: file.name.slice(skip) })));
  const bytes = new TextEncoder().encode(text);
  lines.set(key, bytes);
  return bytes;
}

/** The host of a cached page. The brackets of IPv6 are in it, because shells need quotes around them. */
function placeholderOf(authority: string): string {
  return authority.startsWith("[") ? `[${HOST}]` : HOST;
}

export interface FolderRepliesOptions {
  readonly connection: ClientConnection;
  readonly context: ServeContext;
  readonly responder: HttpResponder;
  readonly upload: Upload;
}

export class FolderReplies {
  readonly #options: FolderRepliesOptions;

  constructor(options: FolderRepliesOptions) {
    this.#options = options;
  }

  /** Whether there is a file below a folder of that name. */
  static async exists(name: string, { index }: Pick<ServeContext, "index">): Promise<boolean> {
    return new FolderView(await index.all(), name).exists;
  }

  /** @throws {HttpError} 404 if there is no such folder. */
  async send(request: HttpRequest, target: HttpTarget): Promise<void> {
    const { upload, context } = this.#options;
    // The listing is large: it is made when it can be sent.
    await upload.next(0);
    const files = await context.index.all();
    const view = new FolderView(files, target.name);
    if (!view.exists) throw new HttpError(404, "no such file");
    if (target.query.has("json")) return await this.#listing(files, view, target);
    if (target.query.has("tar")) return await this.#archive(files, view, target);
    if (target.query.has("manifest")) throw new HttpError(404, "a folder has no manifest");
    await this.#page(request, files, view, target);
  }

  async #page(
    request: HttpRequest,
    files: readonly ListedFile[],
    view: FolderView,
    target: HttpTarget,
  ): Promise<void> {
    const { connection, context, responder, upload } = this.#options;
    const { tls } = context.settings;
    const authority = target.authority ?? request.fields.get("host");
    const placeholder = authority && placeholderOf(authority);
    const origin = placeholder && `http${tls ? "s" : ""}://${placeholder}`;
    // A valid host means nothing to HTML.
    const body = this.#cachedPage(files, view, target, origin, placeholder).withHost(authority);
    const fields: HttpField[] = [
      ["Content-Type", "text/html; charset=utf-8"],
      ["Content-Length", String(body.length)],
      ["Cache-Control", "no-cache"],
      ...pageFields(),
    ];
    if (responder.isHead) return await responder.sendHead(200, fields);
    const head = responder.head(200, fields);
    responder.hasBegun = true;
    await sendBytes(connection, upload, body, head);
  }

  /** A page takes milliseconds to make: clients that request it again and again must not cost others more. */
  #cachedPage(
    files: readonly ListedFile[],
    view: FolderView,
    target: HttpTarget,
    origin: string | undefined,
    placeholder: string | undefined,
  ): PageBytes {
    const { clock, settings: { token } } = this.#options.context;
    const asked = ["sort", "order", "page", "after"].map((key) => target.query.get(key));
    const key = JSON.stringify([target.name, origin, ...asked]);
    const pages = pagesOf(files);
    const cached = pages.get(key);
    const now = clock.now();
    if (cached && now - cached.at < MAX_PAGE_AGE_MS) return cached.page;
    const { entries, ...page } = entriesOf(view, target.query);
    const prefix = target.name === "" ? "" : `${target.name}/`;
    const text = renderFolderPage({
      folder: target.name,
      // HTTP/1.0 may name no host; there are no links to copy then.
      origin,
      wantsToken: token !== undefined,
      files: view.end - view.start,
      bytes: view.bytes,
      entries: entries.map((entry) => ({ ...entry, ...this.#digestsOf(entry, prefix) })),
      ...page,
    });
    const made = new PageBytes(text, placeholder);
    pages.set(key, { at: now, page: made });
    return made;
  }

  #digestsOf(
    { name, isFolder, size, modified }: FolderEntry,
    prefix: string,
  ): { readonly sha256?: string; readonly id?: string } {
    if (isFolder) return {};
    const { manifests, root } = this.#options.context;
    // The path of a link is another one, so its digests are not shown.
    const path = join(root.path, ...`${prefix}${name}`.split("/"));
    const manifest = manifests.knownAt(path, { size, modified: modified! });
    return manifest ? { sha256: manifest.sha256, id: manifest.id } : {};
  }

  /** The lines of `LIST`, with names below the folder, so that each can be appended to its address. */
  async #listing(
    files: readonly ListedFile[],
    { start, end }: FolderView,
    { name }: HttpTarget,
  ): Promise<void> {
    const body = await this.#begin([["Content-Type", "application/x-ndjson"]]);
    if (!body) return;
    const skip = name === "" ? 0 : name.length + 1;
    for (let at = start; at < end; at += LINES_PER_CHUNK) {
      // A client whose socket does not drain waits here, and costs nothing.
      if (at > start) await this.#turn();
      await body.send(linesOf(files, at, Math.min(at + LINES_PER_CHUNK, end), skip));
    }
    await body.end();
  }

  /** All files below the folder, in an archive that unpacks into a folder of that name. */
  async #archive(
    files: readonly ListedFile[],
    { start, end }: FolderView,
    { name }: HttpTarget,
  ): Promise<void> {
    const parent = name.lastIndexOf("/") + 1;
    const title = name === "" ? "files" : name.slice(parent);
    const body = await this.#begin([
      ["Content-Type", "application/x-tar"],
      ["Content-Disposition", `attachment; filename*=UTF-8''${encodePart(`${title}.tar`)}`],
    ]);
    if (!body) return;
    for (let at = start; at < end; at++) {
      // A small file costs more than its bytes.
      if (at > start) await this.#turn();
      using file = this.#open(files[at]!.name);
      if (file) await this.#archiveFile(file, file.name.slice(parent), body);
    }
    await body.send(TAR_END);
    await body.end();
  }

  async #archiveFile(file: OpenFile, name: string, body: Body): Promise<void> {
    const { context, connection } = this.#options;
    const { size, modifiedMs } = file.version;
    const header = tarHeader({ name, size, modified: modifiedMs });
    const startedAt = context.clock.now();
    await body.sendFile(header, file, size, paddingOf(size));
    const { address: client } = connection;
    context.accessLog.add(undefined, { client, name: file.name, size, bytes: size, startedAt });
  }

  /** Waits for the client's turn, as another request of it would. */
  async #turn(): Promise<void> {
    const { connection, context } = this.#options;
    await context.scheduler.startRequest(connection.client);
    connection.signal.throwIfAborted();
  }

  /** undefined if it has gone since the folder was walked. */
  #open(name: string): OpenFile | undefined {
    const { files } = this.#options.context;
    try {
      return files.open(files.find(name));
    } catch (error) {
      if (error instanceof ErrorReply && error.code === "NOT_FOUND") return undefined;
      throw error;
    }
  }

  /** A body of unknown length; undefined if only its head was asked for. */
  async #begin(fields: readonly HttpField[]): Promise<Body | undefined> {
    const { connection, context, responder, upload } = this.#options;
    const isChunked = responder.canChunk;
    if (!isChunked) responder.close();
    await responder.sendHead(200, [
      ...fields,
      ...isChunked ? [["Transfer-Encoding", "chunked"] as const] : [],
      ["Cache-Control", "no-cache"],
    ]);
    return responder.isHead ? undefined : new Body(connection, context, upload, isChunked);
  }
}

/** A body of unknown length, in chunks where the client knows them. */
class Body {
  readonly #connection: ClientConnection;
  readonly #context: ServeContext;
  readonly #upload: Upload;
  readonly #isChunked: boolean;

  constructor(
    connection: ClientConnection,
    context: ServeContext,
    upload: Upload,
    isChunked: boolean,
  ) {
    this.#connection = connection;
    this.#context = context;
    this.#upload = upload;
    this.#isChunked = isChunked;
  }

  async send(bytes: Uint8Array): Promise<void> {
    // An empty chunk would end the body.
    if (bytes.length === 0) return;
    await sendBytes(this.#connection, this.#upload, bytes, this.#open(bytes.length));
    await this.#close();
  }

  /** `header`, the whole file and `padding` zeros, as one chunk. */
  async sendFile(
    header: Uint8Array,
    file: OpenFile,
    size: number,
    padding: number,
  ): Promise<void> {
    const opening = new TextEncoder().encode(this.#open(header.length + size + padding));
    const head = new Uint8Array(opening.length + header.length);
    head.set(opening);
    head.set(header, opening.length);
    if (size === 0) await this.#connection.send(head);
    else {
      const { buffers } = this.#context;
      await sendBody(this.#connection, this.#upload, buffers, file, { start: 0, end: size }, head);
    }
    const tail = new Uint8Array(padding + (this.#isChunked ? CRLF.length : 0));
    if (this.#isChunked) tail.set(CRLF, padding);
    if (tail.length > 0) await this.#connection.send(tail);
  }

  async end(): Promise<void> {
    if (this.#isChunked) await this.#connection.sendText("0\r\n\r\n");
  }

  #open(length: number): string {
    return this.#isChunked ? `${length.toString(16)}\r\n` : "";
  }

  async #close(): Promise<void> {
    if (this.#isChunked) await this.#connection.send(CRLF);
  }
}

const CRLF = Uint8Array.of(13, 10);

interface PageEntries {
  readonly entries: readonly FolderEntry[];
  /** undefined if there are too many to sort. */
  readonly sorted: { readonly key: SortKey; readonly descending: boolean } | undefined;
  /** The queries of the next and of the first page, if they are other ones. */
  readonly next: string | undefined;
  readonly first: string | undefined;
}

function entriesOf(view: FolderView, query: ReadonlyMap<string, string>): PageEntries {
  const all = view.entries(MAX_SORTED);
  if (all.more) return unsortedEntries(view, query.get("after") ?? "");
  const asked = query.get("sort");
  const key = asked === "size" || asked === "date" ? asked : "name";
  const descending = query.get("order") === "desc";
  const digits = query.get("page") ?? "";
  const page = /^[1-9]\d{0,3}$/.test(digits) ? Number(digits) : 1;
  const start = (page - 1) * MAX_PAGE_ENTRIES;
  const end = start + MAX_PAGE_ENTRIES;
  const base = `sort=${key}&order=${descending ? "desc" : "asc"}`;
  return {
    entries: sortEntries(all.entries, key, descending).slice(start, end),
    sorted: { key, descending },
    next: end < all.entries.length ? `?${base}&page=${page + 1}` : undefined,
    first: page > 1 ? `?${base}` : undefined,
  };
}

function unsortedEntries(view: FolderView, after: string): PageEntries {
  const { entries, more } = view.entries(MAX_PAGE_ENTRIES, after);
  const last = entries.at(-1);
  const next = last && `?after=${encodePart(last.isFolder ? `${last.name}/` : last.name)}`;
  return {
    entries,
    sorted: undefined,
    next: more ? next : undefined,
    first: after === "" ? undefined : "?",
  };
}
