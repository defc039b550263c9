import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { Change } from "../../core/base/change.ts";

const calm = new AbortController().signal;

Deno.test("Change.next() resolves for all who wait when it is told", async () => {
  const change = new Change();
  const woken: string[] = [];
  const waiting = ["a", "b"].map((name) => change.next(calm).then(() => void woken.push(name)));
  await Promise.resolve();
  assertEquals(woken, []);
  change.tell();
  await Promise.all(waiting);
  assertEquals(woken, ["a", "b"]);
});

Deno.test("Change.next() waits for the next time when it was told before", async () => {
  const change = new Change();
  change.tell();
  let woken = false;
  const waiting = change.next(calm).then(() => woken = true);
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
  assertEquals(woken, false);
  change.tell();
  await waiting;
});

Deno.test("Change.next() throws the signal's reason when it aborts, and the others wait on", async () => {
  const change = new Change();
  const stop = new AbortController();
  const reason = new Error("enough");
  const thrown = assertRejects(() => change.next(stop.signal));
  const other = change.next(calm);
  stop.abort(reason);
  assertStrictEquals<unknown>(await thrown, reason);
  change.tell();
  await other;
});

Deno.test("Change.next() throws the reason when the signal has aborted before", async () => {
  const change = new Change();
  const reason = new Error("enough");
  const thrown = await assertRejects(() => change.next(AbortSignal.abort(reason)));
  assertStrictEquals<unknown>(thrown, reason);
});
