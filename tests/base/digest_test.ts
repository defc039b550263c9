import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { DIGEST_BYTES, equalBytes, RunningDigest, sha256 } from "../../core/base/digest.ts";
import { anyBytes, property } from "./property.ts";

/** The first three are NIST's examples. */
const digests = [
  { text: "", want: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
  { text: "abc", want: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
  {
    text: "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
    want: "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
  },
  { text: "hello\n", want: "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03" },
];
for (const { text, want } of digests) {
  Deno.test(`sha256() of ${JSON.stringify(text)} is the known one`, () => {
    const digest = sha256(new TextEncoder().encode(text));
    assertEquals(digest.length, DIGEST_BYTES);
    assertEquals(digest.toHex(), want);
  });
}

Deno.test("sha256() looks at the view only when its buffer is larger", () => {
  const bytes = new TextEncoder().encode("xxabcxx").subarray(2, 5);
  assertEquals(sha256(bytes).toHex(), digests[1]!.want);
});

property(
  "RunningDigest.hex() is that of the whole, however it was cut",
  fc.array(anyBytes, { maxLength: 6 }),
  (parts) => {
    const digest = new RunningDigest();
    for (const part of parts) digest.update(part);
    const whole = Uint8Array.from(parts.flatMap((part) => [...part]));
    assertEquals(digest.hex(), sha256(whole).toHex());
  },
);

const pairs = [
  { a: [], b: [], want: true },
  { a: [1, 2], b: [1, 2], want: true },
  { a: [1, 2], b: [1, 3], want: false },
  { a: [2, 1], b: [1, 1], want: false },
  { a: [1], b: [1, 2], want: false },
  { a: [1, 2], b: [1], want: false },
  { a: [], b: [0], want: false },
];
for (const { a, b, want } of pairs) {
  Deno.test(`equalBytes() is ${want} when given [${a}] and [${b}]`, () => {
    assertEquals(equalBytes(Uint8Array.from(a), Uint8Array.from(b)), want);
  });
}
