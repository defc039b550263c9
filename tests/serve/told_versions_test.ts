import { assertEquals } from "@std/assert";
import { ToldVersions } from "../../core/serve/told_versions.ts";
import { test } from "./support.ts";

test("ToldVersions keeps what each client was told last, and forgets the oldest", () => {
  const told = new ToldVersions();
  told.tell("a", "file", "1");
  told.tell("b", "file", "1");
  told.tell("b", "file", "2");
  assertEquals([told.of("a", "file"), told.of("b", "file")], ["1", "2"]);
  assertEquals(told.of("c", "file"), undefined);
  for (let i = 0; i < 8191; i++) told.tell("c", `file ${i}`, "1");
  assertEquals([told.of("a", "file"), told.of("b", "file")], [undefined, "2"]);
});
