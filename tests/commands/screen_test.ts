import { assertEquals } from "@std/assert";
import { Screen } from "../../commands/screen.ts";
import { TerminalScreen } from "../support/terminal_screen.ts";
import { fakeOutput } from "./fake_environment.ts";

function screenOn(columns = 80) {
  const terminal = new TerminalScreen({ columns, rows: 24 });
  const output = {
    ...fakeOutput({ terminal: true }),
    columns,
    writes: 0,
    write(text: string) {
      this.writes++;
      terminal.write(text.replaceAll("\n", "\r\n"));
    },
    size() {
      return { columns: this.columns, rows: 24 };
    },
  };
  return { terminal, output, screen: new Screen(output) };
}

Deno.test("Screen paints each block over the last one", () => {
  const { terminal, screen } = screenOn();
  terminal.write("$ p2p get\r\n");
  screen.paint([], ["a 10%", "b 20%", "total"]);
  screen.paint([], ["b 3%", "total of one"]);
  assertEquals(terminal.lines, ["$ p2p get", "b 3%", "total of one"]);
});

Deno.test("Screen keeps what is written above the block", () => {
  const { terminal, screen } = screenOn();
  screen.paint([], ["a 10%", "total"]);
  screen.paint(["a done"], ["b 20%", "total"]);
  screen.paint(["b failed", "hint: x"], ["total"]);
  screen.clear();
  terminal.write("p2p: end\r\n");
  assertEquals(terminal.lines, ["a done", "b failed", "hint: x", "p2p: end"]);
});

Deno.test("Screen clears the block behind a line that wraps", () => {
  const { terminal, screen } = screenOn(20);
  screen.paint([], ["x".repeat(19), "y".repeat(19), "z".repeat(19)]);
  screen.paint(["a line of 日本 that is wider than it all"], ["total"]);
  assertEquals(terminal.lines, ["a line of 日本 that", "is wider than it all", "total"]);
});

Deno.test("Screen writes nothing when nothing changed", () => {
  const { output, screen } = screenOn();
  screen.paint([], ["a", "total"]);
  screen.paint([], ["a", "total"]);
  assertEquals(output.writes, 1);
});

Deno.test("Screen removes the whole block after the terminal became narrower", () => {
  const { terminal, output, screen } = screenOn();
  terminal.write("$ p2p get\r\n");
  screen.paint([], ["x".repeat(30), "y".repeat(10)]);
  output.columns = 10;
  terminal.resize({ columns: 10, rows: 24 });
  assertEquals(terminal.lines.length, 5);
  screen.paint([], ["z"]);
  assertEquals(terminal.lines, ["$ p2p get", "z"]);
});

Deno.test("Screen aligns columns on a terminal that counts widths differently", () => {
  const { terminal, screen } = screenOn();
  // Two columns for us and four for a terminal that counts code points; then two and one.
  screen.paint([], ["👍🏽 10%", "☃\ufe0f 20%", "日 30%", "ab 40%"]);
  for (const line of terminal.lines) assertEquals(line.match(/ (\d+%)$/)?.index, line.length - 4);
  screen.paint([], ["ab 10%", "xy 20%", "日 30%", "👍🏽 40%"]);
  assertEquals(terminal.lines.slice(0, 3), ["ab 10%", "xy 20%", "日 30%"]);
});
