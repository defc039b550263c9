/** The fake terminal is held to what real ones do. */
import { assertEquals, assertThrows } from "@std/assert";
import { TerminalScreen } from "./terminal_screen.ts";

function shown(text: string, { columns = 10, rows = 4 } = {}): TerminalScreen {
  const screen = new TerminalScreen({ columns, rows });
  screen.write(text);
  return screen;
}

const foreign = [
  ["a colour", "\x1b[31mred"],
  ["a window title", "\x1b]0;title\x07"],
  ["a bell", "\x07"],
  ["a tab", "a\tb"],
  ["a C1 control", "a\x9bb"],
  ["a scroll region", "\x1b[1;5r"],
  ["a mouse mode", "\x1b[?1000h"],
  ["a saved cursor", "\x1b7"],
] as const;
for (const [name, text] of foreign) {
  Deno.test(`TerminalScreen throws at ${name}`, () => void assertThrows(() => shown(text)));
}

Deno.test("TerminalScreen wraps, scrolls, and keeps what scrolled off", () => {
  const screen = shown("0123456789abc\r\nsecond\r\nthird\r\nfourth\r\n");
  assertEquals(screen.scrolled, ["0123456789", "abc"]);
  assertEquals(screen.lines, ["second", "third", "fourth"]);
});

Deno.test("TerminalScreen moves up, clears to the right and below", () => {
  assertEquals(shown("one\r\ntwo\r\nthree\r\n\x1b[2A\rT\x1b[0K\r\n\x1b[0J").lines, ["one", "T"]);
});

Deno.test("TerminalScreen reads a sequence that comes in two parts", () => {
  const screen = shown("one\r\n\x1b[");
  screen.write("1Atwo");
  assertEquals(screen.lines, ["two"]);
});

Deno.test("TerminalScreen gives wide characters two columns and marks none", () => {
  assertEquals(shown("日本語e\u0301\x1b[7Gx").lines, ["日本語x"]);
  assertEquals(shown("日本語日本語", { columns: 5 }).lines, ["日本", "語日", "本語"]);
});

Deno.test("TerminalScreen brings the main screen back, with its cursor", () => {
  const screen = shown("$ watch\r\n\x1b[?1049h\x1b[?25l\x1b[2J\x1b[2;3Hx");
  assertEquals([screen.lines, screen.cursorShown], [["", "  x"], false]);
  screen.write("\x1b[?25h\x1b[?1049l$ ");
  assertEquals([screen.lines, screen.cursorShown, screen.alternate], [
    ["$ watch", "$"],
    true,
    false,
  ]);
});

Deno.test("TerminalScreen wraps what is there when it becomes narrower", () => {
  const screen = shown("012345\r\nab\r\n");
  screen.resize({ columns: 4, rows: 5 });
  screen.write("end");
  assertEquals(screen.lines, ["0123", "45", "ab", "end"]);
});
