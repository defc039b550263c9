/**
 * The journal beside a part file: append-only, written after the piece it
 * claims, so that after a crash it claims too little, never too much.
 */
import { type Disk, type DiskFile, lookAt } from "./disk.ts";
import { onDisk } from "./disk_faults.ts";
import {
  encodeIdentity,
  encodeRecord,
  type JournalContent,
  type JournalIdentity,
  type JournalRun,
  parseJournal,
} from "./journal_text.ts";

/** What can be read of the journal at `path`; undefined when there is none, or not even its identity. */
export function readJournal(path: string, disk: Disk): JournalContent | undefined {
  // A link is not followed, and whatever else is there is not ours.
  if (!lookAt(path, disk)?.isFile) return undefined;
  return onDisk(`read "${path}"`, () => {
    try {
      return parseJournal(disk.readTextFileSync(path));
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
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

  /** Begins a journal, or goes on behind the last whole record of `content`. @throws {DiskError} */
  static open(
    path: string,
    identity: JournalIdentity,
    content: JournalContent | undefined,
    run: JournalRun,
    disk: Disk,
  ): Journal {
    const begin = content === undefined ? { createNew: true } : {};
    const file = onDisk(`write "${path}"`, () => disk.openSync(path, { write: true, ...begin }));
    const journal = new Journal(path, file);
    try {
      if (content === undefined) journal.#append(encodeIdentity(identity));
      else journal.#goOnAt(content.length);
      journal.#append(encodeRecord({ run }));
      return journal;
    } catch (error) {
      file.close();
      throw error;
    }
  }

  /** Call it when the piece is in the part file, never before. */
  addPiece(piece: number): void {
    this.#append(encodeRecord({ piece }));
  }

  /** Call it when the unverified beginning of a piece is in the part file. */
  addPart(piece: number, length: number): void {
    this.#append(encodeRecord({ part: [piece, length] }));
  }

  /** Call it when the part file was synced. */
  addSynced(): void {
    this.#append(encodeRecord({ synced: true }));
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#file.close();
  }

  #goOnAt(position: number): void {
    onDisk(`write "${this.#path}"`, () => {
      this.#file.truncateSync(position);
      this.#file.seekSync(position, Deno.SeekMode.Start);
    });
  }

  #append(text: string): void {
    const bytes = new TextEncoder().encode(text);
    onDisk(`write "${this.#path}"`, () => {
      for (let at = 0; at < bytes.length;) at += this.#file.writeSync(bytes.subarray(at));
    });
  }
}
