import { assertEquals } from "@std/assert";
import { Turns } from "../../core/serve/turns.ts";
import { test } from "./support.ts";

/** The order in which those who wait have their turns. */
async function orderOf(...clients: string[]): Promise<string[]> {
  const turns = new Turns();
  const order: string[] = [];
  await Promise.all(clients.map(async (client) => {
    await turns.take(client);
    order.push(client);
  }));
  return order;
}

test("Turns.take() lets each client have one turn before any has its next", async () => {
  assertEquals(await orderOf("a", "a", "a", "a", "b", "c", "b"), [
    "a",
    "b",
    "c",
    "a",
    "b",
    "a",
    "a",
  ]);
});

test("Turns.take() keeps the order of one client's turns", async () => {
  const turns = new Turns();
  const order: number[] = [];
  await Promise.all([1, 2, 3, 4].map(async (number) => {
    await turns.take("a");
    order.push(number);
  }));
  assertEquals(order, [1, 2, 3, 4]);
});

test("Turns.take() gives a turn to who asks anew while others wait", async () => {
  const turns = new Turns();
  let taken = 0;
  const flood = Array.from({ length: 100 }, () => turns.take("a").then(() => taken++));
  for (let i = 0; i < 10; i++) await turns.take("b");
  assertEquals(
    taken <= 11,
    true,
    `a client that asked for 100 had ${taken} turns while another had 10`,
  );
  await Promise.all(flood);
});
