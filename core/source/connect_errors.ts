/** Why a connection failed, in short standard terms instead of the platform's. */
import { plainReasonOf, reasonOf } from "../base/errors.ts";
import { AllAttemptsFailed, type FailedAttempt } from "./happy_eyeballs.ts";

/** The names of TLS errors and their meanings. */
const TLS_REASONS: readonly (readonly [RegExp, string])[] = [
  [/UnknownIssuer/, "certificate signed by unknown authority"],
  [/CaUsedAsEndEntity/, "its certificate is an authority's own"],
  [/Expired/, "its certificate has expired"],
  [/NotValidYet/, "its certificate is not valid yet"],
  [/InvalidContentType|unexpected end of file|unexpected eof/i, "it does not speak TLS"],
];

/** Messages of resolvers on Linux, macOS and Windows, and their meanings. */
const LOOKUP_REASONS: readonly (readonly [RegExp, string])[] = [
  [
    /Name or service not known|nodename nor servname provided|No such host is known|ENOTFOUND/,
    "could not resolve host",
  ],
  [
    /Temporary failure in name resolution|EAI_AGAIN/,
    "could not resolve host: no name server answered",
  ],
  [/No address associated with/, "could not resolve host: it has no address"],
  [/failed to lookup address information/, "could not resolve host"],
];

/** The reason of a failed connect, in plain terms. */
export function connectReasonOf(error: unknown, tls: boolean): string {
  if (error instanceof AllAttemptsFailed) return reasonOfAttempts(error.attempts, tls);
  // The texts of Windows are long.
  if (error instanceof Deno.errors.ConnectionRefused) return "connection refused";
  const reason = reasonOf(error);
  const known = LOOKUP_REASONS.find(([pattern]) => pattern.test(reason)) ??
    (tls ? TLS_REASONS.find(([pattern]) => pattern.test(reason)) : undefined);
  if (known) return known[1];
  return tls && wrongNameOf(reason) || plainReasonOf(error);
}

/** One reason for all addresses, or the reason of each. */
function reasonOfAttempts(attempts: readonly FailedAttempt[], tls: boolean): string {
  const reasons = attempts.map(({ address, error }) => ({
    address,
    reason: connectReasonOf(error, tls),
  }));
  if (reasons.length === 0) return "could not resolve host: it has no address";
  if (new Set(reasons.map(({ reason }) => reason)).size === 1) return reasons[0]!.reason;
  return reasons.map(({ address, reason }) => `${address}: ${reason}`).join("; ");
}

/** The names in a certificate that is not for this host. */
function wrongNameOf(reason: string): string | undefined {
  if (!/NotValidForName|not valid for (?:any )?name/.test(reason)) return undefined;
  const names = Array.from(
    reason.matchAll(/(?:DnsName\("|IpAddress\()([^")]{1,255})/g),
    ([, name]) => name,
  );
  return names.length === 0
    ? "its certificate is for another name"
    : `its certificate is for ${names.slice(0, 5).join(", ")}`;
}
