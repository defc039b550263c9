import { assert, assertEquals } from "@std/assert";
import { setImmediate } from "node:timers";
import { listPages } from "../../core/source/listing.ts";
import { encodeListing } from "../../core/protocol/listing.ts";
import { bytesOf } from "../support/bytes.ts";
import { test } from "../support/test.ts";

test("listPages() yields while it parses a long page, and keeps every name", async () => {
  const files = Array.from({ length: 10_000 }, (_, i) => ({
    name: `${1e6 + i}${"é".repeat(i % 100)}`,
    size: i,
    modified: i,
  }));
  const body = bytesOf(encodeListing(files));
  let turns = 0;
  let over = false;
  const count = () => {
    turns++;
    if (!over) setImmediate(count);
  };
  setImmediate(count);
  const reply = { kind: "ok", length: body.length, fields: new Map() } as const;
  const listed = await listPages("seed", () => Promise.resolve({ reply, body }));
  over = true;
  assertEquals(listed, files);
  // Parts of 256 KiB, with a yield between them.
  assert(turns >= Math.floor(body.length / 2 ** 18), `${turns} turns for ${body.length} bytes`);
});
