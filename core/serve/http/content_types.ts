/** What a browser is told of a file's content: by the ending of its name alone. */
import { lookup } from "mrmime";

/** Types that a browser may run scripts in. */
const ACTIVE = /^(?:text\/html|[\w.+-]+\/(?:[\w.+-]*\+)?xml(?:-dtd)?)$/;

/**
 * A page that somebody put into the folder must not act in the name of the seed: no scripts, no
 * forms, no requests to other sites.
 */
const SANDBOX =
  "sandbox; default-src 'none'; font-src 'self'; img-src 'self' data:; media-src 'self'; style-src 'self' 'unsafe-inline'";

export interface ContentType {
  readonly type: string;
  /** For `Content-Security-Policy`. */
  readonly policy: string | undefined;
}

export function contentTypeOf(name: string): ContentType {
  const type = lookup(name.slice(name.lastIndexOf("/") + 1)) ?? "application/octet-stream";
  const policy = ACTIVE.test(type) ? SANDBOX : undefined;
  // A page names its encoding itself; other texts are UTF-8 nearly always.
  const charset = type.startsWith("text/") && type !== "text/html" ? "; charset=utf-8" : "";
  return { type: type + charset, policy };
}
