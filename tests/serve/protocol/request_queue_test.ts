import { assertEquals } from "@std/assert";
import { RequestQueue } from "../../../core/serve/protocol/request_queue.ts";
import { test } from "../support.ts";

test("RequestQueue.take() gives requests in order, and undefined after the end", async () => {
  const queue = new RequestQueue<number>(4);
  for (const item of [1, 2, 3]) await queue.put(item);
  queue.end();
  const got = [await queue.take(), await queue.take(), await queue.take()];
  assertEquals([...got, await queue.take()], [1, 2, 3, undefined]);
});

test("RequestQueue.put() waits while the queue is full", async () => {
  const queue = new RequestQueue<number>(1);
  await queue.put(1);
  let put = false;
  const putting = queue.put(2).then(() => put = true);
  await Promise.resolve();
  assertEquals(put, false);
  assertEquals(await queue.take(), 1);
  await putting;
  assertEquals(await queue.take(), 2);
});

test("RequestQueue.end() wakes reader and writer", async () => {
  const full = new RequestQueue<number>(1);
  await full.put(1);
  const putting = full.put(2);
  full.end();
  await putting;
  assertEquals(full.size, 1);
  const empty = new RequestQueue<number>(1);
  const taking = empty.take();
  empty.end();
  assertEquals(await taking, undefined);
});
