import { assertEquals } from "@std/assert";
import { SentVersions } from "../../../core/serve/protocol/sent_versions.ts";
import { test } from "../support.ts";

test("ToldVersions keeps what each client was told last, and forgets the oldest", () => {
  const told = new SentVersions();
  told.remember("a", "file", "1");
  told.remember("b", "file", "1");
  told.remember("b", "file", "2");
  assertEquals([told.of("a", "file"), told.of("b", "file")], ["1", "2"]);
  assertEquals(told.of("c", "file"), undefined);
  for (let i = 0; i < 8191; i++) told.remember("c", `file ${i}`, "1");
  assertEquals([told.of("a", "file"), told.of("b", "file")], [undefined, "2"]);
});
