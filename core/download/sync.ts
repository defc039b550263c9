/**
 * Makes a folder as the seeds offer it: fetches what is missing or changed, and on request deletes
 * what the seeds offered before and offer no more.
 */
import { dirname, join } from "@std/path";
import { NotFoundError, UnreachableError } from "../base/errors.ts";
import type { DownloadSettings } from "../config.ts";
import type { ListedFile } from "../protocol/listing.ts";
import type { NetworkRuntime, Runtime } from "../runtime.ts";
import { readSyncedNames, type SyncedFolder, writeSyncedNames } from "../state/synced_names.ts";
import { type DiskOptions, realDisk, removeIfExists, statIfExists } from "../store/disk.ts";
import { isReservedName, OutFolder, realPathOf } from "../store/paths.ts";
import type { DownloadRequest } from "./download.ts";
import { attributesOf, list } from "./list.ts";

/** What to synchronize. */
export interface SyncJob {
  /** The folder on the seeds, without a slash at its end; empty for everything. */
  readonly folder: string;
  /** Where names go below; absolute. */
  readonly outDir: string;
  /** Keeps the names between runs. */
  readonly stateDir: string;
}

/** What it takes to make the folder as the seeds offer it. */
export interface SyncPlan {
  /** Files that are missing or may have changed. */
  readonly requests: readonly DownloadRequest[];
  /** The size of these files. */
  readonly bytes: number;
  /** Files of the right size and time, which are not read. */
  readonly unchanged: number;
  /** Names that were offered at the last synchronization and are not now, whose files are there. */
  readonly gone: readonly string[];
  /** Seeds that did not answer: they may still offer the names that seem to be gone. */
  readonly silent: readonly string[];
  /** All names that are offered. */
  readonly offered: readonly string[];
}

/** A file on this computer. */
export interface LocalFile {
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly modified: number;
}

/**
 * Compares the folder with what the seeds offer. Nothing is changed.
 *
 * @throws {UnreachableError} if no seed answers. @throws {NotFoundError} if they offer nothing there:
 * an empty disk of a seed must not empty the folder.
 */
export async function planSync(
  job: SyncJob,
  settings: DownloadSettings,
  runtime: NetworkRuntime & { readonly store: DiskOptions },
  signal: AbortSignal,
): Promise<SyncPlan> {
  const { folder, outDir, stateDir } = job;
  const { files, seeds } = await list({ glob: undefined, ids: false }, settings, runtime, signal);
  const silent = seeds.filter(({ ok }) => !ok);
  if (silent.length === seeds.length) {
    const reasons = silent.map(({ error }) => error).join("; ");
    throw new UnreachableError(`Cannot list files: ${reasons}`);
  }
  const offered = files.filter(({ name }) => isBelow(name, folder) && !isReservedName(name));
  if (offered.length === 0) {
    const place = folder === "" ? "" : ` in "${folder}"`;
    throw new NotFoundError(`Cannot synchronize: the seeds offer no file${place}`);
  }
  const seen = await readSyncedNames(stateDir, syncedFolder(job));
  const localOf = localFiles(outDir, runtime.store);
  const plan = comparePlans(offered, [...seen].filter((name) => isBelow(name, folder)), localOf);
  const gone = withoutOffered(plan.gone, plan.offered, job, runtime.store);
  return { ...plan, gone, silent: silent.map(({ seed }) => seed) };
}

/** The pure part of `planSync`. */
export function comparePlans(
  offered: readonly ListedFile[],
  seen: readonly string[],
  localOf: (name: string) => LocalFile | undefined,
): Omit<SyncPlan, "silent"> {
  const names = new Set(offered.map(({ name }) => name));
  const changed = offered.filter((file) => !isUnchanged(file, localOf(file.name)));
  return {
    requests: changed.map((file) => ({
      name: file.name,
      size: file.size,
      attributes: attributesOf(file),
    })),
    bytes: changed.reduce((sum, { size }) => sum + size, 0),
    unchanged: offered.length - changed.length,
    gone: seen.filter((name) => !names.has(name) && localOf(name) !== undefined).sort(),
    offered: [...names],
  };
}

/** A file whose size and time are those of the seed has not changed; its bytes are not read. */
function isUnchanged(file: ListedFile, local: LocalFile | undefined): boolean {
  const { modified } = attributesOf(file);
  return local?.size === file.size && local.modified === modified;
}

/**
 * Records what was offered, and deletes the files of names that are gone, and folders that became
 * empty. Only regular files below the folder are deleted.
 *
 * @param remove the names of the plan to delete; none while a seed is silent.
 * @returns the names that were deleted. @throws {DiskError}
 */
export async function finishSync(
  job: SyncJob,
  { offered }: SyncPlan,
  remove: readonly string[],
  { store }: Pick<Runtime, "store">,
): Promise<string[]> {
  const removed = removeFiles(job.outDir, withoutOffered(remove, offered, job, store), store);
  const seen = await readSyncedNames(job.stateDir, syncedFolder(job));
  const names = new Set([...offered, ...seen]).difference(new Set(removed));
  await writeSyncedNames(job.stateDir, syncedFolder(job), names);
  return removed;
}

/**
 * Those of `names` whose file is not the file of an offered name as well: a link in the folder, or a
 * file system that ignores case, gives one file two names.
 */
function withoutOffered(
  names: readonly string[],
  offered: readonly string[],
  { outDir }: SyncJob,
  { disk = realDisk, platform }: DiskOptions,
): string[] {
  if (names.length === 0) return [];
  const out = new OutFolder(outDir, platform, disk);
  const pathOf = (name: string) => realPathOf(out.locate(name));
  const kept = new Set(offered.map(pathOf));
  return names.filter((name) => !kept.has(pathOf(name)));
}

function removeFiles(
  outDir: string,
  names: readonly string[],
  { disk = realDisk, platform }: DiskOptions,
): string[] {
  if (names.length === 0) return [];
  const out = new OutFolder(outDir, platform, disk);
  const root = realPathOf(outDir);
  return names.filter((name) => {
    const path = out.locate(name);
    if (!path.startsWith(join(root, "/")) || !statIfExists(path, disk)?.isFile) return false;
    removeIfExists(path, disk);
    removeEmptyFolders(dirname(path), root);
    return true;
  });
}

/** Removes `folder` and its parents below `root`, as far as they are empty. */
function removeEmptyFolders(folder: string, root: string): void {
  for (let each = folder; each.startsWith(join(root, "/")); each = dirname(each)) {
    try {
      Deno.removeSync(each);
    } catch {
      return;
    }
  }
}

function localFiles(
  outDir: string,
  { disk = realDisk, platform }: DiskOptions,
): (name: string) => LocalFile | undefined {
  // Planning makes no folder.
  if (!statIfExists(outDir, disk)) return () => undefined;
  const out = new OutFolder(outDir, platform, disk);
  const root = realPathOf(outDir);
  return (name) => {
    const path = out.locate(name);
    if (!path.startsWith(join(root, "/"))) return undefined;
    const info = statIfExists(path, disk);
    if (!info?.isFile) return undefined;
    return { size: info.size, modified: info.mtime?.getTime() ?? 0 };
  };
}

function syncedFolder({ outDir, folder }: SyncJob): SyncedFolder {
  return { out: realPathOf(outDir), folder };
}

function isBelow(name: string, folder: string): boolean {
  return folder === "" || name.startsWith(`${folder}/`);
}
