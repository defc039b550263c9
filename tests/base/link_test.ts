import { assert, assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../core/base/errors.ts";
import { isLink, type Link, parseLink } from "../../core/base/link.ts";

const ID = "3e43403d73f45ea23adb8bdd94a93e0a";
const SHA = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
const nas1 = { host: "nas1", port: 7270, tls: false };

const links: readonly (readonly [string, Link])[] = [
  [`http://nas1:7270/models/a.bin#id=${ID}`, { name: "models/a.bin", seeds: [nas1], id: ID }],
  ["http://nas1:7270/a%20b", { name: "a b", seeds: [nas1] }],
  [`http://nas1:9000/a#id=${ID}`, {
    name: "a",
    seeds: [{ host: "nas1", port: 9000, tls: false }],
    id: ID,
  }],
  [`https://nas1:7270/a#id=${ID.toUpperCase()}`, {
    name: "a",
    seeds: [{ ...nas1, tls: true }],
    id: ID,
  }],
  [`http://[::1]:7270/a`, { name: "a", seeds: [{ host: "::1", port: 7270, tls: false }] }],
  ["p2p://nas1,nas2:7271/dir/a", {
    name: "dir/a",
    seeds: [nas1, { host: "nas2", port: 7271, tls: false }],
  }],
  ["tls://nas1/a", { name: "a", seeds: [{ ...nas1, tls: true }] }],
  // Without a port, a web server is in front, even of a seed.
  [`https://cdn.example/x/a.bin#id=${ID}`, {
    name: "a.bin",
    seeds: [{ url: "https://cdn.example/x/a.bin" }],
    id: ID,
  }],
  ["https://host/dir/file.iso", {
    name: "file.iso",
    seeds: [{ url: "https://host/dir/file.iso" }],
  }],
  ["https://me:pw@host/a.iso?sig=x%2Fy", {
    name: "a.iso",
    seeds: [{ url: "https://me:pw@host/a.iso?sig=x%2Fy" }],
  }],
  [`https://host/a#sha256=${SHA}`, { name: "a", seeds: [{ url: "https://host/a" }], sha256: SHA }],
  ["http://host:8080/a#section", { name: "a", seeds: [{ url: "http://host:8080/a" }] }],
  ["s3://bucket/dir/key.bin", { name: "key.bin", seeds: [{ url: "s3://bucket/dir/key.bin" }] }],
];
for (const [text, link] of links) {
  Deno.test(`parseLink() understands ${text}`, () => {
    assert(isLink(text));
    assertEquals(parseLink(text), link);
  });
}

const bad: readonly (readonly [string, string])[] = [
  ["https://host/", "folder"],
  ["https://host/dir/", "folder"],
  ["p2p://nas1/", "folder"],
  ["https://host/x/..%2Fy", "not valid"],
  ["https://host/%2e%2e%2fetc", "not valid"],
  ["https://host/a%00b", "not valid"],
  ["https://host/%ff", "UTF-8"],
  ["https://host/a#id=123", "id must be"],
  ["https://host/a#id=xyz", "id must be"],
  ["https://host/a#sha256=12", "sha256 must be"],
  ["https://", "valid URL"],
];
for (const [text, reason] of bad) {
  Deno.test(`parseLink() rejects ${text}`, () => {
    const { message, problem } = assertThrows(() => parseLink(text), UsageError);
    assert(message.includes(reason), message);
    assertEquals(problem, "link");
  });
}

Deno.test("parseLink() shows no secret of a link that it rejects", () => {
  const { message } = assertThrows(() => parseLink("https://me:pw@host/?sig=secret"), UsageError);
  assert(!message.includes("pw") && !message.includes("secret"), message);
});

for (const name of ["a.iso", "dir/a", "http:/a", "a|b", "httpx://a", "C:a"]) {
  Deno.test(`isLink() takes ${name} for a name`, () => assert(!isLink(name)));
}
