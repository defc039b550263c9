/** Puts what the state machine decided into the words of events, logs and errors. */
import {
  AuthError,
  CorruptError,
  type ErrorCode,
  NotFoundError,
  P2pError,
  ProtocolError,
  TimeoutError,
  UnreachableError,
  UsageError,
} from "../base/errors.ts";
import type { SourceAnswer } from "../plan/content_vote.ts";
import {
  type ChangeReason,
  CODE_OF_FAILURE,
  type DownloadCommand,
  type GiveUp,
  type ResolveFailure,
  type Slowness,
} from "../plan/messages.ts";

/** Why a source changed, for the event. */
export function reasonText(report: Extract<DownloadCommand, { kind: "report" }>): string {
  const { reason, wrongPieces } = report;
  return changeText(reason) + (wrongPieces === undefined ? "" : `, ${wrongPieces} times in all`);
}

function changeText(reason: ChangeReason): string {
  if (typeof reason !== "object") {
    switch (reason) {
      case "holds":
        return "it holds these bytes";
      case "stored":
        return "a right piece came from it";
      case "lost-file":
        return "it does not have the file";
      default:
        return reason;
    }
  }
  switch (reason.kind) {
    case "other-content":
      return `it has a different version (id ${reason.id.slice(0, 8)})`;
    case "other-size":
      return `its file has ${reason.size} bytes instead of ${reason.expected}`;
    case "unproven":
      return "it offers a manifest, which the chosen seeds cannot confirm";
    case "no-manifest":
      return "it offers no manifest";
  }
}

/** Why a piece is requested twice, or taken from a slow source. */
export function slownessText(slowness: Slowness, action: "requested twice" | "taken back"): string {
  const { piece, source, seconds, faster, fasterSeconds } = slowness;
  const slow = Number.isFinite(seconds)
    ? `would take ${seconds.toFixed(1)} s more`
    : "has sent nothing lately";
  const fast = Number.isFinite(fasterSeconds) ? `${fasterSeconds.toFixed(1)} s` : "less";
  const what = action === "taken back" ? `${action} from ${source}` : action;
  return `piece ${piece} is ${what}: ${source} ${slow}, ${faster} should take ${fast}`;
}

/** The error of a download whose last content was given up. */
export function giveUpError(name: string, giveUp: GiveUp): P2pError {
  const message = `Cannot download "${name}": ${giveUpText(giveUp)}`;
  const problem = "partial-kept";
  if (giveUp.why === "silence") return new TimeoutError(message, { problem });
  if (giveUp.why === "refused") return new UnreachableError(message, { problem });
  return new CorruptError(message);
}

function giveUpText(giveUp: GiveUp): string {
  if (giveUp.why !== "silence") return `no seed is left (${changeText(giveUp.reason)})`;
  const seconds = giveUp.ms / 1000;
  return "bytesPerSecond" in giveUp
    ? `the seeds sent less than ${giveUp.bytesPerSecond} useful bytes a second for ${seconds} s`
    : `no seed sent a byte for ${seconds} s`;
}

/** The error of a name for which no content could be chosen. */
export function resolveError(name: string, failure: ResolveFailure): P2pError {
  const { code, reason } = failure.kind === "no-source"
    ? noSourceReason(`"${name}"`, failure.answers)
    : { code: CODE_OF_FAILURE[failure.kind], reason: resolveText(name, failure) };
  const message = `Cannot download "${name}": ${reason}`;
  switch (code) {
    case "not-found":
      return new NotFoundError(message);
    case "auth":
      return new AuthError(message);
    case "usage":
      return new UsageError(message, { problem: "id-ambiguous" });
    case "corrupt":
      return new CorruptError(message);
    case "protocol":
      return new ProtocolError(message);
    case "timeout":
      return new TimeoutError(message);
    default:
      return new UnreachableError(message);
  }
}

function resolveText(
  name: string,
  failure: Exclude<ResolveFailure, { kind: "no-source" }>,
): string {
  switch (failure.kind) {
    case "disagreement":
      return "the seeds found on the network offer different contents";
    case "ambiguous-id":
      return `several contents have an id that begins with "${failure.id}"`;
    case "no-such-content":
      return `no seed has "${name}" with that id or checksum`;
    case "no-manifest":
      return `no seed offers a manifest for "${name}", so it could not be verified`;
  }
}

/** Why no source can give `what`, where none of them offers anything. */
export function noSourceReason(
  what: string,
  answers: readonly SourceAnswer[],
): { readonly code: ErrorCode; readonly reason: string } {
  // For several names, a source that is away gives the same reason each time.
  const reasons = new Set(answers.flatMap((answer) => "reason" in answer ? answer.reason : []));
  const why = Array.from(reasons).join("; ");
  // A source that asks for patience has the file, or may have it, whatever the others say.
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
