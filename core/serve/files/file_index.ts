/** What the folder offers now: walked on demand, and remembered for a second. */
import type { Clock } from "../../base/clock.ts";
import { yieldToEventLoop } from "../../base/event_loop.ts";
import { compareNames } from "../../base/names.ts";
import { splitRange } from "../../base/ranges.ts";
import type { TaskGroup } from "../../base/task_group.ts";
import {
  encodeListing,
  encodeOneShotListing,
  type ListedFile,
  MAX_LISTED_FILES,
} from "../../protocol/listing.ts";
import type { Walked } from "./directory_walk.ts";

/** A client that pages through the listing costs one walk, and a new file shows at once for a person. */
const MAX_AGE_MS = 1000;
/**
 * A walk that takes longer is not waited for when there is an older listing: a
 * client gives up a seed that says nothing for five seconds, and a walk of a
 * million files, or on a slow disk, may take longer every time.
 */
const WALK_WAIT_MS = 500;

/** A part of the listing as it goes over the wire; `body` is shared by all who are sent it. */
export interface IndexPage {
  readonly body: Uint8Array;
  /** Whether there are further files. */
  readonly more: boolean;
}

export class FileIndex {
  readonly #walk: (signal: AbortSignal) => Promise<Walked>;
  readonly #jobs: TaskGroup;
  readonly #clock: Clock;
  readonly #pageFiles: number;
  #listing: Promise<Listing> | undefined;
  #last: Listing | undefined;
  #freshUntil = Infinity;

  /**
   * @param jobs where walks run, for one may take longer than anybody waits for it; it ends with this group.
   * @param pageFiles how many a page holds at most.
   */
  constructor(
    walk: (signal: AbortSignal) => Promise<Walked>,
    jobs: TaskGroup,
    clock: Clock,
    pageFiles = MAX_LISTED_FILES,
  ) {
    this.#walk = walk;
    this.#jobs = jobs;
    this.#clock = clock;
    this.#pageFiles = pageFiles;
  }

  /** What was offered at the last look. */
  get offered(): { readonly files: number; readonly bytes: number } {
    return { files: this.#last?.files.length ?? 0, bytes: this.#last?.bytes ?? 0 };
  }

  /** All files, sorted by code point. Who asks while a walk runs shares it. */
  async all(): Promise<readonly ListedFile[]> {
    return (await this.#current()).files;
  }

  /** The next names greater than `after`: to the end of a page that is the same for all. */
  async page(after: string): Promise<IndexPage> {
    return (await this.#current()).page(after);
  }

  /** All names, as old clients want them. */
  async names(): Promise<Uint8Array> {
    return (await this.#current()).names();
  }

  /** Takes what a walk of somebody else's found as what is offered now. */
  async accept(walked: Walked): Promise<readonly ListedFile[]> {
    this.#begin(() => Promise.resolve(walked));
    return await this.all();
  }

  async #current(): Promise<Listing> {
    if (!this.#listing || this.#clock.now() >= this.#freshUntil) {
      this.#begin(this.#walk);
    }
    const listing = this.#listing!;
    const last = this.#last;
    if (!last) return await listing;
    const late = Promise.withResolvers<Listing>();
    using _timer = this.#clock.after(WALK_WAIT_MS, () => late.resolve(last));
    return await Promise.race([listing, late.promise]);
  }

  #begin(walk: (signal: AbortSignal) => Promise<Walked>): void {
    this.#freshUntil = Infinity;
    const { promise, resolve, reject } = Promise.withResolvers<Listing>();
    this.#listing = promise;
    this.#jobs.spawn((signal) => this.#list(walk(signal)).then(resolve, reject));
  }

  async #list(walk: Promise<Walked>): Promise<Listing> {
    try {
      const files = await sortByName((await walk).files);
      // The same object as long as nothing changes: so are its pages.
      if (!this.#last || !areSame(this.#last.files, files)) {
        this.#last = new Listing(files, this.#pageFiles);
      }
      return this.#last;
    } finally {
      this.#freshUntil = this.#clock.now() + MAX_AGE_MS;
    }
  }
}

/**
 * What is offered at one time. Each page is encoded once for all who are sent it,
 * and begins where the one before it ends, whoever asks: so however many clients
 * ask and do not read, their pages are the whole listing once, at most. A page
 * that nobody is sent any more may go.
 */
class Listing {
  readonly bytes: number;
  readonly #pages: WeakRef<Uint8Array>[] = [];
  #names: WeakRef<Uint8Array> | undefined;

  constructor(readonly files: readonly ListedFile[], readonly pageFiles: number) {
    this.bytes = files.reduce((sum, { size }) => sum + size, 0);
  }

  page(after: string): IndexPage {
    const start = firstGreater(this.files, after);
    const number = Math.floor(start / this.pageFiles);
    const pageStart = number * this.pageFiles;
    const body = afterLines(this.#page(number), start - pageStart);
    return { body, more: pageStart + this.pageFiles < this.files.length };
  }

  names(): Uint8Array {
    const kept = this.#names?.deref();
    if (kept) return kept;
    const made = encode(encodeOneShotListing(this.files.map(({ name }) => name)));
    this.#names = new WeakRef(made);
    return made;
  }

  #page(number: number): Uint8Array {
    const kept = this.#pages[number]?.deref();
    if (kept) return kept;
    const start = number * this.pageFiles;
    const made = encode(encodeListing(this.files.slice(start, start + this.pageFiles)));
    this.#pages[number] = new WeakRef(made);
    return made;
  }
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

const LF = 10;

/** `page` without its first `count` lines; not a copy. */
function afterLines(page: Uint8Array, count: number): Uint8Array {
  let start = 0;
  for (let passed = 0; passed < count; passed++) start = page.indexOf(LF, start) + 1;
  return page.subarray(start);
}

function areSame(some: readonly ListedFile[], others: readonly ListedFile[]): boolean {
  return some.length === others.length && some.every(({ name, size, modified }, i) => {
    const other = others[i]!;
    return name === other.name && size === other.size && modified === other.modified;
  });
}

/** Files sorted at a time: about two milliseconds. */
const RUN = 1000;

/**
 * Sorts by code point, in runs that are then merged, so that others get their
 * turn in between: 100,000 names in one go would hold everybody up for 250 ms.
 */
async function sortByName(files: ListedFile[]): Promise<ListedFile[]> {
  let runs: ListedFile[][] = [];
  for (const { start, end } of splitRange({ start: 0, end: files.length }, RUN)) {
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

function merged(left: ListedFile[], right: ListedFile[]): ListedFile[] {
  const all: ListedFile[] = [];
  let [i, j] = [0, 0];
  while (i < left.length && j < right.length) {
    const next = byName(left[i]!, right[j]!) <= 0 ? left[i++] : right[j++];
    all.push(next!);
  }
  while (i < left.length) all.push(left[i++]!);
  while (j < right.length) all.push(right[j++]!);
  return all;
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
