/**
 * Where a source is: a p2p seed (`host`, `host:port`, `[v6]:port`, `p2p://host:port`,
 * `tls://host:port`), or a folder or file of a web server or an object store (`http://`, `https://`,
 * `s3://`).
 */
import { type Problem, UsageError } from "./errors.ts";

/** The port of an address that names none. */
export const DEFAULT_PORT = 7270;

/** The address of a p2p seed. */
export interface SocketAddress {
  /** A name or an IP address; no brackets around IPv6. */
  readonly host: string;
  /** 1 to 65,535. */
  readonly port: number;
  /** Whether the connection uses TLS. */
  readonly tls: boolean;
}

/** The address of a folder or a file that is served over HTTP. */
export interface WebAddress {
  /**
   * Absolute, `http:`, `https:` or `s3:`. Names are appended to a path that ends with a slash; any
   * other path is the file itself. It may hold credentials: show it by `formatSourceAddress` only.
   */
  readonly url: string;
}

/** The address of a source. */
export type SourceAddress = SocketAddress | WebAddress;

/** Whether the source is reached over HTTP. */
export function isWebAddress(address: SourceAddress): address is WebAddress {
  return "url" in address;
}

const URL_FORM = /^(?<scheme>[a-z][a-z0-9+.-]*):\/\/(?<authority>[^/]*)(?<path>\/.*)?$/is;
const AUTHORITY_FORM =
  /^(?:\[(?<v6>[0-9a-f.]*:[0-9a-f:.]*(?:%[\w.-]+)?)\]|(?<host>[^\s:/?#@[\]]+))(?::(?<port>\d{1,5}))?$/i;
/** The platform also takes URLs with other slashes, and removes line ends and spaces from them. */
const WEB_URL = /^(?:https?|s3):\/\/[^/\\\s]\S*$/i;
const WEB_SCHEMES: readonly string[] = ["http", "https", "s3"];
/** Longer ones are refused by most servers. */
const MAX_URL_LENGTH = 8192;

/**
 * Parses `host`, `host:port`, `[v6]:port`, or a URL `p2p://host:port` or `tls://host:port`. The host
 * becomes lowercase; without a port it is `DEFAULT_PORT`. A URL of a web server or an object store
 * (`http://`, `https://`, `s3://`) is a folder, whether its path ends with a slash or not.
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
  const { scheme = "p2p" } = text.match(URL_FORM)?.groups ?? {};
  return WEB_SCHEMES.includes(scheme.toLowerCase())
    ? parseFolderUrl(text)
    : parseSocketAddress(text);
}

/** The address of a p2p seed. @throws {UsageError} as `parseSourceAddress`. */
export function parseSocketAddress(text: string): SocketAddress {
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

function parseFolderUrl(text: string): WebAddress {
  const url = parseWebUrl(text);
  if (url === undefined || url.hash !== "") throw unusable(text, "seed-address");
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  return { url: url.href };
}

/** A URL of a scheme that web sources have, with a host; undefined for any other text. */
export function parseWebUrl(text: string): URL | undefined {
  if (text.length > MAX_URL_LENGTH || !WEB_URL.test(text) || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  return url.hostname === "" ? undefined : url;
}

function unusable(text: string, problem: Problem): UsageError {
  return new UsageError(`Cannot use "${withoutSecrets(text)}" as a seed`, { problem });
}

/**
 * The canonical text, which users see: `host:port`, `tls://host:port`, or a URL without user,
 * password and query, which may be secret. Equal texts mean the same source.
 */
export function formatSourceAddress(address: SourceAddress): string {
  if (isWebAddress(address)) return withoutSecrets(address.url);
  const { host, port, tls } = address;
  const name = host.includes(":") ? `[${host}]` : host;
  return `${tls ? "tls://" : ""}${name}:${port}`;
}

/** The text from which `parseSourceAddress` makes the same address, with its credentials. */
export function encodeSourceAddress(address: SourceAddress): string {
  return isWebAddress(address) ? address.url : formatSourceAddress(address);
}

/** A URL without user, password, query and fragment; any other text as it is. */
export function withoutSecrets(text: string): string {
  const url = parseWebUrl(text);
  if (url === undefined) return text.replace(/^(https?:\/\/)[^/]*@/i, "$1");
  url.username =
    url.password =
    url.search =
    url.hash =
      "";
  return url.href;
}
