/** A source whose code is loaded when it is used: most downloads need no web source. */
import { UnreachableError } from "../base/errors.ts";
import type { Source } from "./source.ts";

/** A source that owns connections. */
export interface OwnedSource extends Source, AsyncDisposable {
  /** Closes connections without a pending request. */
  closeIdle(): void;
  /** The source itself as text, if it is one file on the web. @throws {ProtocolError} if it is longer. */
  readText?(maxBytes: number, signal: AbortSignal): Promise<string>;
}

export class LazySource implements OwnedSource {
  readonly id: string;
  readonly #load: () => Promise<OwnedSource>;
  #loading: Promise<OwnedSource> | undefined;
  #source: OwnedSource | undefined;
  #closed = false;

  constructor(id: string, load: () => Promise<OwnedSource>) {
    this.id = id;
    this.#load = load;
  }

  get reached(): boolean {
    return this.#source?.reached ?? false;
  }

  get troubled(): boolean {
    return this.#source?.troubled ?? false;
  }

  async protocol(signal: AbortSignal) {
    return await (await this.#loaded()).protocol(signal);
  }

  async manifest(name: string, signal: AbortSignal) {
    return await (await this.#loaded()).manifest(name, signal);
  }

  async size(name: string, signal: AbortSignal) {
    return await (await this.#loaded()).size(name, signal);
  }

  versionOf(name: string): string | undefined {
    return this.#source?.versionOf?.(name);
  }

  sendsWholeOnly(name: string): boolean {
    return this.#source?.sendsWholeOnly?.(name) ?? false;
  }

  async list(signal: AbortSignal) {
    return await (await this.#loaded()).list(signal);
  }

  async ping(signal: AbortSignal) {
    return await (await this.#loaded()).ping(signal);
  }

  async read(...args: Parameters<Source["read"]>): Promise<void> {
    await (this.#source ?? await this.#loaded()).read(...args);
  }

  async readText(maxBytes: number, signal: AbortSignal): Promise<string> {
    return await (await this.#loaded()).readText!(maxBytes, signal);
  }

  closeIdle(): void {
    this.#source?.closeIdle();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    // One that could not be loaded has nothing to close.
    await (await this.#loading?.catch(() => undefined))?.[Symbol.asyncDispose]();
  }

  async #loaded(): Promise<OwnedSource> {
    if (this.#closed) throw new UnreachableError(`The connections to ${this.id} were closed`);
    this.#loading ??= this.#load();
    return this.#source = await this.#loading;
  }
}
