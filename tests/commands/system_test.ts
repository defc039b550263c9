import { assertEquals } from "@std/assert";
import { stopSignalsOf } from "../../commands/system.ts";

for (const platform of ["linux", "darwin"]) {
  Deno.test(`stopSignalsOf() is SIGINT, SIGTERM and SIGHUP on ${platform}`, () => {
    assertEquals(stopSignalsOf(platform), ["SIGINT", "SIGTERM", "SIGHUP"]);
  });
}

Deno.test("stopSignalsOf() has no SIGTERM on windows", () => {
  assertEquals(stopSignalsOf("windows"), ["SIGINT"]);
});
