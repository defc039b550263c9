/** Free space on the volumes that downloads write to, and the part of it that is reserved. */
import { statfsSync } from "node:fs";
import { dirname } from "node:path";
import { formatBytes } from "../base/text.ts";
import { DiskFullError } from "./disk.ts";

export interface Volume {
  /** The same for all folders on one volume. */
  readonly id: string;
  /** Bytes that this user may still write. */
  readonly free: number;
  /** Capacity in bytes. */
  readonly size: number;
}

/** undefined where the platform does not say: then a write fails when the volume is full. */
function volumeOf(folder: string): Volume | undefined {
  try {
    const { bavail, blocks, bsize } = statfsSync(folder);
    return { id: String(Deno.statSync(folder).dev), free: bavail * bsize, size: blocks * bsize };
  } catch {
    return undefined;
  }
}

export interface SpaceReservation extends Disposable {
  /** `count` of the reserved bytes are on the disk now. */
  written(count: number): void;
}

/**
 * Reserves the bytes that a download has not written yet, so that downloads that were begun can be
 * completed, and later ones wait instead of filling the volume with partial files.
 */
export class DiskSpace {
  readonly #volumeOf: (folder: string) => Volume | undefined;
  /** Reserved bytes by volume. */
  readonly #reserved = new Map<string, number>();

  constructor(volume: (folder: string) => Volume | undefined = volumeOf) {
    this.#volumeOf = volume;
  }

  /** Whether `bytes` more fit into the volume of `folder`. */
  fits(folder: string, bytes: number): boolean {
    return bytes <= this.#unreserved(this.#volumeOf(folder));
  }

  /** Whether `bytes` would fit into the volume of `folder` if it were empty. */
  couldFit(folder: string, bytes: number): boolean {
    return bytes <= (this.#volumeOf(folder)?.size ?? Infinity);
  }

  /** Reserves `bytes` for `target` until they are written or the reservation is disposed. @throws {DiskFullError} */
  reserve(target: string, bytes: number): SpaceReservation {
    const folder = dirname(target);
    const volume = this.#volumeOf(folder);
    const free = this.#unreserved(volume);
    if (bytes > free) throw notEnoughSpace(target, folder, bytes, free);
    const add = (more: number) => {
      if (volume) this.#reserved.set(volume.id, (this.#reserved.get(volume.id) ?? 0) + more);
    };
    add(bytes);
    let left = bytes;
    const release = (count: number) => {
      const used = Math.min(left, count);
      left -= used;
      add(-used);
    };
    return { written: release, [Symbol.dispose]: () => release(left) };
  }

  #unreserved(volume: Volume | undefined): number {
    if (volume === undefined) return Infinity;
    return Math.max(0, volume.free - (this.#reserved.get(volume.id) ?? 0));
  }
}

function notEnoughSpace(target: string, folder: string, bytes: number, free: number) {
  const error = new DiskFullError(
    `Cannot download to "${target}": not enough disk space ` +
      `(${formatBytes(bytes)} needed, ${formatBytes(free)} free)`,
    {
      problem: "disk-full",
    },
  );
  error.lacking = { folder, bytes, free };
  return error;
}
