/** What a file must hold, and whether a journal is about that. */
import type { Hasher } from "../hash/pool.ts";
import type { Disk, User } from "./disk.ts";
import type { DiskSpace } from "./free_space.ts";
import type { JournalContent, JournalIdentity } from "./journal_text.ts";
import type { StoredContent } from "./pieces.ts";

export interface StoreOptions {
  readonly pid: number;
  /** When this machine was started, ms since 1970. */
  readonly boot: number;
  /** The kernel's id of that start; where the platform gives none, only what was synced is trusted. */
  readonly bootId?: string | undefined;
  /** Who runs this process; undefined where files have no owners. */
  readonly user?: User | undefined;
  /** Bytes after which what was written is synced, beside the download; undefined: only at the end. */
  readonly syncEvery?: number | undefined;
  /** Shared by all downloads of the process. */
  readonly space: DiskSpace;
  readonly disk?: Disk;
  /** Hashes files; this thread where none is given. */
  readonly hasher?: Hasher;
  /** As `Deno.build.os` names it; this one where none is given. */
  readonly platform?: string;
}

export function identityOf({ layout, manifest }: StoredContent): JournalIdentity {
  return { id: manifest?.id ?? null, size: layout.size, pieceSize: layout.pieceSize };
}

/** Whether the journal is about exactly this content. */
export function isFor(left: JournalContent | undefined, content: StoredContent): boolean {
  const { id, size, pieceSize } = identityOf(content);
  return left !== undefined && left.identity.id === id && left.identity.size === size &&
    left.identity.pieceSize === pieceSize;
}

/** Whether the part file may hold our bytes: unverified ones of the same length may be the very same, and hashing will tell. */
export function mayHoldContent(left: JournalContent, content: StoredContent): boolean {
  if (isFor(left, content)) return true;
  return left.identity.id === null && content.manifest !== undefined &&
    left.identity.size === content.layout.size;
}
