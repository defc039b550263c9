/** What the platform says of a disk, in our words. */
import { isOutOfDescriptors } from "../base/descriptors.ts";
import { DiskError, P2pError, plainReasonOf } from "../base/errors.ts";

/** No space: other tasks may go on, and this one later. */
export class DiskFullError extends DiskError {
  /** Where room is missing, and how many bytes, when that is known. */
  lacking?: { readonly folder: string; readonly bytes: number };
}

/** Too many open files, here or in the whole system: it passes when others close theirs. */
export class OutOfDescriptorsError extends DiskError {}

/** `error`, thrown while doing `what` ("write to "/a/b""), as a DiskError; our own errors stay as they are. */
export function toDiskError(what: string, error: unknown): unknown {
  if (error instanceof P2pError || !(error instanceof Error)) return error;
  const code = (error as { code?: unknown }).code;
  if (
    code === "ENOSPC" || code === "EDQUOT" ||
    /no space left|quota exceeded/i.test(error.message)
  ) {
    return new DiskFullError(`Cannot ${what}: the disk is full`, {
      cause: error,
      hint: "Free some space or choose another folder with --out, then run the same command again",
    });
  }
  if (isOutOfDescriptors(error)) {
    return new OutOfDescriptorsError(`Cannot ${what}: too many open files`, {
      cause: error,
      hint: "Raise the limit of open files with ulimit -n, or lower --max",
    });
  }
  if (!isOfTheSystem(error)) return error;
  return new DiskError(`Cannot ${what}: ${plainReasonOf(error)}`, {
    cause: error,
    hint: "Check the folder and its rights, or choose another one with --out",
  });
}

/** An error of the platform, not a bug of ours. */
function isOfTheSystem(error: Error): boolean {
  return Object.values(Deno.errors).some((kind) => error instanceof kind) ||
    /\(os error \d+\)/.test(error.message);
}

/** Runs `act`, turning what the disk throws into a DiskError. */
export function withDiskErrors<T>(what: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw toDiskError(what, error);
  }
}

/** As `onDisk`, for what may take long. */
export async function withDiskErrorsAsync<T>(what: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw toDiskError(what, error);
  }
}
