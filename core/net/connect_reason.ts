/** Why there is no connection, for people: what TLS says of it helps nobody. */
import { plainReasonOf, reasonOf } from "../base/errors.ts";

/** What TLS calls it → what it means, and what to do. */
const TLS_REASONS: readonly (readonly [RegExp, string])[] = [
  [
    /UnknownIssuer/,
    "nobody who is trusted here signed its certificate; give the seed's authority with --tls-ca",
  ],
  [
    /CaUsedAsEndEntity/,
    "its certificate is an authority's own; make one with basicConstraints=CA:FALSE for the seed",
  ],
  [/Expired/, "its certificate has expired"],
  [/NotValidYet/, "its certificate is not valid yet; compare the clocks"],
  [
    /InvalidContentType|unexpected end of file|unexpected eof/i,
    "it does not speak TLS; write it without tls://",
  ],
];

/** The same of a name that the system's resolver does not know. */
const NO_SUCH_HOST = /Name or service not known|nodename nor servname provided/;

/** Why a connection could not be made, in words that help. */
export function connectReasonOf(error: unknown, tls: boolean): string {
  if (NO_SUCH_HOST.test(reasonOf(error))) return "no host of that name is known";
  const known = tls ? TLS_REASONS.find(([pattern]) => pattern.test(reasonOf(error))) : undefined;
  return known?.[1] ?? plainReasonOf(error);
}
