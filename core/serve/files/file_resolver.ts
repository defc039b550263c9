/**
 * Finds and opens the folder's files, and remembers which it has opened.
 *
 * That a name leads to a file inside the folder is proven by a look at each
 * folder on its way, before and after the opening. A file that was proven is
 * known again by its number on the disk, its size and its times: as long as
 * they are at that path, one look says what many said before.
 */
import { pathOf, type Root } from "./root.ts";
import { locate, type Located, type OpenFile, openLocated, openSame } from "./open_file.ts";
import { isOfVersion } from "./file_version.ts";

/** Enough for a folder of small files that several clients take one after the other; two MiB. */
const MAX_CACHED = 4096;

export class FileResolver {
  readonly #folder: Root;
  readonly #most: number;
  /** By name, those without links on their way; the one proven longest ago first. */
  readonly #proven = new Map<string, Located>();

  /** @param most files that are remembered. */
  constructor(folder: Root, most = MAX_CACHED) {
    this.#folder = folder;
    this.#most = most;
  }

  /** The file of that name as it is now. @throws {Refusal} NOT_FOUND and the like. */
  find(name: string): Located {
    const proven = this.#proven.get(name);
    return proven && isStillThere(proven) ? proven : locate(this.#folder, name);
  }

  /** Opens what was found. @throws {Refusal} CHANGED if it is another version by now, NOT_FOUND and the like. */
  open(found: Located): OpenFile {
    if (this.#proven.get(found.name) === found) return openSame(found);
    const file = openLocated(this.#folder, found);
    this.#remember(found);
    return file;
  }

  #remember(found: Located): void {
    const { name, path, version } = found;
    this.#proven.delete(name);
    // Without a number, a file is not known again.
    if (!version.ino || path !== pathOf(this.#folder, name)) return;
    this.#proven.set(name, found);
    if (this.#proven.size <= this.#most) return;
    for (const [oldest] of this.#proven) return void this.#proven.delete(oldest);
  }
}

function isStillThere({ path, version }: Located): boolean {
  try {
    const facts = Deno.lstatSync(path);
    return facts.isFile && isOfVersion(facts, version);
  } catch {
    return false;
  }
}
