import { assertEquals, assertRejects } from "@std/assert";
import { sha256 } from "../../core/base/digest.ts";
import { layoutOf, MIN_PIECE_BYTES, rangeOfPiece } from "../../core/base/pieces.ts";
import { StreamSink, WrongStreamDigestError } from "../../core/store/stream_sink.ts";
import { patternOf } from "../support/bytes.ts";

const SIZE = 3 * MIN_PIECE_BYTES + 10;
const BYTES = patternOf(SIZE);
const LAYOUT = layoutOf(SIZE);
const { signal } = new AbortController();

/** A stream to a reader who takes one write at a time, when the test says so. */
function streamOf({ skip = 0, sha256 }: { skip?: number; sha256?: string } = {}) {
  const taken: Uint8Array[] = [];
  const waiting: PromiseWithResolvers<void>[] = [];
  const consumed: number[] = [];
  const failed: unknown[] = [];
  let returned = 0;
  const sink = new StreamSink({ layout: LAYOUT, manifest: undefined }, {
    skip,
    keepBytes: 100,
    acceptsSha256: sha256 === undefined ? undefined : (hex) => hex === sha256,
    write(bytes) {
      taken.push(bytes);
      const next = Promise.withResolvers<void>();
      waiting.push(next);
      return next.promise;
    },
    onConsumed: (piece) => consumed.push(piece),
    onFailed: (error) => failed.push(error),
  });
  const store = (piece: number) => {
    const { start, end } = rangeOfPiece(LAYOUT, piece);
    sink.write(piece, BYTES.subarray(start, end), () => ({
      [Symbol.dispose]: () => void returned++,
    }));
  };
  const read = async () => {
    waiting.shift()!.resolve();
    await new Promise((resolve) => setTimeout(resolve, 0));
  };
  return { sink, store, read, taken, waiting, consumed, failed, returned: () => returned };
}

Deno.test("StreamSink passes pieces on in order, and keeps a buffer until the reader took it", async () => {
  const { sink, store, read, taken, consumed, returned } = streamOf();
  for (const piece of [2, 1]) store(piece);
  assertEquals([taken.length, sink.missing, sink.waitsForReader], [0, [0, 3], false]);
  store(0);
  assertEquals([taken.length, returned(), sink.waitsForReader], [1, 0, true]);
  await read();
  assertEquals([taken.length, returned(), consumed], [2, 1, [0]]);
  store(3);
  for (let i = 0; i < 3; i++) await read();
  await sink.finish(signal);
  assertEquals([consumed, returned()], [[0, 1, 2, 3], 4]);
  assertEquals(new Uint8Array(await new Blob(taken as BlobPart[]).arrayBuffer()), BYTES);
});

Deno.test("StreamSink leaves out the beginning, and all of a file that is skipped", async () => {
  const skip = MIN_PIECE_BYTES + 5;
  const { sink, store, taken } = streamOf({ skip });
  assertEquals([sink.missing, sink.held()], [[1, 2, 3], { pieces: 1, bytes: MIN_PIECE_BYTES }]);
  store(1);
  assertEquals(taken[0], BYTES.subarray(skip, 2 * MIN_PIECE_BYTES));
  const whole = streamOf({ skip: SIZE });
  assertEquals(whole.sink.missing, []);
  await whole.sink.finish(signal);
});

Deno.test("StreamSink writes the last piece only if the whole has the digest", async () => {
  const right = streamOf({ sha256: sha256(BYTES).toHex() });
  const wrong = streamOf({ sha256: "0".repeat(64) });
  for (const { store, read } of [right, wrong]) {
    for (let piece = 0; piece < 4; piece++) store(piece);
    for (let i = 0; i < 3; i++) await read();
  }
  await right.read();
  await right.sink.finish(signal);
  assertEquals([right.taken.length, wrong.taken.length], [4, 3]);
  assertEquals(wrong.failed.map((error) => error instanceof WrongStreamDigestError), [true]);
  await assertRejects(() => wrong.sink.finish(signal), WrongStreamDigestError);
});

Deno.test("StreamSink reports a reader that is gone once, and returns what it held when disposed", async () => {
  const { sink, store, waiting, failed, returned } = streamOf();
  store(0);
  store(1);
  const gone = new Error("gone");
  waiting[0]!.reject(gone);
  await assertRejects(() => sink.finish(signal), Error, "gone");
  store(2);
  assertEquals([failed, returned()], [[gone], 1]);
  sink[Symbol.dispose]();
  assertEquals(returned(), 2);
  await sink.settled();
});

Deno.test("StreamSink keeps beginnings of pieces within their bound", () => {
  const { sink } = streamOf();
  sink.keepUnverified(1, BYTES.subarray(0, 60));
  sink.keepUnverified(2, BYTES.subarray(0, 60));
  sink.keepUnverified(1, BYTES.subarray(0, 90));
  assertEquals(Array.from(sink.unverified), [[1, 90]]);
  const into = new Uint8Array(50);
  assertEquals([sink.readUnverified(1, into), into], [50, BYTES.subarray(0, 50)]);
  assertEquals(sink.readUnverified(2, into), 0);
});
