/**
 * Where downloads end up: a name becomes a path below the folder that the user has chosen. All that
 * concerns a download's place (its task's id, the part file, what is removed) goes by this path.
 */
import { basename, dirname, join } from "@std/path";
import { ConflictError } from "../base/errors.ts";
import { onDisk } from "./disk_faults.ts";

export class OutFolder {
  readonly #path: string;
  readonly #platform: string;
  /** Its own path without links, once it is there. */
  #root: string | undefined;
  /** Where the folders are that names lie in, without links, as far as they are there. */
  readonly #located = new Map<string, string>();

  /** @param path made when missing, with the first file. @param platform as `Deno.build.os` names it. */
  constructor(path: string, platform: string = Deno.build.os) {
    this.#path = path;
    this.#platform = platform;
  }

  /** The path that `prepare` will give, as long as no link changes; nothing is made. */
  locate(name: string): string {
    const parts = localName(name, this.#platform).split("/");
    const folder = parts.slice(0, -1).join("/");
    let located = this.#located.get(folder);
    if (located === undefined) {
      located = withoutLinks(join(this.#path, folder));
      this.#located.set(folder, located);
    }
    return join(located, parts.at(-1)!);
  }

  /** The folders that were asked for by `locate`. */
  get folders(): Iterable<string> {
    return this.#located.values();
  }

  /**
   * The path of `name` below the folder, without links; the folders on the way are made. No link
   * among them may lead out.
   *
   * @throws {ConflictError} if one does. @throws {DiskError}
   */
  prepare(name: string): string {
    const root = this.#root ??= this.#open();
    const parts = localName(name, this.#platform).split("/");
    let folder = root;
    for (const part of parts.slice(0, -1)) {
      folder = join(folder, part);
      onDisk(`make folder "${folder}"`, () => makeFolder(folder));
      if (!onDisk(`look at "${folder}"`, () => Deno.lstatSync(folder)).isSymlink) continue;
      const real = onDisk(`open folder "${folder}"`, () => Deno.realPathSync(folder));
      if (real !== root && !real.startsWith(join(root, "/"))) {
        throw new ConflictError(
          `Cannot write below "${folder}": it is a link that leads out of "${this.#path}"`,
        );
      }
      folder = real;
    }
    return join(folder, parts.at(-1)!);
  }

  #open(): string {
    onDisk(`make folder "${this.#path}"`, () => Deno.mkdirSync(this.#path, { recursive: true }));
    return onDisk(`open folder "${this.#path}"`, () => Deno.realPathSync(this.#path));
  }
}

/** `path` as far as it is there without links, and the rest as it is. */
export function withoutLinks(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch {
    const folder = dirname(path);
    return folder === path ? path : join(withoutLinks(folder), basename(path));
  }
}

function makeFolder(folder: string): void {
  try {
    Deno.mkdirSync(folder);
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    if (Deno.statSync(folder).isDirectory) return;
    throw new ConflictError(`Cannot make folder "${folder}": there is a file of that name`);
  }
}

/** What Windows takes for something else than a part of a name, or drops from its end. */
const IMPOSSIBLE = /[<>:"|?*]|[. ]$/g;
/** Devices, there in every folder, whatever the extension. */
const DEVICE = /^(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$) *(?:\.|$)/i;

/**
 * A name as `platform` (as `Deno.build.os` names it) can hold it: what is
 * impossible there is written as `%` and its code. Two names that become one are
 * settled as any two files of one name are.
 */
export function localName(name: string, platform: string): string {
  if (platform !== "windows") return name;
  return name.split("/").map((part) => {
    const possible = part.replace(IMPOSSIBLE, escaped);
    return DEVICE.test(possible) ? escaped(possible[0]!) + possible.slice(1) : possible;
  }).join("/");
}

function escaped(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}
