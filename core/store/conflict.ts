/** What happens to a target that exists: decided by its content, and it is replaced only on request. */
import { existsSync } from "node:fs";
import { ConflictError } from "../base/errors.ts";
import type { ConflictPolicy } from "../config.ts";
import type { Manifest } from "../protocol/manifest.ts";
import { statIfExists, withDiskErrors } from "./disk.ts";
import { type HashingOptions, holds, sha256OfFile } from "./hashing.ts";
import { renamedTarget } from "./paths.ts";

/** What is known of the expected bytes. With the size alone, equal bytes are only known after the download. */
export type Bytes =
  | { readonly manifest: Manifest }
  | { readonly sha256: string }
  | { readonly size: number };

export interface ConflictResolution {
  readonly kind:
    /** Nothing is at `path`, or the bytes can be compared only after the download. */
    | "free"
    /** `path` already has the expected bytes. */
    | "same"
    /** `path` has other bytes and stays. */
    | "skip"
    /** `path` has other bytes and is replaced by the complete download. */
    | "replace";
  readonly path: string;
}

/** Whether nothing is at `path`; also true for a dangling link. Costs half as much as an `lstat` that fails. */
export function isFree(path: string): boolean {
  return !existsSync(path);
}

/** @throws {ConflictError} as the policy says. @throws {DiskError} */
export async function resolveConflict(
  path: string,
  bytes: Bytes,
  policy: ConflictPolicy,
  signal: AbortSignal,
  options: HashingOptions = {},
): Promise<ConflictResolution> {
  const info = statIfExists(path, options.disk);
  if (info === undefined) return { kind: "free", path };
  if ("size" in bytes) {
    if (policy === "skip") return { kind: "skip", path };
    const mayBeSame = info.isFile && info.size === bytes.size;
    if (mayBeSame || (policy !== "fail" && !info.isDirectory)) return { kind: "free", path };
  } else if (info.isFile) {
    const isSame = async () =>
      "manifest" in bytes
        ? await holds(path, bytes.manifest, signal, options)
        : await sha256OfFile(path, signal, options) === bytes.sha256;
    if (await withDiskErrors(`read "${path}"`, isSame)) return { kind: "same", path };
  }
  if (info.isDirectory) {
    throw new ConflictError(`Cannot write "${path}": it is a folder`, {
      problem: "target-blocked",
    });
  }
  if (policy === "skip") return { kind: "skip", path };
  if (policy === "overwrite") return { kind: "replace", path };
  if (policy === "rename" && !("size" in bytes)) {
    const id = "manifest" in bytes ? bytes.manifest.id : bytes.sha256;
    return await resolveConflict(renamedTarget(path, id), bytes, "fail", signal, options);
  }
  throw new ConflictError(`Cannot write "${path}": it exists with different content`, {
    problem: "target-exists",
  });
}
