/** The fake terminal is compared with xterm.js, except where it throws on purpose. */
import { assertEquals, assertThrows } from "@std/assert";
import xterm from "@xterm/headless";
import { FullScreen, Screen } from "../../commands/screen.ts";
import { fakeOutput } from "../commands/fake_environment.ts";
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

type Operation = string | { readonly columns: number; readonly rows: number };

/** The lines that xterm.js shows or has scrolled off, without empty lines at the end. */
async function linesOfXterm(operations: readonly Operation[]): Promise<string[]> {
  const terminal = new xterm.Terminal({ cols: 20, rows: 6, allowProposedApi: true });
  for (const operation of operations) {
    if (typeof operation !== "string") terminal.resize(operation.columns, operation.rows);
    else await new Promise<void>((done) => terminal.write(operation, done));
  }
  const { active } = terminal.buffer;
  const lines = Array.from(
    { length: active.length },
    (_, i) => active.getLine(i)!.translateToString(true).trimEnd(),
  );
  terminal.dispose();
  return lines.slice(0, lines.findLastIndex((line) => line !== "") + 1);
}

/** Records what commands write to a terminal of 20 columns and 6 rows. */
function written(run: (output: ReturnType<typeof fakeOutput>) => void): string[] {
  const operations: string[] = [];
  const output = {
    ...fakeOutput({ terminal: true, columns: 20, rows: 6 }),
    // The pseudo-terminal of a real program turns a line feed into CR LF.
    write: (text: string) => void operations.push(text.replace(/\r?\n/g, "\r\n")),
  };
  run(output);
  return operations;
}

const LONG = "a line that is longer than twenty columns";
const sessions: readonly { readonly name: string; readonly operations: readonly Operation[] }[] = [
  {
    name: "lines that wrap and scroll",
    operations: [...Array(8).keys()].map((i) => `${i} ${LONG}\r\n`),
  },
  { name: "wide characters at the edge", operations: ["\u65e5\u672c\u8a9e".repeat(7), "\r\nx"] },
  { name: "combining marks", operations: ["e\u0301 e\u0301\r\n", "a\u0308"] },
  {
    name: "cursor movement and clearing",
    operations: ["one\r\ntwo\r\nthree\r\n\x1b[2A\rT\x1b[0K\r\n\x1b[0J"],
  },
  { name: "a wide character that is half overwritten", operations: ["\u65e5\u672c\x1b[2Gx"] },
  { name: "text beside disabled wrapping", operations: ["\x1b[?7l", LONG, "\x1b[?7h"] },
  {
    name: "a narrower window",
    operations: ["0123456789\r\nab\r\n", { columns: 6, rows: 6 }, "end"],
  },
  {
    name: "progress above lines that stay",
    operations: written((output) => {
      const screen = new Screen(output);
      screen.paint([], ["50 %", "60 %"]);
      screen.paint(["a note", LONG], ["70 %", "\u65e5\u672c"]);
      screen.paint(["done"], ["100 %"]);
      screen.clear();
    }),
  },
  {
    name: "frames of a full screen",
    operations: written((output) => {
      const screen = new FullScreen(output);
      screen.paint({ lines: ["one", "two", LONG.slice(0, 20)], picked: 1 });
      screen.paint({ lines: ["one", "2"], picked: 0 });
    }),
  },
];
for (const { name, operations } of sessions) {
  Deno.test(`TerminalScreen shows the same as xterm.js for ${name}`, async () => {
    const screen = new TerminalScreen({ columns: 20, rows: 6 });
    for (const operation of operations) {
      if (typeof operation === "string") screen.write(operation);
      else screen.resize(operation);
    }
    const lines = screen.alternate ? screen.lines : screen.story;
    assertEquals(lines, await linesOfXterm(operations));
  });
}
