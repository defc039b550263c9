import { assertEquals } from "@std/assert";
import {
  formatBytes,
  formatElapsed,
  formatEta,
  formatPart,
  percentOf,
  plural,
} from "../../commands/ui/units.ts";

const sizes = [
  [0, "0 B"],
  [1023, "1023 B"],
  [1024, "1.0 KiB"],
  [10_188, "9.9 KiB"],
  [10_200, "10 KiB"],
  [1_023_999, "1.0 MiB"],
  [143 * 2 ** 20, "143 MiB"],
  [5 * 2 ** 30, "5.0 GiB"],
  [2 ** 60, "1024 PiB"],
] as const;
for (const [bytes, want] of sizes) {
  Deno.test(`formatBytes() writes ${bytes} as ${want}`, () => {
    assertEquals(formatBytes(bytes), want);
  });
}

Deno.test("formatPart() writes both in the unit of the whole", () => {
  assertEquals(formatPart(3.1 * 2 ** 30, 5 * 2 ** 30), "3.1/5.0 GiB");
  assertEquals(formatPart(0, 0), "0/0 B");
  assertEquals(formatPart(2 ** 20, 5 * 2 ** 30), "0.0/5.0 GiB");
});

const etas = [
  [null, "-"],
  [Infinity, "-"],
  [0, "0:00"],
  [20_001, "0:21"],
  [251_000, "4:11"],
  [3_723_000, "1:02:03"],
  [86_400_000 * 3 + 4 * 3_600_000, "3d 4h"],
  [86_400_000 * 4000, "-"],
] as const;
for (const [ms, want] of etas) {
  Deno.test(`formatEta() writes ${ms} as ${want}`, () => {
    assertEquals(formatEta(ms), want);
  });
}

Deno.test("formatElapsed() is precise for short times", () => {
  assertEquals([850, 3100, 89_400, 723_000].map(formatElapsed), [
    "850 ms",
    "3.1 s",
    "89 s",
    "12:03",
  ]);
});

Deno.test("percentOf() is 100 only for complete files", () => {
  assertEquals(percentOf(999, 1000), 99);
  assertEquals(percentOf(1000, 1000), 100);
  assertEquals(percentOf(2000, 1000), 100);
  assertEquals(percentOf(0, 0), 100);
});

Deno.test("plural() of one has no s", () => {
  assertEquals([0, 1, 2].map((count) => plural(count, "seed")), ["0 seeds", "1 seed", "2 seeds"]);
});
