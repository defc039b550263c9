/** What differs between platforms in tests that run on all of them. */
import { dirname, resolve } from "@std/path";

export const ON_WINDOWS = Deno.build.os === "windows";

/** A name with a bar, which separates fields in the protocol; Windows has no such names. */
export const NAME_WITH_BAR = ON_WINDOWS ? "a,b.txt" : "a|b.txt";

/** Makes a link at `path`. Windows must know whether it leads to a folder. */
export function symlink(target: string, path: string): void {
  const type = isFolder(resolve(dirname(path), target)) ? "dir" : "file";
  Deno.symlinkSync(target, path, { type });
}

function isFolder(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}
