import { isOutOfDescriptors } from "../base/descriptors.ts";
import { DiskError, P2pError, plainReasonOf } from "../base/errors.ts";

/** Runs `act`, turning what the disk throws into a DiskError that names the folder. */
export async function asStateError<T>(stateDir: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof P2pError) throw error;
    throw new DiskError(`Cannot keep state in "${stateDir}": ${plainReasonOf(error)}`, {
      cause: error,
      problem: isOutOfDescriptors(error) ? "open-files" : "state-folder",
    });
  }
}

/** A state folder that is full or gone must not stop a download: the record or the log then has a gap. */
export function ignoringErrors(act: () => void): void {
  try {
    act();
  } catch {
    // Nobody to tell: the one who would read it is another process.
  }
}
