import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import { Semaphore } from "../../core/base/semaphore.ts";
import { asyncProperty } from "./property.ts";

const NEVER = new AbortController().signal;

/** Who takes from `slots`: in `granted` as soon as it is let in. */
class Takers {
  readonly granted: number[] = [];
  readonly #slots: Semaphore;
  readonly #held = new Map<number, Disposable>();

  constructor(slots: Semaphore) {
    this.#slots = slots;
  }

  /** Asks for a slot; resolves when it has it, rejects when it gave up. */
  async take(id: number, signal = NEVER): Promise<void> {
    this.#held.set(id, await this.#slots.acquire(signal));
    this.granted.push(id);
  }

  free(id: number): void {
    this.#held.get(id)?.[Symbol.dispose]();
  }
}

/** Enough turns for whoever was let in to go on. */
async function letIn(): Promise<void> {
  for (let turn = 0; turn < 6; turn++) await Promise.resolve();
}

Deno.test("Slots.take() grants at once when a slot is free", async () => {
  const slots = new Semaphore(2);
  const takers = new Takers(slots);
  assertEquals(slots.available, 2);
  await takers.take(1);
  await takers.take(2);
  assertEquals(slots.available, 0);
});

Deno.test("Slots.take() serves those who wait in order when slots come free", async () => {
  const slots = new Semaphore(1);
  const takers = new Takers(slots);
  await takers.take(0);
  const waiting = [1, 2, 3].map((id) => takers.take(id));
  for (let id = 0; id < 3; id++) {
    await letIn();
    assertEquals(takers.granted.at(-1), id);
    takers.free(id);
  }
  await Promise.all(waiting);
  assertEquals(takers.granted, [0, 1, 2, 3]);
});

Deno.test("Slots.take() lets nobody pass when others wait", async () => {
  const slots = new Semaphore(1);
  const takers = new Takers(slots);
  await takers.take(0);
  const first = takers.take(1);
  takers.free(0);
  const second = takers.take(2);
  await first;
  await letIn();
  assertEquals(takers.granted, [0, 1]);
  takers.free(1);
  await second;
});

Deno.test("Slots.take() lets pass who asks for the front, the last of them first", async () => {
  const slots = new Semaphore(1);
  using first = await slots.acquire(NEVER);
  const granted: string[] = [];
  const waiting = (["back", "front", "front"] as const).map(async (where, i) => {
    using _slot = await slots.acquire(NEVER, where);
    granted.push(`${where} ${i}`);
  });
  first[Symbol.dispose]();
  await Promise.all(waiting);
  assertEquals(granted, ["front 2", "front 1", "back 0"]);
});

Deno.test("Slots.size is what it was last resized to", () => {
  const slots = new Semaphore(2);
  assertEquals(slots.size, 2);
  slots.resize(5);
  assertEquals([slots.size, slots.available], [5, 5]);
});

Deno.test("Slots.take() throws the reason when the signal has aborted", async () => {
  const slots = new Semaphore(1);
  const reason = new Error("enough");
  const error = await assertRejects(() => slots.acquire(AbortSignal.abort(reason)));
  assertStrictEquals<unknown>(error, reason);
  assertEquals(slots.available, 1);
});

Deno.test("Slots.take() throws the reason and loses no slot when the signal aborts while it waits", async () => {
  const slots = new Semaphore(1);
  const takers = new Takers(slots);
  const leave = new AbortController();
  const reason = new Error("enough");
  await takers.take(0);
  const left = takers.take(1, leave.signal);
  const stayed = takers.take(2);
  leave.abort(reason);
  assertStrictEquals<unknown>(await assertRejects(() => left), reason);
  takers.free(0);
  await stayed;
  takers.free(2);
  assertEquals(slots.available, 1);
});

Deno.test("Slots.take() keeps its slot when the signal aborts after it was granted", async () => {
  const slots = new Semaphore(1);
  const takers = new Takers(slots);
  const late = new AbortController();
  await takers.take(0);
  const next = takers.take(1, late.signal);
  takers.free(0);
  late.abort();
  await next;
  assertEquals(slots.available, 0);
  takers.free(1);
  assertEquals(slots.available, 1);
});

Deno.test("Slots.take() leaves no listener on the signal when it is done", async () => {
  const slots = new Semaphore(1);
  const signal = new CountingSignal();
  using first = await slots.acquire(signal.signal);
  const second = slots.acquire(signal.signal);
  assertEquals(signal.listeners, 1);
  first[Symbol.dispose]();
  (await second)[Symbol.dispose]();
  assertEquals(signal.listeners, 0);
});

Deno.test("Slots frees one slot when what take() gave is disposed twice", async () => {
  const slots = new Semaphore(2);
  const slot = await slots.acquire(NEVER);
  await slots.acquire(NEVER);
  slot[Symbol.dispose]();
  slot[Symbol.dispose]();
  assertEquals(slots.available, 1);
});

Deno.test("Slots.resize() lets in as many as there is room for when it grows", async () => {
  const slots = new Semaphore(1);
  const takers = new Takers(slots);
  await takers.take(0);
  const waiting = [1, 2, 3].map((id) => takers.take(id));
  slots.resize(3);
  await letIn();
  assertEquals(takers.granted, [0, 1, 2]);
  takers.free(1);
  await Promise.all(waiting);
  assertEquals(takers.granted, [0, 1, 2, 3]);
});

Deno.test("Slots.resize() takes nothing away and holds back the next when it shrinks", async () => {
  const slots = new Semaphore(3);
  const takers = new Takers(slots);
  for (const id of [0, 1, 2]) await takers.take(id);
  slots.resize(1);
  assertEquals(slots.available, 0);
  const next = takers.take(3);
  takers.free(0);
  takers.free(1);
  await letIn();
  assertEquals(takers.granted, [0, 1, 2]);
  takers.free(2);
  await next;
  assertEquals(slots.available, 0);
  takers.free(3);
  assertEquals(slots.available, 1);
});

const steps = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant("take" as const) }),
    fc.record({ kind: fc.constantFrom("free" as const, "leave" as const), which: fc.nat(20) }),
    fc.record({ kind: fc.constant("resize" as const), size: fc.integer({ min: 1, max: 4 }) }),
  ),
  { maxLength: 40 },
);

asyncProperty(
  "Slots holds as many as its size and keeps the order, whatever happens",
  steps,
  async (steps) => {
    const slots = new Semaphore(2);
    const takers = new Takers(slots);
    const leavers: AbortController[] = [];
    const asked: Promise<unknown>[] = [];
    // What must be so, in plain lists.
    let size = 2;
    let held: number[] = [];
    let queue: number[] = [];
    const granted: number[] = [];
    const admit = () => {
      while (held.length < size && queue.length > 0) {
        held.push(queue[0]!);
        granted.push(queue.shift()!);
      }
    };
    for (const step of steps) {
      if (step.kind === "take") {
        const leaver = new AbortController();
        queue.push(leavers.push(leaver) - 1);
        asked.push(takers.take(leavers.length - 1, leaver.signal).catch(() => {}));
      } else if (step.kind === "resize") {
        size = step.size;
        slots.resize(size);
      } else if (step.kind === "leave") {
        const id = queue[step.which % queue.length];
        queue = queue.filter((one) => one !== id);
        if (id !== undefined) leavers[id]!.abort();
      } else {
        const id = held[step.which % held.length];
        held = held.filter((one) => one !== id);
        if (id !== undefined) takers.free(id);
      }
      admit();
      await letIn();
      assertEquals(takers.granted, granted);
      assertEquals(slots.available, Math.max(0, size - held.length));
    }
    leavers.forEach((leaver) => leaver.abort());
    await Promise.all(asked);
    assert(granted.length <= asked.length);
  },
);

/** A signal that knows how many listen to it. */
class CountingSignal {
  readonly signal = new AbortController().signal;
  listeners = 0;

  constructor() {
    const { addEventListener, removeEventListener } = this.signal;
    this.signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
      this.listeners++;
      addEventListener.apply(this.signal, args);
    };
    this.signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
      this.listeners--;
      removeEventListener.apply(this.signal, args);
    };
  }
}

Deno.test("Semaphore.acquire() grants several permits in order, and more than there are when none is held", async () => {
  const semaphore = new Semaphore(3);
  const { signal } = new AbortController();
  const granted: string[] = [];
  const acquire = async (name: string, weight: number) => {
    const permit = await semaphore.acquire(signal, "back", weight);
    granted.push(name);
    return permit;
  };
  const first = await acquire("two", 2);
  const heavy = acquire("five", 5);
  const light = acquire("one", 1);
  await Promise.resolve();
  assertEquals(granted, ["two"]);
  first[Symbol.dispose]();
  const permit = await heavy;
  assertEquals([granted, semaphore.available], [["two", "five"], 0]);
  permit[Symbol.dispose]();
  (await light)[Symbol.dispose]();
  assertEquals([granted, semaphore.available], [["two", "five", "one"], 3]);
});
