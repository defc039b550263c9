import { assertEquals, assertRejects } from "@std/assert";
import { Uploads } from "../../core/serve/uploads.ts";
import { Refusal } from "../../core/wire/refusals.ts";
import { test } from "./support.ts";

const never = new AbortController().signal;

/** Takes slots for clients and notes in which order they were given. */
class Takers {
  readonly order: string[] = [];
  readonly slots: Disposable[] = [];
  readonly waits: Promise<void>[] = [];

  constructor(readonly uploads: Uploads) {}

  take(...clients: string[]): void {
    for (const client of clients) {
      this.waits.push(
        this.uploads.take(client, never).then((slot) => {
          this.order.push(client);
          this.slots.push(slot);
        }),
      );
    }
  }

  /** Frees one slot after the other until everyone had one. */
  async finish(): Promise<string> {
    for (let i = 0; i < this.waits.length; i++) {
      while (this.slots.length <= i) await Promise.resolve();
      this.slots[i]![Symbol.dispose]();
    }
    await Promise.all(this.waits);
    return this.order.join("");
  }
}

const orders = [
  { name: "one client alone", size: 1, asks: "aaa", want: "aaa" },
  { name: "turns between two clients", size: 1, asks: "aaaabb", want: "ababaa" },
  {
    name: "a client with many requests before others",
    size: 2,
    asks: "aaaaaabc",
    want: "aabcaaaa",
  },
  { name: "turns among three", size: 1, asks: "aaabbbccc", want: "abcabcabc" },
];

for (const { name, size, asks, want } of orders) {
  test(`Uploads.take() shares slots fairly: ${name}`, async () => {
    const takers = new Takers(new Uploads(size));
    takers.take(...asks);
    assertEquals(await takers.finish(), want);
  });
}

test("Uploads.take() gives no slot twice when one is disposed twice", async () => {
  const uploads = new Uploads(1);
  const slot = await uploads.take("a", never);
  slot[Symbol.dispose]();
  slot[Symbol.dispose]();
  await uploads.take("a", never);
  const stop = new AbortController();
  const second = uploads.take("a", stop.signal);
  stop.abort();
  await assertRejects(() => second, DOMException);
});

test("Uploads.take() passes a slot on when who waited gave up", async () => {
  const uploads = new Uploads(1);
  const slot = await uploads.take("a", never);
  const stop = new AbortController();
  const given = uploads.take("b", stop.signal);
  const patient = uploads.take("c", never);
  stop.abort();
  await assertRejects(() => given);
  slot[Symbol.dispose]();
  (await patient)[Symbol.dispose]();
});

test("Uploads.close() refuses who waits and who comes later", async () => {
  const uploads = new Uploads(1);
  await uploads.take("a", never);
  const waiting = uploads.take("b", never);
  uploads.close(new Refusal("SHUTDOWN", "bye"));
  await assertRejects(() => waiting, Refusal, "SHUTDOWN");
  await assertRejects(() => uploads.take("c", never), Refusal, "SHUTDOWN");
});
