/**
 * The served folder: which names it offers, and where they are on the disk.
 * Whether something that can be served is there is `served_file.ts`'s business.
 */
import { join } from "@std/path";
import { DiskError, reasonOf, UsageError } from "../../base/errors.ts";
import { isValidName } from "../../base/names.ts";
import { isReservedName } from "../../store/paths.ts";

export interface Root {
  /** The folder's own path without links. */
  readonly root: string;
  /** Also names with a part that begins with a dot. */
  readonly hidden: boolean;
  /** As `Deno.build.os` names it. */
  readonly platform: string;
}

/** The runtime opens nothing there without all permissions, which p2p does not have. */
const SYSTEM_FOLDER = /^\/(?:dev|proc|sys)(?:\/|$)/;
/** Cannot be in a file's name there; a colon would even open another stream of the file. */
const INVALID_ON_WINDOWS = /[<>:"|?*]|[. ](?:\/|$)/;

/**
 * @throws {UsageError} if there is no such folder.
 * @throws {DiskError} if it may not be read.
 */
export function openRoot(
  dir: string,
  hidden: boolean,
  platform: string = Deno.build.os,
): Root {
  try {
    const root = Deno.realPathSync(dir);
    if (platform === "linux" && SYSTEM_FOLDER.test(root)) {
      throw new Error("the system's own files are out of bounds for this program");
    }
    // Reads the beginning of the folder: a right that is missing shows now, not at the first client.
    Deno.readDirSync(root)[Symbol.iterator]().next();
    return { root, hidden, platform };
  } catch (error) {
    throw rootError(dir, error);
  }
}

function rootError(dir: string, error: unknown): Error {
  if (error instanceof Deno.errors.NotFound) {
    return new UsageError(`Cannot serve "${dir}": there is no such folder`, {
      cause: error,
      hint: "Name the folder to serve, as in: p2p serve ./files",
    });
  }
  if (error instanceof Deno.errors.NotADirectory) {
    return new UsageError(`Cannot serve "${dir}": it is not a folder`, {
      cause: error,
      hint: "Name the folder that the file is in",
    });
  }
  return new DiskError(`Cannot serve "${dir}": ${reasonOf(error)}`, {
    cause: error,
    hint: "Give yourself the right to read the folder, or serve another one",
  });
}

/** Whether `name` may be served at all, whatever is on the disk. */
export function isOffered(folder: Root, name: string): boolean {
  return omitReason(folder, name) === undefined;
}

/** Why `name` is not served, whatever is on the disk; undefined if it may be. */
export function omitReason(
  folder: Root,
  name: string,
): "bad-name" | "unfinished" | "hidden" | undefined {
  if (!isValidName(name)) return "bad-name";
  if (isReservedName(name)) return "unfinished";
  if (folder.platform === "windows" && INVALID_ON_WINDOWS.test(name)) return "bad-name";
  return folder.hidden || !hasHiddenPart(name) ? undefined : "hidden";
}

function hasHiddenPart(name: string): boolean {
  return name.startsWith(".") || name.includes("/.");
}

/** Where `name` is on the disk; `name` must be one that the folder offers. */
export function pathOf(folder: Root, name: string): string {
  return join(folder.root, ...name.split("/"));
}

/**
 * Whether what is at `realPath`, a path without links, may be given out: it lies
 * inside the folder and is no unfinished download. A link of the owner's may
 * lead to a hidden file; a short name of Windows (`GIT~1`) may not.
 */
export function isServable(folder: Root, realPath: string): boolean {
  if (!isInside(folder.root, realPath, folder.platform)) return false;
  // Only below the folder: how its own parents are called is the owner's business.
  const name = realPath.slice(folder.root.length).replaceAll("\\", "/");
  if (isReservedName(name)) return false;
  return folder.platform !== "windows" || folder.hidden || !hasHiddenPart(name);
}

/** Both without links. */
export function isInside(
  root: string,
  path: string,
  platform: string = Deno.build.os,
): boolean {
  const separator = platform === "windows" ? "\\" : "/";
  const begin = root.endsWith(separator) ? root : root + separator;
  return path === root || path.startsWith(begin);
}
