import { assert, assertEquals } from "@std/assert";
import { setImmediate } from "node:timers";
import { RequestTurns } from "../../../core/serve/schedule/request_turns.ts";
import { test } from "../support.ts";

/** All of these ask at once: in which order they had their turns. */
async function orderOf(clients: string): Promise<string> {
  const attention = new RequestTurns();
  let order = "";
  await Promise.all(Array.from(clients, async (client) => {
    await attention.take(client);
    order += client;
  }));
  return order;
}

test("Attention.take() lets no client have a second turn before all had their first", async () => {
  assertEquals(await orderOf("aaaabcb"), "abcabaa");
});

test("Attention.take() gives a turn at once to who had none in this round", async () => {
  const attention = new RequestTurns();
  const order: string[] = [];
  const late = new Promise<void>((resolve) => setImmediate(() => (order.push("round"), resolve())));
  const turns = ["a", "b"].map((client) => attention.take(client).then(() => order.push(client)));
  await Promise.all([late, ...turns]);
  assertEquals(order, ["a", "b", "round"]);
});

test("Attention.take() keeps the order of one client's turns", async () => {
  const attention = new RequestTurns();
  const order: number[] = [];
  const numbers = Array.from({ length: 10 }, (_, i) => i);
  await Promise.all(numbers.map(async (number) => {
    await attention.take("a");
    order.push(number);
  }));
  assertEquals(order, numbers);
});

test("Attention.take() gives a turn to who asks anew while others wait", async () => {
  const attention = new RequestTurns();
  let taken = 0;
  const flood = Array.from({ length: 100 }, () => attention.take("a").then(() => taken++));
  for (let i = 0; i < 10; i++) await attention.take("b");
  assert(taken <= 12, `a client that asked for 100 had ${taken} turns while another had 10`);
  await Promise.all(flood);
});
