/** Looks through the served folder for all that it offers, in small steps: others are served meanwhile. */
import { dirname, join } from "@std/path";
import { yieldToEventLoop } from "../../base/event_loop.ts";
import { compareNames } from "../../base/names.ts";
import type { OmitReason } from "../../events.ts";
import type { ListedFile } from "../../protocol/listing.ts";
import { isInside, isServable, omitReason, type Root } from "./root.ts";
import { isReadable } from "./open_file.ts";

/** What a walk found. */
export interface Walked {
  /** In any order. */
  readonly files: ListedFile[];
  readonly omitted: Omitted;
}

/** What is in the folder and not offered. Names that are not UTF-8 are not among it: the runtime does not list them. */
export interface Omitted {
  readonly count: number;
  readonly reasons: Readonly<Partial<Record<OmitReason, number>>>;
  /** The first one for each reason that is not on purpose, as it is on the disk. */
  readonly examples: readonly Example[];
}

interface Example {
  readonly name: string;
  readonly reason: OmitReason;
}

/** Entries looked at before others get their turn: about half a millisecond. */
const ENTRIES_AT_ONCE = 100;

/**
 * Every file that `folder` offers. What cannot be read is passed over: one
 * forbidden sub-folder must not hide the rest.
 *
 * @throws the signal's reason if it aborts.
 */
export async function walkDirectory(
  folder: Root,
  signal: AbortSignal,
): Promise<Walked> {
  const walk = new Walk(folder, signal);
  await walk.enter(folder.root, "");
  return { files: walk.files, omitted: walk.omitted };
}

/** Left out on purpose: not worth an example. */
const EXPECTED: ReadonlySet<OmitReason> = new Set(["hidden", "unfinished"]);

class Walk {
  readonly files: ListedFile[] = [];
  readonly #reasons: Partial<Record<OmitReason, number>> = {};
  readonly #examples: Example[] = [];
  readonly #folder: Root;
  readonly #signal: AbortSignal;
  /** Folders that links led to. Each is entered once, so links cannot multiply what is listed. */
  readonly #linked = new Set<string>();
  #looked = 0;

  constructor(folder: Root, signal: AbortSignal) {
    this.#folder = folder;
    this.#signal = signal;
  }

  get omitted(): Omitted {
    const count = Object.values(this.#reasons).reduce((sum, each) => sum + each, 0);
    return { count, reasons: this.#reasons, examples: this.#examples };
  }

  /** Files first, then folders, then links, in order: which of two links is followed does not depend on the disk. */
  async enter(path: string, prefix: string): Promise<void> {
    const folders: Deno.DirEntry[] = [];
    const links: Deno.DirEntry[] = [];
    for await (const entry of this.#entriesOf(path, prefix)) {
      if (++this.#looked % ENTRIES_AT_ONCE === 0) await yieldToEventLoop();
      this.#signal.throwIfAborted();
      const name = prefix + entry.name;
      const reason = omitReason(this.#folder, name);
      if (reason) this.#omit(name, reason);
      else if (entry.isSymlink) links.push(entry);
      else if (entry.isDirectory) folders.push(entry);
      else await this.#add(path, prefix, entry);
    }
    for (const entry of [...inOrder(folders), ...inOrder(links)]) {
      await this.#add(path, prefix, entry);
    }
  }

  #omit(name: string, reason: OmitReason): void {
    const before = this.#reasons[reason] ?? 0;
    this.#reasons[reason] = before + 1;
    if (before === 0 && !EXPECTED.has(reason)) this.#examples.push({ name, reason });
  }

  /** None where the folder may not be read, or is gone. */
  async *#entriesOf(path: string, prefix: string): AsyncIterable<Deno.DirEntry> {
    try {
      for await (const entry of Deno.readDir(path)) yield entry;
    } catch (error) {
      // The rest of the listing is worth having without it.
      const denied = error instanceof Deno.errors.PermissionDenied;
      if (denied) this.#omit(prefix.slice(0, -1), "unreadable-folder");
    }
  }

  async #add(
    folder: string,
    prefix: string,
    entry: Deno.DirEntry,
  ): Promise<void> {
    const name = prefix + entry.name;
    const found = this.#look(join(folder, entry.name), entry);
    if (found === undefined) return;
    if (found.kind === "omitted") this.#omit(name, found.reason);
    else if (found.kind === "file") this.files.push({ name, ...found.file });
    else await this.enter(found.path, `${name}/`);
  }

  /** What is behind an entry, or undefined when it has gone since the folder was read. */
  #look(path: string, entry: Deno.DirEntry): Found | undefined {
    try {
      if (entry.isSymlink) return this.#follow(path);
      if (entry.isDirectory) return { kind: "folder", path };
      return entry.isFile ? foundFile(path, Deno.lstatSync(path)) : omitted("special-file");
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) {
        return entry.isSymlink ? omitted("broken-link") : undefined;
      }
      return omitted(entry.isSymlink ? "broken-link" : "unreadable-file");
    }
  }

  #follow(link: string): Found {
    const path = Deno.realPathSync(link);
    if (!isServable(this.#folder, path)) {
      return omitted(isInside(this.#folder.root, path) ? "unfinished" : "link-out");
    }
    const facts = Deno.lstatSync(path);
    if (!facts.isDirectory) return foundFile(path, facts);
    const loops = isInside(path, Deno.realPathSync(dirname(link)));
    if (loops || this.#linked.has(path)) return omitted("repeated-link");
    this.#linked.add(path);
    return { kind: "folder", path };
  }
}

type Found =
  | { readonly kind: "file"; readonly file: Omit<ListedFile, "name"> }
  | { readonly kind: "folder"; readonly path: string }
  | { readonly kind: "omitted"; readonly reason: OmitReason };

function omitted(reason: OmitReason): Found {
  return { kind: "omitted", reason };
}

function foundFile(path: string, facts: Deno.FileInfo): Found {
  if (!facts.isFile) return omitted("special-file");
  if (!isReadable(path, facts)) return omitted("unreadable-file");
  const { size, mtime } = facts;
  return { kind: "file", file: { size, modified: mtime?.getTime() ?? 0 } };
}

function inOrder(entries: Deno.DirEntry[]): Deno.DirEntry[] {
  return entries.sort((a, b) => compareNames(a.name, b.name));
}
