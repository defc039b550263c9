/** Folders of the listing, which is a sorted list of names. Pure. */
import { compareNames } from "../../base/names.ts";
import type { ListedFile } from "../../protocol/listing.ts";

export interface FolderEntry {
  /** Inside of the folder; of a folder without a slash. */
  readonly name: string;
  readonly isFolder: boolean;
  /** Bytes; of a folder those of all files below it. */
  readonly size: number;
  /** Milliseconds since 1970; undefined for a folder. */
  readonly modified: number | undefined;
  /** The number of files: 1, or those below the folder. */
  readonly files: number;
}

export type SortKey = "name" | "size" | "date";

/** More entries are in the order of their names: sorting them would block the other clients. */
export const MAX_SORTED = 10_000;
/** Entries of one page: its text has some hundred KiB, and a client that does not read keeps it. */
export const MAX_PAGE_ENTRIES = 500;

export class FolderView {
  readonly #files: readonly ListedFile[];
  /** The folder's name and a slash; "" for the root. */
  readonly #prefix: string;
  /** The files of the folder: from `start` up to but not including `end`. */
  readonly start: number;
  readonly end: number;

  /** @param files sorted by code point. @param folder "" for the root. */
  constructor(files: readonly ListedFile[], folder: string) {
    this.#files = files;
    this.#prefix = folder === "" ? "" : `${folder}/`;
    this.start = lowerBound(files, this.#prefix);
    this.end = this.#endOf(this.#prefix);
  }

  get exists(): boolean {
    return this.#prefix === "" || this.start < this.end;
  }

  get bytes(): number {
    return bytesBetween(this.#files, this.start, this.end);
  }

  /** Entries after the one called `after`, in the order of their names; at most `most`. */
  entries(most: number, after = ""): { readonly entries: FolderEntry[]; readonly more: boolean } {
    const entries: FolderEntry[] = [];
    let at = after === "" ? this.start : this.#behind(after);
    for (; at < this.end && entries.length < most;) {
      const { name, size, modified } = this.#files[at]!;
      const inner = name.slice(this.#prefix.length);
      const slash = inner.indexOf("/");
      if (slash < 0) {
        entries.push({ name: inner, isFolder: false, size, modified, files: 1 });
        at++;
        continue;
      }
      const folder = inner.slice(0, slash);
      const next = this.#endOf(`${this.#prefix}${folder}/`);
      entries.push({
        name: folder,
        isFolder: true,
        size: bytesBetween(this.#files, at, next),
        modified: undefined,
        files: next - at,
      });
      at = next;
    }
    return { entries, more: at < this.end };
  }

  /** The position behind the entry `after`: a folder is behind a file with a name between, for example `a` < `a.b` < `a/c`. */
  #behind(after: string): number {
    const isFolder = after.endsWith("/");
    const name = this.#prefix + after;
    return Math.max(
      this.start,
      isFolder ? this.#endOf(name) : lowerBound(this.#files, `${name}\0`),
    );
  }

  /** The first file behind those whose names begin with `prefix`, which is "" or ends with a slash. */
  #endOf(prefix: string): number {
    if (prefix === "") return this.#files.length;
    // The character after the slash.
    return lowerBound(this.#files, `${prefix.slice(0, -1)}0`);
  }
}

/** Folders first; of equal ones the order of the names stays. */
export function sortEntries(
  entries: readonly FolderEntry[],
  key: SortKey,
  descending: boolean,
): FolderEntry[] {
  const sign = descending ? -1 : 1;
  const compare = (a: FolderEntry, b: FolderEntry) => {
    if (key === "size") return a.size - b.size;
    if (key === "date") return (a.modified ?? 0) - (b.modified ?? 0);
    return compareNames(a.name, b.name);
  };
  return entries.toSorted((a, b) =>
    Number(b.isFolder) - Number(a.isFolder) || sign * compare(a, b)
  );
}

/** The first position whose name is not less than `name`. */
function lowerBound(files: readonly ListedFile[], name: string): number {
  let [low, high] = [0, files.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareNames(files[middle]!.name, name) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Bytes of all files before each position; while nothing changes, a listing stays the same object. */
const sums = new WeakMap<readonly ListedFile[], Float64Array>();

function bytesBetween(files: readonly ListedFile[], start: number, end: number): number {
  const known = sums.get(files) ?? sumsOf(files);
  return known[end]! - known[start]!;
}

function sumsOf(files: readonly ListedFile[]): Float64Array {
  const before = new Float64Array(files.length + 1);
  for (const [i, { size }] of files.entries()) before[i + 1] = before[i]! + size;
  sums.set(files, before);
  return before;
}
