/** What seeds answer when they are asked for a name, and what their answers come to together. Pure. */
import type { ErrorCode } from "../base/errors.ts";

export type SourceAnswer =
  | {
    readonly kind: "manifest";
    readonly id: string;
    readonly size: number;
    readonly sha256: string;
  }
  /** An old seed: it cannot say what the bytes are. */
  | { readonly kind: "size"; readonly size: number }
  | { readonly kind: "lacks" }
  /** Hashing or busy: ask again, it is no failure. */
  | {
    readonly kind: "later";
    readonly retryAfterMs: number;
    readonly reason: string;
    /** How far the hashing is, of 100. */
    readonly percent?: number;
    /** Of the file that it hashes. */
    readonly size?: number;
  }
  | { readonly kind: "failed"; readonly reason: string; readonly code: ErrorCode }
  /** It will not help to ask this seed again. */
  | { readonly kind: "refused"; readonly reason: string; readonly code: ErrorCode };

export interface ContentCandidate {
  /** null where nobody offers a manifest. */
  readonly id: string | null;
  readonly size: number;
  /** Of the whole, as its holders say; null where nobody does, or where they disagree. */
  readonly sha256: string | null;
}

/** A content, and the seeds that hold it. */
export interface Ballot {
  readonly content: ContentCandidate;
  readonly seeds: readonly string[];
  /** What they say of the digest of the whole. */
  readonly claims: ReadonlySet<string>;
}

/** The contents that manifests name, the one of most seeds first. */
export function countVotes(
  answers: Iterable<readonly [seed: string, answer: SourceAnswer]>,
): Ballot[] {
  return ballotsOf(
    Array.from(answers).flatMap(([seed, answer]) => {
      if (answer.kind !== "manifest") return [];
      const { id, size, sha256 } = answer;
      return [{ seed, id, size, sha256 }];
    }),
  );
}

/** The sizes that old seeds tell, the one of most seeds first. */
export function countSizes(
  answers: Iterable<readonly [seed: string, answer: SourceAnswer]>,
): Ballot[] {
  return ballotsOf(
    Array.from(answers).flatMap(([seed, answer]) =>
      answer.kind === "size" ? [{ seed, id: null, size: answer.size, sha256: null }] : []
    ),
  );
}

function ballotsOf(held: readonly (ContentCandidate & { readonly seed: string })[]): Ballot[] {
  return rankContents(held).map((group) => {
    const claims = new Set(group.flatMap(({ sha256 }) => sha256 ?? []));
    const [{ id, size }] = group;
    const [claim = null] = claims;
    return {
      content: { id, size, sha256: claims.size > 1 ? null : claim },
      seeds: group.map(({ seed }) => seed),
      claims,
    };
  });
}

/**
 * Whether seeds that still hash may make another content the first one.
 *
 * @param ballots the one that leads first.
 * @param hashing the size of the file at each such seed, where it is known.
 */
export function mayChange(
  ballots: readonly Ballot[],
  hashing: readonly (number | undefined)[],
): boolean {
  const [leader, ...others] = ballots;
  if (leader === undefined) return hashing.length > 0;
  const votes = leader.seeds.length;
  const supportersOf = (size: number) =>
    hashing.filter((each) => each === undefined || each === size).length;
  // Nobody knows the id of a content that is not hashed yet: it may be the lower one.
  const newcomer = Math.max(
    0,
    ...hashing.map((size) => size === undefined ? 0 : supportersOf(size)),
  );
  const unknown = hashing.filter((size) => size === undefined).length;
  if (hashing.length > 0 && Math.max(newcomer, unknown) >= votes) return true;
  return others.some((other) => {
    const supporters = supportersOf(other.content.size);
    const most = other.seeds.length + supporters;
    return supporters > 0 &&
      (most > votes || most === votes && compare(other.content, leader.content) < 0);
  });
}

/**
 * The answers that name the same content together, the content to believe in first: most seeds have
 * it; of two that as many have the lowest id, of old seeds the smaller size. What seeds say of the
 * digest of the whole makes no other content: the same id is the same bytes.
 */
export function rankContents<Answer extends ContentCandidate>(
  answers: readonly Answer[],
): [Answer, ...Answer[]][] {
  const groups = new Map<string, [Answer, ...Answer[]]>();
  for (const answer of answers) {
    const key = answer.id ?? String(answer.size);
    const group = groups.get(key);
    if (group) group.push(answer);
    else groups.set(key, [answer]);
  }
  return Array.from(groups.values()).sort((a, b) => b.length - a.length || compare(a[0], b[0]));
}

function compare(a: ContentCandidate, b: ContentCandidate): number {
  const [one, other] = [a.id ?? "", b.id ?? ""];
  return one < other ? -1 : one > other ? 1 : a.size - b.size;
}

/** How an answer differs from the chosen content. */
export type Difference =
  | { readonly kind: "other-content"; readonly id: string }
  | { readonly kind: "other-size"; readonly size: number; readonly expected: number }
  /** It has a manifest, and the content was chosen by size alone. */
  | { readonly kind: "unproven" }
  /** Everything must be verified, and it offers no manifest. */
  | { readonly kind: "no-manifest" };

/**
 * What an answer means once the content is chosen: the source holds it, does not (`out`), holds
 * other bytes, or may still turn out to hold it (`open`).
 */
export function compareAnswer(
  answer: SourceAnswer,
  content: ContentCandidate,
  requireVerified: boolean,
): "holds" | "open" | "out" | Difference {
  switch (answer.kind) {
    case "manifest":
      if (content.id === null) return { kind: "unproven" };
      return answer.id === content.id ? "holds" : { kind: "other-content", id: answer.id };
    case "size":
      if (requireVerified) return { kind: "no-manifest" };
      if (answer.size === content.size) return "holds";
      return { kind: "other-size", size: answer.size, expected: content.size };
    case "lacks":
    case "refused":
      return "out";
    default:
      return "open";
  }
}
