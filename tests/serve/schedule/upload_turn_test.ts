import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { ClientRateLimits } from "../../../core/serve/schedule/rate_limits.ts";
import { UploadTurn } from "../../../core/serve/schedule/upload_turn.ts";
import { Uploads } from "../../../core/serve/schedule/uploads.ts";
import { busyReply } from "../../../core/protocol/error_replies.ts";
import { ManualClock } from "../../fakes/manual_clock.ts";
import { watch } from "../../source/support.ts";
import { test } from "../support.ts";

const NEVER = new AbortController().signal;
const STEP = 262_144;
/** Longer than a step may take before its slot is lent to who waits. */
const LONG_MS = 400;

/** Room for so many bodies, under a rate for each client or none. */
class Room {
  readonly clock = new ManualClock(5000);
  readonly uploads: Uploads;
  readonly rates: ClientRateLimits;

  constructor(slots: number, clientLimit?: number) {
    this.uploads = new Uploads(slots, this.clock);
    this.rates = new ClientRateLimits({ limit: undefined, clientLimit }, this.clock);
  }

  turn(client: string, signal: AbortSignal = NEVER): UploadTurn {
    return new UploadTurn(this, client, signal);
  }
}

test("Turn gives all that is asked for at once where no rate is kept, and keeps its slot from step to step", async () => {
  const room = new Room(1);
  using turn = room.turn("a");
  turn.begin();
  for (let step = 0; step < 3; step++) {
    assertEquals(await turn.next(STEP), STEP);
    assertEquals(room.uploads.taken, 1);
  }
});

test("Turn takes no second slot for what was ready before", async () => {
  const room = new Room(8);
  using turn = room.turn("a");
  turn.begin();
  await turn.ready();
  await turn.ready();
  await turn.next(STEP);
  assertEquals(room.uploads.taken, 1);
});

test("Turn keeps its slot when the next body is asked for already, and frees it when none is", async () => {
  const room = new Room(1);
  using turn = room.turn("a");
  for (const more of [true, true, false]) {
    turn.begin();
    await turn.next(STEP);
    turn.end(more);
    assertEquals(room.uploads.taken, more ? 1 : 0);
  }
  turn.end(false);
  assertEquals(room.uploads.taken, 0);
});

test("Turn frees its slot after a body when others have waited for theirs", async () => {
  const room = new Room(1);
  using turn = room.turn("a");
  turn.begin();
  await turn.next(STEP);
  using other = room.turn("b");
  other.begin();
  const waiting = watch(other.next(STEP));
  await room.clock.advance(1);
  assertEquals(waiting.ending, undefined);
  // It has had its time, step after step: it is not taken from it, it gives it away.
  for (let ms = 0; ms < 2500; ms += 100) {
    await turn.next(STEP);
    await room.clock.advance(100);
  }
  assertEquals(waiting.ending, undefined);
  turn.end(true);
  await room.clock.advance(0);
  assertEquals(waiting.ending, { value: STEP });
});

test("Turn lends its slot while a step takes long, and waits for one before it goes on", async () => {
  const room = new Room(1);
  using slow = room.turn("a");
  using other = room.turn("b");
  slow.begin();
  await slow.next(STEP);
  other.begin();
  const waiting = watch(other.next(STEP));
  await room.clock.advance(LONG_MS);
  assertEquals(waiting.ending, { value: STEP });
  const going = watch(slow.next(STEP));
  await room.clock.advance(1);
  assertEquals([going.ending, room.uploads.taken], [undefined, 1]);
  other.end(false);
  await room.clock.advance(100);
  assertEquals(going.ending, { value: STEP });
});

test("Turn holds no slot while it waits for its bytes under a rate, and one while it sends", async () => {
  const room = new Room(1, 10_000);
  using limited = room.turn("a");
  limited.begin();
  const first = await limited.next(STEP);
  assert(first > 0 && first <= 1000, `${first}`);
  assertEquals(room.uploads.taken, 1);
  const going = watch(limited.next(STEP));
  await room.clock.advance(1);
  assertEquals([going.ending, room.uploads.taken], [undefined, 0]);
  using other = room.turn("b");
  other.begin();
  const waiting = watch(other.next(STEP));
  await room.clock.advance(0);
  assert(waiting.ending !== undefined);
  other.end(false);
  await room.clock.advance(1000);
  assert(going.ending !== undefined);
  assertEquals(room.uploads.taken, 1);
});

const slots = [{ what: "a body that has not begun", sent: 0 }, {
  what: "a body that has",
  sent: 1,
}];
for (const { what, sent } of slots) {
  test(`Turn ${sent ? "goes on with" : "is refused"} ${what} when the seed takes no new ones`, async () => {
    const room = new Room(1);
    const refusal = busyReply(100, "the seed stops");
    using turn = room.turn("a");
    turn.begin();
    if (sent > 0) {
      await turn.next(STEP);
      // Lent, so that it must ask again.
      using other = room.turn("b");
      other.begin();
      const waiting = watch(other.next(STEP));
      await room.clock.advance(LONG_MS);
      assert(waiting.ending !== undefined);
    }
    room.uploads.close(refusal);
    if (sent > 0) return assertEquals(await turn.next(STEP), STEP);
    for (const act of [() => turn.ready(), () => turn.next(STEP)]) {
      assertStrictEquals<unknown>(await assertRejects(act), refusal);
    }
  });
}

test("Turn can be refused again with each body that begins", async () => {
  const room = new Room(1);
  const refusal = busyReply(100, "the seed stops");
  using turn = room.turn("a");
  turn.begin();
  await turn.next(STEP);
  turn.end(false);
  room.uploads.close(refusal);
  turn.begin();
  assertStrictEquals<unknown>(await assertRejects(() => turn.next(STEP)), refusal);
});

for (const clientLimit of [undefined, 1000]) {
  const waitsFor = clientLimit ? "its bytes" : "a slot";
  test(`Turn throws the signal's reason, and leaves nothing behind, when it aborts while it waits for ${waitsFor}`, async () => {
    const room = new Room(1, clientLimit);
    const stop = new AbortController();
    using first = room.turn("a");
    first.begin();
    await first.next(STEP);
    using turn = room.turn("a", stop.signal);
    turn.begin();
    const going = watch(turn.next(STEP));
    await room.clock.advance(1);
    assertEquals(going.ending, undefined);
    const reason = new Error("enough");
    stop.abort(reason);
    await room.clock.advance(0);
    assertEquals(going.ending, { error: reason });
    assertEquals([room.uploads.waiting, room.uploads.taken], [0, 1]);
    assertEquals(room.clock.pending, 0);
  });
}

test("Turn gives its slot back when it is disposed, once", async () => {
  const room = new Room(2);
  const turn = room.turn("a");
  using other = room.turn("a");
  for (const each of [turn, other]) {
    each.begin();
    await each.next(STEP);
  }
  turn[Symbol.dispose]();
  turn[Symbol.dispose]();
  assertEquals(room.uploads.taken, 1);
});
