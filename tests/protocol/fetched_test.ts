import { assertEquals, assertThrows } from "@std/assert";
import { sha256 } from "../../core/base/digest.ts";
import { ProtocolError } from "../../core/base/errors.ts";
import { parseFetched } from "../../core/protocol/fetched.ts";
import { encodeManifest, makeManifest } from "../../core/protocol/manifest.ts";
import { bytesOf } from "../support/bytes.ts";

const BYTES = bytesOf("hello\n");
const MANIFEST = makeManifest(6, sha256(BYTES).toHex(), sha256(BYTES));
const HEAD = bytesOf(encodeManifest("hello.txt", MANIFEST));
const LARGE = bytesOf(
  encodeManifest("large", makeManifest(2_000_000, "0".repeat(64), new Uint8Array(64))),
);

function fieldsOf(length: number | string): Map<string, string> {
  return new Map([["later", "1"], ["manifest", String(length)]]);
}

function joined(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

Deno.test("parseFetched() divides the body into the manifest and the bytes of the file", () => {
  const { manifest, bytes } = parseFetched(fieldsOf(HEAD.length), joined(HEAD, BYTES));
  assertEquals([manifest.id, manifest.layout.size], [MANIFEST.id, 6]);
  assertEquals(bytes, BYTES);
});

Deno.test("parseFetched() returns no bytes where the reply has the manifest alone", () => {
  assertEquals(parseFetched(fieldsOf(HEAD.length), HEAD).bytes, undefined);
  assertEquals(parseFetched(fieldsOf(LARGE.length), LARGE).bytes, undefined);
});

const wrong = [
  { name: "no length of the manifest", fields: new Map(), body: joined(HEAD, BYTES) },
  { name: "a length that is no number", fields: fieldsOf("0x1"), body: joined(HEAD, BYTES) },
  { name: "a manifest longer than the body", fields: fieldsOf(HEAD.length + 1), body: HEAD },
  { name: "fewer bytes than the file has", body: joined(HEAD, BYTES.subarray(1)) },
  { name: "more bytes than the file has", body: joined(HEAD, BYTES, BYTES) },
  { name: "bytes of a larger file", fields: fieldsOf(LARGE.length), body: joined(LARGE, BYTES) },
  { name: "a manifest that is not UTF-8", body: joined(HEAD.with(1, 0xff), BYTES) },
];

for (const { name, fields = fieldsOf(HEAD.length), body } of wrong) {
  Deno.test(`parseFetched() rejects ${name}`, () => {
    assertThrows(() => parseFetched(fields, body), ProtocolError);
  });
}
