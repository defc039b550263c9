import { dirname, join } from "@std/path";
import { bytesOf, textOf } from "./bytes.ts";

/** An empty folder, removed when it is disposed. */
export class TempFolder implements Disposable {
  readonly path: string;

  constructor(options: Deno.MakeTempOptions = {}) {
    this.path = Deno.realPathSync(Deno.makeTempDirSync({ prefix: "p2p-test-", ...options }));
  }

  /** @param name parts separated by `/`. */
  pathOf(name: string): string {
    return join(this.path, ...name.split("/"));
  }

  /** Creates the folders of `name`, too. */
  write(name: string, content: string | Uint8Array): string {
    const path = this.pathOf(name);
    Deno.mkdirSync(dirname(path), { recursive: true });
    Deno.writeFileSync(path, typeof content === "string" ? bytesOf(content) : content);
    return path;
  }

  read(name: string): string {
    return textOf(Deno.readFileSync(this.pathOf(name)));
  }

  names(): string[] {
    return Array.from(Deno.readDirSync(this.path), ({ name }) => name).sort();
  }

  /** Sets the times of a file to the year 2001; the time of that change itself cannot be set. */
  age(name: string): void {
    Deno.utimeSync(this.pathOf(name), 1_000_000_000, 1_000_000_000);
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

const MEMORY_DISK = "/dev/shm";

/** In memory where the system has such a file system, so that thousands of syncs cost nothing. It cannot be served. */
export class MemoryFolder extends TempFolder {
  constructor() {
    super(existsSync(MEMORY_DISK) ? { dir: MEMORY_DISK } : {});
  }
}

function existsSync(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}
