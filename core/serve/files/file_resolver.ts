/**
 * From names to files inside the served folder.
 *
 * Every folder on the way is checked before and after a file is opened, so that no
 * link leads outside. A file that passed is recognized by its inode, size and times
 * afterwards: while these are at its path, and no folder on the way became a link, one
 * look at it replaces all checks.
 */
import { join } from "node:path";
import { isOutOfDescriptors } from "../../base/descriptors.ts";
import { LruCache } from "../../base/lru_cache.ts";
import { busyReply, ErrorReply } from "../../protocol/error_replies.ts";
import { isOfVersion, versionOf } from "./file_version.ts";
import { isReadable, type Located, OpenFile } from "./open_file.ts";
import { isServable, omitReason, pathOf, type Root } from "./root.ts";

/** Enough for a folder of small files that several clients download; takes two MiB. */
const MAX_CHECKED_FILES = 4096;

export class FileResolver {
  readonly #root: Root;
  /** Files that passed all checks, by name; only those without links on their way. */
  readonly #checked: LruCache<string, Located>;

  constructor(root: Root, maxChecked = MAX_CHECKED_FILES) {
    this.#root = root;
    this.#checked = new LruCache({ maxSize: maxChecked });
  }

  /** The file of that name as it is now. @throws {ErrorReply} NOT_FOUND, BUSY. */
  find(name: string): Located {
    const checked = this.#checked.get(name);
    return checked && this.#isStillThere(checked) ? checked : this.#locate(name);
  }

  /** Opens what was found. @throws {ErrorReply} CHANGED if it is another version by now, NOT_FOUND, BUSY. */
  open(found: Located): OpenFile {
    if (this.#checked.get(found.name) === found) return openVersion(found, found.path);
    const namedPath = pathOf(this.#root, found.name);
    const file = openVersion(found, namedPath);
    try {
      // A link that was set between the first look and the opening changes the path or the file.
      const now = this.#locate(found.name);
      if (now.path !== found.path) throw notFound();
      if (now.version.id !== found.version.id) throw changed();
    } catch (error) {
      file[Symbol.dispose]();
      throw error;
    }
    // Without an inode a file cannot be recognized.
    if (found.version.ino && found.path === namedPath) this.#checked.set(found.name, found);
    return file;
  }

  #isStillThere({ name, path, version }: Located): boolean {
    try {
      let folder = this.#root.path;
      for (const part of name.split("/").slice(0, -1)) {
        folder = join(folder, part);
        if (!Deno.lstatSync(folder).isDirectory) return false;
      }
      const stat = Deno.lstatSync(path);
      return stat.isFile && isOfVersion(stat, version);
    } catch {
      return false;
    }
  }

  #locate(name: string): Located {
    if (omitReason(this.#root, name)) throw notFound();
    try {
      const path = Deno.realPathSync(pathOf(this.#root, name));
      if (!isServable(this.#root, path)) throw notFound();
      const stat = Deno.lstatSync(path);
      // Devices, sockets and pipes could block or never end; they are not even opened.
      if (!stat.isFile) throw notFound();
      // Neither size nor name of a file that cannot be opened is offered.
      if (!isReadable(path, stat)) throw notFound();
      return { name, path, version: versionOf(stat) };
    } catch (error) {
      throw errorReplyOf(error);
    }
  }
}

/** Whether `found` lies inside the folder is not checked here. @throws {ErrorReply} CHANGED, NOT_FOUND, BUSY. */
function openVersion(found: Located, namedPath: string): OpenFile {
  let file: OpenFile | undefined;
  try {
    file = new OpenFile(found, namedPath);
    const stat = file.stat();
    if (!stat.isFile()) throw notFound();
    if (!isOfVersion(stat, found.version)) throw changed();
    return file;
  } catch (error) {
    file?.[Symbol.dispose]();
    throw errorReplyOf(error);
  }
}

function notFound(): ErrorReply {
  return new ErrorReply("NOT_FOUND", "no such file");
}

function changed(): ErrorReply {
  return new ErrorReply("CHANGED", "the file changed while it was opened");
}

/** The platform's codes for a file that is not there or may not be read, and for names that no disk can hold. */
const NOT_FOUND_CODES = new Set([
  "ENOENT",
  "ENOTDIR",
  "EACCES",
  "EPERM",
  "ELOOP",
  "ENAMETOOLONG",
  "EINVAL",
]);

/** A platform's error as a reply; other errors stay what they are. */
function errorReplyOf(error: unknown): Error {
  if (error instanceof ErrorReply) return error;
  if (isOutOfDescriptors(error)) return busyReply(1000, "too many open files");
  if (NOT_FOUND_CODES.has(String(Object(error).code))) return notFound();
  return error instanceof Error ? error : new Error(String(error));
}
