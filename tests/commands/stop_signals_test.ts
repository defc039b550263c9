import { assertEquals } from "@std/assert";
import { stopSignalsOf } from "../../commands/stop_signals.ts";

for (const platform of ["linux", "darwin"]) {
  Deno.test(`stopSignalsOf() has SIGHUP on ${platform} where a terminal can be closed`, () => {
    assertEquals(stopSignalsOf(platform, true), ["SIGINT", "SIGTERM", "SIGHUP"]);
  });

  Deno.test(`stopSignalsOf() leaves SIGHUP alone on ${platform} without a terminal, so that nohup works`, () => {
    assertEquals(stopSignalsOf(platform, false), ["SIGINT", "SIGTERM"]);
  });
}

Deno.test("stopSignalsOf() gives no SIGTERM on windows, where there is none", () => {
  assertEquals(stopSignalsOf("windows", true), ["SIGINT"]);
});
