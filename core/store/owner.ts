/** Whose files are: only what nobody else can have written is trusted. */
import { dirname } from "@std/path";
import { type Disk, statIfExists } from "./disk.ts";

/** Who runs this process. */
export interface User {
  readonly uid: number;
  /** Rights that this user's new files do not give. */
  readonly umask: number;
}

/** To write, for the group and for everyone. */
const OTHERS_WRITE = 0o022;
/** Anything at all, for the group and for everyone. */
const OTHERS_ANYTHING = 0o077;

/**
 * Whether only `user` can have written the file at `path`: it is theirs, and nobody else may write
 * to it but those whom their own umask lets write to all their new files.
 *
 * @param user undefined where files have no owners, as on Windows: then each file counts as own.
 */
export function isOnlyOf(
  user: User | undefined,
  { uid, mode }: Deno.FileInfo,
  path: string,
  disk: Disk,
): boolean {
  if (user === undefined || uid === null || mode === null) return true;
  if (uid !== user.uid) return false;
  return (mode & OTHERS_WRITE & user.umask) === 0 || isPrivate(dirname(path), user, disk);
}

/** Whether nobody else gets at what is in the folder. */
function isPrivate(folder: string, user: User, disk: Disk): boolean {
  const there = statIfExists(folder, disk);
  return there?.uid === user.uid && there.mode !== null && (there.mode & OTHERS_ANYTHING) === 0;
}
