/**
 * The events of core, emitted to one sink that never waits and never throws. The live screen, the JSON
 * lines, the logs and the records are all made from them. Kinds and fields are in records, logs and
 * JSON: they do not change.
 */
import type { ContentVotes, ErrorCode, Problem } from "./base/errors.ts";

/** The states of a task. */
export const TASK_STATES = [
  "waiting",
  "finding",
  "downloading",
  "verifying",
  "paused",
  "done",
  "failed",
  "cancelled",
] as const;

/** The state of a task. */
export type TaskState = typeof TASK_STATES[number];

/** Log levels, the least important first. */
export const LEVELS = ["debug", "info", "warn", "error"] as const;
/** How important a log line is. */
export type Level = typeof LEVELS[number];

/** What a waiting task waits for: its turn, a source that can be reached, or free disk space. */
export type WaitsFor = "place" | "seeds" | "room";

/** Whether the state is final. */
export function isOver(state: TaskState): state is "done" | "failed" | "cancelled" {
  return state === "done" || state === "failed" || state === "cancelled";
}

/** Why a task failed. */
export interface TaskFailure {
  /** The kind of the error, for scripts. */
  readonly code: ErrorCode | "bug" | "interrupted" | "cancelled";
  /** One line, short and technical. */
  readonly message: string;
  /** The exact cause, where it decides the hint. */
  readonly problem?: Problem;
  /** The contents that seeds hold under the name, if they differ. */
  readonly contents?: readonly ContentVotes[];
}

/** What a finished task left. */
export interface TaskResult {
  /** The absolute path of the file. */
  readonly path: string;
  /** Bytes of the file. */
  readonly size: number;
  /** The digest of the whole file, hex; null if it was not computed because other content was there and stayed. */
  readonly sha256: string | null;
  /** The content's id; null if no seed offered a manifest. */
  readonly id: string | null;
  /** Whether every byte was checked against a digest of a seed or the user. */
  readonly verified: boolean;
  /** Milliseconds since its turn came, in this run. */
  readonly elapsedMs: number;
  /** Bytes received in this run, by seed. */
  readonly bytesBySeed: Readonly<Record<string, number>>;
  /**
   * `already-there`: the target had the same content. `skipped`: it had other content, which stayed.
   */
  readonly how: "downloaded" | "already-there" | "skipped";
  /** The contents that seeds hold under the name, if they differ. */
  readonly contents?: readonly ContentVotes[];
}

/** What a download measured of the network path to one seed. */
export interface LineFigures {
  /** The shortest round trip; null while none was measured. */
  readonly roundTripMs: number | null;
  /** Open connections to the seed, over all tasks of the process. */
  readonly connections: number;
  /** Bytes that the task may have in flight from the seed. */
  readonly windowBytes: number;
  /** Recent bytes a second from the seed to the task. */
  readonly goodput: number;
  /** Whether the memory for pieces held back requests that the window allows. */
  readonly memoryBound: boolean;
}

/** What happened to one task … */
export type TaskEventData =
  | { readonly kind: "queued"; readonly name: string; readonly target: string }
  | {
    readonly kind: "state";
    readonly state: TaskState;
    /** Only with `waiting`; its turn if absent. */
    readonly waitsFor?: WaitsFor;
  }
  | {
    /** The content was chosen. */
    readonly kind: "found";
    readonly size: number;
    readonly id: string | null;
    readonly seeds: readonly string[];
    /** How many seeds were asked. */
    readonly asked?: number;
  }
  /** The file goes to another path than requested, because other content is there. */
  | { readonly kind: "target"; readonly path: string }
  | {
    /** What is there before the first request: of an earlier run, or of another version of the file. */
    readonly kind: "resumed";
    readonly bytes: number;
    readonly pieces: number;
    /** Pieces that had to be hashed again. */
    readonly rehashed: number;
    /** How many of the bytes the file of another version has. */
    readonly reused?: number;
    /** The bytes are those that the user left out at the beginning of a stream. */
    readonly leftOut?: true;
  }
  /** The part file is open: where its verified pieces are (see `cellsOf` in `base/pieces.ts`). */
  | { readonly kind: "pieces"; readonly count: number; readonly cells: readonly number[] }
  /** Requested pieces that have not arrived from a seed. */
  | { readonly kind: "flight"; readonly seed: string; readonly pieces: number }
  /** What the network path to a seed is like, when that has changed; at most once a second. */
  | ({ readonly kind: "line"; readonly seed: string } & LineFigures)
  /** Payload arrived; it is not yet verified. */
  | { readonly kind: "received"; readonly seed: string; readonly bytes: number }
  | {
    /** A piece was verified and written. */
    readonly kind: "stored";
    readonly seed: string;
    readonly piece: number;
    readonly bytes: number;
    /** How long hashing and writing took, if measured. */
    readonly hashMs?: number;
    readonly diskMs?: number;
  }
  | {
    /** A source changed what it is to the download. */
    readonly kind: "seed";
    readonly seed: string;
    readonly what: SourceChange;
    /** One line, for people. */
    readonly reason: string;
    readonly retryInMs?: number;
    /** Progress of a busy seed that is hashing the file. */
    readonly percent?: number;
  }
  /** Verified bytes were sent to other receivers. */
  | { readonly kind: "given"; readonly bytes: number }
  /** Any other line of the task's log. */
  | {
    readonly kind: "note";
    readonly level: Exclude<Level, "error">;
    readonly text: string;
    /** The same in a word or two, for a narrow column. */
    readonly word?: string;
  }
  | { readonly kind: "done"; readonly result: TaskResult }
  | { readonly kind: "failed"; readonly failure: TaskFailure };

/** … to which task (its id), and when (ms since 1970). */
export type TaskEvent = TaskEventData & { readonly task: string; readonly time: number };

/** What a source is to a download from now on. */
export type SourceChange =
  /** It holds the content and takes part. */
  | "joined"
  /** It holds other bytes under this name. */
  | "dissents"
  | "lacks"
  /** It asked for a pause, which is no failure. */
  | "busy"
  /** It failed and will be tried again. */
  | "failing"
  /** It sent bytes with a wrong digest. */
  | "corrupt"
  /** It works again. */
  | "back"
  /** It is not asked again by this task. */
  | "dropped";

/** Whether something is wrong with the source. A source need not have every file, and may have to hash it first. */
export function isTrouble(change: SourceChange): boolean {
  return change === "dissents" || change === "failing" || change === "corrupt" ||
    change === "dropped";
}

/** An address that a server listens on. */
export interface ListenAddress {
  /** An IP address; `0.0.0.0` and `::` are all addresses of a family. */
  readonly host: string;
  /** 1 to 65,535. */
  readonly port: number;
}

/** Why a seed does not offer an entry of its folder. */
export type OmitReason =
  /** It has a control character or a backslash, is longer than 1,024 bytes, or is invalid on Windows. */
  | "bad-name"
  | "hidden"
  /** A part file or a journal of p2p. */
  | "unfinished"
  | "link-out"
  | "broken-link"
  /** It leads to a folder that is listed below another link, or that contains the link. */
  | "repeated-link"
  /** A device, pipe or socket. */
  | "special-file"
  | "unreadable-file"
  | "unreadable-folder";

/** How to reach a file of a seed, with a browser or with p2p. */
export interface FileLink {
  /** The file. */
  readonly name: string;
  /** The content's id; null if the file was not hashed. */
  readonly id: string | null;
  /** A URL, which also has the beginning of the id. */
  readonly link: string;
}

/** What happened in a running seed. */
export type ServeEvent =
  | {
    readonly kind: "listening";
    readonly addresses: readonly ListenAddress[];
    readonly files: number;
    readonly bytes: number;
    /** The names of the first files, at most 100. */
    readonly names: readonly string[];
  }
  /** The HTTP endpoint for metrics is listening. */
  | { readonly kind: "metrics"; readonly host: string; readonly port: number }
  | {
    /** Entries of the folder that are not offered. An omitted folder counts once. */
    readonly kind: "omitted";
    readonly count: number;
    readonly reasons: Readonly<Partial<Record<OmitReason, number>>>;
    /** One for each unintended reason, with its name on the disk. */
    readonly examples: readonly { readonly name: string; readonly reason: OmitReason }[];
  }
  | {
    /** Links to the first files. */
    readonly kind: "links";
    readonly links: readonly FileLink[];
  }
  | {
    /** A file is being hashed for a manifest; the client has to wait. */
    readonly kind: "hashing";
    readonly client: string;
    readonly name: string;
    readonly bytes: number;
  }
  | {
    readonly kind: "hashed";
    readonly name: string;
    readonly bytes: number;
    readonly elapsedMs: number;
  }
  | {
    /** A client finished a file, or disconnected. */
    readonly kind: "sent";
    readonly client: string;
    readonly name: string;
    readonly size: number;
    readonly bytes: number;
    readonly elapsedMs: number;
  }
  | {
    /** A request or a connection was rejected, or a connection was closed by the seed. */
    readonly kind: "refused";
    readonly client: string;
    /** The request, if known. */
    readonly request?: string;
    /** The error of the protocol, or why the connection was closed. */
    readonly reason: string;
  }
  | { readonly kind: "draining"; readonly connections: number };

/** Receives events; it must not block or throw. */
export type EventSink<Event> = (event: Event) => void;
