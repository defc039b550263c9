import { assert, assertEquals, assertRejects } from "@std/assert";
import { PieceBuffers } from "../../core/download/piece_buffers.ts";
import { noAbort } from "../source/support.ts";

const MIB = 1024 * 1024;

/** Says of a promise whether it has settled by now. */
async function settled(promise: Promise<unknown>): Promise<boolean> {
  let done = false;
  promise.then(() => done = true, () => done = true);
  for (let turns = 0; turns < 10; turns++) await Promise.resolve();
  return done;
}

Deno.test("PieceBuffers.lend() waits when the budget is lent, and goes on in order", async () => {
  const memory = new PieceBuffers(2 * MIB);
  const first = await memory.lend(MIB, noAbort);
  using _second = await memory.lend(MIB, noAbort);
  const third = memory.lend(MIB, noAbort);
  const fourth = memory.lend(10, noAbort);
  assertEquals([await settled(third), await settled(fourth)], [false, false]);
  first[Symbol.dispose]();
  using got = await third;
  assertEquals(got.bytes.length, MIB);
  assertEquals(await settled(fourth), false);
  got[Symbol.dispose]();
  using small = await fourth;
  assertEquals(small.bytes.length, 10);
});

Deno.test("PieceBuffers.lend() gives the memory of earlier pieces again", async () => {
  const memory = new PieceBuffers(8 * MIB);
  const first = await memory.lend(MIB, noAbort);
  const { buffer } = first.bytes;
  first[Symbol.dispose]();
  using second = await memory.lend(MIB - 5, noAbort);
  assert(second.bytes.buffer === buffer);
  assertEquals(second.bytes.length, MIB - 5);
});

Deno.test("PieceBuffers.lend() lends a piece beyond the budget when no other is lent", async () => {
  const memory = new PieceBuffers(MIB);
  const small = await memory.lend(MIB, noAbort);
  const large = memory.lend(4 * MIB, noAbort);
  assertEquals(await settled(large), false);
  small[Symbol.dispose]();
  using got = await large;
  assertEquals(got.bytes.length, 4 * MIB);
});

Deno.test("PieceBuffers.lend() throws the signal's reason, and lets the next in, when it is aborted", async () => {
  const memory = new PieceBuffers(2 * MIB);
  const first = await memory.lend(MIB, noAbort);
  const stop = new AbortController();
  const large = memory.lend(2 * MIB, stop.signal);
  const small = memory.lend(MIB, noAbort);
  assertEquals(await settled(small), false);
  stop.abort(new Error("enough"));
  await assertRejects(() => large, Error, "enough");
  using _small = await small;
  first[Symbol.dispose]();
});
