/**
 * Which contents of one name were tried, and what came of it: the only place
 * that knows what is set aside. Pure.
 *
 * Failures are counted by seed, so that a seed which offers another content each
 * time cannot keep the others from their turn.
 */
import type { Ballot } from "./content_vote.ts";

export type SetAsideReason =
  | "silence"
  | "corrupt"
  | "refused"
  /** Every piece was right, and the whole is not what the user asked for. */
  | "wrong-sha256"
  /** It is larger than the disk. */
  | "too-large";

/** A content of which nothing better can be expected later. */
const FINAL: ReadonlySet<SetAsideReason> = new Set(["corrupt", "wrong-sha256", "too-large"]);
/** How often one seed's contents are tried. */
const MAX_TRIALS = 3;
/** A content that another one could replace is given up after this many stall time-outs of silence. */
const RIVAL_STALLS = 3;

export class ContentTrials {
  readonly #failures = new Map<string, number>();
  readonly #reasons = new Map<string, SetAsideReason>();

  /** The ballots that may still be tried, the one to try first at the front. */
  eligible(ballots: readonly Ballot[]): Ballot[] {
    return ballots
      .filter((ballot) => !this.#isFinal(ballot) && this.failuresOf(ballot) < MAX_TRIALS)
      .toSorted((a, b) => this.failuresOf(a) - this.failuresOf(b));
  }

  /** How often the content's best seed failed. */
  failuresOf({ seeds }: Pick<Ballot, "seeds">): number {
    return Math.min(...seeds.map((seed) => this.#failures.get(seed) ?? 0));
  }

  setAside(ballot: Ballot, why: SetAsideReason): void {
    this.#reasons.set(keyOf(ballot), why);
    for (const seed of ballot.seeds) this.#failures.set(seed, (this.#failures.get(seed) ?? 0) + 1);
  }

  /** Why a content was set aside; undefined where it was not. */
  reasonOf(ballot: Ballot): SetAsideReason | undefined {
    return this.#reasons.get(keyOf(ballot));
  }

  #isFinal(ballot: Ballot): boolean {
    const why = this.reasonOf(ballot);
    return why !== undefined && FINAL.has(why);
  }
}

/** How long a content may be silent while there are `contents` to try, itself among them. */
export function rivalTimeoutMs(giveUpMs: number, stallMs: number, contents: number): number {
  const share = giveUpMs / (contents + 1);
  return Math.max(Math.min(RIVAL_STALLS * stallMs, share), Math.min(stallMs, giveUpMs / 2));
}

function keyOf({ content: { id, size } }: Ballot): string {
  return id ?? `size ${size}`;
}
