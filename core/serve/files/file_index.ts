/** The listing of all offered files: walked on demand, and cached for a second. */
import { type Clock, yieldToEventLoop } from "../../base/clock.ts";
import { compareNames } from "../../base/names.ts";
import { splitRange } from "../../base/ranges.ts";
import type { TaskGroup } from "../../base/task_group.ts";
import {
  encodeListing,
  encodeOneShotListing,
  type ListedFile,
  MAX_LISTED_FILES,
} from "../../protocol/listing.ts";
import type { WalkResult } from "./directory_walk.ts";

/** A client that pages through the listing costs one walk, and for a person a new file shows at once. */
const MAX_AGE_MS = 1000;
/**
 * After this time of a walk the older listing is used, if there is one. A client
 * gives up a server that is silent for five seconds, and a walk of a million
 * files, or on a slow disk, may take longer every time.
 */
const WALK_TIMEOUT_MS = 500;

/** A part of the listing as it is sent; `body` is shared by all clients. */
export interface IndexPage {
  readonly body: Uint8Array;
  /** Whether there are further files. */
  readonly more: boolean;
}

type WalkFunction = (signal: AbortSignal) => Promise<WalkResult>;

export class FileIndex {
  readonly #walk: WalkFunction;
  readonly #jobs: TaskGroup;
  readonly #clock: Clock;
  readonly #filesPerPage: number;
  /** The result of the walk that was started last. */
  #listing: Promise<Listing> | undefined;
  /** The result of the walk that ended last. */
  #last: Listing | undefined;
  #freshUntil = Infinity;

  /** @param jobs where walks run, because one may go on when no request waits for it. */
  constructor(
    walk: WalkFunction,
    jobs: TaskGroup,
    clock: Clock,
    filesPerPage = MAX_LISTED_FILES,
  ) {
    this.#walk = walk;
    this.#jobs = jobs;
    this.#clock = clock;
    this.#filesPerPage = filesPerPage;
  }

  /** As of the last walk that ended. */
  get offered(): { readonly files: number; readonly bytes: number } {
    return { files: this.#last?.files.length ?? 0, bytes: this.#last?.bytes ?? 0 };
  }

  /** All files, sorted by code point. */
  async all(): Promise<readonly ListedFile[]> {
    return (await this.#current()).files;
  }

  /** Names greater than `after`, up to the end of a page; pages begin at the same names for all clients. */
  async page(after: string): Promise<IndexPage> {
    return (await this.#current()).page(after);
  }

  /** All names in the format of one-shot clients. */
  async names(): Promise<Uint8Array> {
    return (await this.#current()).names();
  }

  /** Installs the result of a walk that ran elsewhere as the current listing. */
  async accept(result: WalkResult): Promise<readonly ListedFile[]> {
    this.#listing = this.#list(Promise.resolve(result));
    return (await this.#listing).files;
  }

  async #current(): Promise<Listing> {
    if (!this.#listing || this.#clock.now() >= this.#freshUntil) this.#listing = this.#start();
    const listing = this.#listing;
    const last = this.#last;
    if (!last) return await listing;
    const late = Promise.withResolvers<Listing>();
    using _timer = this.#clock.after(WALK_TIMEOUT_MS, () => late.resolve(last));
    return await Promise.race([listing, late.promise]);
  }

  #start(): Promise<Listing> {
    const { promise, resolve, reject } = Promise.withResolvers<Listing>();
    this.#jobs.spawn((signal) => this.#list(this.#walk(signal)).then(resolve, reject));
    return promise;
  }

  async #list(walk: Promise<WalkResult>): Promise<Listing> {
    this.#freshUntil = Infinity;
    try {
      const files = await sortByName((await walk).files);
      // While nothing changes, the listing and its encoded pages stay the same objects.
      if (!this.#last || !areSame(this.#last.files, files)) {
        this.#last = new Listing(files, this.#filesPerPage);
      }
      return this.#last;
    } finally {
      this.#freshUntil = this.#clock.now() + MAX_AGE_MS;
    }
  }
}

/**
 * The files at one time. Pages begin at fixed names and are encoded once for all
 * clients, so that however many of them request pages and do not read, these take
 * the memory of one whole listing at most. A page that is not being sent may be
 * collected.
 */
class Listing {
  readonly files: readonly ListedFile[];
  readonly bytes: number;
  readonly #filesPerPage: number;
  readonly #bodies = new Map<number | "names", WeakRef<Uint8Array>>();

  constructor(files: readonly ListedFile[], filesPerPage: number) {
    this.files = files;
    this.bytes = files.reduce((sum, { size }) => sum + size, 0);
    this.#filesPerPage = filesPerPage;
  }

  page(after: string): IndexPage {
    const start = firstGreater(this.files, after);
    const pageStart = start - start % this.#filesPerPage;
    const pageEnd = pageStart + this.#filesPerPage;
    const page = this.#body(pageStart, () => encodeListing(this.files.slice(pageStart, pageEnd)));
    return { body: skipLines(page, start - pageStart), more: pageEnd < this.files.length };
  }

  names(): Uint8Array {
    return this.#body("names", () => encodeOneShotListing(this.files.map(({ name }) => name)));
  }

  #body(key: number | "names", encode: () => string): Uint8Array {
    const shared = this.#bodies.get(key)?.deref();
    if (shared) return shared;
    const body = new TextEncoder().encode(encode());
    this.#bodies.set(key, new WeakRef(body));
    return body;
  }
}

const LF = 10;

/** `page` without its first `count` lines; not a copy. */
function skipLines(page: Uint8Array, count: number): Uint8Array {
  let start = 0;
  for (let skipped = 0; skipped < count; skipped++) start = page.indexOf(LF, start) + 1;
  return page.subarray(start);
}

function areSame(some: readonly ListedFile[], others: readonly ListedFile[]): boolean {
  return some.length === others.length && some.every(({ name, size, modified, executable }, i) => {
    const other = others[i]!;
    return name === other.name && size === other.size && modified === other.modified &&
      executable === other.executable;
  });
}

/** Files sorted between two turns of the event loop: about two milliseconds. */
const FILES_PER_RUN = 1000;

/** Sorts by code point in short runs and merges these: sorting 100,000 names at once blocks the event loop for 250 ms. */
async function sortByName(files: ListedFile[]): Promise<ListedFile[]> {
  let runs: ListedFile[][] = [];
  for (const { start, end } of splitRange({ start: 0, end: files.length }, FILES_PER_RUN)) {
    runs.push(files.slice(start, end).sort(byName));
    await yieldToEventLoop();
  }
  while (runs.length > 1) {
    const longer: ListedFile[][] = [];
    for (let i = 0; i < runs.length; i += 2) {
      longer.push(merged(runs[i]!, runs[i + 1] ?? []));
      await yieldToEventLoop();
    }
    runs = longer;
  }
  return runs[0] ?? [];
}

function byName(a: ListedFile, b: ListedFile): number {
  return compareNames(a.name, b.name);
}

function merged(left: readonly ListedFile[], right: readonly ListedFile[]): ListedFile[] {
  const all: ListedFile[] = [];
  let [i, j] = [0, 0];
  while (i < left.length && j < right.length) {
    all.push(byName(left[i]!, right[j]!) <= 0 ? left[i++]! : right[j++]!);
  }
  return all.concat(left.slice(i), right.slice(j));
}

function firstGreater(files: readonly ListedFile[], after: string): number {
  let [low, high] = [0, files.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareNames(files[middle]!.name, after) <= 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
