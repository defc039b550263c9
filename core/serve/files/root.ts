/** The served folder: which names it offers, and where they are on the disk. */
import { join } from "node:path";
import { DiskError, reasonOf, UsageError } from "../../base/errors.ts";
import { isValidName } from "../../base/names.ts";
import { isReservedName, localName } from "../../store/paths.ts";

export interface Root {
  /** Without links. */
  readonly path: string;
  /** Whether names with a part that begins with a dot are offered. */
  readonly hidden: boolean;
  /** As `Deno.build.os` names it. */
  readonly platform: string;
}

/** The runtime opens nothing there without all permissions, which p2p does not have. */
const SYSTEM_FOLDER = /^\/(?:dev|proc|sys)(?:\/|$)/;
/** @throws {UsageError} if there is no such folder. @throws {DiskError} if it may not be read. */
export function openRoot(
  dir: string,
  hidden: boolean,
  platform: string = Deno.build.os,
): Root {
  try {
    const path = Deno.realPathSync(dir);
    if (platform === "linux" && SYSTEM_FOLDER.test(path)) {
      throw new Error("the system's own files are out of bounds for this program");
    }
    // Reads the first entry, so that a missing right shows now and not with the first client.
    Deno.readDirSync(path)[Symbol.iterator]().next();
    return { path, hidden, platform };
  } catch (error) {
    throw rootError(dir, error);
  }
}

function rootError(dir: string, error: unknown): Error {
  if (error instanceof Deno.errors.NotFound) {
    return new UsageError(`Cannot serve "${dir}": there is no such folder`, {
      cause: error,
      problem: "no-folder",
    });
  }
  if (error instanceof Deno.errors.NotADirectory) {
    return new UsageError(`Cannot serve "${dir}": it is not a folder`, {
      cause: error,
      problem: "not-a-folder",
    });
  }
  return new DiskError(`Cannot serve "${dir}": ${reasonOf(error)}`, {
    cause: error,
    problem: "unreadable-folder",
  });
}

export type NameOmitReason = "bad-name" | "unfinished" | "hidden";

/** Why `name` is never offered, whatever is on the disk; undefined if it may be. */
export function omitReason(root: Root, name: string): NameOmitReason | undefined {
  if (!isValidName(name)) return "bad-name";
  if (isReservedName(name)) return "unfinished";
  // On Windows a colon would open another stream of a file, and `con` a device.
  if (localName(name, root.platform) !== name) return "bad-name";
  return root.hidden || !hasHiddenPart(name) ? undefined : "hidden";
}

function hasHiddenPart(name: string): boolean {
  return name.startsWith(".") || name.includes("/.");
}

/** Where `name` is on the disk, if `omitReason` has none against it. */
export function pathOf(root: Root, name: string): string {
  return join(root.path, ...name.split("/"));
}

/**
 * Whether what is at `realPath`, a path without links, may be served: it lies inside
 * the folder and is no unfinished download. A link set by the owner may lead to a
 * hidden file; a short name of Windows (`GIT~1`) may not.
 */
export function isServable({ path, hidden, platform }: Root, realPath: string): boolean {
  if (!isInside(path, realPath, platform)) return false;
  // Only the part below the root: the names of its parent folders do not matter.
  const name = realPath.slice(path.length).replaceAll("\\", "/");
  if (isReservedName(name)) return false;
  return platform !== "windows" || hidden || !hasHiddenPart(name);
}

/** Both without links. */
export function isInside(
  folder: string,
  path: string,
  platform: string = Deno.build.os,
): boolean {
  const separator = platform === "windows" ? "\\" : "/";
  const prefix = folder.endsWith(separator) ? folder : folder + separator;
  return path === folder || path.startsWith(prefix);
}
