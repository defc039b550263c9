import { assertEquals } from "@std/assert";
import * as is from "../../core/base/guards.ts";

const isFile = is.object({
  name: is.string,
  size: is.nullOr(is.number),
  tags: is.arrayOf(is.oneOf(["new", "old"])),
});

const cases: readonly [what: string, value: unknown, isValid: boolean][] = [
  ["all fields", { name: "a", size: 1, tags: ["new", "old"] }, true],
  [
    "null where it is allowed, and other fields",
    { name: "a", size: null, tags: [], more: 1 },
    true,
  ],
  ["a missing field", { name: "a", tags: [] }, false],
  ["null where it is not allowed", { name: null, size: 1, tags: [] }, false],
  [
    "Infinity, as JSON.parse makes of 1e999",
    { name: "a", size: JSON.parse("1e999"), tags: [] },
    false,
  ],
  ["one invalid element", { name: "a", size: 1, tags: ["new", "odd"] }, false],
  ["an object instead of an array", { name: "a", size: 1, tags: {} }, false],
  ["null", null, false],
  ["a string", "name", false],
];
for (const [what, value, isValid] of cases) {
  Deno.test(`is.object() ${isValid ? "accepts" : "rejects"} ${what}`, () => {
    assertEquals(isFile(value), isValid);
  });
}
