import { assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import { compareNames, invalidNameReason, isValidName } from "../../core/base/names.ts";
import { anyText, property, validName } from "./property.ts";

const good = [
  "a",
  "a.txt",
  "folder/a.txt",
  "a/b/c/d/e",
  " ",
  " a ",
  "a|b.txt",
  "|",
  "a:b",
  "...",
  "..a",
  "a..",
  ".hidden",
  "a/.../b",
  "-",
  "ä",
  "日本語/ファイル",
  "😀",
  "\u0080",
  "\u2028",
  "\ufeff",
  "x".repeat(1024),
  "é".repeat(512),
  "😀".repeat(256),
];
for (const name of good) {
  Deno.test(`invalidNameReason() returns undefined for ${show(name)}`, () => {
    assertEquals(invalidNameReason(name), undefined);
    assertEquals(isValidName(name), true);
  });
}

const control = /control character or a backslash/;
const bad = [
  { name: "", fault: /empty/ },
  { name: "/", fault: /empty part/ },
  { name: "/a", fault: /begins .* slash/ },
  { name: "a/", fault: /ends with a slash/ },
  { name: "a//b", fault: /empty part/ },
  { name: ".", fault: /a part "\."/ },
  { name: "..", fault: /a part "\.\."/ },
  { name: "./a", fault: /a part "\."/ },
  { name: "a/.", fault: /a part "\."/ },
  { name: "../a", fault: /a part "\.\."/ },
  { name: "a/../b", fault: /a part "\.\."/ },
  { name: "a/..", fault: /a part "\.\."/ },
  { name: "a\\b", fault: control },
  { name: "..\\a", fault: control },
  { name: "\0", fault: control },
  { name: "a\nb", fault: control },
  { name: "a\r", fault: control },
  { name: "a\n", fault: control },
  { name: "a\tb", fault: control },
  { name: "a\u001fb", fault: control },
  { name: "a\u001b[31m", fault: control },
  { name: "a\u007f", fault: control },
  { name: "\ud800", fault: /Unicode/ },
  { name: "a\udc00b", fault: /Unicode/ },
  { name: "\ude00\ud83d", fault: /Unicode/ },
  { name: "x".repeat(1025), fault: /longer than 1024 bytes/ },
  { name: "é".repeat(512) + "x", fault: /longer than 1024 bytes/ },
  { name: "日".repeat(342), fault: /longer than 1024 bytes/ },
];
for (const { name, fault } of bad) {
  Deno.test(`invalidNameReason() returns a reason for ${show(name)}`, () => {
    assertMatch(invalidNameReason(name) ?? "no fault", fault);
    assertEquals(isValidName(name), false);
  });
}

function show(name: string): string {
  const text = JSON.stringify(name);
  return text.length > 40 ? `${text.slice(0, 20)}… of ${name.length} units` : text;
}

property("invalidNameReason() returns undefined for valid names", validName, (name) => {
  assertEquals(invalidNameReason(name), undefined);
});

property("invalidNameReason() agrees with the protocol for any text", anyText, (text) => {
  assertEquals(isValidName(text), isValidByTheBook(text), JSON.stringify(text));
});

/** The protocol's sentence about names, over code points and bytes. */
function isValidByTheBook(name: string): boolean {
  const bytes = new TextEncoder().encode(name);
  const isText = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes) === name;
  return isText && bytes.length >= 1 && bytes.length <= 1024 &&
    name.split("/").every((part) => !["", ".", ".."].includes(part)) &&
    [...bytes].every((byte) => byte > 0x1f && byte !== 0x7f && byte !== 0x5c);
}

const orders = [
  { a: "a", b: "b", want: -1 },
  { a: "b", b: "a", want: 1 },
  { a: "a", b: "a", want: 0 },
  { a: "a", b: "aa", want: -1 },
  { a: "", b: "a", want: -1 },
  { a: "Z", b: "a", want: -1 },
  { a: "a-b", b: "a/b", want: -1 },
  { a: "z", b: "ä", want: -1 },
  { a: "\uffff", b: "😀", want: -1 },
  { a: "\ue000", b: "😀", want: -1 },
  { a: "\ud7ff", b: "😀", want: -1 },
  { a: "\ud7ff", b: "\ue000", want: -1 },
  { a: "😀", b: "😁", want: -1 },
  { a: "😀", b: "😀a", want: -1 },
  { a: "a😀", b: "a\uff5e", want: 1 },
];
for (const { a, b, want } of orders) {
  const sign = want < 0 ? "before" : want > 0 ? "behind" : "equal to";
  Deno.test(`compareNames() orders ${JSON.stringify(a)} ${sign} ${JSON.stringify(b)}`, () => {
    assertEquals(Math.sign(compareNames(a, b)), want);
  });
}

/** Pairs that often begin alike. */
const pairs = fc.tuple(validName, validName, validName, fc.boolean()).map(
  ([a, b, begin, alike]) => alike ? [begin + a, begin + b] as const : [a, b] as const,
);
property("compareNames() orders by the bytes of UTF-8", pairs, ([a, b]) => {
  assertEquals(Math.sign(compareNames(a, b)), Math.sign(compareBytes(a, b)));
});

function compareBytes(a: string, b: string): number {
  const [x, y] = [new TextEncoder().encode(a), new TextEncoder().encode(b)];
  for (let i = 0; i < Math.min(x.length, y.length); i++) {
    if (x[i] !== y[i]) return x[i]! - y[i]!;
  }
  return x.length - y.length;
}
