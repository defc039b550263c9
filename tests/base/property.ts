/** Properties, and the values that more than one room tries them on. */
import fc from "fast-check";

/** Fixed, so that the gate says the same twice; a failure prints it, with the path to the smallest case. */
const SEED = 20_261_122;
/** P2P_FUZZ_RUNS=100000 tries longer. */
const ASKED_RUNS = Number(Deno.env.get("P2P_FUZZ_RUNS") ?? "") || undefined;

export function property<T>(
  name: string,
  values: fc.Arbitrary<T>,
  holds: (value: T) => void,
  runs = 1000,
): void {
  Deno.test(name, () => {
    fc.assert(fc.property(values, holds), parameters(runs));
  });
}

export function asyncProperty<T>(
  name: string,
  values: fc.Arbitrary<T>,
  holds: (value: T) => Promise<void>,
  runs = 300,
): void {
  Deno.test(name, async () => {
    await fc.assert(fc.asyncProperty(values, holds), parameters(runs));
  });
}

function parameters(runs: number) {
  return { seed: SEED, numRuns: ASKED_RUNS ?? runs };
}

/** Any string of JavaScript, lone surrogates too. */
const units = fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 40 })
  .map((codes) => String.fromCharCode(...codes));

/** Any character; the library's own `binary` takes two seconds to be made. */
const character = fc.oneof(
  fc.integer({ min: 0, max: 0xff }),
  fc.integer({ min: 0, max: 0xd7ff }),
  fc.integer({ min: 0xe000, max: 0xffff }),
  fc.integer({ min: 0x10000, max: 0x10ffff }),
).map((code) => String.fromCodePoint(code));

/** What parsers trip over, more often than chance would bring it. */
const awkward = fc.constantFrom(
  ...'0123456789 |/.:=\\%\r\n\t\0\u007f\u0085\u2028\ufeff\ufffd\ue000é😀aA[]{}"-+',
  "\ud800",
  "\udfff",
);

export const anyText: fc.Arbitrary<string> = fc.oneof(
  units,
  fc.string({ unit: awkward, maxLength: 30 }),
  fc.string({ unit: character, maxLength: 30 }),
);

export const anyBytes: fc.Arbitrary<Uint8Array> = fc.uint8Array({ maxLength: 200 });

/** One of `words`, whole, with something before, behind, or in its middle, or with something left out. */
export function nearly(...words: string[]): fc.Arbitrary<string> {
  return fc.tuple(fc.constantFrom(...words), fc.nat(200), fc.nat(3), anyText).map(
    ([word, at, left, text]) => word.slice(0, at) + text + word.slice(at + left),
  );
}

const nameUnit = fc.oneof(
  fc.constantFrom(..."ab.|= %é\u0080\u2028\ue000\uffff😀"),
  character.filter((unit) => unit > "\u001f" && !["\u007f", "\\", "/"].includes(unit)),
);
const namePart = fc.string({ unit: nameUnit, minLength: 1, maxLength: 12 })
  .filter((part) => part !== "." && part !== "..");

/** Names as the protocol allows them; short ones, and some near the limit of their length. */
export const validName: fc.Arbitrary<string> = fc.tuple(
  fc.array(namePart, { minLength: 1, maxLength: 4 }),
  fc.option(fc.integer({ min: 1000, max: 1024 }), { freq: 10, nil: 0 }),
).map(([parts, bytes]) => {
  const name = parts.join("/");
  return name + "x".repeat(Math.max(0, bytes - new TextEncoder().encode(name).length));
});

/** What a size, an offset or a length can be, often at the edge. */
export const anySize: fc.Arbitrary<number> = fc.oneof(
  fc.maxSafeNat(),
  fc.nat(5000),
  fc.constantFrom(0, 1, 2 ** 31, 2 ** 32, 2 ** 53 - 2, 2 ** 53 - 1),
);
