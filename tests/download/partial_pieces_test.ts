import { assertEquals } from "@std/assert";
import { PartialPieces, PieceRead } from "../../core/download/partial_pieces.ts";
import type { UnverifiedStore } from "../../core/store/piece_sink.ts";

const PIECE = 3;
const RIGHT = Uint8Array.from({ length: 100 }, (_, i) => i);
const WRONG = RIGHT.map((byte) => byte ^ 1);

/** What a part file would keep of one piece. */
class Store implements UnverifiedStore {
  readonly unverified = new Map<number, number>();
  readonly #bytes = new Uint8Array(RIGHT.length);

  keepUnverified(piece: number, bytes: Uint8Array, from = 0): void {
    this.#bytes.set(bytes.subarray(from), from);
    this.unverified.set(piece, bytes.length);
  }

  readUnverified(piece: number, into: Uint8Array): number {
    const length = Math.min(into.length, this.unverified.get(piece) ?? 0);
    into.set(this.#bytes.subarray(0, length));
    return length;
  }
}

/** Reads of one piece of 100 bytes. */
class Pieces {
  readonly store = new Store();
  readonly partial = new PartialPieces(this.store);

  /** A read that goes on at what is there and gets `count` bytes more. */
  read(seed: string, count: number, from = RIGHT): PieceRead {
    const read = this.partial.begin(PIECE, seed, new Uint8Array(RIGHT.length));
    const at = read.filled;
    read.bytes.set(from.subarray(at, at + count), at);
    read.received(at, count);
    return read;
  }

  /** The same, and then the connection is lost. */
  lose(seed: string, count: number, from = RIGHT): number {
    return this.partial.keep(this.read(seed, count, from));
  }
}

Deno.test("PieceRead.filled counts no bytes behind a gap until the gap is filled", () => {
  const read = new PieceRead(PIECE, "a", new Uint8Array(100), []);
  read.received(0, 10);
  read.received(50, 10);
  read.received(60, 40);
  assertEquals(read.filled, 10);
  read.received(10, 30);
  assertEquals(read.filled, 40);
  read.received(40, 10);
  assertEquals([read.filled, read.segments], [100, [{ seed: "a", start: 0, end: 100 }]]);
});

Deno.test("PartialPieces.begin() goes on where the read of another seed was interrupted", () => {
  const pieces = new Pieces();
  assertEquals(pieces.lose("a", 30), 30);
  const read = pieces.read("b", 70);
  assertEquals(read.bytes, RIGHT);
  assertEquals(read.segments, [
    { seed: "a", start: 0, end: 30 },
    { seed: "b", start: 30, end: 100 },
  ]);
});

Deno.test("PartialPieces.keep() keeps the longer beginning of two", () => {
  const pieces = new Pieces();
  const short = pieces.read("b", 20);
  assertEquals(pieces.lose("a", 30), 30);
  assertEquals(pieces.partial.keep(short), 30);
  assertEquals(pieces.read("b", 0).segments, [{ seed: "a", start: 0, end: 30 }]);
});

Deno.test("PartialPieces.keep() writes nothing over a piece that is verified", () => {
  const pieces = new Pieces();
  const late = pieces.read("liar", 90, WRONG);
  pieces.partial.proven(pieces.read("a", 100));
  assertEquals(pieces.partial.keep(late), 0);
  assertEquals(pieces.store.readUnverified(PIECE, new Uint8Array(100)), 0);
});

Deno.test("PartialPieces.refuted() blames the seed that sent all of a wrong piece", () => {
  const pieces = new Pieces();
  pieces.lose("a", 30, WRONG);
  assertEquals(pieces.partial.refuted(pieces.read("a", 70, WRONG)), true);
  assertEquals(pieces.read("a", 0).filled, 0);
});

Deno.test("PartialPieces blames the seed whose bytes were wrong when the piece comes whole, and no other", () => {
  const pieces = new Pieces();
  pieces.lose("liar", 30, WRONG);
  pieces.lose("b", 30);
  assertEquals(pieces.partial.refuted(pieces.read("a", 40)), false);
  // From now on every seed goes on with its own beginning.
  assertEquals(pieces.lose("a", 50), 0);
  assertEquals(pieces.read("liar", 0).filled, 0);
  assertEquals(pieces.partial.proven(pieces.read("a", 50)), ["liar"]);
});

Deno.test("PartialPieces.keep() writes all of a longer beginning over that of another read", () => {
  const pieces = new Pieces();
  const longer = pieces.read("a", 50);
  pieces.lose("liar", 30, WRONG);
  assertEquals(pieces.partial.keep(longer), 50);
  assertEquals(pieces.read("b", 50).bytes, RIGHT);
});

Deno.test("PartialPieces.keep() writes only what came since the same read was kept", () => {
  const pieces = new Pieces();
  const writes: number[] = [];
  const keep = pieces.store.keepUnverified.bind(pieces.store);
  pieces.store.keepUnverified = (piece, bytes, from) => {
    writes.push(from ?? 0);
    keep(piece, bytes, from);
  };
  pieces.lose("a", 30);
  const read = pieces.read("b", 20);
  pieces.partial.keep(read);
  read.bytes.set(RIGHT.subarray(50, 90), 50);
  read.received(50, 40);
  pieces.partial.keep(read);
  assertEquals(writes, [0, 30, 50]);
  assertEquals(pieces.read("a", 10).bytes, RIGHT);
});

Deno.test("PartialPieces blames nobody for wrong bytes that an earlier run left", () => {
  const store = new Store();
  store.keepUnverified(PIECE, WRONG.subarray(0, 60));
  const partial = new PartialPieces(store);
  const read = partial.begin(PIECE, "a", new Uint8Array(100));
  assertEquals(read.filled, 60);
  read.bytes.set(RIGHT.subarray(60), 60);
  read.received(60, 40);
  assertEquals(partial.refuted(read), false);
  const again = partial.begin(PIECE, "a", RIGHT.slice());
  assertEquals(again.filled, 0);
  again.received(0, 100);
  assertEquals(partial.proven(again), []);
});

Deno.test("PartialPieces.begin() takes no more than the store can read", () => {
  const store = new Store();
  store.keepUnverified(PIECE, RIGHT.subarray(0, 60));
  store.readUnverified = () => 0;
  const read = new PartialPieces(store).begin(PIECE, "a", new Uint8Array(100));
  assertEquals([read.filled, read.segments], [0, []]);
});
