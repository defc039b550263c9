/** Looks through the served folder for all that it offers, in small steps: others are served meanwhile. */
import { dirname, join } from "@std/path";
import { letOthersRun } from "../base/let_others_run.ts";
import { compareNames, faultOfName } from "../base/names.ts";
import type { ListedFile } from "../wire/listing.ts";
import { type Folder, isInside, mayGiveOut, offers } from "./folder.ts";

/** What a walk found. */
export interface Walked {
  /** In any order. */
  readonly files: ListedFile[];
  readonly omitted: Omitted;
}

/** Files and folders that nobody can ask for, because of their names. */
export interface Omitted {
  readonly count: number;
  /** The first few, as they are on the disk. */
  readonly examples: readonly { readonly name: string; readonly why: string }[];
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
): Promise<Walked> {
  const walk = new Walk(folder, signal);
  await walk.enter(folder.root, "");
  return { files: walk.files, omitted: { count: walk.omitted, examples: walk.examples } };
}

/** Of omitted names: enough to see what is wrong with them. */
const MOST_EXAMPLES = 3;

class Walk {
  readonly files: ListedFile[] = [];
  readonly examples: { name: string; why: string }[] = [];
  omitted = 0;
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
      const name = prefix + entry.name;
      if (!offers(this.#folder, name)) {
        this.#omit(name);
        continue;
      }
      if (entry.isSymlink) links.push(entry);
      else if (entry.isDirectory) folders.push(entry);
      else await this.#add(path, prefix, entry);
    }
    for (const entry of [...inOrder(folders), ...inOrder(links)]) {
      await this.#add(path, prefix, entry);
    }
  }

  /** Hidden files and unfinished downloads are left out on purpose: that is no news. */
  #omit(name: string): void {
    const why = faultOfName(name);
    if (why === undefined) return;
    this.omitted++;
    if (this.examples.length < MOST_EXAMPLES) this.examples.push({ name, why });
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
