/**
 * A web server, CDN or object store as a source: pieces are ranges of its files. What it sends is
 * verified like the bytes of any other source, if a manifest is known: from another source, from
 * `<name>?manifest` of a seed behind a web server, or from the file `<name>.p2p` beside it.
 *
 * A file is requested at its own address first, and then at the one that this leads to, until that
 * one has expired.
 */
import { abortable } from "@std/async";
import type { Clock } from "../base/clock.ts";
import { sha256 } from "../base/digest.ts";
import {
  BusyError,
  ChangedError,
  P2pError,
  ProtocolError,
  UnreachableError,
} from "../base/errors.ts";
import { LruCache } from "../base/lru_cache.ts";
import { type ByteRange, lengthOf, splitRange } from "../base/ranges.ts";
import { formatSourceAddress, type WebAddress } from "../base/source_address.ts";
import type { ListedFile } from "../protocol/listing.ts";
import { type Manifest, MAX_MANIFEST_BYTES, parseManifest } from "../protocol/manifest.ts";
import { MANIFEST_FILE_SUFFIX } from "../protocol/manifest_file.ts";
import { validatorOf } from "./http_response.ts";
import type { ContentRef, ReadOptions, Source, SourceProtocol } from "./source.ts";
import { textOf } from "./listing.ts";
import { listJson, MAX_WEB_LISTING_BYTES } from "./web_listing.ts";
import {
  errorFromVerdict,
  type Exchange,
  type SignRequest,
  WebRequester,
  type WebRequestOptions,
} from "./web_request.ts";
import { WholeBody } from "./whole_body.ts";

export interface WebSourceOptions extends WebRequestOptions {
  /** Fields for the server at the source's own address, for example credentials. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Where requests go if the address has a scheme of its own. */
  readonly store?: ObjectStore;
}

/** An object store behind HTTP. */
export interface ObjectStore {
  /** The folder or file, as HTTP. */
  readonly base: URL;
  readonly sign: SignRequest | undefined;
  list(get: (url: URL, maxBytes: number) => Promise<string>): Promise<ListedFile[]>;
}

/** What is known of one file. */
interface WebFile {
  /** The address that answered last. */
  readonly url: URL;
  /** Whether that is another one than the file's own. */
  readonly redirected: boolean;
  /** undefined if the server does not say it. */
  readonly size: number | undefined;
  readonly hasRanges: boolean;
  readonly version: string | undefined;
  /** For `If-Match`. */
  readonly tag: string | undefined;
}

/** Two bytes, because some servers take the end 0 for none. */
const BEGINNING: ByteRange = { start: 0, end: 2 };
/** The requests of one probe share what is known of a file; a later probe asks again. */
const MAX_FILE_AGE_MS = 2000;
/** Files of which something is kept. */
const MAX_KNOWN_FILES = 1024;
/** A server may send less than was asked for, but not bytes one by one. */
const MAX_PARTS_OF_RANGE = 64;
/** Until the other sources have been given up. */
const WHOLE_RETRY_MS = 5000;
const VERSION_DIGITS = 16;

export class WebSource implements Source, AsyncDisposable {
  readonly id: string;
  readonly #base: URL;
  readonly #clock: Clock;
  readonly #store: ObjectStore | undefined;
  readonly #requester: WebRequester;
  readonly #closing = new AbortController();
  readonly #files = new LruCache<string, { at: number; file: Promise<WebFile>; known?: WebFile }>({
    maxSize: MAX_KNOWN_FILES,
  });
  /** Requests that describe a file, whether their result is still of use or not. */
  readonly #describing = new Set<Promise<WebFile>>();
  readonly #bodies = new Map<string, WholeBody>();
  /** Whether the server answers `?manifest`; most ignore it and send the file. */
  #hasManifests = true;

  constructor(address: WebAddress, options: WebSourceOptions) {
    const { store, headers } = options;
    this.id = formatSourceAddress(address);
    this.#base = store?.base ?? new URL(address.url);
    this.#store = store;
    this.#clock = options.clock;
    const sign = store?.sign;
    this.#requester = new WebRequester(this.id, this.#base, options, {
      ...headers && { headers },
      sign,
    });
  }

  get reached(): boolean {
    return this.#requester.reached;
  }

  get troubled(): boolean {
    return this.#requester.troubled;
  }

  protocol(): Promise<SourceProtocol> {
    return Promise.resolve("http");
  }

  /** Asks for the file and for its manifest at the same time: together they cost one round trip. */
  async manifest(name: string, signal: AbortSignal): Promise<Manifest | undefined> {
    const file = this.#file(name, signal, MAX_FILE_AGE_MS);
    const manifest = this.#findManifest(name, signal);
    const [found, described] = await Promise.allSettled([manifest, file]);
    signal.throwIfAborted();
    if (described.status === "rejected") throw described.reason;
    if (found.status === "rejected") throw found.reason;
    const { size } = described.value;
    if (found.value && size !== undefined && found.value.layout.size !== size) {
      throw new ProtocolError(`the manifest at ${this.id} is of another version of the file`);
    }
    return found.value;
  }

  async size(name: string, signal: AbortSignal): Promise<number> {
    const { size } = await this.#file(name, signal, MAX_FILE_AGE_MS);
    if (size !== undefined) return size;
    throw new ProtocolError(`${this.id} has no manifest and does not say how long the file is`);
  }

  versionOf(name: string): string | undefined {
    return this.#files.get(name)?.known?.version;
  }

  sendsWholeOnly(name: string): boolean {
    return this.#files.get(name)?.known?.hasRanges === false;
  }

  async list(signal: AbortSignal): Promise<ListedFile[]> {
    if (!this.#base.pathname.endsWith("/")) {
      throw new ProtocolError(`${this.id} is one file and cannot be listed`);
    }
    if (this.#store) return await this.#store.list((url, max) => this.#text(url, max, signal));
    const url = new URL(this.#base);
    url.search = "?json";
    await using exchange = await this.#requester.get({ url, headers: JSON_ONLY }, signal);
    const { kind } = exchange.verdict;
    // Many servers refuse to show a folder, and say so with 403.
    const isRefused = exchange.head.status === 401;
    if (kind === "busy" || kind === "failing" || isRefused) {
      throw errorFromVerdict(this.id, exchange.verdict);
    }
    const files = kind === "whole" && isJson(exchange)
      ? await listJson(await this.#body(exchange, MAX_WEB_LISTING_BYTES))
      : undefined;
    if (files) return files;
    throw new ProtocolError(`${this.id} is a plain web server, which cannot list its files`);
  }

  ping(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  async read(
    content: ContentRef,
    range: ByteRange,
    into: Uint8Array,
    options: ReadOptions,
    signal: AbortSignal,
  ): Promise<void> {
    const { onBytes, rateLimit } = options;
    for (const part of splitRange(range, rateLimit?.maxBytes ?? Infinity)) {
      await rateLimit?.wait(lengthOf(part), signal);
      const from = part.start - range.start;
      await this.#readRange(content, part, into.subarray(from, part.end - range.start), {
        ...options,
        onBytes: (count, at) => onBytes(count, from + at),
      }, signal);
    }
  }

  async readText(maxBytes: number, signal: AbortSignal): Promise<string> {
    return await this.#text(this.#base, maxBytes, signal);
  }

  /** Only the platform knows which connections are idle, and it closes them itself. */
  closeIdle(): void {}

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new UnreachableError(`The connections to ${this.id} were closed`));
    await Promise.allSettled(this.#describing);
    await Promise.all(Array.from(this.#bodies.values(), (body) => body[Symbol.asyncDispose]()));
  }

  /** The address of a file below the base, or of the base if that is a file. */
  #urlOf(name: string, suffix = ""): URL {
    const url = new URL(this.#base);
    if (url.pathname.endsWith("/")) {
      url.pathname += name.split("/").map(encodeURIComponent).join("/");
    }
    url.pathname += suffix;
    return url;
  }

  /** What is known of a file. All callers share one request, which continues when one of them aborts. */
  #file(name: string, signal: AbortSignal, maxAgeMs = Infinity): Promise<WebFile> {
    const now = this.#clock.now();
    const known = this.#files.get(name);
    if (known && now - known.at <= maxAgeMs) return abortable(known.file, signal);
    const file = this.#describe(name, this.#closing.signal)
      .finally(() => this.#describing.delete(file));
    this.#describing.add(file);
    const entry: { at: number; file: Promise<WebFile>; known?: WebFile } = { at: now, file };
    this.#files.set(name, entry);
    file.then((found) => entry.known = found, () => {
      if (this.#files.get(name) === entry) this.#files.delete(name);
    });
    return abortable(file, signal);
  }

  /** Several requests may find out that an address has expired; the first one forgets it. */
  #forget(name: string, file: WebFile): void {
    if (this.#files.get(name)?.known === file) this.#files.delete(name);
  }

  /** The first bytes tell the size, and where the file is. `HEAD` would not: signed addresses refuse it. */
  async #describe(name: string, signal: AbortSignal): Promise<WebFile> {
    const url = this.#urlOf(name);
    await using exchange = await this.#requester.get({ url, range: BEGINNING }, signal);
    const { verdict } = exchange;
    switch (verdict.kind) {
      case "range":
        return this.#described(
          url,
          exchange,
          verdict.size ?? await this.#wholeSize(url, signal),
          true,
        );
      case "whole":
        return this.#described(url, exchange, verdict.size, false);
      case "outside": {
        // An empty file has no first byte.
        const size = verdict.size ?? await this.#wholeSize(url, signal);
        if (size === 0) return this.#described(url, exchange, size, true);
        throw new ProtocolError(`${this.id} has no first byte of a file that is not empty`);
      }
      default:
        throw errorFromVerdict(this.id, verdict);
    }
  }

  #described(
    own: URL,
    { url, head }: Exchange,
    size: number | undefined,
    hasRanges: boolean,
  ): WebFile {
    const validator = validatorOf(head);
    return {
      url,
      redirected: url.href !== withoutUser(own).href,
      size,
      hasRanges,
      version: versionOf(head),
      tag: validator?.isStrongTag ? validator.text : undefined,
    };
  }

  async #wholeSize(url: URL, signal: AbortSignal): Promise<number | undefined> {
    await using exchange = await this.#requester.get({ url }, signal);
    return exchange.verdict.kind === "whole" ? exchange.verdict.size : undefined;
  }

  async #findManifest(name: string, signal: AbortSignal): Promise<Manifest | undefined> {
    // A signature covers the whole address, so no other one can be made from it.
    if (this.#base.search !== "") return undefined;
    const manifest = this.#hasManifests && !this.#store
      ? await this.#manifestByQuery(name, signal)
      : undefined;
    return manifest ?? await this.#sidecar(name, signal);
  }

  /** Of a p2p seed behind a web server. A plain server ignores the query and sends the file. */
  async #manifestByQuery(name: string, signal: AbortSignal): Promise<Manifest | undefined> {
    const url = this.#urlOf(name);
    url.search = "?manifest";
    // Two bytes, so that a plain server does not begin to send all of a large file.
    await using first = await this.#requester.get(
      { url, range: BEGINNING, headers: JSON_ONLY },
      signal,
    );
    const { kind } = first.verdict;
    // A seed that hashes the file answers so.
    if (kind === "busy") throw errorFromVerdict(this.id, first.verdict);
    if (!isJson(first)) {
      if (kind === "range" || kind === "whole") this.#hasManifests = false;
      return undefined;
    }
    if (kind === "whole") return await this.#manifestIn(first, true);
    if (kind !== "range") return undefined;
    await first[Symbol.asyncDispose]();
    await using exchange = await this.#requester.get({ url, headers: JSON_ONLY }, signal);
    return await this.#manifestIn(exchange, true);
  }

  async #sidecar(name: string, signal: AbortSignal): Promise<Manifest | undefined> {
    const url = this.#urlOf(name, MANIFEST_FILE_SUFFIX);
    await using exchange = await this.#requester.get({ url, headers: JSON_ONLY }, signal);
    if (exchange.verdict.kind === "busy") throw errorFromVerdict(this.id, exchange.verdict);
    return await this.#manifestIn(exchange, false);
  }

  /** undefined if the response is no manifest. */
  async #manifestIn(exchange: Exchange, byQuery: boolean): Promise<Manifest | undefined> {
    const { verdict } = exchange;
    if (verdict.kind !== "whole" || (verdict.size ?? 0) > MAX_MANIFEST_BYTES) return undefined;
    const text = await this.#body(exchange, MAX_MANIFEST_BYTES);
    // Many servers have a page for what they do not have.
    if (text === undefined || !text.trimStart().startsWith("{")) return undefined;
    try {
      return parseManifest(text);
    } catch (error) {
      // A JSON file that was asked for its manifest is sent as it is.
      if (byQuery || !(error instanceof P2pError)) return undefined;
      throw new ProtocolError(`${this.id}: ${error.message}`);
    }
  }

  async #text(url: URL, maxBytes: number, signal: AbortSignal): Promise<string> {
    await using exchange = await this.#requester.get({ url }, signal);
    if (exchange.verdict.kind !== "whole") throw errorFromVerdict(this.id, exchange.verdict);
    const text = await this.#body(exchange, maxBytes);
    if (text === undefined) throw new ProtocolError(`${this.id} sent a reply that is too long`);
    return text;
  }

  /** undefined if the body is longer than `maxBytes`. */
  async #body(exchange: Exchange, maxBytes: number): Promise<string | undefined> {
    const parts: Uint8Array<ArrayBuffer>[] = [];
    let total = 0;
    for (let part = await exchange.read(); part; part = await exchange.read()) {
      total += part.length;
      if (total > maxBytes) return undefined;
      parts.push(part.slice() as Uint8Array<ArrayBuffer>);
    }
    return textOf(this.id, await new Blob(parts).bytes());
  }

  async #readRange(
    content: ContentRef,
    range: ByteRange,
    into: Uint8Array,
    options: ReadOptions,
    signal: AbortSignal,
  ): Promise<void> {
    let resolvedAgain = false;
    for (let at = 0, parts = 0; at < into.length;) {
      const rest = { start: range.start + at, end: range.end };
      const file = await this.#file(content.name, signal);
      const isWhole = rest.start === 0 && rest.end === content.size;
      const onBytes = (count: number, inRest: number) => options.onBytes(count, at + inRest);
      if (!file.hasRanges && !isWhole) {
        return await this.#readPassing(
          content,
          rest,
          into.subarray(at),
          { ...options, onBytes },
          signal,
        );
      }
      await using exchange = await this.#request(
        file,
        content,
        file.hasRanges ? rest : undefined,
        signal,
      );
      const { verdict } = exchange;
      switch (verdict.kind) {
        case "range":
          if (++parts > MAX_PARTS_OF_RANGE) {
            throw new ProtocolError(`${this.id} sends much less than it is asked for`);
          }
          this.#requireVersion(content, exchange, verdict.size);
          at += await this.#fill(
            exchange,
            into.subarray(at, at + lengthOf(verdict.range)),
            onBytes,
          );
          break;
        case "whole":
          this.#requireVersion(content, exchange, verdict.size);
          if (isWhole) return void await this.#fill(exchange, into.subarray(at), onBytes);
          this.#files.set(
            content.name,
            knownFile({ ...file, hasRanges: false }, this.#clock.now()),
          );
          break;
        case "denied":
        case "expired":
        case "lacks":
          if (!file.redirected || resolvedAgain) throw errorFromVerdict(this.id, verdict);
          // The address that the file's own one led to has expired.
          resolvedAgain = true;
          this.#forget(content.name, file);
          break;
        default:
          throw errorFromVerdict(this.id, verdict);
      }
    }
  }

  #request(
    { url, tag, version }: WebFile,
    content: ContentRef,
    range: ByteRange | undefined,
    signal: AbortSignal,
  ): Promise<Exchange> {
    // With a manifest, every piece is right or wrong whatever its version is called.
    const isPinned = content.id === null && tag !== undefined && version === content.version;
    return this.#requester.get(
      { url, range, ...isPinned ? { headers: { "if-match": tag } } : {} },
      signal,
    );
  }

  /** @throws {ChangedError} if the response is of another version than the bytes that are there. */
  #requireVersion(content: ContentRef, { head }: Exchange, size: number | undefined): void {
    const isSame = size === undefined || size === content.size;
    const version = content.id === null && content.version !== undefined
      ? versionOf(head)
      : undefined;
    if (isSame && (version === undefined || version === content.version)) return;
    throw new ChangedError(`the file has changed at ${this.id}`);
  }

  /** Fills all of `into`. @returns its length. */
  async #fill(
    exchange: Exchange,
    into: Uint8Array,
    onBytes: ReadOptions["onBytes"],
  ): Promise<number> {
    let at = 0;
    for (let part = await exchange.read(); part; part = await exchange.read()) {
      if (at + part.length > into.length) {
        throw new ProtocolError(`${this.id} sent more bytes than it announced`);
      }
      into.set(part, at);
      onBytes(part.length, at);
      at += part.length;
    }
    if (at < into.length) {
      throw new UnreachableError(`Lost the connection to ${this.id}: it was cut`);
    }
    return at;
  }

  /** From a server without ranges: one response for the whole file. */
  async #readPassing(
    content: ContentRef,
    range: ByteRange,
    into: Uint8Array,
    { onBytes, maySendWhole }: ReadOptions,
    signal: AbortSignal,
  ): Promise<void> {
    if (maySendWhole?.() === false) {
      throw new BusyError(
        `${this.id} sends whole files only; the other sources come first`,
        WHOLE_RETRY_MS,
      );
    }
    const { name } = content;
    const known = this.#bodies.get(name);
    const body = known ??
      new WholeBody(
        this.id,
        content.size,
        this.#clock,
        (signal) => this.#openWhole(content, signal),
      );
    this.#bodies.set(name, body);
    await body.read(range, into, onBytes, signal);
  }

  async #openWhole(content: ContentRef, signal: AbortSignal): Promise<Exchange> {
    const file = await this.#file(content.name, signal);
    const exchange = await this.#request(file, content, undefined, signal);
    try {
      const { verdict } = exchange;
      if (verdict.kind !== "whole") throw errorFromVerdict(this.id, verdict);
      this.#requireVersion(content, exchange, verdict.size);
      return exchange;
    } catch (error) {
      await exchange[Symbol.asyncDispose]();
      // The next try begins at the file's own address.
      if (file.redirected) this.#forget(content.name, file);
      throw error;
    }
  }
}

const JSON_ONLY = { accept: "application/json, application/x-ndjson" };

function isJson({ head }: Exchange): boolean {
  return /^application\/(?:[\w.+-]+\+)?(?:x-nd|nd)?json(?:-?l|-lines)?\s*(?:;|$)/i
    .test(head.headers.get("content-type")?.trim() ?? "");
}

/** A digest of the validator, so that records and journals do not contain it. */
function versionOf(head: Exchange["head"]): string | undefined {
  const validator = validatorOf(head);
  if (validator === undefined) return undefined;
  return sha256(new TextEncoder().encode(validator.text)).toHex().slice(0, VERSION_DIGITS);
}

function withoutUser(url: URL): URL {
  const plain = new URL(url);
  plain.username = plain.password = plain.hash = "";
  return plain;
}

function knownFile(file: WebFile, at: number) {
  return { at, file: Promise.resolve(file), known: file };
}
