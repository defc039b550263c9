import { assertEquals, assertStringIncludes } from "@std/assert";
import { renderListening, renderServeEvent } from "../../commands/ui/serve.ts";
import type { Level, OmitReason, ServeEvent } from "../../core/mod.ts";
import { NOON } from "./fake_environment.ts";

Deno.test("renderServeEvent() reports draining only while connections are open", () => {
  const said = (connections: number) =>
    renderServeEvent({ kind: "draining", connections }, NOON, "info", {} as never);
  assertEquals(said(0), []);
  assertStringIncludes(said(2)[0]!, "waiting for 2 connections to finish");
});

Deno.test("renderServeEvent() lists skipped files with the reason in one line, as a warning if not on purpose", () => {
  const omitted = (reasons: Partial<Record<OmitReason, number>>, name?: string) => {
    const examples = name === undefined ? [] : [{ name, reason: "bad-name" as const }];
    return { kind: "omitted", count: 0, reasons, examples } as const;
  };
  const said = (event: ServeEvent, least: Level) =>
    renderServeEvent(event, NOON, least, {} as never)[0]?.replace(/^\S+ /, "");
  const some = omitted({ hidden: 3, "link-out": 2, "bad-name": 1, "unreadable-folder": 1 }, "a\nb");
  assertEquals(
    said(some, "warn"),
    'skipped: 1 name that is not allowed "a\\x0ab", 1 unreadable folder, ' +
      "2 links out of the folder, 3 hidden",
  );
  assertEquals(said(omitted({ hidden: 1 }), "warn"), undefined);
  assertEquals(said(omitted({ hidden: 1 }), "info"), "skipped: 1 hidden");
});

Deno.test("renderListening() has a line for each listener, with brackets around IPv6", () => {
  const addresses = [{ host: "127.0.0.1", port: 7270 }, { host: "::1", port: 7270 }];
  const event = { kind: "listening", addresses, files: 1, bytes: 2, names: [] } as const;
  assertEquals(renderListening(event, false), [
    "listening on 127.0.0.1:7270",
    "listening on [::1]:7270",
  ]);
  assertEquals(renderListening(event, true).map((line) => JSON.parse(line).host), [
    "127.0.0.1",
    "::1",
  ]);
});
