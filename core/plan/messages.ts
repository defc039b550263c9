/**
 * What goes into the download machine and what comes out of it. Plain data, so that a simulation
 * can make it up and a log can print it.
 */
import type { ErrorCode } from "../base/errors.ts";
import type { PieceLayout } from "../base/pieces.ts";
import type { SourceChange } from "../events.ts";
import type { Ballot, ContentCandidate, Difference, SourceAnswer } from "./content_vote.ts";
import type { SetAsideReason } from "./content_trials.ts";

/** A source as it is added to a download. */
export interface NewSource {
  readonly id: string;
  /** It failed lately: the vote does not wait for its answer. */
  readonly troubled: boolean;
  /** It was reached before: its failures are an outage, which may end. */
  readonly known: boolean;
  /** A receiver of the chosen content, which has these pieces of it. It takes no part in the vote on the content. */
  readonly peer?: { readonly pieces: ReadonlySet<number> };
}

/** What a seed that has the whole content would like to send. */
export interface Suggestions {
  /** In their order. */
  readonly pieces: readonly number[];
  /** Request nothing else from it: others have the rest, or will have it soon. */
  readonly only: boolean;
}

/** Why a read of a piece failed. */
export type PieceFailure =
  /** The connection could not be made, or was lost. */
  | { readonly kind: "lost"; readonly reason: string }
  /** No byte came for the stall timeout. */
  | { readonly kind: "stalled"; readonly reason: string }
  /** The source asked for a pause. This is no failure of the source. */
  | { readonly kind: "busy"; readonly reason: string; readonly retryAfterMs: number }
  /** The bytes have a wrong digest, and all of them came from this source. */
  | { readonly kind: "corrupt"; readonly reason: string }
  /** The bytes have a wrong digest and came from several sources: fetch the piece whole from one. */
  | { readonly kind: "doubtful"; readonly reason: string }
  /** The source's file changed. */
  | { readonly kind: "changed"; readonly reason: string }
  /** The source refused for good. */
  | { readonly kind: "refused"; readonly reason: string };

export type PieceEvent =
  | { readonly kind: "received"; readonly request: number; readonly bytes: number }
  /** The piece is verified and written. */
  | {
    readonly kind: "stored";
    readonly request: number;
    /** Time to hash and to write it. */
    readonly hashMs?: number;
    readonly diskMs?: number;
  }
  | {
    readonly kind: "failed";
    readonly request: number;
    readonly failure: PieceFailure;
    /** Length of the piece's beginning that is kept: only the rest is fetched again. */
    readonly kept?: number;
  }
  /** A doubtful piece was compared with the right one: this source's bytes were wrong. */
  | { readonly kind: "blamed"; readonly source: string; readonly reason: string };

export type DownloadEvent =
  | PieceEvent
  /** A source can be asked from now on. */
  | { readonly kind: "sourceAppeared"; readonly source: NewSource }
  /** The source can send these pieces; without this event, a source that holds the content has all. */
  | { readonly kind: "sourceHas"; readonly source: string; readonly pieces: ReadonlySet<number> }
  /** The source can send these pieces beside those that it had. */
  | {
    readonly kind: "sourceGained";
    readonly source: string;
    readonly pieces: readonly number[];
    /** Pieces that it is sending to others, or is to send, as far as it says. */
    readonly queue?: number;
  }
  /** Which pieces to request from a source first; replaces what it suggested before. */
  | {
    readonly kind: "sourceSuggests";
    readonly source: string;
    readonly suggestions: Suggestions;
  }
  /** The source, a receiver, is not there any more. */
  | { readonly kind: "sourceLeft"; readonly source: string }
  /** The network path to a source, as measured now. */
  | {
    readonly kind: "measured";
    readonly source: string;
    /** undefined while none was measured. */
    readonly roundTripMs: number | undefined;
    /** Open connections, over all tasks. */
    readonly connections: number;
  }
  /** As many pieces may be in flight from all sources together from now on. */
  | { readonly kind: "budget"; readonly maxInFlight: number }
  /** The answer to a probe. */
  | { readonly kind: "answered"; readonly source: string; readonly answer: SourceAnswer }
  /** The file of the chosen content is open; these pieces are missing, in ascending order. */
  | {
    readonly kind: "opened";
    readonly layout: PieceLayout;
    readonly missing: readonly number[];
    /** Kept beginnings of missing pieces: piece and length. */
    readonly begun?: ReadonlyMap<number, number>;
    /** Pieces in flight from all sources together, a bound for memory. */
    readonly maxInFlight: number;
    /** For streams: fetch at most this many pieces beyond the last consumed one. */
    readonly windowPieces?: number;
  }
  /** A stream passed this piece on. */
  | { readonly kind: "consumed"; readonly piece: number }
  /** The file cannot be made from the chosen content. */
  | { readonly kind: "rejected"; readonly why: SetAsideReason }
  /** The task gave its permit away and waits for it: silence is no source's fault meanwhile. */
  | { readonly kind: "resting" }
  /** The time of the last `setTimer` has come. */
  | { readonly kind: "timer" };

/** Why a source changed: what it or the network said, or what the machine concluded. */
export type ChangeReason = string | Difference | "holds" | "stored" | "lost-file";

/** A read that is much slower than another source should be. */
export interface Slowness {
  readonly piece: number;
  readonly source: string;
  /** Until the read is complete at its present rate; Infinity: nothing came lately. */
  readonly seconds: number;
  readonly faster: string;
  readonly fasterSeconds: number;
}

export interface Choice {
  readonly content: ContentCandidate;
  readonly holders: readonly string[];
  /** Sources that may still turn out to hold it. */
  readonly others: readonly string[];
  /** All contents that sources hold, the chosen one among them. */
  readonly ballots: readonly Ballot[];
  /** How many contents may be tried, this one among them. */
  readonly eligible: number;
}

export type GiveUpReason = "silence" | "corrupt" | "refused";

/** Why a content is given up. */
export type GiveUp =
  /** No byte came for `ms`. */
  | { readonly why: "silence"; readonly ms: number }
  /** Fewer useful bytes than `bytesPerSecond` came for `ms`. */
  | { readonly why: "silence"; readonly ms: number; readonly bytesPerSecond: number }
  /** No source is left; `reason` is why the last one was dropped. */
  | { readonly why: "corrupt" | "refused"; readonly reason: ChangeReason };

/** Why no content could be chosen. */
export type ResolveFailure =
  | { readonly kind: "ambiguous-id"; readonly id: string }
  /** Sources that the user did not name hold different contents. */
  | { readonly kind: "disagreement" }
  | { readonly kind: "no-such-content" }
  | { readonly kind: "no-manifest" }
  | { readonly kind: "no-source"; readonly answers: readonly SourceAnswer[] };

export const CODE_OF_FAILURE: Readonly<
  Record<Exclude<ResolveFailure["kind"], "no-source">, ErrorCode>
> = {
  "ambiguous-id": "usage",
  "disagreement": "conflict",
  "no-such-content": "corrupt",
  "no-manifest": "protocol",
};

export type DownloadCommand =
  /** Ask the source what it holds. */
  | { readonly kind: "probe"; readonly source: string }
  /** Open the file of the chosen content; answered by `opened` or `rejected`. */
  | { readonly kind: "open"; readonly choice: Choice }
  /** Read this piece from that source. */
  | {
    readonly kind: "request";
    readonly request: number;
    readonly source: string;
    readonly piece: number;
    /** Read at most this much at a time: connections to this source break. */
    readonly rangeBytes?: number;
    /** Why a second source is asked for it. */
    readonly because?: Slowness;
  }
  /** Stop a read and keep what it brought; nothing more is reported of it. */
  | { readonly kind: "cancel"; readonly request: number; readonly because?: Slowness }
  /** All pieces are stored: verify the whole and give it its name. */
  | { readonly kind: "finish" }
  /** Close the content's file. */
  | {
    readonly kind: "setAside";
    readonly content: ContentCandidate;
    /** undefined: the file was rejected. */
    readonly giveUp?: GiveUp;
    /** Whether another content is tried; if not, `fail` follows. */
    readonly hasRival: boolean;
  }
  | {
    readonly kind: "report";
    readonly source: string;
    readonly change: SourceChange;
    readonly reason: ChangeReason;
    readonly retryInMs?: number;
    /** Of a source that hashes the file: progress in percent. */
    readonly percent?: number;
    /** Wrong pieces that the source sent, when that is why it is dropped. */
    readonly wrongPieces?: number;
  }
  /** Send `timer` at this time; replaces the last one. */
  | { readonly kind: "setTimer"; readonly atMs: number }
  /** The download failed: no content could be chosen, or the last one was given up. */
  | { readonly kind: "fail"; readonly failure: ResolveFailure | "set-aside" };
