import { assertEquals, assertStringIncludes } from "@std/assert";
import { renderServeEvent } from "../../commands/present/serving.ts";
import { NOON } from "./stand_in.ts";

Deno.test("renderServeEvent() tells of draining only where somebody is waited for", () => {
  const said = (connections: number) =>
    renderServeEvent({ kind: "draining", connections }, NOON, "info", {} as never);
  assertEquals(said(0), []);
  assertStringIncludes(said(2)[0]!, "draining 2 connections");
});
