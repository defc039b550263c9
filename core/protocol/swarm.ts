/**
 * What receivers of the same content tell each other and a seed: which pieces they have, where they
 * listen, and which pieces a full seed would like to send.
 */
import { ProtocolError } from "../base/errors.ts";
import { formatSourceAddress, parseSocketAddress } from "../base/source_address.ts";
import { MAX_LINE_BYTES, parseSize } from "./syntax.ts";

/** The seed answers `HAVE`, `JOIN` and `SUGGEST`. */
export const SWARM_FEATURE = "swarm";

/** Peers in one reply to `JOIN`: with twice as many as a receiver uses, it can replace those that it does not reach. */
export const MAX_PEERS_IN_REPLY = 32;
/** Pieces in one `new=`, or in one `SUGGEST`: five digits each leave room in a line of 4,096 bytes. */
export const MAX_INDICES_IN_LINE = 512;
/** Pieces in one reply to `SUGGEST`: a receiver requests a few at a time, and later ones are chosen with newer knowledge. */
export const MAX_SUGGESTED = 16;
/** The body of a reply to `JOIN`: each line has an address and a number. */
export const MAX_PEERS_BYTES = MAX_PEERS_IN_REPLY * 96;

/** A receiver, as a seed or another receiver hands it out. */
export interface PeerEntry {
  /** An IP address, never a host name. */
  readonly host: string;
  readonly port: number;
  /** How many pieces it had when it announced itself last. */
  readonly pieces: number;
}

/** One bit for each piece, the most significant first. */
export function encodePieceMap(has: (piece: number) => boolean, count: number): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(count / 8));
  for (let piece = 0; piece < count; piece++) {
    if (has(piece)) bytes[piece >> 3]! |= 0x80 >> (piece & 7);
  }
  return bytes;
}

/** The pieces of a map of `count` pieces. @throws {ProtocolError} if its length is wrong, or a bit behind the last piece is set. */
export function parsePieceMap(bytes: Uint8Array, count: number): number[] {
  if (bytes.length !== Math.ceil(count / 8)) {
    throw new ProtocolError(`Cannot read a map of ${count} pieces from ${bytes.length} bytes`);
  }
  const pieces: number[] = [];
  for (const [at, byte] of bytes.entries()) {
    for (let bit = 0, rest = byte; rest !== 0; bit++, rest = (rest << 1) & 0xff) {
      if ((rest & 0x80) !== 0) pieces.push(8 * at + bit);
    }
  }
  if ((pieces.at(-1) ?? -1) >= count) {
    throw new ProtocolError(`Cannot read a map of ${count} pieces: it has further ones`);
  }
  return pieces;
}

/** `3,17,256`, for a value in a reply line. */
export function encodeIndices(pieces: readonly number[]): string {
  return pieces.join(",");
}

/**
 * Piece numbers below `count`, in their order.
 *
 * @throws {ProtocolError} if the text is nothing of that kind.
 */
export function parseIndices(text: string, count: number): number[] {
  if (text === "") return [];
  // Bounds the work: a line is not longer.
  if (text.length > MAX_LINE_BYTES) {
    throw new ProtocolError("Cannot read a list of pieces: too long");
  }
  return text.split(",").map((digits) => {
    const piece = parseSize(digits);
    if (piece === undefined || piece >= count) {
      throw new ProtocolError("Cannot read a list of pieces: a number is wrong");
    }
    return piece;
  });
}

/** One line for each peer. */
export function encodePeers(peers: readonly PeerEntry[]): string {
  return peers.map(({ host, port, pieces }) =>
    `${formatSourceAddress({ host, port, tls: false })} ${pieces}\n`
  ).join("");
}

/**
 * The peers of a reply to `JOIN`. Lines that name no IP address and port are skipped, and so are
 * lines beyond `MAX_PEERS_IN_REPLY`.
 */
export function parsePeers(text: string): PeerEntry[] {
  const peers: PeerEntry[] = [];
  for (const line of text.split("\n", MAX_PEERS_IN_REPLY)) {
    const peer = parsePeer(line);
    if (peer) peers.push(peer);
  }
  return peers;
}

function parsePeer(line: string): PeerEntry | undefined {
  const [, address, digits] = line.match(/^(\S{1,64}) ([0-9]{1,16})$/) ?? [];
  const pieces = parseSize(digits ?? "");
  if (address === undefined || pieces === undefined) return undefined;
  const found = parseAddress(address);
  return found && { ...found, pieces };
}

/** An IP address and a port; a name would make the reader look it up, and a scheme would be a choice of the sender. */
export function parseAddress(text: string): { host: string; port: number } | undefined {
  if (!/^(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-fA-F:.]{2,45}\]):[1-9]\d{0,4}$/.test(text)) {
    return undefined;
  }
  try {
    const { host, port } = parseSocketAddress(text);
    return port >= 1 && port <= 65_535 ? { host, port } : undefined;
  } catch {
    return undefined;
  }
}
