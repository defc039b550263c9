/**
 * What core tells while it works: one closed union, told to one sink that never
 * waits and never throws. The view, the JSON lines, the task's log and the
 * record that `p2p status` reads are all made from these.
 */
import type { ContentVotes, ErrorCode, Problem } from "./base/errors.ts";

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

export type TaskState = typeof TASK_STATES[number];

/** How much a line matters to those who read it, the least first. */
export const LEVELS = ["debug", "info", "warn", "error"] as const;
export type Level = typeof LEVELS[number];

/** What a waiting task waits for. */
export type WaitsFor = "place" | "seeds" | "room";

/** States that nothing follows by itself. */
export function isOver(state: TaskState): state is "done" | "failed" | "cancelled" {
  return state === "done" || state === "failed" || state === "cancelled";
}

export interface TaskFailure {
  readonly code: ErrorCode | "bug" | "interrupted" | "cancelled";
  readonly message: string;
  readonly problem?: Problem;
  /** The contents that seeds hold under the name, where they differ. */
  readonly contents?: readonly ContentVotes[];
}

/** How a task ended well. */
export interface TaskResult {
  /** Where the file is. */
  readonly path: string;
  readonly size: number;
  /** null where it was not computed: other bytes were there, and stayed. */
  readonly sha256: string | null;
  /** The content's id, or null where no seed offered a manifest. */
  readonly id: string | null;
  /** Whether every byte was checked against a digest that a seed or the user gave. */
  readonly verified: boolean;
  readonly elapsedMs: number;
  /** Received in this run, by seed; nothing for what was there already. */
  readonly bytesBySeed: Readonly<Record<string, number>>;
  /** How it came to be there. */
  readonly how: "downloaded" | "already-there" | "skipped";
  /** The contents that seeds hold under the name, where they differ. */
  readonly contents?: readonly ContentVotes[];
}

/** Facts about one task: what happened … */
export type TaskEventData =
  | {
    readonly kind: "queued";
    readonly name: string;
    readonly target: string;
  }
  | {
    readonly kind: "state";
    readonly state: TaskState;
    /** With `waiting`: its place where nothing is said. */
    readonly waitsFor?: WaitsFor;
  }
  | {
    /** The seeds were asked: this is what will be downloaded, and from whom. */
    readonly kind: "found";
    readonly size: number;
    readonly id: string | null;
    readonly seeds: readonly string[];
    /** How many were asked. */
    readonly asked?: number;
  }
  /** Where it goes, when that is not where it was asked to go: there are other bytes. */
  | { readonly kind: "target"; readonly path: string }
  | {
    /** What an earlier run left and what of it counts. */
    readonly kind: "resumed";
    readonly bytes: number;
    readonly pieces: number;
    /** Pieces that were not trusted and had to be hashed again. */
    readonly rehashed: number;
  }
  | {
    /** The part file is open: where its verified pieces are (see `cellsOf` in `base/pieces.ts`). */
    readonly kind: "pieces";
    readonly count: number;
    readonly cells: readonly number[];
  }
  | {
    /** How many pieces a seed was asked for that are not there yet. */
    readonly kind: "flight";
    readonly seed: string;
    readonly pieces: number;
  }
  | {
    /** Payload came from a seed; not yet verified. */
    readonly kind: "received";
    readonly seed: string;
    readonly bytes: number;
  }
  | {
    /** A piece is verified and on the disk. */
    readonly kind: "stored";
    readonly seed: string;
    readonly piece: number;
    readonly bytes: number;
    /** What hashing and writing it took here, where somebody measured it. */
    readonly hashMs?: number;
    readonly diskMs?: number;
  }
  | {
    /** Something about a seed that changes who is asked. */
    readonly kind: "seed";
    readonly seed: string;
    readonly what: SourceChange;
    /** Why, for people; one line. */
    readonly reason: string;
    readonly retryInMs?: number;
    /** Of a seed that is busy hashing the file: how far it is, of 100. */
    readonly percent?: number;
  }
  /** Anything else worth a line in the task's log. */
  | {
    readonly kind: "note";
    readonly level: Exclude<Level, "error">;
    readonly text: string;
    /** The same in a word or two, for a narrow place. */
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

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** Why a seed does not offer something that is in its folder. */
export type OmitReason =
  /** A control character or a backslash, longer than 1,024 bytes, or not possible on Windows. */
  | "bad-name"
  | "hidden"
  /** A part file or a journal of p2p. */
  | "unfinished"
  | "link-out"
  | "broken-link"
  /** To a folder whose files are listed below another link, or that the link itself is in. */
  | "repeated-link"
  /** A device, pipe or socket. */
  | "special-file"
  | "unreadable-file"
  | "unreadable-folder";

/** What happens in a seed that serves. */
export type ServeEvent =
  | {
    readonly kind: "listening";
    /** At least one. */
    readonly addresses: readonly ListenAddress[];
    readonly files: number;
    readonly bytes: number;
    /** The first files' names, not more than a hundred. */
    readonly names: readonly string[];
  }
  | {
    /** Metrics are offered over HTTP. */
    readonly kind: "metrics";
    readonly host: string;
    readonly port: number;
  }
  | {
    /** What the folder holds and the seed does not offer. Below an omitted folder nothing is counted. */
    readonly kind: "omitted";
    readonly count: number;
    readonly reasons: Readonly<Partial<Record<OmitReason, number>>>;
    /** One for each reason that is not on purpose, as it is on the disk. */
    readonly examples: readonly { readonly name: string; readonly reason: OmitReason }[];
  }
  | {
    /** A file is read for its digests: who asked for them is told to wait. */
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
    /** A client is through with a file, or went away. */
    readonly kind: "sent";
    readonly client: string;
    readonly name: string;
    readonly size: number;
    readonly bytes: number;
    readonly elapsedMs: number;
  }
  | {
    /** A request was refused, or a connection turned away or ended by us. */
    readonly kind: "refused";
    readonly client: string;
    /** What was asked for, where it is known. */
    readonly request?: string;
    /** The protocol's code and text, or why the connection ended. */
    readonly reason: string;
  }
  | { readonly kind: "draining"; readonly connections: number };

export type EventSink<Event> = (event: Event) => void;
