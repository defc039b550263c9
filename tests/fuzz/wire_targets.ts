/** The parsers of the protocol, each with its invariants and, where it is cheap, a second implementation. */
import { assert, assertEquals } from "@std/assert";
import { ProtocolError } from "../../core/base/errors.ts";
import { compareNames, invalidNameReason, isValidName } from "../../core/base/names.ts";
import { pieceSizeOf } from "../../core/base/pieces.ts";
import { sha256 } from "../../core/base/digest.ts";
import {
  authResponse,
  encodeGreeting,
  isValidAuthResponse,
  parseGreeting,
} from "../../core/protocol/greeting.ts";
import {
  encodeListing,
  encodeOneShotListing,
  MAX_LISTED_FILES,
  parseOneShotListing,
} from "../../core/protocol/listing.ts";
import { parseFetched } from "../../core/protocol/fetched.ts";
import { encodeManifest, makeManifest, parseManifest } from "../../core/protocol/manifest.ts";
import { MAX_LINE_BYTES, parseNumber, parsePairs, parseSize } from "../../core/protocol/syntax.ts";
import {
  encodeErrorReply,
  ERROR_REPLY_CODES,
  ErrorReply,
  parseErrorReply,
  percentOf,
  retryAfterMsOf,
} from "../../core/protocol/error_replies.ts";
import { encodeOk, encodeSize, parseOneShotSize, parseReply } from "../../core/protocol/replies.ts";
import {
  encodeOneShotRequest,
  encodeSessionRequest,
  parseOneShotRequest,
  parseSessionRequest,
} from "../../core/protocol/requests.ts";
import {
  encodeIndices,
  encodePeers,
  encodePieceMap,
  MAX_PEERS_IN_REPLY,
  parseIndices,
  parsePeers,
  parsePieceMap,
} from "../../core/protocol/swarm.ts";
import { parseListing } from "../protocol/support.ts";
import { assertSame, attempt, bytesOf, type Target, textOf } from "./target.ts";

function texts(...all: string[]): Uint8Array[] {
  return all.map(bytesOf);
}

const NONCE = "000102030405060708090a0b0c0d0e0f";
const TOKEN = "correct horse";
const ANSWER = "a3adbd58b0d2bc0c14558c16ac2db914e0a069130238a6f67a4d395220429cd5";
const NAME_1024 = "é".repeat(512);

const sessionRequests: Target = {
  name: "session-request",
  seeds: texts(
    `AUTH ${ANSWER}`,
    "LIST",
    "LIST a/b.txt",
    "FILESIZE a|b.txt",
    "MANIFEST dir/file.bin",
    "FETCH a|b.txt|65536",
    "FETCH dir/file.bin|9007199254740992",
    "DOWNLOAD a|b.txt|7|100",
    "DOWNLOAD dir/zeros.bin|1048576|1",
    "DOWNLOAD 😀|9007199254740991|1048576",
    `FILESIZE ${NAME_1024}`,
    "PING",
    "BYE",
    `HAVE ${ANSWER}|17`,
    `JOIN ${ANSWER}|7270|3`,
    `SUGGEST ${ANSWER}|65535|4|0,17`,
  ),
  run(input) {
    const line = textOf(input);
    const parsed = attempt(() => parseSessionRequest(line), ErrorReply);
    if (parsed instanceof Error) return requireErrorReply(parsed);
    if ("name" in parsed) requireValid(parsed.name);
    if (parsed.verb === "DOWNLOAD") {
      const { start, end } = parsed.range;
      assert(start >= 0 && !(end < start), "a range goes forward");
      // What no file can reach is not kept exactly, and need not be.
      if (!Number.isSafeInteger(end)) return;
    }
    // The same is true of a limit for bytes.
    if (parsed.verb === "FETCH" && !Number.isFinite(parsed.maxBytes)) return;
    assertEquals(encodeSessionRequest(parsed), line);
  },
};

const oneShotRequests: Target = {
  name: "one-shot-request",
  seeds: texts(
    "LIST",
    "FILESIZE a|b.txt",
    "DOWNLOAD a|b.txt|7",
    "DOWNLOAD dir/é.bin|0",
    "DOWNLOAD x|9007199254740991",
  ),
  run(input) {
    const line = textOf(input);
    const parsed = attempt(() => parseOneShotRequest(line), ErrorReply);
    if (parsed instanceof Error) return requireErrorReply(parsed);
    if ("name" in parsed) requireValid(parsed.name);
    if (parsed.verb === "DOWNLOAD" && !Number.isFinite(parsed.offset)) return;
    assertEquals(encodeOneShotRequest(parsed), line);
  },
};

function requireErrorReply(error: Error): void {
  assert(error instanceof ErrorReply);
  assert(error.code === "BAD_REQUEST" || error.code === "NOT_FOUND", error.code);
  // Nothing of the request comes back: no escape codes, no hints of what is there.
  assert(/^[a-z ]+$/.test(error.text), error.text);
}

/** What the protocol says of names, said once more in other words. */
function requireValid(name: string): void {
  assertEquals(invalidNameReason(name), secondOpinionOn(name) ? undefined : "a fault");
}

export function secondOpinionOn(name: string): boolean {
  const bytes = bytesOf(name);
  return bytes.length >= 1 && bytes.length <= 1024 && textOf(bytes) === name &&
    !bytes.some((byte) => byte < 0x20 || byte === 0x7f || byte === 0x5c) &&
    !`/${name}/`.includes("//") && !`/${name}/`.includes("/./") && !`/${name}/`.includes("/../");
}

const replies: Target = {
  name: "reply",
  seeds: texts(
    "OK 0",
    "OK 1048576",
    "OK 117 more=1",
    "OK 5 a=b c=d=e more=1",
    "SIZE:6",
    "SIZE:9007199254740991",
    "ERROR:BUSY retry-after-ms=500 too many connections",
    "ERROR:PENDING 37",
    "ERROR:NOT_FOUND no such file",
    "ERROR:LATER_VERSION what",
    "ERROR:TOO_LONG",
  ),
  run(input) {
    const line = textOf(input);
    const reply = attempt(() => parseReply(line), ProtocolError);
    if (reply instanceof Error) return requireShort(reply);
    if (reply.kind === "error") return requireValidErrorReply(reply.error);
    if (reply.kind === "size") return assertEquals(encodeSize(reply.size), `${line}\n`);
    assert(Number.isSafeInteger(reply.length) && reply.length >= 0);
    const again = parseReply(encodeOk(reply.length, Object.fromEntries(reply.fields)).slice(0, -1));
    assertEquals(again.kind, "ok");
    // Keys that look like numbers come in another order out of an object.
    if (again.kind === "ok") {
      assertSame(new Map([...again.fields].sort()), new Map([...reply.fields].sort()), "fields");
    }
  },
};

/** An error may quote the other end, but not all that it said. */
function requireShort(error: Error): void {
  assert(error.message.length < 200, `a message of ${error.message.length} characters`);
}

function requireValidErrorReply(reply: ErrorReply): void {
  assert(ERROR_REPLY_CODES.includes(reply.code));
  const pause = retryAfterMsOf(reply);
  assert(pause >= 100 && pause <= 60_000, `a pause of ${pause} ms`);
  const percent = percentOf(reply);
  assert(percent >= 0 && percent <= 100, `${percent} percent`);
  const line = encodeErrorReply(reply);
  assert(line.endsWith("\n") && line.indexOf("\n") === line.length - 1, "one line");
  assert(bytesOf(line).length <= MAX_LINE_BYTES + 1, "not too long a line");
  const again = parseErrorReply(line.slice(0, -1));
  assert(again && again.code === reply.code, "the same code comes back");
  assertEquals(encodeErrorReply(again), line);
}

const oneShotSizes: Target = {
  name: "one-shot-size",
  seeds: texts("SIZE:12\n", "SIZE:0\r\n", "ERROR:NOT_FOUND no such file\n", "ERROR:BUSY x\n"),
  run(input) {
    const reply = textOf(input);
    const size = attempt(() => parseOneShotSize(reply), ProtocolError, ErrorReply);
    if (size instanceof ErrorReply) requireValidErrorReply(size);
    else if (size instanceof Error) requireShort(size);
    else {
      const written = reply.split(/[\0\r\n]/, 1)[0]!.trimEnd().replace("SIZE: ", "SIZE:");
      assertEquals(encodeSize(size), `${written}\n`);
    }
  },
};

const greetings: Target = {
  name: "greeting",
  seeds: texts(
    `HELLO 2 agent=p2p/1 nonce=${NONCE} auth=none max-length=1048576 max-inflight=16`,
    `HELLO 2 agent= nonce=${NONCE.toUpperCase()} auth=token max-length=1 max-inflight=1 later=x`,
    "HELLO 2",
    "ERROR:BUSY retry-after-ms=500 too many connections",
  ),
  run(input) {
    const greeting = parseGreeting(textOf(input));
    if (greeting === undefined) return;
    assert(Number.isSafeInteger(greeting.maxLength) && greeting.maxLength >= 1);
    assert(Number.isSafeInteger(greeting.maxInflight) && greeting.maxInflight >= 1);
    assertSame(parseGreeting(encodeGreeting(greeting).slice(0, -1)), greeting, "greeting");
  },
};

const listings: Target = {
  name: "listing",
  seeds: texts(
    "",
    '{"name":"a","size":0,"modified":0}\n{"name":"b/c","size":9007199254740991,"modified":1e3}\n',
    '{"modified":1795358275695,"later":[{}],"size":6,"name":"\\u0061\\ud83d\\ude00"}\n',
    '{"name":"../x","size":1,"modified":1.5}\n{"name":"\\uffff","size":1,"modified":-1}\n' +
      '{"name":"😀","size":1,"modified":1}\n',
  ),
  run(input) {
    // The first byte says which name was the last of the page before.
    const after = ["", "a", "b", "\uffff"][(input[0] ?? 0) % 4]!;
    const files = attempt(() => parseListing(textOf(input), after), ProtocolError);
    if (files instanceof Error) return requireShort(files);
    assert(files.length <= MAX_LISTED_FILES);
    let last = after;
    for (const { name, size, modified } of files) {
      requireValid(name);
      assert(compareBytes(name, last) > 0, "sorted, none twice");
      assertEquals(Math.sign(compareNames(name, last)), 1);
      assert(Number.isSafeInteger(size) && size >= 0 && Number.isFinite(modified));
      last = name;
    }
    assertSame(parseListing(encodeListing(files), after), files, "listing");
  },
};

/** The order of code points is the order of UTF-8. */
export function compareBytes(one: string, other: string): number {
  const [a, b] = [bytesOf(one), bytesOf(other)];
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    if (a[i] !== b[i]) return a[i]! - b[i]!;
  }
  return a.length - b.length;
}

const oneShotListings: Target = {
  name: "one-shot-listing",
  seeds: texts("", "a\nb/c\r\n😀\n", "..\na\\b\n\n/x\n"),
  run(input) {
    const names = Array.from(parseOneShotListing(input));
    names.forEach(requireValid);
    assert(names.every(isValidName));
    const again = Array.from(parseOneShotListing(bytesOf(encodeOneShotListing(names))));
    assertSame(again, names, "names");
  },
};

const EMPTY = encodeManifest("empty", manifestOf(0));
const THREE_PIECES = encodeManifest("three", manifestOf(2_500_000));

function manifestOf(size: number) {
  const count = Math.ceil(size / pieceSizeOf(size));
  const digests = new Uint8Array(32 * count).fill(7);
  const whole = count === 0 ? sha256(new Uint8Array()) : new Uint8Array(32).fill(7);
  return makeManifest(size, whole.toHex(), digests);
}

const manifests: Target = {
  name: "manifest",
  seeds: texts(
    EMPTY,
    THREE_PIECES,
    encodeManifest("one", manifestOf(6)),
    '{"name": "hello.txt", "size": 6, "pieceSize": 1048576, "sha256": "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03", "id": "3e43403d73f45ea23adb8bdd94a93e0a20e6d2e7d24a01c3d55b3b4e186d1a5b", "pieces": "WJG1tSLV3whtD/CxEPvZ0hu0/HFjrzTQgoai6Eb2vgM="}',
    THREE_PIECES.replace("{", '{"later":{"deep":[[{}]]},'),
  ),
  run(input) {
    const text = textOf(input);
    holdManifest(text);
    const fitting = withFittingId(text);
    if (fitting !== undefined) holdManifest(fitting);
  },
};

const fetched: Target = {
  name: "fetched",
  seeds: [
    bytesOf("manifest=253\n" + encodeManifest("hello.txt", manifestOf(6)) + "xxxxxx"),
    bytesOf(`manifest=${EMPTY.length}\n${EMPTY}`),
    bytesOf(`later=1 manifest=${THREE_PIECES.length} more=1\n${THREE_PIECES}`),
    bytesOf("manifest=0\n"),
  ],
  run(input) {
    // The first line is the fields of the reply's line; the rest is its body.
    const end = input.indexOf(10);
    const fields = parsePairs(textOf(input.subarray(0, Math.max(0, end))));
    const body = input.subarray(end + 1);
    const parsed = attempt(() => parseFetched(fields, body), ProtocolError);
    if (parsed instanceof Error) return requireShort(parsed);
    const { manifest: { layout }, bytes = new Uint8Array() } = parsed;
    const length = Number(fields.get("manifest"));
    assertEquals(length + bytes.length, body.length);
    if (bytes.length > 0) assertEquals([layout.count, layout.size], [1, bytes.length]);
    assertEquals(bytes, body.subarray(length));
  },
};

function holdManifest(text: string): void {
  const manifest = attempt(() => parseManifest(text), ProtocolError);
  if (manifest instanceof Error) return requireShort(manifest);
  const { layout, digests } = manifest;
  assertEquals(layout.count, Math.ceil(layout.size / layout.pieceSize));
  assertEquals(digests.length, layout.count * 32);
  assertSame(parseManifest(encodeManifest("x", manifest)), manifest, "manifest");
}

/** The same manifest with an id that fits the rest: else nothing but the id would ever be found wrong. */
function withFittingId(text: string): string | undefined {
  try {
    const fields = JSON.parse(text);
    const digests = Uint8Array.fromBase64(fields.pieces);
    const { id } = makeManifest(fields.size, "", digests);
    return JSON.stringify({ ...fields, id });
  } catch {
    return undefined;
  }
}

const answers: Target = {
  name: "auth",
  seeds: texts(ANSWER, ANSWER.toUpperCase(), "00", ""),
  run(input) {
    const answer = textOf(input);
    assertEquals(authResponse(NONCE, TOKEN), ANSWER);
    assertEquals(
      isValidAuthResponse(answer, NONCE, TOKEN),
      answer.toLowerCase() === ANSWER && /^[\da-fA-F]+$/.test(answer),
    );
    // A nonce is what the other end says it is.
    assert(/^[0-9a-f]{64}$/.test(authResponse(answer, TOKEN)));
  },
};

const numbers: Target = {
  name: "number",
  seeds: texts(
    "0",
    "7",
    "1048576",
    "9007199254740991",
    "9007199254740992",
    "123456789012345678901",
  ),
  run(input) {
    const text = textOf(input);
    const canonical = text.length < 1000 && attempt(() => BigInt(text), SyntaxError);
    const exact = typeof canonical === "bigint" && canonical >= 0n && `${canonical}` === text
      ? canonical
      : undefined;
    if (text.length >= 1000) return void parseNumber(text);
    const reachable = exact !== undefined && exact <= 9_007_199_254_740_991n;
    assertEquals(
      parseNumber(text),
      exact === undefined ? undefined : reachable ? Number(exact) : Infinity,
    );
    assertEquals(parseSize(text), reachable ? Number(exact) : undefined);
  },
};

const COUNT = 20;
const pieceMaps: Target = {
  name: "piece-map",
  seeds: [new Uint8Array(3), Uint8Array.of(0xff, 0xff, 0xf0), Uint8Array.of(0x80, 0x01, 0x10)],
  run(input) {
    const pieces = attempt(() => parsePieceMap(input, COUNT), ProtocolError);
    if (pieces instanceof Error) return;
    const set = new Set(pieces);
    assert(pieces.every((piece) => piece >= 0 && piece < COUNT));
    assertEquals(encodePieceMap((piece) => set.has(piece), COUNT), input.slice());
  },
};

const pieceLists: Target = {
  name: "piece-list",
  seeds: texts("", "3", "3,17,0", "19,18,17", "20", "1,,2"),
  run(input) {
    const text = textOf(input);
    const pieces = attempt(() => parseIndices(text, COUNT), ProtocolError);
    if (pieces instanceof Error) return;
    assert(pieces.every((piece) => piece >= 0 && piece < COUNT));
    assertEquals(encodeIndices(pieces), text);
  },
};

const peers: Target = {
  name: "peers",
  seeds: texts(
    "10.0.0.1:7270 3\n",
    "10.0.0.1:7270 3\n[fe80::1]:40001 0\n",
    "[::1]:65535 17\n127.0.0.1:1 9007199254740991\n",
    "example.org:80 1\n",
    "10.0.0.1:0 1\n10.0.0.1:65536 1\n",
  ),
  run(input) {
    const found = parsePeers(textOf(input));
    assert(found.length <= MAX_PEERS_IN_REPLY);
    for (const { host, port, pieces } of found) {
      assert(/^[0-9a-f.:]+$/.test(host), "an IP address and no name");
      assert(port >= 1 && port <= 65_535 && Number.isSafeInteger(pieces));
    }
    assertEquals(parsePeers(encodePeers(found)), found);
  },
};

export const WIRE_TARGETS: readonly Target[] = [
  pieceMaps,
  pieceLists,
  peers,
  sessionRequests,
  oneShotRequests,
  replies,
  oneShotSizes,
  greetings,
  listings,
  oneShotListings,
  manifests,
  fetched,
  answers,
  numbers,
];
