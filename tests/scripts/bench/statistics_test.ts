import { assertEquals, assertThrows } from "@std/assert";
import {
  bendOf,
  fitLine,
  median,
  type Point,
  ratioOf,
  spreadOf,
} from "../../../scripts/bench/statistics.ts";

const medians = [
  { name: "one value", values: [7], want: 7 },
  { name: "an odd number of values, in any order", values: [9, 1, 5], want: 5 },
  { name: "an even number of values", values: [4, 1, 3, 10], want: 3.5 },
  { name: "numbers, not of words", values: [10, 9, 100], want: 10 },
];
for (const { name, values, want } of medians) {
  Deno.test(`median() of ${name}`, () => assertEquals(median(values), want));
}

Deno.test("median() throws when there is no value", () => {
  assertThrows(() => median([]), RangeError, "nothing");
});

Deno.test("median() leaves the values in their order", () => {
  const values = [3, 1, 2];
  median(values);
  assertEquals(values, [3, 1, 2]);
});

Deno.test("spreadOf() gives the median and the outermost values", () => {
  assertEquals(spreadOf([5, 2, 9]), { median: 5, min: 2, max: 9 });
});

Deno.test("ratioOf() compares round by round, so that a slow round of both does not count", () => {
  // The second round was ten times as slow for both; the ratio of the medians would be 0.4.
  assertEquals(ratioOf([1, 10, 2], [2, 20, 5]), { median: 0.5, min: 0.4, max: 0.5 });
});

Deno.test("ratioOf() throws when the rounds are not the same", () => {
  assertThrows(() => ratioOf([1, 2], [1]), RangeError, "2 rounds with 1");
});

Deno.test("fitLine() finds the line that the points lie on", () => {
  const points = [{ x: 1, y: 5 }, { x: 3, y: 9 }, { x: 5, y: 13 }, { x: 11, y: 25 }];
  assertEquals(fitLine(points), { start: 3, slope: 2 });
});

Deno.test("fitLine() goes through the middle of points that lie beside it", () => {
  const points = [{ x: 0, y: 1 }, { x: 0, y: 3 }, { x: 4, y: 9 }, { x: 4, y: 11 }];
  assertEquals(fitLine(points), { start: 2, slope: 2 });
});

Deno.test("fitLine() throws when all points lie at one place", () => {
  assertThrows(() => fitLine([{ x: 3, y: 1 }, { x: 3, y: 2 }]), RangeError, "two places");
  assertThrows(() => fitLine([]), RangeError, "two places");
});

const at = (...ys: number[]): Point[] => ys.map((y, i) => ({ x: 2 ** i, y }));
const bends = [
  { name: "1 when one more always costs the same", points: at(3, 5, 9, 17), want: 1 },
  { name: "2 when one more costs twice as much at the end", points: at(3, 5, 9, 25), want: 2 },
  { name: "the same in any order", points: at(3, 5, 9, 25).toReversed(), want: 2 },
  { name: "nothing when there are two places only", points: at(3, 5), want: undefined },
  { name: "nothing when it did not rise at first", points: at(5, 5, 5, 9), want: undefined },
];
for (const { name, points, want } of bends) {
  Deno.test(`bendOf() gives ${name}`, () => assertEquals(bendOf(points), want));
}
