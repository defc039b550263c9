/** Which names a folder was synchronized with, so that only these are ever deleted from it. */
import { join } from "@std/path";
import { sha256 } from "../base/digest.ts";
import { isValidName } from "../base/names.ts";
import { writeFileAtomicSync } from "../base/write_file_atomic.ts";
import { asStateError, PRIVATE_FOLDER, statOf } from "./state_files.ts";

/** A folder of this computer, and the folder on the seeds that it is a copy of. */
export interface SyncedFolder {
  /** Absolute, without links. */
  readonly out: string;
  /** Empty for everything. */
  readonly folder: string;
}

/** A million names; a larger file is not a record of p2p. */
const MAX_RECORD_BYTES = 256 * 1024 * 1024;

/** The names of the last synchronization; none if there was none. Damaged records count as none. */
export async function readSyncedNames(
  stateDir: string,
  folder: SyncedFolder,
): Promise<ReadonlySet<string>> {
  const path = recordOf(stateDir, folder);
  const { isFile = false, size = 0 } = statOf(path) ?? {};
  if (!isFile || size > MAX_RECORD_BYTES) return new Set();
  const text = await Deno.readTextFile(path).catch(() => "");
  return new Set(text.split("\n").filter((name) => isValidName(name)));
}

/** @throws {DiskError} */
export async function writeSyncedNames(
  stateDir: string,
  folder: SyncedFolder,
  names: Iterable<string>,
): Promise<void> {
  const path = recordOf(stateDir, folder);
  await asStateError(stateDir, async () => {
    await Deno.mkdir(join(stateDir, "sync"), { recursive: true, mode: PRIVATE_FOLDER });
    writeFileAtomicSync(path, Array.from(names, (name) => `${name}\n`).join(""));
  });
}

function recordOf(stateDir: string, { out, folder }: SyncedFolder): string {
  const id = sha256(new TextEncoder().encode(`${out}\0${folder}`)).toHex().slice(0, 32);
  return join(stateDir, "sync", id);
}
