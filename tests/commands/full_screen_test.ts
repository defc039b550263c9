import { assertEquals, assertLess } from "@std/assert";
import { FullScreen } from "../../commands/screen.ts";
import { TerminalScreen } from "../support/terminal_screen.ts";
import { fakeOutput } from "./fake_environment.ts";

function screenOn(columns = 20, rows = 4) {
  const terminal = new TerminalScreen({ columns, rows });
  terminal.write("$ watch\r\n");
  const output = {
    ...fakeOutput({ terminal: true }),
    write: (text: string) => terminal.write(text),
  };
  return { terminal, screen: new FullScreen(output) };
}

Deno.test("FullScreen shows frames, and restores the terminal once", () => {
  const { terminal, screen } = screenOn();
  screen.paint({ lines: ["one", "two", "three"], picked: 1 });
  assertEquals([terminal.lines, terminal.inverse], [["one", "two", "three"], ["two"]]);
  assertEquals([terminal.alternate, terminal.cursorShown], [true, false]);
  screen[Symbol.dispose]();
  const { length } = terminal.text;
  screen[Symbol.dispose]();
  screen.paint({ lines: ["late"], picked: undefined });
  screen.forget();
  assertEquals(terminal.text.length, length);
  assertEquals([terminal.lines, terminal.cursorShown, terminal.wraps], [["$ watch"], true, true]);
});

Deno.test("FullScreen writes only the lines that changed", () => {
  const { terminal, screen } = screenOn();
  screen.paint({ lines: ["one", "two", "three"], picked: undefined });
  const before = terminal.text.length;
  screen.paint({ lines: ["one", "2", "three"], picked: undefined });
  const written = terminal.text.slice(before);
  assertEquals([/one|three/.test(written), terminal.lines], [false, ["one", "2", "three"]]);
  const after = terminal.text.length;
  screen.paint({ lines: ["one", "2", "three"], picked: undefined });
  assertEquals(terminal.text.length, after);
  assertLess(written.length, 50);
});

Deno.test("FullScreen clears what is left of a longer frame and of wide characters", () => {
  const { terminal, screen } = screenOn();
  screen.paint({ lines: ["👍🏽日本語 and more", "two", "three"], picked: 0 });
  screen.paint({ lines: ["☃\ufe0f 1"], picked: 0 });
  assertEquals(terminal.lines, ["☃\ufe0f  1"]);
});

Deno.test("FullScreen repaints everything after forget()", () => {
  const { terminal, screen } = screenOn();
  screen.paint({ lines: ["one", "two"], picked: undefined });
  terminal.write("\x1b[2J");
  screen.forget();
  screen.paint({ lines: ["one", "two"], picked: undefined });
  assertEquals(terminal.lines, ["one", "two"]);
  screen[Symbol.dispose]();
  // The position before the first frame, not that of the repaint.
  terminal.write("end");
  assertEquals(terminal.lines, ["$ watch", "end"]);
});
