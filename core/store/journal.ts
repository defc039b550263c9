/**
 * The journal beside a part file: append-only, written after the piece it
 * claims, so that after a crash it claims too little, never too much.
 */
import { ConflictError } from "../base/errors.ts";
import {
  type Disk,
  type DiskFile,
  isWrittenOnlyBy,
  mayBeSameInode,
  realDisk,
  statIfExists,
  type User,
  withDiskErrors,
} from "./disk.ts";
import {
  encodeIdentity,
  encodeRecord,
  type JournalContent,
  type JournalIdentity,
  type JournalRun,
  parseJournal,
} from "./journal_text.ts";

/** A journal that is there. */
export interface FoundJournal {
  /** undefined when not even its identity can be read. */
  readonly content: JournalContent | undefined;
  /** Nobody but this user can have written it. */
  readonly isOwn: boolean;
  readonly inode: number | null;
  /** ms since 1970. */
  readonly mtime: number | undefined;
}

/** The journal at `path`; undefined when no plain file is there. A link is not followed. */
export function readJournal(path: string, { disk = realDisk, user }: {
  readonly disk?: Disk;
  readonly user?: User | undefined;
}): FoundJournal | undefined {
  const there = statIfExists(path, disk);
  if (!there?.isFile) return undefined;
  return withDiskErrors(`read "${path}"`, () => {
    try {
      const content = parseJournal(disk.readTextFileSync(path));
      const isOwn = isWrittenOnlyBy(user, there, path, disk);
      return { content, isOwn, inode: there.ino, mtime: there.mtime?.getTime() };
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      // Another user's, and not for everyone to read.
      if (error instanceof Deno.errors.PermissionDenied) {
        return { content: undefined, isOwn: false, inode: there.ino, mtime: undefined };
      }
      throw error;
    }
  });
}

export class Journal implements Disposable {
  readonly #path: string;
  readonly #file: DiskFile;
  #closed = false;

  private constructor(path: string, file: DiskFile) {
    this.#path = path;
    this.#file = file;
  }

  /**
   * Begins a journal, or goes on behind the last whole record of `found`.
   *
   * @param lost pieces that it claims and that are wrong.
   * @throws {DiskError}
   */
  static open(
    path: string,
    identity: JournalIdentity,
    found: FoundJournal | undefined,
    lost: readonly number[],
    run: JournalRun,
    disk: Disk,
  ): Journal {
    const content = found?.content;
    const begin = content === undefined ? { createNew: true } : {};
    const file = withDiskErrors(
      `write "${path}"`,
      () => disk.openSync(path, { write: true, ...begin }),
    );
    const journal = new Journal(path, file);
    try {
      if (content === undefined) journal.#append(encodeIdentity(identity));
      else journal.#goOn(content.length, found?.inode);
      // Before the run whose modification time of the part file makes the other claims count again.
      if (lost.length > 0) journal.#append(encodeRecord({ lost }));
      journal.#append(encodeRecord({ run }));
      return journal;
    } catch (error) {
      file.close();
      throw error;
    }
  }

  /** Call it when the piece is in the part file, never before. @param crc where no manifest has a digest of it. */
  addPiece(piece: number, crc?: number): void {
    this.#append(encodeRecord(crc === undefined ? { piece } : { piece, crc }));
  }

  /** Call it when the unverified beginning of a piece is in the part file. */
  addPart(piece: number, length: number): void {
    this.#append(encodeRecord({ part: [piece, length] }));
  }

  /** Call it when the part file was synced. */
  addSynced(): void {
    this.#append(encodeRecord({ synced: true }));
  }

  /** Call it when a sync of the part file begins, while more is written. */
  beginSync(): void {
    this.#append(encodeRecord({ syncing: true }));
  }

  /** Call it when that sync has ended. */
  endSync(): void {
    this.#append(encodeRecord({ syncedBatch: true }));
  }

  /** Nothing that was claimed so far counts without being hashed. */
  addDoubt(): void {
    this.#append(encodeRecord({ doubt: true }));
  }

  /** Pieces that were claimed and are wrong. */
  addLost(lost: readonly number[]): void {
    this.#append(encodeRecord({ lost }));
  }

  /** The time of the last record, by the clock of the file system. */
  modified(): Date | undefined {
    return withDiskErrors(`look at "${this.#path}"`, () => this.#file.statSync()).mtime ??
      undefined;
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#file.close();
  }

  /** @throws {ConflictError} if it is not the file that was read. */
  #goOn(position: number, inode: number | null | undefined): void {
    withDiskErrors(`write "${this.#path}"`, () => {
      if (!mayBeSameInode(this.#file.statSync().ino, inode)) {
        throw new ConflictError(`Cannot write "${this.#path}": somebody replaced it`);
      }
      this.#file.truncateSync(position);
      this.#file.seekSync(position, Deno.SeekMode.Start);
    });
  }

  #append(text: string): void {
    const bytes = new TextEncoder().encode(text);
    withDiskErrors(`write "${this.#path}"`, () => {
      for (let at = 0; at < bytes.length;) at += this.#file.writeSync(bytes.subarray(at));
    });
  }
}
