import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { bashWord, parseBashLine } from "../../commands/shell_words.ts";

const lines = [
  { line: "p2p ", words: [], current: "" },
  { line: "p2p get", words: [], current: "get" },
  { line: "p2p get a b", words: ["get", "a"], current: "b" },
  { line: "p2p get  a\t", words: ["get", "a"], current: "" },
  { line: "p2p get my\\ film", words: ["get"], current: "my film" },
  { line: "p2p get 'my film", words: ["get"], current: "my film", quote: "'" },
  { line: "p2p get 'my film' x", words: ["get", "my film"], current: "x" },
  { line: 'p2p get "a\\"b\\c', words: ["get"], current: 'a"b\\c', quote: '"' },
  { line: "p2p get '' x", words: ["get", ""], current: "x" },
  { line: "p2p get a:b", words: ["get"], current: "a:b", kept: "a:" },
  { line: "p2p get a\\:b", words: ["get"], current: "a:b" },
  { line: "p2p get --max=3", words: ["get"], current: "--max=3", kept: "--max=" },
  { line: "cd x; sudo | p2p get a", words: ["get"], current: "a" },
  { line: "p2p get a\\", words: ["get"], current: "a" },
  { line: "", words: [], current: "" },
];
for (const { line, quote = "", kept = "", ...rest } of lines) {
  Deno.test(`parseBashLine() of: ${line}`, () => {
    assertEquals(parseBashLine(line), { quote, kept, ...rest } as ReturnType<typeof parseBashLine>);
  });
}

const openings = ["p2p get ", "p2p get --seed=", "p2p get '", 'p2p get "'];
for (const opening of openings) {
  Deno.test(`bashWord() is parsed as the same name after: ${opening}`, () => {
    // Offered names have no control characters.
    const names = fc.string({ unit: "grapheme", minLength: 1 })
      // deno-lint-ignore no-control-regex -- what it leaves out
      .filter((name) => !/[\u0000-\u001f\u007f]/.test(name));
    fc.assert(fc.property(names, (name) => {
      const begun = parseBashLine(opening);
      const { current } = parseBashLine(opening + bashWord(begun.kept + name, begun));
      assertEquals(current, begun.kept + name);
    }));
  });
}
