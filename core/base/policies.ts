/** The target exists with other bytes: take another name, leave it, fail, or replace it. */
export type ConflictPolicy = "rename" | "skip" | "fail" | "overwrite";

/** `finish`: the bytes are on the disk before the final name appears; `never`: left to the system. */
export type SyncPolicy = "finish" | "never";
