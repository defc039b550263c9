import { assertEquals, assertThrows } from "@std/assert";
import { ProtocolError } from "../../core/base/errors.ts";
import { sha256 } from "../../core/base/digest.ts";
import { makeManifest, parseManifest } from "../../core/protocol/manifest.ts";
import { encodeManifestFile, parseManifestFile } from "../../core/protocol/manifest_file.ts";
import { bytesOf } from "../support/bytes.ts";

const HELLO = bytesOf("hello\n");
const digest = new Uint8Array(sha256(HELLO));
const manifest = makeManifest(HELLO.length, digest.toHex(), digest);
const encode = (urls: readonly string[], name = "hello.txt") =>
  encodeManifestFile({ name, manifest, urls });

for (const urls of [[], ["https://a.example/hello.txt", "s3://bucket/hello.txt"]]) {
  Deno.test(`parseManifestFile() reads what encodeManifestFile() wrote, with ${urls.length} URLs`, () => {
    const text = encode(urls);
    assertEquals(parseManifestFile(text), { name: "hello.txt", manifest, urls });
    // Sources read the same file as a manifest.
    assertEquals(parseManifest(text), manifest);
  });
}

const bad = [
  ["a name with a folder", encode([], "dir/a")],
  ["a name that leads out", encode([], "..")],
  ["no name", encode([]).replace('"name":"hello.txt",', "")],
  ["too many URLs", encode(Array.from({ length: 65 }, () => "https://a/"))],
  ["a long URL", encode([`https://a/${"x".repeat(3000)}`])],
  ["a URL that is no text", encode(["x"]).replace('["x"]', "[1]")],
  ["URLs that are no list", encode(["x"]).replace('["x"]', '"x"')],
  ["another id", encode([]).replace('"id":"', '"id":"0')],
  ["no JSON", "<html>"],
] as const;
for (const [name, text] of bad) {
  Deno.test(`parseManifestFile() rejects ${name}`, () => {
    assertThrows(() => parseManifestFile(text), ProtocolError);
  });
}
