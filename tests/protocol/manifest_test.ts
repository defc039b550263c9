import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import fc from "fast-check";
import { sha256 } from "../../core/base/digest.ts";
import { ProtocolError } from "../../core/base/errors.ts";
import { layoutOf } from "../../core/base/pieces.ts";
import {
  digestOfPiece,
  encodeManifest,
  makeManifest,
  type Manifest,
  MAX_MANIFEST_BYTES,
  parseManifest,
} from "../../core/protocol/manifest.ts";
import { anyText, nearly, property, validName } from "../base/property.ts";
import { concat } from "./support.ts";
import { bytesOf } from "../support/bytes.ts";

const EMPTY =
  `{"name": "empty", "size": 0, "pieceSize": 1048576, "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "id": "222a64f1ca13becc9e04b425440b6269d63b53d7e4071767c25f1279b9fcb236", "pieces": ""}`;
const HELLO =
  `{"name": "hello.txt", "size": 6, "pieceSize": 1048576, "sha256": "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03", "id": "3e43403d73f45ea23adb8bdd94a93e0a20e6d2e7d24a01c3d55b3b4e186d1a5b", "pieces": "WJG1tSLV3whtD/CxEPvZ0hu0/HFjrzTQgoai6Eb2vgM="}`;
const ZEROS =
  `{"name": "zeros.bin", "size": 1048577, "pieceSize": 1048576, "sha256": "2cb74edba754a81d121c9db6833704a8e7d417e5b13d1a19f4a52f007d644264", "id": "06a9781d866c31ec3d8758739399d335121b22cae3ebfd2a125cd6981752ccc0", "pieces": "MOFJVevxNSJm3C/4Bn5oEEYH51CrudOzZYK4r5Cfy1huNAuc/7N6mJylROa7eAoseJAdP7M3OHaFEaMGF6+gHQ=="}`;

const vectors = [
  { name: "empty", content: new Uint8Array(), text: EMPTY },
  { name: "hello.txt", content: bytesOf("hello\n"), text: HELLO },
  { name: "zeros.bin", content: new Uint8Array(1_048_577), text: ZEROS },
];
for (const { name, content, text } of vectors) {
  Deno.test(`makeManifest() is the protocol's vector of ${name}`, () => {
    assertEquals(JSON.parse(encodeManifest(name, manifestOf(content))), JSON.parse(text));
  });

  Deno.test(`parseManifest() accepts the protocol's vector of ${name}`, () => {
    const { layout, sha256, id, digests } = parseManifest(text);
    const want = JSON.parse(text);
    assertEquals(layout, layoutOf(content.length));
    assertEquals([sha256, id, digests.toBase64()], [want.sha256, want.id, want.pieces]);
  });

  Deno.test(`parseManifest() accepts what encodeManifest() wrote of ${name}`, () => {
    assertAlike(parseManifest(encodeManifest("x", manifestOf(content))), manifestOf(content));
  });
}

Deno.test("encodeManifest() writes the fields in the protocol's order", () => {
  const want = ["name", "size", "pieceSize", "sha256", "id", "pieces"];
  assertEquals(Object.keys(JSON.parse(encodeManifest("a", parseManifest(HELLO)))), want);
});

Deno.test("digestOfPiece() is the digest of that piece", () => {
  const manifest = parseManifest(ZEROS);
  assertEquals(digestOfPiece(manifest, 0).toHex(), sha256(new Uint8Array(1_048_576)).toHex());
  assertEquals(digestOfPiece(manifest, 1).toHex(), sha256(new Uint8Array(1)).toHex());
  assertEquals(digestOfPiece(manifest, 2).length, 0);
});

Deno.test("parseManifest() ignores the name and unknown fields", () => {
  const manifest = parseManifest(changed(HELLO, { name: 7, colour: "red" }));
  assertAlike(manifest, parseManifest(HELLO));
});

Deno.test("parseManifest() accepts the largest number of pieces", () => {
  const manifest = randomManifest(34_359_738_368, "0".repeat(64));
  const text = encodeManifest("a", manifest);
  assert(text.length < MAX_MANIFEST_BYTES);
  assertAlike(parseManifest(text), manifest);
});

const digest = (byte: number) => new Uint8Array(32).fill(byte).toBase64();
const hello = JSON.parse(HELLO);
const zeros = JSON.parse(ZEROS);
const bad: { name: string; text: string; says: string }[] = [
  { name: "nothing", text: "", says: "no JSON object" },
  { name: "no JSON", text: "{", says: "no JSON object" },
  { name: "null", text: "null", says: "no JSON object" },
  { name: "a number", text: "7", says: "no JSON object" },
  { name: "a string", text: '"a"', says: "no JSON object" },
  { name: "two objects", text: HELLO + HELLO, says: "no JSON object" },
  { name: "eight million brackets", text: "[".repeat(8_000_000), says: "no JSON object" },
  {
    name: "four million escaped quotes in a string that is not closed",
    text: `"${'\\"'.repeat(4_000_000)}`,
    says: "no JSON object",
  },
  { name: "four million numbers", text: `[${"1,".repeat(4_000_000)}1]`, says: "no JSON object" },
  {
    name: "eight million characters of base64",
    text: changed(HELLO, { pieces: "A".repeat(8_000_000) }),
    says: "must hold 1 digests",
  },
  { name: "an array", text: "[]", says: "size is no whole number" },
  { name: "an empty object", text: "{}", says: "size is no whole number" },
  { name: "a size as text", text: changed(HELLO, { size: "6" }), says: "size is no whole number" },
  { name: "a negative size", text: changed(HELLO, { size: -6 }), says: "size is no whole number" },
  { name: "half a byte", text: changed(HELLO, { size: 6.5 }), says: "size is no whole number" },
  {
    name: "a size of 2^53",
    text: changed(HELLO, { size: 2 ** 53 }),
    says: "size is no whole number",
  },
  {
    name: "an endless size",
    text: HELLO.replace(": 6,", ": 1e999,"),
    says: "size is no whole number",
  },
  {
    name: "no piece size",
    text: changed(HELLO, { pieceSize: undefined }),
    says: "piece size of 6 bytes is 1048576",
  },
  {
    name: "a smaller piece size",
    text: changed(HELLO, { pieceSize: 524_288 }),
    says: "piece size of 6",
  },
  {
    name: "a larger piece size",
    text: changed(HELLO, { pieceSize: 2_097_152 }),
    says: "piece size of 6",
  },
  {
    name: "a piece size as text",
    text: changed(HELLO, { pieceSize: "1048576" }),
    says: "piece size of 6",
  },
  {
    name: "the old piece size above 32 GiB",
    text: changed(HELLO, { size: 34_359_738_369 }),
    says: "is 2097152",
  },
  { name: "no sha256", text: changed(HELLO, { sha256: undefined }), says: "sha256 is no digest" },
  { name: "a number as sha256", text: changed(HELLO, { sha256: 7 }), says: "sha256 is no digest" },
  {
    name: "a short sha256",
    text: changed(HELLO, { sha256: hello.sha256.slice(1) }),
    says: "sha256 is no digest",
  },
  {
    name: "a long sha256",
    text: changed(HELLO, { sha256: hello.sha256 + "0" }),
    says: "sha256 is no digest",
  },
  {
    name: "a sha256 with a line end",
    text: changed(HELLO, { sha256: hello.sha256 + "\n" }),
    says: "sha256 is no digest",
  },
  {
    name: "a sha256 that is not hex",
    text: changed(HELLO, { sha256: "g".repeat(64) }),
    says: "sha256 is no digest",
  },
  { name: "no pieces", text: changed(HELLO, { pieces: undefined }), says: "no base64" },
  {
    name: "pieces as an array",
    text: changed(HELLO, { pieces: [hello.pieces] }),
    says: "no base64",
  },
  {
    name: "pieces in hex",
    text: changed(HELLO, { pieces: hello.sha256 + "=" }),
    says: "no base64",
  },
  {
    name: "pieces without padding",
    text: changed(HELLO, { pieces: hello.pieces.slice(0, -1) }),
    says: "no base64",
  },
  {
    name: "pieces in the alphabet of addresses",
    text: changed(HELLO, { pieces: hello.pieces.replaceAll("/", "_") }),
    says: "no base64",
  },
  {
    name: "pieces with bits left over",
    text: changed(HELLO, { pieces: hello.pieces.replace("M=", "N=") }),
    says: "no base64",
  },
  { name: "no digest", text: changed(HELLO, { pieces: "" }), says: "must hold 1 digests" },
  {
    name: "half a digest",
    text: changed(HELLO, { pieces: new Uint8Array(16).toBase64() }),
    says: "must hold 1 digests",
  },
  {
    name: "a digest too many",
    text: changed(HELLO, {
      pieces: concat(Uint8Array.fromBase64(hello.pieces), new Uint8Array(32)).toBase64(),
    }),
    says: "must hold 1 digests",
  },
  {
    name: "a digest too few",
    text: changed(ZEROS, { pieces: digest(1) }),
    says: "must hold 2 digests",
  },
  {
    name: "a digest of an empty file",
    text: changed(EMPTY, { pieces: digest(1) }),
    says: "must hold 0 digests",
  },
  {
    name: "too few digests for its size",
    text: changed(ZEROS, { size: 2_097_153 }),
    says: "must hold 3 digests",
  },
  { name: "no id", text: changed(HELLO, { id: undefined }), says: "id does not fit" },
  { name: "another file's id", text: changed(HELLO, { id: zeros.id }), says: "id does not fit" },
  { name: "another digest", text: changed(HELLO, { pieces: digest(1) }), says: "id does not fit" },
  { name: "another size", text: changed(HELLO, { size: 7 }), says: "id does not fit" },
  {
    name: "swapped digests",
    text: changed(ZEROS, { pieces: swapped(zeros.pieces) }),
    says: "id does not fit",
  },
  {
    name: "another sha256 than its only piece",
    text: changed(HELLO, { sha256: zeros.sha256 }),
    says: "sha256 does not fit",
  },
  {
    name: "another sha256 than that of no bytes",
    text: changed(EMPTY, { sha256: hello.sha256 }),
    says: "sha256 does not fit",
  },
];
for (const { name, text, says } of bad) {
  Deno.test(`parseManifest() throws ProtocolError when given ${name}`, () => {
    assertThrows(() => parseManifest(text), ProtocolError, says);
  });
}

Deno.test("parseManifest() cannot know the sha256 of a file of several pieces", () => {
  assertEquals(parseManifest(changed(ZEROS, { sha256: hello.sha256 })).sha256, hello.sha256);
});

const MIB = 1_048_576;
const sizes = fc.oneof(
  fc.integer({ min: 0, max: 5 * MIB }),
  fc.constantFrom(0, 1, MIB - 1, MIB, MIB + 1, 2 * MIB, 100 * MIB + 1),
);
property(
  "parseManifest() accepts back what was encoded",
  fc.tuple(sizes, validName, fc.uint8Array({ minLength: 32, maxLength: 32 })),
  ([size, name, first]) => {
    const manifest = randomManifest(size, first.toHex(), first);
    const text = encodeManifest(name, manifest);
    assertEquals(JSON.parse(text).name, name);
    assertAlike(parseManifest(text), manifest);
  },
);

const anyValue = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom(0, -0, 6, MIB, 2 * MIB, "", hello.id, hello.sha256, hello.pieces),
);
const anyManifest = fc.oneof(
  anyText,
  fc.json(),
  nearly(EMPTY, HELLO, ZEROS),
  fc.tuple(fc.constantFrom(EMPTY, HELLO, ZEROS), fc.constantFrom(...Object.keys(hello)), anyValue)
    .map(([text, field, value]) => changed(text, { [field]: value })),
  fc.record({
    size: anyValue,
    pieceSize: anyValue,
    sha256: anyValue,
    id: anyValue,
    pieces: anyValue,
  })
    .map((fields) => JSON.stringify(fields)),
);
property("parseManifest() gives a sound manifest or throws ProtocolError", anyManifest, (text) => {
  let manifest: Manifest;
  try {
    manifest = parseManifest(text);
  } catch (error) {
    return assertInstanceOf(error, ProtocolError);
  }
  assertAlike(makeManifest(manifest.layout.size, manifest.sha256, manifest.digests), manifest);
  assertEquals(manifest.digests.length, 32 * manifest.layout.count);
});

function manifestOf(content: Uint8Array): Manifest {
  const digests: Uint8Array[] = [];
  for (let at = 0; at < content.length; at += MIB) {
    digests.push(sha256(content.subarray(at, at + MIB)));
  }
  return makeManifest(content.length, sha256(content).toHex(), concat(...digests));
}

/** A manifest of no real file; `whole` is its sha256 if it has two pieces or more. */
function randomManifest(size: number, whole: string, first = new Uint8Array(32)): Manifest {
  const { count } = layoutOf(size);
  const digests = new Uint8Array(32 * count);
  for (let piece = 0; piece < count; piece++) {
    digests.set(first, 32 * piece);
    if (piece > 0) digests.set([piece >> 16, piece >> 8, piece], 32 * piece);
  }
  const only = count === 0 ? sha256(new Uint8Array()).toHex() : first.toHex();
  return makeManifest(size, count > 1 ? whole : only, digests);
}

function changed(text: string, fields: Record<string, unknown>): string {
  return JSON.stringify({ ...JSON.parse(text), ...fields });
}

function swapped(pieces: string): string {
  const bytes = Uint8Array.fromBase64(pieces);
  return concat(bytes.subarray(32), bytes.subarray(0, 32)).toBase64();
}

function assertAlike(manifest: Manifest, want: Manifest): void {
  assertEquals({ ...manifest, digests: manifest.digests.toHex() }, {
    ...want,
    digests: want.digests.toHex(),
  });
}
