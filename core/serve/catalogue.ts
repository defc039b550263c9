/** What the folder offers now: walked on demand, and remembered for a second. */
import { setImmediate } from "node:timers";
import { dirname, join } from "@std/path";
import type { Clock } from "../base/clock.ts";
import { compareNames } from "../base/names.ts";
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
      return (await this.#walk()).sort((a, b) => compareNames(a.name, b.name));
    } finally {
      this.#freshUntil = this.#clock.now() + FRESH_MS;
    }
  }
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

  async enter(path: string, prefix: string): Promise<void> {
    for (const entry of await entriesOf(path)) {
      if (++this.#looked % ENTRIES_AT_ONCE === 0) await letOthersRun();
      this.#signal.throwIfAborted();
      const name = prefix + entry.name;
      if (!offers(this.#folder, name)) continue;
      const found = this.#look(join(path, entry.name), entry);
      if (found?.isFile) this.files.push({ name, ...found.file });
      else if (found) await this.enter(found.path, `${name}/`);
    }
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

/** Sorted, so that which of two links is followed does not depend on the disk. */
async function entriesOf(path: string): Promise<Deno.DirEntry[]> {
  try {
    const entries = await Array.fromAsync(Deno.readDir(path));
    return entries.sort((a, b) => compareNames(a.name, b.name));
  } catch {
    return [];
  }
}

function letOthersRun(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
