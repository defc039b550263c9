import { assertEquals, assertNotEquals } from "@std/assert";
import {
  InOrderPicker,
  type PiecePicker,
  RarestFirstPicker,
  type SourcePieces,
} from "../../core/plan/piece_picker.ts";
import { diceOf } from "../sim/dice.ts";

/** Takes pieces until there is none. */
function takeAll(picker: PiecePicker, pieces?: SourcePieces): number[] {
  const taken: number[] = [];
  for (let piece; (piece = picker.take(pieces)) !== undefined;) taken.push(piece);
  return taken;
}

/** The pieces of a source that has these only. */
function partOf<Part extends ReadonlySet<number>>(picker: PiecePicker, pieces: Part): Part {
  picker.adjustCopies(pieces, 1);
  return pieces;
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, piece) => piece);
}

const pickers = {
  InOrderPicker: (missing: number[]) => new InOrderPicker(missing),
  RarestFirstPicker: (missing: number[]) => new RarestFirstPicker(missing, diceOf(1)),
};
for (const [name, make] of Object.entries(pickers)) {
  Deno.test(`${name} takes each missing piece once`, () => {
    const picker = make([1, 3, 4, 8]);
    assertEquals(picker.available, 4);
    assertEquals(takeAll(picker).sort(), [1, 3, 4, 8]);
    assertEquals(picker.available, 0);
  });

  Deno.test(`${name} takes only pieces that the source has`, () => {
    const picker = make(range(6));
    assertEquals(takeAll(picker, partOf(picker, new Set([1, 4, 9]))).sort(), [1, 4]);
    assertEquals([picker.available, takeAll(picker).sort()], [4, [0, 2, 3, 5]]);
  });

  Deno.test(`${name} takes a returned piece first, from a source that has it`, () => {
    const picker = make(range(4));
    const others = partOf(picker, new Set([2, 3]));
    const taken = [
      picker.take(partOf(picker, new Set([1]))),
      picker.take(partOf(picker, new Set([0]))),
    ];
    assertEquals(taken, [1, 0]);
    picker.put(1);
    assertEquals(picker.available, 3);
    assertEquals(takeAll(picker, others).sort(), [2, 3]);
    assertEquals([picker.take(undefined), picker.available], [1, 0]);
  });

  Deno.test(`${name} takes a piece again from a source that had none left`, () => {
    const picker = make([0]);
    const pieces = partOf(picker, new Set([0]));
    assertEquals(takeAll(picker, pieces), [0]);
    picker.put(0);
    assertEquals(takeAll(picker, pieces), [0]);
  });

  Deno.test(`${name} looks at each piece a few times when sources have few of many pieces`, () => {
    const count = 32_768;
    let looks = 0;
    class CountingSet extends Set<number> {
      override has(piece: number): boolean {
        looks++;
        return super.has(piece);
      }
    }
    const picker = make(range(count));
    const last = partOf(picker, new CountingSet(range(count).slice(count / 2)));
    for (let turn = 0; turn < count; turn++) picker.take(last);
    assertEquals(picker.available, count / 2);
    // Without memory of what was looked at: 800 million.
    assertEquals(looks < 40 * count, true, `${looks} looks`);
  });
}

Deno.test("InOrderPicker takes pieces in ascending order", () => {
  assertEquals(takeAll(new InOrderPicker([2, 3, 5, 7])), [2, 3, 5, 7]);
});

Deno.test("InOrderPicker stays within its window until pieces are consumed", () => {
  const picker = new InOrderPicker(range(10), 3);
  assertEquals([picker.available, takeAll(picker)], [3, [0, 1, 2]]);
  picker.consumed(1);
  assertEquals([picker.available, takeAll(picker)], [2, [3, 4]]);
  // An earlier piece moves nothing back.
  picker.consumed(0);
  assertEquals([picker.available, takeAll(picker)], [0, []]);
  picker.consumed(9);
  assertEquals(takeAll(picker), [5, 6, 7, 8, 9]);
});

Deno.test("InOrderPicker goes on in the window for a source with some pieces when the window moves", () => {
  const picker = new InOrderPicker(range(10), 3);
  const even = new Set([0, 2, 4, 6, 8]);
  assertEquals(takeAll(picker, even), [0, 2]);
  picker.consumed(2);
  assertEquals(takeAll(picker, even), [4]);
  assertEquals(takeAll(picker), [1, 3, 5]);
});

Deno.test("RarestFirstPicker takes the pieces of the fewest sources first", () => {
  const picker = new RarestFirstPicker(range(4), diceOf(1));
  picker.adjustCopies([0, 1, 3], 1);
  picker.adjustCopies([0, 3], 1);
  picker.adjustCopies([3], 1);
  assertEquals(takeAll(picker), [2, 1, 0, 3]);
});

Deno.test("RarestFirstPicker counts a source no more that is gone", () => {
  const picker = new RarestFirstPicker([0, 1], diceOf(1));
  picker.adjustCopies([0], 1);
  picker.adjustCopies([1], 1);
  picker.adjustCopies([1], 1);
  picker.adjustCopies([1], -1);
  picker.adjustCopies([1], -1);
  assertEquals(takeAll(picker), [1, 0]);
});

Deno.test("RarestFirstPicker takes pieces of equally many sources in random order", () => {
  const orderOf = (seed: number) => takeAll(new RarestFirstPicker(range(50), diceOf(seed)));
  assertEquals(orderOf(1), orderOf(1));
  assertNotEquals(orderOf(1), orderOf(2));
  const first = Array.from(
    { length: 300 },
    (_, seed) => new RarestFirstPicker(range(3), diceOf(seed)).take(undefined),
  );
  for (const piece of range(3)) {
    assertEquals(first.filter((taken) => taken === piece).length > 60, true, `piece ${piece}`);
  }
});
