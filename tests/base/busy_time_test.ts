import { assertEquals } from "@std/assert";
import { BusyTime } from "../../core/base/busy_time.ts";

Deno.test("BusyTime.end() tells a time once when two run beside each other", () => {
  const busy = new BusyTime();
  busy.begin(100);
  busy.begin(130);
  assertEquals([busy.end(150), busy.end(180)], [50, 30]);
});

Deno.test("BusyTime.end() leaves out the pauses in which nothing runs", () => {
  const busy = new BusyTime();
  busy.begin(0);
  assertEquals(busy.end(10), 10);
  busy.begin(500);
  assertEquals(busy.end(501), 1);
});
