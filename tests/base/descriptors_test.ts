import { assertEquals, assertGreaterOrEqual, assertLessOrEqual } from "@std/assert";
import fc from "fast-check";
import {
  additionalTasksFor,
  descriptorsFor,
  divideDescriptors,
  isOutOfDescriptors,
  MIN_DESCRIPTORS,
} from "../../core/base/descriptors.ts";
import { property } from "./property.ts";

const SHARES = fc.record({
  tasks: fc.integer({ min: 1, max: 1000 }),
  connections: fc.integer({ min: 1, max: 512 }),
});

property(
  "divideDescriptors() gives all that is wanted where there are enough",
  fc.tuple(SHARES, fc.nat(1000)),
  ([wanted, more]) => {
    assertEquals(divideDescriptors(descriptorsFor(wanted) + more, wanted), wanted);
  },
);

property(
  "divideDescriptors() never gives out more descriptors than there are, or more than wanted",
  fc.tuple(SHARES, fc.integer({ min: MIN_DESCRIPTORS, max: 4000 })),
  ([wanted, free]) => {
    // Where there are fewer than this, one task and two connections share what is reserved.
    const least = descriptorsFor({ tasks: 1, connections: 2 });
    const shares = divideDescriptors(free, wanted);
    assertLessOrEqual(descriptorsFor(shares), Math.max(free, least));
    assertLessOrEqual(shares.tasks, wanted.tasks);
    assertLessOrEqual(shares.connections, wanted.connections);
    assertGreaterOrEqual(shares.tasks, 1);
    assertGreaterOrEqual(shares.connections, 1);
  },
);

Deno.test("moreTasksIn() gives what descriptorsFor() counts, and never less than none", () => {
  assertEquals(additionalTasksFor(descriptorsFor({ tasks: 7, connections: 0 })), 7);
  assertEquals(additionalTasksFor(3), 0);
});

Deno.test("isOutOfDescriptors() knows both limits, by code and by text", () => {
  const coded = (code: string) => Object.assign(new Error("x"), { code });
  const text = new Error("Too many open files (os error 24): open '/x'");
  for (const error of [coded("EMFILE"), coded("ENFILE"), text]) {
    assertEquals(isOutOfDescriptors(error), true);
  }
  for (const error of [coded("ENOENT"), new Error("refused"), undefined]) {
    assertEquals(isOutOfDescriptors(error), false);
  }
});
