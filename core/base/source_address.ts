/** Where a source listens: `host`, `host:port`, `[v6]:port`, or a URL `p2p://host:port` or `tls://host:port`. */
import { type Problem, UsageError } from "./errors.ts";

/** The port of an address that names none. */
export const DEFAULT_PORT = 7270;

/** The address of a source. */
export interface SourceAddress {
  /** A name or an IP address; no brackets around IPv6. */
  readonly host: string;
  /** 1 to 65,535. */
  readonly port: number;
  /** Whether the connection uses TLS. */
  readonly tls: boolean;
}

const URL_FORM = /^(?<scheme>[a-z][a-z0-9+.-]*):\/\/(?<authority>[^/]*)(?<path>\/.*)?$/is;
const AUTHORITY_FORM =
  /^(?:\[(?<v6>[0-9a-f.]*:[0-9a-f:.]*(?:%\w+)?)\]|(?<host>[^\s:/?#@[\]]+))(?::(?<port>\d{1,5}))?$/i;

/**
 * Parses `host`, `host:port`, `[v6]:port`, or a URL `p2p://host:port` or `tls://host:port`. The host
 * becomes lowercase; without a port it is `DEFAULT_PORT`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { formatSourceAddress, parseSourceAddress } from "p2p";
 *
 * assertEquals(parseSourceAddress("NAS1"), { host: "nas1", port: 7270, tls: false });
 * assertEquals(formatSourceAddress(parseSourceAddress("tls://[fe80::1]:9000")), "tls://[fe80::1]:9000");
 * ```
 *
 * @throws {UsageError} with the problem `address-scheme` for a URL of another scheme, `seed-address` otherwise.
 */
export function parseSourceAddress(text: string): SourceAddress {
  const { scheme = "p2p", authority = text, path = "/" } = text.match(URL_FORM)?.groups ?? {};
  const tls = scheme.toLowerCase() === "tls";
  if (!tls && scheme.toLowerCase() !== "p2p") throw unusable(text, "address-scheme");
  const { v6, host, port } = authority.match(AUTHORITY_FORM)?.groups ?? {};
  const number = port === undefined ? DEFAULT_PORT : Number(port);
  const name = v6 ?? host;
  if (name === undefined || path !== "/" || number < 1 || number > 65_535) {
    throw unusable(text, "seed-address");
  }
  return { host: name.toLowerCase(), port: number, tls };
}

function unusable(text: string, problem: Problem): UsageError {
  return new UsageError(`Cannot use "${text}" as a seed`, { problem });
}

/** The canonical text, which users see: `host:port` or `tls://host:port`. Equal texts mean the same source. */
export function formatSourceAddress({ host, port, tls }: SourceAddress): string {
  const name = host.includes(":") ? `[${host}]` : host;
  return `${tls ? "tls://" : ""}${name}:${port}`;
}
