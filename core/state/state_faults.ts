import { DiskError, P2pError, reasonOf } from "../base/errors.ts";

/** Runs `act`, turning what the disk throws into a DiskError that names the folder. */
export async function onDiskOfState<T>(stateDir: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof P2pError) throw error;
    throw new DiskError(`Cannot keep state in "${stateDir}": ${reasonOf(error)}`, {
      cause: error,
      hint: "Choose another folder with P2P_STATE_DIR",
    });
  }
}
