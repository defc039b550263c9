/** Which host a request is for. */
import { isIP } from "node:net";

/** The host in the value of a Host field, in lower case and without brackets and port; undefined if it is malformed. */
export function hostIn(authority: string): string | undefined {
  const form = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d{0,5})?$/i.exec(authority);
  const [, v6, name] = form ?? [];
  if (v6 !== undefined) return isIP(v6) === 6 ? v6.toLowerCase() : undefined;
  // A name may end with the dot of the root.
  return name?.toLowerCase().replace(/\.$/, "") || undefined;
}

/**
 * Domains that cannot be registered in public: a name below them is a name in the local network, if
 * it resolves at all.
 */
const LOCAL_DOMAINS = ["local", "lan", "internal", "home.arpa"];

/**
 * Whether a request for `host` may be served. A web page of another site can make its own name
 * resolve to this machine, and its visitor's browser would take the files for a part of that site
 * (DNS rebinding). The browser sends the site's name then, never an address.
 *
 * @param names in lower case; those of this machine without a domain also count with a local one.
 */
export function isAllowedHost(host: string, names: ReadonlySet<string>): boolean {
  if (isIP(host) !== 0 || host === "localhost" || host.endsWith(".localhost")) return true;
  if (names.has(host)) return true;
  const dot = host.indexOf(".");
  return dot > 0 && names.has(host.slice(0, dot)) && LOCAL_DOMAINS.includes(host.slice(dot + 1));
}
