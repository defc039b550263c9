import { assertEquals } from "@std/assert";
import { globToRegExp } from "@std/path";
import fc from "fast-check";
import { linearMatcher } from "../../core/base/linear_match.ts";
import { property } from "./property.ts";

const GLOBS = [
  "*",
  "**",
  "*.txt",
  "a*b*c",
  "**/*.txt",
  "a/**/b",
  "**/a*/**",
  "?a?",
  "[a-c]*",
  "[!a]b",
  "[[:digit:]]*",
  "{a,b}/*",
  "{a*,*b}.txt",
  "?(a|b)c",
  "+(a|b)",
  "*(ab|c)d",
  "@(a|b)/x",
  "!(a)b",
  "a\\*b",
  "a.b+c",
  "x{",
  "",
];
const NAMES = ["", "a", "b", "abc", "a.txt", "a/b.txt", "a/b/c/d.txt", "aXb/yc", "a*b", "a.b+c"];

for (const glob of GLOBS) {
  Deno.test(`linearMatcher() agrees with the engine on the glob "${glob}"`, () => {
    const pattern = globToRegExp(glob);
    const matches = linearMatcher(pattern);
    for (const name of [...NAMES, ...NAMES.map((name) => `${name}c`), "é", "😀", "1a", "x{"]) {
      assertEquals(matches(name), pattern.test(name), `"${name}"`);
      // Again, with what is remembered.
      assertEquals(matches(name), pattern.test(name), `"${name}"`);
    }
  });
}

const piece = fc.constantFrom(
  ..."ab./*?",
  "**",
  "/**/",
  "[ab]",
  "[!a]",
  "{a,b*}",
  "+(a|b)",
  "?(b)",
);
property(
  "linearMatcher() agrees with the engine on made-up globs and names",
  fc.tuple(
    fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join("")),
    fc.array(fc.string({ unit: fc.constantFrom(..."ab./c"), maxLength: 10 }), { maxLength: 5 }),
  ),
  ([glob, names]) => {
    const pattern = globToRegExp(glob);
    const matches = linearMatcher(pattern);
    for (const name of names) assertEquals(matches(name), pattern.test(name), `${glob} on ${name}`);
  },
);

Deno.test("linearMatcher() does not backtrack: a hostile name costs no more than its length", () => {
  // The engine takes more than a minute for the first of these.
  for (const glob of ["*a*a*a*a*.txt", "IMG_*_*_*_*.jpg", "**/a/**/a/**/a/**/b"]) {
    const matches = linearMatcher(globToRegExp(glob));
    for (const name of ["a".repeat(1024), `IMG${"_".repeat(1021)}`, "a/".repeat(511) + "a"]) {
      assertEquals(matches(name), false);
    }
  }
});

Deno.test("linearMatcher() forgets what it remembers when there is too much of it", () => {
  const matches = linearMatcher(globToRegExp("*a*b*.txt"));
  for (let i = 0; i < 60_000; i++) matches(String.fromCharCode(i) + "a");
  assertEquals(matches("xaxbx.txt"), true);
  assertEquals(matches("xbxax.txt"), false);
});
