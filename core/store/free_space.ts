/** Space on the volumes that downloads write to, and who has a claim to it. */
import { statfsSync } from "node:fs";
import { dirname } from "@std/path";
import { formatBytes } from "../base/byte_size.ts";
import { DiskFullError } from "./disk.ts";

export interface Volume {
  /** The same for all folders on one volume. */
  readonly id: string;
  /** Bytes that this user may still write. */
  readonly free: number;
  /** All that it may hold. */
  readonly size: number;
}

/** The volume of `folder`; undefined where the platform cannot tell: then a write will. */
function volumeOf(folder: string): Volume | undefined {
  try {
    const { bavail, blocks, bsize } = statfsSync(folder);
    const { dev } = Deno.statSync(folder);
    return { id: String(dev), free: bavail * bsize, size: blocks * bsize };
  } catch {
    return undefined;
  }
}

/**
 * Free space of which a part is reserved: what an open download has not written yet counts as used,
 * so that downloads which were begun can be finished and later ones wait instead of filling the
 * volume with beginnings.
 */
export class DiskSpace {
  readonly #volumeOf: (folder: string) => Volume | undefined;
  /** Bytes by volume. */
  readonly #reserved = new Map<string, number>();

  constructor(volume: (folder: string) => Volume | undefined = volumeOf) {
    this.#volumeOf = volume;
  }

  /** Whether `bytes` more fit into the volume of `folder` beside all that is reserved. */
  fits(folder: string, bytes: number): boolean {
    const volume = this.#volumeOf(folder);
    return volume === undefined || bytes <= this.#unreserved(volume);
  }

  /** Whether the volume of `folder` is large enough for `bytes` at all, whatever is removed from it. */
  couldFit(folder: string, bytes: number): boolean {
    return bytes <= (this.#volumeOf(folder)?.size ?? Infinity);
  }

  /** @throws {DiskFullError} if `bytes` more do not fit into the folder of `target`. */
  require(target: string, bytes: number): void {
    this.#requireOn(this.#volumeOf(dirname(target)), target, bytes);
  }

  #requireOn(volume: Volume | undefined, target: string, bytes: number): void {
    if (volume === undefined || bytes <= this.#unreserved(volume)) return;
    const folder = dirname(target);
    const fault = new DiskFullError(
      `Cannot download to "${target}": not enough disk space ` +
        `(${formatBytes(bytes)} needed, ${formatBytes(this.#unreserved(volume))} free)`,
      {
        hint:
          "Free some space or choose another folder with --out, then run the same command again",
      },
    );
    fault.lacking = { folder, bytes };
    throw fault;
  }

  /** Reserves `bytes` for `target` until they are written or the reservation is disposed. @throws {DiskFullError} */
  reserve(target: string, bytes: number): SpaceReservation {
    const volume = this.#volumeOf(dirname(target));
    this.#requireOn(volume, target, bytes);
    const add = (more: number) => {
      if (volume === undefined) return;
      this.#reserved.set(volume.id, (this.#reserved.get(volume.id) ?? 0) + more);
    };
    add(bytes);
    let left = bytes;
    return {
      written(count) {
        const used = Math.min(left, count);
        left -= used;
        add(-used);
      },
      [Symbol.dispose]() {
        add(-left);
        left = 0;
      },
    };
  }

  #unreserved({ id, free }: Volume): number {
    return Math.max(0, free - (this.#reserved.get(id) ?? 0));
  }
}

export interface SpaceReservation extends Disposable {
  /** `count` bytes of it are on the disk now. */
  written(count: number): void;
}
