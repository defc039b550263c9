import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { parseNumber, parsePairs, parseSize } from "../../core/protocol/syntax.ts";
import { anySize, anyText, property } from "../base/property.ts";
import { show } from "./support.ts";

const numbers = [
  { text: "0", want: 0 },
  { text: "7", want: 7 },
  { text: "10", want: 10 },
  { text: "1048576", want: 1_048_576 },
  { text: "9007199254740991", want: 2 ** 53 - 1 },
  { text: "9007199254740992", want: Infinity },
  { text: "9007199254740993", want: Infinity },
  { text: "18446744073709551616", want: Infinity },
  { text: "9".repeat(400), want: Infinity },
];
for (const { text, want } of numbers) {
  Deno.test(`parseNumber() of ${show(text)} is ${want}`, () => {
    assertEquals(parseNumber(text), want);
    assertEquals(parseSize(text), want === Infinity ? undefined : want);
  });
}

const strange = [
  "",
  " ",
  "00",
  "01",
  "007",
  "+1",
  "-1",
  "-0",
  " 1",
  "1 ",
  "1\n",
  "1\r",
  "1 2",
  "1.0",
  "1,000",
  "1_000",
  "1e3",
  "0x10",
  "1n",
  "Infinity",
  "NaN",
  "١",
  "１",
];
for (const text of strange) {
  Deno.test(`parseNumber() and parseSize() reject ${show(text)}`, () => {
    assertEquals(parseNumber(text), undefined);
    assertEquals(parseSize(text), undefined);
  });
}

property("parseSize() takes back any size", anySize, (size) => {
  assertEquals(parseSize(`${size}`), size);
});

const digits = fc.string({ unit: fc.constantFrom(..."0123456789"), minLength: 1, maxLength: 25 });
property("parseNumber() takes only the shortest spelling", fc.oneof(anyText, digits), (text) => {
  const number = parseNumber(text);
  if (number === undefined) assert(!/^[0-9]+$/.test(text) || /^0./.test(text));
  else if (number === Infinity) assert(BigInt(text) >= 2n ** 53n && `${BigInt(text)}` === text);
  else assertEquals(`${number}`, text);
});

const pairs = [
  { text: "", want: {} },
  { text: " ", want: {} },
  { text: "a=b", want: { a: "b" } },
  { text: "a=b c=d", want: { a: "b", c: "d" } },
  { text: "a=b=c", want: { a: "b=c" } },
  { text: "a= b", want: { a: "" } },
  { text: "=b a", want: {} },
  { text: "a=1 a=2", want: { a: "1" } },
  { text: "A=1 a=2", want: { A: "1", a: "2" } },
  { text: "a=\tx", want: { a: "\tx" } },
];
for (const { text, want } of pairs) {
  Deno.test(`parsePairs() of ${show(text)}`, () => {
    assertEquals(parsePairs(text), new Map(Object.entries(want)));
  });
}

property("parsePairs() never throws, and keeps the first value of every key", anyText, (text) => {
  for (const [key, value] of parsePairs(text)) {
    assert(key !== "" && ` ${text} `.includes(` ${key}=${value} `));
  }
});
