/**
 * Links to one file: `http://nas1:7270/name#id=<hex>` as a seed shows it, the URL of any web server
 * or object store, `p2p://nas1,nas2/name`, `tls://nas1/name`. A fragment pins the content: `#id=<hex>`
 * or `#sha256=<hex>`.
 */
import { UsageError } from "./errors.ts";
import { invalidNameReason } from "./names.ts";
import { encodePath } from "./url_path.ts";
import {
  DEFAULT_PORT,
  formatSourceAddress,
  isWebAddress,
  parseSocketAddress,
  parseWebUrl,
  type SocketAddress,
  type SourceAddress,
  withoutSecrets,
} from "./source_address.ts";

/** One file, and where it is. */
export interface Link {
  /** The name that the file gets. */
  readonly name: string;
  /** At least one. */
  readonly seeds: readonly SourceAddress[];
  /** The beginning of the content's id, hex, at least `MIN_ID_DIGITS` long. */
  readonly id?: string;
  /** Of the whole file, hex. */
  readonly sha256?: string;
}

/** 64 bits are enough against an accident. */
const MIN_ID_DIGITS = 16;

/** In a link that is made here: 128 bits, against a content that was made on purpose. */
export const LINK_ID_DIGITS = 32;

/**
 * A link to a file of a source, for browsers and for p2p. It holds no credentials.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { formatLink } from "p2p";
 *
 * const nas1 = { host: "nas1", port: 7270, tls: false };
 * assertEquals(formatLink(nas1, "a b.iso", null), "http://nas1:7270/a%20b.iso");
 * ```
 *
 * @param id of the content; null if it is not known.
 */
export function formatLink(address: SourceAddress, name: string, id: string | null): string {
  const pin = id === null ? "" : `#id=${id.slice(0, LINK_ID_DIGITS)}`;
  if (isWebAddress(address)) {
    const folder = formatSourceAddress(address);
    return (folder.endsWith("/") ? folder + encodePath(name) : folder) + pin;
  }
  const { host, port, tls } = address;
  const seed = formatSourceAddress({ host, port, tls: false });
  return `http${tls ? "s" : ""}://${seed}/${encodePath(name)}${pin}`;
}

/** Whether `text` is to be read as a link and not as a name. */
export function isLink(text: string): boolean {
  return /^(?:https?|s3|p2p|tls):\/\//i.test(text);
}

/**
 * The file that a link means, and where it is.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseLink } from "p2p";
 *
 * const { name, seeds } = parseLink("p2p://nas1,nas2:7271/photos/a.jpg");
 * assertEquals([name, seeds.length], ["photos/a.jpg", 2]);
 * ```
 *
 * @throws {UsageError} with the problem `link` if it is not valid.
 */
export function parseLink(text: string): Link {
  const [address = "", ...fragment] = text.split("#");
  const pins = parsePins(text, fragment.join("#"));
  if (/^(?:p2p|tls):/i.test(address)) return { ...seedLink(text, address), ...pins };
  const url = parseWebUrl(address);
  if (url === undefined) throw unusable(text, "it is not a valid URL");
  const seed = seedOf(url, pins.id !== undefined);
  if (seed) return { name: nameIn(text, url.pathname.slice(1)), seeds: [seed], ...pins };
  const parts = url.pathname.split("/");
  return { name: nameIn(text, parts.at(-1)!), seeds: [{ url: url.href }], ...pins };
}

/**
 * The p2p seed that a URL names. Seeds speak HTTP and their own protocol on one port, so a URL with
 * the port of seeds is one, and so is a URL with any port and an id, which only seeds show.
 */
function seedOf(url: URL, hasId: boolean): SocketAddress | undefined {
  const { port, protocol, hostname, search, username } = url;
  const isSeed = Number(port) === DEFAULT_PORT || hasId && port !== "";
  if (!isSeed || search !== "" || username !== "" || protocol === "s3:") return undefined;
  const host = hostname.replace(/^\[|\]$/g, "");
  return { host, port: Number(port), tls: protocol === "https:" };
}

function seedLink(text: string, address: string): Pick<Link, "name" | "seeds"> {
  const [, scheme = "", hosts = "", path = ""] =
    address.match(/^([a-z0-9]+):\/\/([^/]*)\/(.*)$/is) ??
      [];
  const seeds = hosts.split(",").map((host) => parseSocketAddress(`${scheme}://${host}`));
  return { name: nameIn(text, path), seeds };
}

function nameIn(text: string, encoded: string): string {
  const name = decoded(encoded);
  if (name === undefined) throw unusable(text, "its name is not valid UTF-8");
  if (name === "" || name.endsWith("/")) throw unusable(text, "it names a folder and no file");
  const reason = invalidNameReason(name);
  if (reason !== undefined) throw unusable(text, `its name is not valid: ${reason}`);
  return name;
}

function decoded(encoded: string): string | undefined {
  try {
    return decodeURIComponent(encoded);
  } catch {
    return undefined;
  }
}

function parsePins(text: string, fragment: string): Pick<Link, "id" | "sha256"> {
  const fields = new Map(
    fragment.split("&").map((field) => {
      const [key = "", value = ""] = field.split("=");
      return [key.toLowerCase(), value.toLowerCase()];
    }),
  );
  const id = fields.get("id");
  const sha256 = fields.get("sha256");
  if (id !== undefined && !(/^[0-9a-f]{1,64}$/.test(id) && id.length >= MIN_ID_DIGITS)) {
    throw unusable(text, `its id must be ${MIN_ID_DIGITS} to 64 hexadecimal digits`);
  }
  if (sha256 !== undefined && !/^[0-9a-f]{64}$/.test(sha256)) {
    throw unusable(text, "its sha256 must be 64 hexadecimal digits");
  }
  return { ...id === undefined ? {} : { id }, ...sha256 === undefined ? {} : { sha256 } };
}

function unusable(text: string, reason: string): UsageError {
  return new UsageError(`Cannot use the link "${withoutSecrets(text)}": ${reason}`, {
    problem: "link",
  });
}
