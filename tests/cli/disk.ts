/** Disks of any size, in memory, for tests of what happens when one is full, or must not be slow. */
import { join } from "@std/path";
import type { TestOptions } from "./harness.ts";

const MIB = 1_048_576;

/** A file system of its own, in memory. */
export class MemoryDisk implements AsyncDisposable {
  private constructor(readonly path: string) {}

  static mount(path: string, mib: number): MemoryDisk {
    Deno.mkdirSync(path);
    run("mount", "-t", "tmpfs", "-o", `size=${mib}m`, "tmpfs", path);
    return new MemoryDisk(path);
  }

  /** Fills the disk until so many MiB are free. */
  leave(mib: number): void {
    using file = Deno.openSync(join(this.path, "ballast"), { write: true, create: true });
    const block = new Uint8Array(64 * 1024);
    try {
      for (;;) file.writeSync(block);
    } catch {
      const { size } = file.statSync();
      file.truncateSync(size - mib * MIB);
    }
  }

  clear(): void {
    Deno.removeSync(join(this.path, "ballast"));
  }

  [Symbol.asyncDispose](): Promise<void> {
    // Also when a process still has something open there: then it goes with that process.
    run("umount", "--lazy", this.path);
    return Promise.resolve();
  }
}

/** For tests that need such a disk. */
export const WITH_DISKS: TestOptions = canMount()
  ? {}
  : { ignored: "only root can mount a small disk, and only on Linux" };

/** Tries it, and takes it back. */
function canMount(): boolean {
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) return false;
  const path = Deno.makeTempDirSync({ prefix: "p2p-cli-" });
  try {
    run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", path);
    run("umount", path);
    return true;
  } catch {
    return false;
  } finally {
    Deno.removeSync(path, { recursive: true });
  }
}

function run(command: string, ...args: string[]): void {
  const { success, stderr } = new Deno.Command(command, { args }).outputSync();
  if (!success) throw new Error(`${command}: ${new TextDecoder().decode(stderr)}`);
}
