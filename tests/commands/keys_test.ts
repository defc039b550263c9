import { assertEquals } from "@std/assert";
import { type Key, keysOfRest, parseKeys } from "../../commands/ui/watch/key_parser.ts";

function named(keys: readonly Key[]): string[] {
  return keys.map((key) => key.kind === "character" ? key.character : key.kind);
}

const cases: [string, string, string[]][] = [
  ["a letter", "q", ["q"]],
  ["several", "pr", ["p", "r"]],
  ["an arrow", "\x1b[A", ["up"]],
  ["an arrow of a terminal in application mode", "\x1bOB", ["down"]],
  ["an arrow with Control held", "\x1b[1;5C", ["right"]],
  ["paging", "\x1b[5~\x1b[6~", ["page-up", "page-down"]],
  ["Home and End in three dialects", "\x1b[H\x1b[1~\x1bOH\x1b[F\x1b[4~\x1b[8~", [
    "home",
    "home",
    "home",
    "end",
    "end",
    "end",
  ]],
  ["Return", "\r", ["enter"]],
  ["Ctrl-C", "\x03", ["interrupt"]],
  ["Escape before a letter", "\x1bq", ["escape", "q"]],
  ["Escape twice", "\x1b\x1b[A", ["escape", "up"]],
  ["a wide character", "語", ["語"]],
  ["a function key, which means nothing", "\x1b[15~x", ["x"]],
  ["a report of focus, which means nothing", "\x1b[Ix", ["x"]],
  ["a mouse report, which means nothing", "\x1b[<0;10;20Mx", ["x"]],
  ["other controls, which mean nothing", "\x00\x01\x1a", []],
  ["nothing", "", []],
];

for (const [name, text, want] of cases) {
  Deno.test(`parseKeys() reads ${name}`, () => {
    assertEquals(named(parseKeys(text).keys), want);
    assertEquals(parseKeys(text).rest, "");
  });

  Deno.test(`parseKeys() reads ${name} wherever the bytes are split`, () => {
    for (let cut = 1; cut < text.length; cut++) {
      const first = parseKeys(text.slice(0, cut));
      const second = parseKeys(first.rest + text.slice(cut));
      const all = [...first.keys, ...second.keys];
      // The decoder never splits a character.
      if (/[\ud800-\udbff]/.test(text[cut - 1]!)) continue;
      assertEquals(named(all), want, `cut at ${cut}`);
    }
  });
}

Deno.test("keysOfRest() is Escape for a single ESC, and nothing for half a sequence", () => {
  assertEquals(named(keysOfRest(parseKeys("\x1b").rest)), ["escape"]);
  assertEquals(named(keysOfRest(parseKeys("\x1b[1;").rest)), []);
});

Deno.test("parseKeys() does not keep a sequence that never ends", () => {
  const { rest } = parseKeys("\x1b[" + "1;".repeat(1000));
  assertEquals(rest, "");
});
