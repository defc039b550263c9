/**
 * The journal beside a part file: append-only, written after the piece it
 * claims, so that after a crash it claims too little, never too much.
 */
import { onDisk } from "./disk_faults.ts";
import {
  encodeIdentity,
  encodeRecord,
  type JournalContent,
  type JournalIdentity,
  parseJournal,
} from "./journal_text.ts";

/** What can be read of the journal at `path`; undefined when there is none, or not even its identity. */
export async function readJournal(path: string): Promise<JournalContent | undefined> {
  return await onDisk(`read "${path}"`, async () => {
    try {
      return parseJournal(await Deno.readTextFile(path));
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    }
  });
}

export class Journal implements Disposable {
  readonly #path: string;
  readonly #file: Deno.FsFile;

  private constructor(path: string, file: Deno.FsFile) {
    this.#path = path;
    this.#file = file;
  }

  /** Begins a journal, or goes on behind the last whole record of `content`. */
  static open(
    path: string,
    identity: JournalIdentity,
    content: JournalContent | undefined,
    run: { readonly pid: number; readonly boot: number },
  ): Journal {
    const fresh = content === undefined;
    const file = Deno.openSync(path, {
      read: true,
      write: true,
      ...(fresh ? { createNew: true } : {}),
    });
    const journal = new Journal(path, file);
    if (fresh) journal.#append(encodeIdentity(identity));
    else {
      file.truncateSync(content.length);
      file.seekSync(0, Deno.SeekMode.End);
    }
    journal.#append(encodeRecord({ run }));
    return journal;
  }

  /** Call it when the piece is in the part file, never before. */
  addPiece(piece: number): void {
    this.#append(encodeRecord({ piece }));
  }

  /** Call it when the part file was synced. */
  addSynced(): void {
    this.#append(encodeRecord({ synced: true }));
  }

  async remove(): Promise<void> {
    await Deno.remove(this.#path);
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }

  #append(text: string): void {
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length;) at += this.#file.writeSync(bytes.subarray(at));
  }
}
