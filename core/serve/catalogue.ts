/** What the folder offers now: walked on demand, and remembered for a second. */
import { setImmediate } from "node:timers";
import { dirname, join } from "@std/path";
import type { Clock } from "../base/clock.ts";
import { compareNames } from "../base/names.ts";
import { splitRange } from "../base/ranges.ts";
import { type ListedFile, MOST_LISTED } from "../wire/listing.ts";
import { type Folder, isInside, mayGiveOut, offers } from "./folder.ts";

/** A client that pages through the listing costs one walk, and a new file shows at once for a person. */
const FRESH_MS = 1000;

export interface ListingPage {
  readonly files: readonly ListedFile[];
  /** Whether there are further ones. */
  readonly more: boolean;
}

export class Catalogue {
  readonly #walk: () => Promise<ListedFile[]>;
  readonly #clock: Clock;
  #listing: Promise<readonly ListedFile[]> | undefined;
  #freshUntil = Infinity;

  /** @param walk lists the folder, in any order. */
  constructor(walk: () => Promise<ListedFile[]>, clock: Clock) {
    this.#walk = walk;
    this.#clock = clock;
  }

  /** All files, sorted by code point. Who asks while a walk runs shares it. */
  all(): Promise<readonly ListedFile[]> {
    if (!this.#listing || this.#clock.now() >= this.#freshUntil) {
      this.#freshUntil = Infinity;
      this.#listing = this.#list();
    }
    return this.#listing;
  }

  /** The first `most` names greater than `after`. */
  async page(after: string, most = MOST_LISTED): Promise<ListingPage> {
    const files = await this.all();
    const start = firstGreater(files, after);
    const end = start + most;
    return { files: files.slice(start, end), more: end < files.length };
  }

  async #list(): Promise<readonly ListedFile[]> {
    try {
      return await sortByName(await this.#walk());
    } finally {
      this.#freshUntil = this.#clock.now() + FRESH_MS;
    }
  }
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
    await letOthersRun();
  }
  while (runs.length > 1) {
    const longer: ListedFile[][] = [];
    for (let i = 0; i < runs.length; i += 2) {
      longer.push(merged(runs[i]!, runs[i + 1] ?? []));
      await letOthersRun();
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

/** Entries looked at before others get their turn: about half a millisecond. */
const ENTRIES_AT_ONCE = 100;

/**
 * Every file that `folder` offers. What cannot be read is passed over: one
 * forbidden sub-folder must not hide the rest.
 *
 * @throws the signal's reason if it aborts.
 */
export async function walkFolder(
  folder: Folder,
  signal: AbortSignal,
): Promise<ListedFile[]> {
  const walk = new Walk(folder, signal);
  await walk.enter(folder.root, "");
  return walk.files;
}

class Walk {
  readonly files: ListedFile[] = [];
  readonly #folder: Folder;
  readonly #signal: AbortSignal;
  /** Folders that links led to. Each is entered once, so links cannot multiply what is listed. */
  readonly #linked = new Set<string>();
  #looked = 0;

  constructor(folder: Folder, signal: AbortSignal) {
    this.#folder = folder;
    this.#signal = signal;
  }

  /** Files first, then folders, then links, in order: which of two links is followed does not depend on the disk. */
  async enter(path: string, prefix: string): Promise<void> {
    const folders: Deno.DirEntry[] = [];
    const links: Deno.DirEntry[] = [];
    for await (const entry of entriesOf(path)) {
      if (++this.#looked % ENTRIES_AT_ONCE === 0) await letOthersRun();
      this.#signal.throwIfAborted();
      if (!offers(this.#folder, prefix + entry.name)) continue;
      if (entry.isSymlink) links.push(entry);
      else if (entry.isDirectory) folders.push(entry);
      else await this.#add(path, prefix, entry);
    }
    for (const entry of [...inOrder(folders), ...inOrder(links)]) {
      await this.#add(path, prefix, entry);
    }
  }

  async #add(
    folder: string,
    prefix: string,
    entry: Deno.DirEntry,
  ): Promise<void> {
    const name = prefix + entry.name;
    const found = this.#look(join(folder, entry.name), entry);
    if (found?.isFile) this.files.push({ name, ...found.file });
    else if (found) await this.enter(found.path, `${name}/`);
  }

  /** What is behind an entry, or undefined when it is nothing for us. */
  #look(path: string, entry: Deno.DirEntry): Found | undefined {
    try {
      if (entry.isSymlink) return this.#follow(path);
      if (entry.isDirectory) return { isFile: false, path };
      return entry.isFile ? foundFile(Deno.lstatSync(path)) : undefined;
    } catch {
      // Gone since the folder was read, or not for us.
      return undefined;
    }
  }

  #follow(link: string): Found | undefined {
    const path = Deno.realPathSync(link);
    if (!mayGiveOut(this.#folder, path)) return undefined;
    const facts = Deno.lstatSync(path);
    if (!facts.isDirectory) return foundFile(facts);
    const loops = isInside(path, Deno.realPathSync(dirname(link)));
    if (loops || this.#linked.has(path)) return undefined;
    this.#linked.add(path);
    return { isFile: false, path };
  }
}

type Found =
  | { readonly isFile: true; readonly file: Omit<ListedFile, "name"> }
  | { readonly isFile: false; readonly path: string };

function foundFile(facts: Deno.FileInfo): Found | undefined {
  if (!facts.isFile) return undefined;
  const { size, mtime } = facts;
  return { isFile: true, file: { size, modified: mtime?.getTime() ?? 0 } };
}

/** None where the folder may not be read, or is gone. */
async function* entriesOf(path: string): AsyncIterable<Deno.DirEntry> {
  try {
    for await (const entry of Deno.readDir(path)) yield entry;
  } catch {
    // The rest of the listing is worth having without it.
  }
}

function inOrder(entries: Deno.DirEntry[]): Deno.DirEntry[] {
  return entries.sort((a, b) => compareNames(a.name, b.name));
}

function letOthersRun(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
