import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ProtocolError } from "../../core/base/errors.ts";
import { compareNames, isValidName } from "../../core/base/names.ts";
import {
  encodeListing,
  encodeOneShotListing,
  type ListedFile,
  MAX_LISTED_FILES,
  MAX_LISTING_BYTES,
  parseListEntry,
  parseOneShotListing,
  parseOneShotListingError,
} from "../../core/protocol/listing.ts";
import { anySize, anyText, nearly, property, validName } from "../base/property.ts";
import { concat, parseListing, show } from "./support.ts";
import { bytesOf } from "../support/bytes.ts";

/** U+FFFF comes before U+1F600 by code point and in UTF-8, and behind it by UTF-16 unit. */
const FILES: ListedFile[] = [
  { name: "a b.txt", size: 0, modified: 0 },
  { name: "a/b", size: 1, modified: 1_795_219_200_000.5 },
  { name: "a|b.txt", size: 2 ** 53 - 1, modified: -1 },
  { name: 'quote"d', size: 5, modified: 7 },
  { name: "ä", size: 6, modified: 7 },
  { name: "\uffff", size: 7, modified: 7 },
  { name: "😀", size: 8, modified: 7 },
];

Deno.test("encodeListing() writes one JSON object a line", () => {
  assertEquals(
    encodeListing(FILES.slice(0, 2)),
    '{"name":"a b.txt","size":0,"modified":0}\n{"name":"a/b","size":1,"modified":1795219200000.5}\n',
  );
  assertEquals(encodeListing([]), "");
});

Deno.test("encodeListing() writes the protocol's fields only", () => {
  const file = { name: "a", size: 1, modified: 2, path: "/secret" };
  assertEquals(encodeListing([file]), '{"name":"a","size":1,"modified":2}\n');
});

Deno.test("ListingPage.add() returns all names in the order of code points", () => {
  assertEquals(parseListing(encodeListing(FILES), ""), FILES);
});

Deno.test("ListingPage.add() accepts a page that continues after a name", () => {
  assertEquals(parseListing(encodeListing(FILES.slice(2)), "a/b"), FILES.slice(2));
  assertEquals(parseListing("", "a/b"), []);
});

Deno.test("parseListEntry() returns whether a file is a program", () => {
  const [line] = encodeListing([{ name: "a", size: 1, modified: 2, executable: true }]).split("\n");
  assertEquals(line, '{"name":"a","size":1,"modified":2,"executable":true}');
  assertEquals(parseListEntry(line!).executable, true);
  for (const value of ["false", "1", '"true"', "null"]) {
    const other = parseListEntry(`{"name":"a","size":1,"modified":2,"executable":${value}}`);
    assertEquals(other, { name: "a", size: 1, modified: 2 });
  }
});

const entry = (name: string, size: unknown = 1, modified: unknown = 2) =>
  `${JSON.stringify({ name, size, modified })}\n`;

const unsorted = [
  { name: "two names are swapped", text: entry("b") + entry("a"), after: "" },
  { name: "a name comes twice", text: entry("a") + entry("a"), after: "" },
  { name: "the order is that of UTF-16", text: entry("😀") + entry("\uffff"), after: "" },
  { name: "the order is that of a dictionary", text: entry("a") + entry("B"), after: "" },
  { name: "the first name is after itself", text: entry("a"), after: "a" },
  { name: "the first name is before after", text: entry("a") + entry("c"), after: "b" },
  {
    name: "the swapped ones have a bad one between",
    text: entry("b") + entry("..") + entry("a"),
    after: "",
  },
];
for (const { name, text, after } of unsorted) {
  Deno.test(`ListingPage.add() throws ProtocolError when ${name}`, () => {
    assertThrows(() => parseListing(text, after), ProtocolError, "not sorted");
  });
}

const cutOff = [
  entry("a").slice(0, -1),
  entry("a") + entry("b").slice(0, -1),
  entry("a") + "{",
  "x",
];
for (const text of cutOff) {
  Deno.test(`ListingPage.add() throws ProtocolError when cut off: ${show(text)}`, () => {
    assertThrows(() => parseListing(text, ""), ProtocolError, "cut off");
  });
}

const noEntries = [
  "",
  "a",
  "null",
  "true",
  "7",
  '"a"',
  "[]",
  "{}",
  "{",
  '{"name":"a"}',
  '{"name":"a","size":1}',
  '{"size":1,"modified":2}',
  '{"name":7,"size":1,"modified":2}',
  '{"name":null,"size":1,"modified":2}',
  '{"name":"a","size":"1","modified":2}',
  '{"name":"a","size":-1,"modified":2}',
  '{"name":"a","size":1.5,"modified":2}',
  '{"name":"a","size":9007199254740992,"modified":2}',
  '{"name":"a","size":1e999,"modified":2}',
  '{"name":"a","size":null,"modified":2}',
  '{"name":"a","size":1,"modified":"2"}',
  '{"name":"a","size":1,"modified":null}',
  '{"name":"a","size":1,"modified":1e999}',
  '{"name":"a","size":1,"modified":2}{"name":"b","size":1,"modified":2}',
];
for (const line of noEntries) {
  Deno.test(`ListingPage.add() throws ProtocolError when a line is ${show(line)}`, () => {
    assertThrows(() => parseListing(`${line}\n`, ""), ProtocolError, "is no entry");
    assertThrows(() => parseListing(`${entry("0")}${line}\n`, ""), ProtocolError, "is no entry");
  });
}

const bad = ["", ".", "..", "/a", "a/", "a\\b", "a\0", "a\nb", "\ud800", "x".repeat(1025)];
for (const name of bad) {
  Deno.test(`ListingPage.add() skips the name ${show(name)} and keeps the others`, () => {
    const text = entry("!") + entry(name) + entry("😀");
    assertEquals(parseListing(text, "").map((file) => file.name), ["!", "😀"]);
  });
}

Deno.test("ListingPage.add() skips unknown fields", () => {
  const text = '{"name":"a","kind":"file","size":1,"modified":2,"x":{"y":[]}}\n';
  assertEquals(parseListing(text, ""), [{ name: "a", size: 1, modified: 2 }]);
});

Deno.test("ListingPage.add() throws ProtocolError when a page has a line more than the protocol allows", () => {
  const page = (lines: number) =>
    encodeListing(
      Array.from({ length: lines }, (_, i) => ({ name: `${1e6 + i}`, size: 1, modified: 1 })),
    );
  assertEquals(parseListing(page(MAX_LISTED_FILES), "").length, MAX_LISTED_FILES);
  assertThrows(
    () => parseListing(page(MAX_LISTED_FILES + 1), ""),
    ProtocolError,
    "at most 10000 lines",
  );
});

Deno.test("ListingPage.add() counts the lines whose name is not valid, so that a page of them ends too", () => {
  const page = (lines: number) => entry("..").repeat(lines);
  assertEquals(parseListing(page(MAX_LISTED_FILES), ""), []);
  assertThrows(
    () => parseListing(page(MAX_LISTED_FILES + 1), ""),
    ProtocolError,
    "at most 10000 lines",
  );
});

Deno.test("MAX_LISTING_BYTES has room for the longest page, each character escaped", () => {
  const name = "\\u0061".repeat(1024);
  const longest = `{"name": "${name}", "size": ${2 ** 53 - 1}, "modified": ${-(2 ** 53 - 1)}}\n`;
  assert(longest.length * MAX_LISTED_FILES <= MAX_LISTING_BYTES);
});

Deno.test("encodeOneShotListing() writes a name a line", () => {
  assertEquals(encodeOneShotListing(["a|b.txt", "ä"]), "a|b.txt\nä\n");
  assertEquals(encodeOneShotListing([]), "");
});

const oneShot = [
  { text: "", want: [] },
  { text: "a\n", want: ["a"] },
  { text: "a|b.txt\nb c\n", want: ["a|b.txt", "b c"] },
  { text: "a\r\nb\r\n", want: ["a", "b"] },
  { text: "b\na\n", want: ["b", "a"] },
  { text: "\n\na\n\n", want: ["a"] },
  { text: "../x\na\n/etc/passwd\n..\\y\nb\n", want: ["a", "b"] },
  { text: "a\r\r\nb\n", want: ["b"] },
  { text: "a\rb\nc\n", want: ["c"] },
  { text: "a", want: ["a"] },
  { text: "a\nb", want: ["a", "b"] },
  { text: "a\nb\r", want: ["a", "b"] },
  { text: "a\0b\0", want: ["a", "b"] },
  { text: "a\0b", want: ["a", "b"] },
  { text: "a\nb\n\0\0\0", want: ["a", "b"] },
  { text: "a\nb\n   ", want: ["a", "b"] },
  { text: "a \n", want: ["a "] },
  { text: `${"x".repeat(1025)}\na`, want: ["a"] },
];
for (const { text, want } of oneShot) {
  Deno.test(`parseOneShotListing() of ${show(text)}`, () => {
    assertEquals(Array.from(parseOneShotListing(bytesOf(text))), want);
  });
}

Deno.test("parseOneShotListing() skips a name that is not UTF-8", () => {
  const reply = concat(bytesOf("a\n"), Uint8Array.of(0xff, 0xfe), bytesOf("\nb\n"));
  assertEquals(Array.from(parseOneShotListing(reply)), ["a", "b"]);
});

const listingErrors = [
  { text: "ERROR:AUTH no token\n", code: "AUTH" },
  { text: "ERROR:BUSY", code: "BUSY" },
  { text: "ERROR:SHUTDOWN\r\n\0\0", code: "SHUTDOWN" },
  { text: "ERROR:NOT_FOUND\n", code: undefined },
  { text: "ERROR:AUTH\nb\n", code: undefined },
  { text: "ERROR:AUTH x\nb\n", code: undefined },
  { text: "a\n", code: undefined },
];
for (const { text, code } of listingErrors) {
  Deno.test(`parseOneShotListingError() of ${show(text)} is ${code}`, () => {
    assertEquals(parseOneShotListingError(bytesOf(text))?.code, code);
  });
}

const names = fc.uniqueArray(validName, { maxLength: 8 });
const files = names.chain((names) =>
  fc.tuple(
    ...names.sort(compareNames).map((name) =>
      fc.record({ name: fc.constant(name), size: anySize, modified: fc.nat(4_000_000) })
    ),
  )
);
property("ListingPage.add() parses what encodeListing() made", files, (files) => {
  assertEquals(parseListing(encodeListing(files), ""), files);
});

property("parseOneShotListing() parses what encodeListing() made", names, (names) => {
  assertEquals(
    Array.from(parseOneShotListing(bytesOf(encodeOneShotListing(names)))),
    names,
  );
});

const anyListing = fc.oneof(
  anyText,
  anyText.map((text) => `${text}\n`),
  nearly(encodeListing(FILES), encodeListing(FILES.slice(0, 1))),
  fc.array(fc.json(), { maxLength: 3 }).map((values) => values.map((one) => `${one}\n`).join("")),
);
property(
  "ListingPage.add() returns sorted valid files or throws ProtocolError",
  fc.tuple(anyListing, fc.oneof(fc.constant(""), validName)),
  ([text, after]) => {
    let files: ListedFile[];
    try {
      files = parseListing(text, after);
    } catch (error) {
      return assertInstanceOf(error, ProtocolError);
    }
    for (const [i, { name, size, modified }] of files.entries()) {
      assert(isValidName(name) && Number.isSafeInteger(size) && Number.isFinite(modified));
      assert(compareNames(files[i - 1]?.name ?? after, name) < 0);
    }
  },
);

property("parseOneShotListing() gives valid names only", anyListing, (text) => {
  assert(Array.from(parseOneShotListing(bytesOf(text))).every(isValidName));
});
