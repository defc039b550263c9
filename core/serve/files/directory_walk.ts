/** Finds all files that the served folder offers, in small steps between which clients are served. */
import { dirname, join } from "node:path";
import { yieldToEventLoop } from "../../base/clock.ts";
import { compareNames } from "../../base/names.ts";
import type { OmitReason } from "../../events.ts";
import type { ListedFile } from "../../protocol/listing.ts";
import { isReadable } from "./open_file.ts";
import { isInside, isServable, omitReason, type Root } from "./root.ts";

export interface WalkResult {
  /** In any order. */
  readonly files: ListedFile[];
  readonly omitted: Omitted;
}

/** What is in the folder and not offered, except names that are not UTF-8, which the runtime does not list. */
export interface Omitted {
  readonly count: number;
  readonly reasons: Readonly<Partial<Record<OmitReason, number>>>;
  /** The first one for each reason that is not on purpose. */
  readonly examples: readonly { readonly name: string; readonly reason: OmitReason }[];
}

/** Entries between two turns of the event loop: about half a millisecond. */
const ENTRIES_PER_TURN = 100;

/** Left out on purpose, so that no example is needed. */
const EXPECTED: ReadonlySet<OmitReason> = new Set(["hidden", "unfinished"]);

/**
 * Every file that `root` offers. What cannot be read is skipped: one folder that may
 * not be read must not hide the rest.
 *
 * @throws the signal's reason if it aborts.
 */
export async function walkDirectory(root: Root, signal: AbortSignal): Promise<WalkResult> {
  const walk = new Walk(root, signal);
  await walk.enter(root.path, "");
  const { files, reasons, examples } = walk;
  const count = Object.values(reasons).reduce((sum, each) => sum + each, 0);
  return { files, omitted: { count, reasons, examples } };
}

class Walk {
  readonly files: ListedFile[] = [];
  readonly reasons: Partial<Record<OmitReason, number>> = {};
  readonly examples: { name: string; reason: OmitReason }[] = [];
  readonly #root: Root;
  readonly #signal: AbortSignal;
  /** Folders that links lead to. Each is entered once, so that links cannot multiply what is listed. */
  readonly #linked = new Set<string>();
  #entries = 0;

  constructor(root: Root, signal: AbortSignal) {
    this.#root = root;
    this.#signal = signal;
  }

  /** Files first, then folders, then links, sorted: which of two links is followed must not depend on the disk. */
  async enter(path: string, prefix: string): Promise<void> {
    const folders: Deno.DirEntry[] = [];
    const links: Deno.DirEntry[] = [];
    for await (const entry of this.#entriesOf(path, prefix)) {
      if (++this.#entries % ENTRIES_PER_TURN === 0) await yieldToEventLoop();
      this.#signal.throwIfAborted();
      const reason = omitReason(this.#root, prefix + entry.name);
      if (reason) this.#omit(prefix + entry.name, reason);
      else if (entry.isSymlink) links.push(entry);
      else if (entry.isDirectory) folders.push(entry);
      else await this.#add(path, prefix, entry);
    }
    for (const entry of [...sorted(folders), ...sorted(links)]) {
      await this.#add(path, prefix, entry);
    }
  }

  #omit(name: string, reason: OmitReason): void {
    const before = this.reasons[reason] ?? 0;
    this.reasons[reason] = before + 1;
    if (before === 0 && !EXPECTED.has(reason)) this.examples.push({ name, reason });
  }

  /** Nothing if the folder may not be read or is gone. */
  async *#entriesOf(path: string, prefix: string): AsyncIterable<Deno.DirEntry> {
    try {
      yield* Deno.readDir(path);
    } catch (error) {
      const denied = error instanceof Deno.errors.PermissionDenied;
      if (denied) this.#omit(prefix.slice(0, -1), "unreadable-folder");
    }
  }

  async #add(folder: string, prefix: string, entry: Deno.DirEntry): Promise<void> {
    const name = prefix + entry.name;
    const found = this.#look(join(folder, entry.name), entry);
    if (found === undefined) return;
    if ("omitted" in found) this.#omit(name, found.omitted);
    else if ("folder" in found) await this.enter(found.folder, `${name}/`);
    else this.files.push({ name, ...found });
  }

  /** undefined if it is gone since the folder was read. */
  #look(path: string, entry: Deno.DirEntry): Found | undefined {
    try {
      if (entry.isSymlink) return this.#follow(path);
      if (entry.isDirectory) return { folder: path };
      return entry.isFile ? foundFile(path, Deno.lstatSync(path)) : { omitted: "special-file" };
    } catch (error) {
      if (entry.isSymlink) return { omitted: "broken-link" };
      const gone = error instanceof Deno.errors.NotFound;
      return gone ? undefined : { omitted: "unreadable-file" };
    }
  }

  #follow(link: string): Found {
    const path = Deno.realPathSync(link);
    if (!isServable(this.#root, path)) {
      return { omitted: isInside(this.#root.path, path) ? "unfinished" : "link-out" };
    }
    const stat = Deno.lstatSync(path);
    if (!stat.isDirectory) return foundFile(path, stat);
    const loops = isInside(path, Deno.realPathSync(dirname(link)));
    if (loops || this.#linked.has(path)) return { omitted: "repeated-link" };
    this.#linked.add(path);
    return { folder: path };
  }
}

const OWNER_MAY_EXECUTE = 0o100;

type Found =
  | Omit<ListedFile, "name">
  | { readonly folder: string }
  | { readonly omitted: OmitReason };

function foundFile(path: string, stat: Deno.FileInfo): Found {
  if (!stat.isFile) return { omitted: "special-file" };
  if (!isReadable(path, stat)) return { omitted: "unreadable-file" };
  const isExecutable = stat.mode !== null && (stat.mode & OWNER_MAY_EXECUTE) !== 0;
  return {
    size: stat.size,
    modified: stat.mtime?.getTime() ?? 0,
    ...isExecutable && { executable: true as const },
  };
}

function sorted(entries: Deno.DirEntry[]): Deno.DirEntry[] {
  return entries.sort((a, b) => compareNames(a.name, b.name));
}
