import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { Notify } from "../../core/base/notify.ts";

const calm = new AbortController().signal;

Deno.test("Change.next() resolves for all who wait when it is reported", async () => {
  const change = new Notify();
  const woken: string[] = [];
  const waiting = ["a", "b"].map((name) => change.notified(calm).then(() => void woken.push(name)));
  await Promise.resolve();
  assertEquals(woken, []);
  change.notifyAll();
  await Promise.all(waiting);
  assertEquals(woken, ["a", "b"]);
});

Deno.test("Change.next() waits for the next time when it was reported before", async () => {
  const change = new Notify();
  change.notifyAll();
  let woken = false;
  const waiting = change.notified(calm).then(() => woken = true);
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
  assertEquals(woken, false);
  change.notifyAll();
  await waiting;
});

Deno.test("Change.next() throws the signal's reason when it aborts, and the others wait on", async () => {
  const change = new Notify();
  const stop = new AbortController();
  const reason = new Error("enough");
  const thrown = assertRejects(() => change.notified(stop.signal));
  const other = change.notified(calm);
  stop.abort(reason);
  assertStrictEquals<unknown>(await thrown, reason);
  change.notifyAll();
  await other;
});

Deno.test("Change.next() throws the reason when the signal has aborted before", async () => {
  const change = new Notify();
  const reason = new Error("enough");
  const thrown = await assertRejects(() => change.notified(AbortSignal.abort(reason)));
  assertStrictEquals<unknown>(thrown, reason);
});
