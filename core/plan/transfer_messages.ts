/** What the scheduler is told and what it orders: plain data, so that either may cross a thread or be made up by a simulation. */

/** Why an order came to nothing. */
export type Failure =
  /** The connection could not be had, or was lost. */
  | { readonly kind: "lost"; readonly reason: string }
  /** Silence with something in flight. */
  | { readonly kind: "stalled"; readonly reason: string }
  /** The seed asked for a pause. */
  | { readonly kind: "busy"; readonly reason: string; readonly retryAfterMs: number }
  /** The bytes have a wrong digest, and all of them came from this seed. */
  | { readonly kind: "corrupt"; readonly reason: string }
  /** The bytes have a wrong digest and came from several seeds: the piece is fetched again, whole, from one. */
  | { readonly kind: "doubtful"; readonly reason: string }
  /** The seed's file is another one than it was. */
  | { readonly kind: "changed"; readonly reason: string }
  /** It will not help to ask this seed again. */
  | { readonly kind: "hopeless"; readonly reason: string };

export type TransferEvent =
  /** A seed was inquired and holds the content. */
  | { readonly kind: "holds"; readonly seed: string }
  /** A seed was inquired, in vain. */
  | { readonly kind: "probe-failed"; readonly seed: string; readonly failure: Failure }
  | { readonly kind: "received"; readonly order: number; readonly bytes: number }
  /** The piece is verified and in the part file. */
  | {
    readonly kind: "stored";
    readonly order: number;
    /** What hashing and writing it took. */
    readonly hashMs?: number;
    readonly diskMs?: number;
  }
  | {
    readonly kind: "failed";
    readonly order: number;
    readonly failure: Failure;
    /** Length of the piece's beginning that is kept: only the rest is fetched again. */
    readonly kept?: number;
  }
  /** A piece of several seeds was wrong, and comparing it with the right one shows that this seed's bytes were. */
  | { readonly kind: "blamed"; readonly seed: string; readonly reason: string }
  /** The task gave its place to another: until a seed `holds` again, silence is no seed's fault. */
  | { readonly kind: "resting" }
  /** A seed holds another content, which can be downloaded instead of this one. */
  | { readonly kind: "rival" }
  /** The time of the last `wake` has come. */
  | { readonly kind: "timer" };

export type GiveUpReason = "silence" | "corrupt" | "refused";

export type SourceChange = "back" | "busy" | "failing" | "corrupt" | "dropped";

export type TransferCommand =
  /** Fetch this piece from that seed; `because` it is asked elsewhere too slowly, for people. */
  | {
    readonly kind: "request";
    readonly order: number;
    readonly seed: string;
    readonly piece: number;
    /** Ask for no more than this at a time, one range after the other: connections to this seed break. */
    readonly rangeBytes?: number;
    readonly because?: string;
  }
  /** Take an order back: its piece came from elsewhere, or should soon, `because`; what it brought is kept. Nothing is told of it any more. */
  | { readonly kind: "cancel"; readonly order: number; readonly because?: string }
  /** Ask the seed again what it holds. */
  | { readonly kind: "probe"; readonly seed: string }
  /** Tell `woken` at this time; replaces the last one. */
  | { readonly kind: "set-timer"; readonly atMs: number }
  /** A turn worth telling. */
  | {
    readonly kind: "report";
    readonly seed: string;
    readonly turn: SourceChange;
    readonly reason: string;
    readonly retryInMs?: number;
  }
  | { readonly kind: "complete" }
  /** Too few useful bytes came for too long; or no seed is left, the last one having lied, or refused. */
  | {
    readonly kind: "give-up";
    readonly why: GiveUpReason;
    readonly reason: string;
  };
