/** What seeds answer when they are asked for a name, and what their answers come to together. Pure. */
import type { ErrorCode } from "../base/errors.ts";

export type SeedAnswer =
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
  }
  | { readonly kind: "failed"; readonly reason: string; readonly code: ErrorCode }
  /** It will not help to ask this seed again. */
  | { readonly kind: "refused"; readonly reason: string; readonly code: ErrorCode };

export interface Content {
  /** null where nobody offers a manifest. */
  readonly id: string | null;
  readonly size: number;
  /** Of the whole, as its holders say; null where nobody does. */
  readonly sha256: string | null;
}

/**
 * The answers that name the same content together, the content to believe in first: most seeds have
 * it; of two that as many have the lowest id, then the lowest digest, of old seeds the smaller size.
 */
export function byContent<Answer extends Content>(
  answers: readonly Answer[],
): [Answer, ...Answer[]][] {
  const groups = new Map<string, [Answer, ...Answer[]]>();
  for (const answer of answers) {
    const { id, size, sha256 } = answer;
    // The id does not cover the digest of the whole: a liar with the right id is alone with its own.
    const key = id === null ? String(size) : `${id} ${sha256}`;
    const group = groups.get(key);
    if (group) group.push(answer);
    else groups.set(key, [answer]);
  }
  return Array.from(groups.values()).sort((a, b) => b.length - a.length || compare(a[0], b[0]));
}

function compare(a: Content, b: Content): number {
  return compareTexts(a.id, b.id) || compareTexts(a.sha256, b.sha256) || a.size - b.size;
}

function compareTexts(a: string | null, b: string | null): number {
  const [one, other] = [a ?? "", b ?? ""];
  return one < other ? -1 : one > other ? 1 : 0;
}

/** Why nobody can give `what`, of which no seed told anything: in the words that help most. */
export function whyNobody(
  what: string,
  answers: readonly SeedAnswer[],
): { readonly code: ErrorCode; readonly reason: string } {
  // Asked for several names, a seed that is away says the same each time.
  const reasons = new Set(answers.flatMap((answer) => "reason" in answer ? answer.reason : []));
  const why = Array.from(reasons).join("; ");
  // A seed that asks for patience has it, or may: that the others lack it is not the last word.
  if (answers.some(({ kind }) => kind === "later")) {
    return { code: "timeout", reason: `no seed had ${what} ready in time (${why})` };
  }
  if (answers.some(({ kind }) => kind === "lacks")) {
    return { code: "not-found", reason: `no seed has ${what}${why && ` (${why})`}` };
  }
  if (why === "") {
    return { code: "timeout", reason: `no seed had ${what} ready in time (no seed answered)` };
  }
  const codes = new Set(answers.flatMap((answer) => "code" in answer ? answer.code : []));
  const [code = "unreachable"] = codes;
  return { code: codes.size === 1 ? code : "unreachable", reason: why };
}

/** What an answer means once the content is chosen. */
export function standing(
  answer: SeedAnswer,
  content: Content,
  requireVerified: boolean,
): "holds" | "open" | "out" | { readonly differs: string } {
  switch (answer.kind) {
    case "manifest":
      if (content.id === null) {
        return { differs: "it speaks of other bytes than the old seeds can prove" };
      }
      if (answer.id === content.id && answer.sha256 === content.sha256) return "holds";
      if (answer.id === content.id) {
        return { differs: "it tells another SHA-256 for the same pieces" };
      }
      return { differs: `it holds other bytes under this name (id ${answer.id.slice(0, 8)})` };
    case "size":
      if (requireVerified) return { differs: "it offers no manifest" };
      if (answer.size === content.size) return "holds";
      return { differs: `its file has ${answer.size} bytes instead of ${content.size}` };
    case "lacks":
    case "refused":
      return "out";
    default:
      return "open";
  }
}
