import { assertEquals, assertRejects } from "@std/assert";
import { type Slot, Uploads } from "../../../core/serve/schedule/uploads.ts";
import { ErrorReply } from "../../../core/protocol/error_replies.ts";
import { ManualClock, test } from "../support.ts";

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
    const takers = new Takers(new Uploads(size, new ManualClock()));
    takers.take(...asks);
    assertEquals(await takers.finish(), want);
  });
}

test("Uploads.take() gives no slot twice when one is disposed twice", async () => {
  const uploads = new Uploads(1, new ManualClock());
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
  const uploads = new Uploads(1, new ManualClock());
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
  const uploads = new Uploads(1, new ManualClock());
  await uploads.take("a", never);
  const waiting = uploads.take("b", never);
  uploads.close(new ErrorReply("SHUTDOWN", "bye"));
  await assertRejects(() => waiting, ErrorReply, "SHUTDOWN");
  await assertRejects(() => uploads.take("c", never), ErrorReply, "SHUTDOWN");
});

const free = (slots: Disposable[]) => slots.forEach((slot) => slot[Symbol.dispose]());

/** When all that can go on by itself has done so. */
async function settled(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}

/** How many of so many asks are granted now. */
async function granted(uploads: Uploads, client: string, asks: number): Promise<Slot[]> {
  const slots: Slot[] = [];
  for (let i = 0; i < asks; i++) {
    uploads.take(client, never).then((slot) => slots.push(slot), () => {});
  }
  await settled();
  return slots;
}

test("Uploads.take() gives a client alone as many slots as it wants", async () => {
  const uploads = new Uploads(32, new ManualClock());
  assertEquals((await granted(uploads, "a", 16)).length, 16);
});

test("Uploads.take() gives a client no more than the most modest other wants, though slots are free", async () => {
  const uploads = new Uploads(32, new ManualClock());
  await granted(uploads, "a", 1);
  const greedy = await granted(uploads, "b", 16);
  assertEquals(greedy.length, 1);
  free(greedy);
  await settled();
  assertEquals(greedy.length, 2);
  uploads.close(new ErrorReply("SHUTDOWN", "bye"));
});

test("Uploads.take() keeps a client's share for it between two of its bodies, and not for longer", async () => {
  const clock = new ManualClock();
  const uploads = new Uploads(32, clock);
  free(await granted(uploads, "a", 1));
  const greedy = await granted(uploads, "b", 16);
  assertEquals(greedy.length, 1);
  clock.advance(50);
  await settled();
  assertEquals(greedy.length, 16);
});

test("Uploads.take() lends the slot of a body that does not move to one that waits", async () => {
  const clock = new ManualClock();
  const uploads = new Uploads(1, clock);
  const slow = await uploads.take("slow", never);
  const waiting = uploads.take("quick", never);
  clock.advance(200);
  assertEquals(slow.held, true);
  clock.advance(50);
  using _quick = await waiting;
  assertEquals(slow.held, false);
  slow[Symbol.dispose]();
  // What was lent is not freed twice: there is still only one slot.
  const stop = new AbortController();
  const third = uploads.take("third", stop.signal);
  stop.abort();
  await assertRejects(() => third);
});

test("Uploads.take() leaves the slot to a body that goes on step by step", async () => {
  const clock = new ManualClock();
  const uploads = new Uploads(1, clock);
  const steady = await uploads.take("steady", never);
  const stop = new AbortController();
  const waiting = uploads.take("waiting", stop.signal);
  for (let i = 0; i < 10; i++) {
    clock.advance(200);
    steady.renew();
  }
  assertEquals(steady.held, true);
  stop.abort();
  await assertRejects(() => waiting);
});

test("Uploads.close() lets a body that has begun go on", async () => {
  const clock = new ManualClock();
  const uploads = new Uploads(1, clock);
  const slot = await uploads.take("a", never);
  const begun = uploads.take("b", never, true);
  uploads.close(new ErrorReply("SHUTDOWN", "bye"));
  slot[Symbol.dispose]();
  using _slot = await begun;
});

test("Slot.mayStay is true for a turn, where only other connections of the client wait", async () => {
  const clock = new ManualClock();
  const uploads = new Uploads(1, clock);
  const slot = await uploads.take("a", never);
  assertEquals(slot.mayStay, true);
  await granted(uploads, "a", 3);
  clock.advance(199);
  slot.renew();
  assertEquals(slot.mayStay, true);
  clock.advance(1);
  assertEquals(slot.mayStay, false);
  uploads.close(new ErrorReply("SHUTDOWN", "bye"));
});

test("Slot.mayStay gives shorter turns to many connections, so that each has one in 2.5 s", async () => {
  const clock = new ManualClock();
  const uploads = new Uploads(1, clock);
  const slot = await uploads.take("a", never);
  await granted(uploads, "a", 100);
  assertEquals(slot.mayStay, true);
  clock.advance(25);
  assertEquals(slot.mayStay, false);
  uploads.close(new ErrorReply("SHUTDOWN", "bye"));
});

test("Slot.mayStay is false as soon as a client waits that holds fewer", async () => {
  const uploads = new Uploads(1, new ManualClock());
  const slot = await uploads.take("a", never);
  await granted(uploads, "b", 1);
  assertEquals(slot.mayStay, false);
  uploads.close(new ErrorReply("SHUTDOWN", "bye"));
});

test("Slot.mayStay is false when its client holds more than another one wants", async () => {
  const uploads = new Uploads(3, new ManualClock());
  const [slot] = await granted(uploads, "a", 2);
  await granted(uploads, "b", 1);
  await granted(uploads, "a", 1);
  assertEquals(slot!.mayStay, false);
  uploads.close(new ErrorReply("SHUTDOWN", "bye"));
});
