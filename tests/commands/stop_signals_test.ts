import { assertEquals } from "@std/assert";
import { stopSignalsOf } from "../../commands/system.ts";

for (const platform of ["linux", "darwin"]) {
  Deno.test(`stopSignalsOf() gives SIGINT, SIGTERM and SIGHUP on ${platform}`, () => {
    assertEquals(stopSignalsOf(platform), ["SIGINT", "SIGTERM", "SIGHUP"]);
  });
}

Deno.test("stopSignalsOf() gives no SIGTERM on windows, where there is none", () => {
  assertEquals(stopSignalsOf("windows"), ["SIGINT"]);
});
