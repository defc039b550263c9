import { assertEquals, assertRejects } from "@std/assert";
import { OpenTargets } from "../../core/store/open_targets.ts";

const never = new AbortController().signal;

for (
  const [a, b] of [["/d/Case", "/d/case"], ["/d/stra\u00dfe", "/d/STRASSE"], [
    "/d/e\u0301",
    "/d/\u00e9",
  ]]
) {
  Deno.test(`OpenTargets takes ${JSON.stringify(a)} and ${JSON.stringify(b)} for one file`, async () => {
    const targets = new OpenTargets();
    const first = targets.add(a!);
    assertEquals([targets.has(b!), targets.has("/d/other")], [true, false]);
    let isClosed = false;
    const closed = targets.closed(b!, never).then(() => isClosed = true);
    const second = targets.add(b!);
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    await Promise.resolve();
    assertEquals([targets.has(b!), isClosed], [true, false]);
    second[Symbol.dispose]();
    await closed;
    assertEquals(targets.has(a!), false);
  });
}

Deno.test("OpenTargets.closed() ends when its signal aborts", async () => {
  const targets = new OpenTargets();
  using _open = targets.add("/d/a");
  const stop = new AbortController();
  const closed = targets.closed("/d/a", stop.signal);
  stop.abort(new Error("enough"));
  await assertRejects(() => closed, Error, "enough");
});
