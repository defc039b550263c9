import { assertEquals, assertStrictEquals } from "@std/assert";
import { manifestBody } from "../../core/serve/manifest_body.ts";
import { encodeManifest, makeManifest } from "../../core/wire/manifest.ts";
import { test } from "./support.ts";

const made = (size: number) => makeManifest(size, "00".repeat(32), new Uint8Array(32).fill(size));
const textOf = (body: Uint8Array) => new TextDecoder().decode(body);

test("manifestBody() gives all who are sent a manifest the same bytes", () => {
  const manifest = made(1);
  const first = manifestBody("a", manifest);
  assertStrictEquals(manifestBody("a", manifest), first);
  assertEquals(textOf(first), encodeManifest("a", manifest));
});

test("manifestBody() keeps names and versions apart", () => {
  const [old, now] = [made(1), made(2)];
  const held = manifestBody("a", old);
  assertEquals(textOf(manifestBody("b", old)), encodeManifest("b", old));
  assertEquals(textOf(manifestBody("a", now)), encodeManifest("a", now));
  assertEquals(textOf(held), encodeManifest("a", old));
});
