import { assertEquals } from "@std/assert";
import { Screen } from "../../commands/screen.ts";
import { fakeOutput } from "./stand_in.ts";
import { TinyTerminal } from "./tiny_terminal.ts";

function screenOn(columns = 80) {
  const terminal = new TinyTerminal();
  const output = {
    ...fakeOutput({ terminal: true }),
    columns,
    writes: 0,
    write(text: string) {
      this.writes++;
      terminal.write(text);
    },
    size() {
      return { columns: this.columns, rows: 24 };
    },
  };
  return { terminal, output, screen: new Screen(output) };
}

Deno.test("Screen paints each block over the last one", () => {
  const { terminal, screen } = screenOn();
  terminal.write("$ p2p get\n");
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
  terminal.write("p2p: end\n");
  assertEquals(terminal.lines, ["a done", "b failed", "hint: x", "p2p: end"]);
});

Deno.test("Screen writes nothing when nothing changed", () => {
  const { output, screen } = screenOn();
  screen.paint([], ["a", "total"]);
  screen.paint([], ["a", "total"]);
  assertEquals(output.writes, 1);
});

Deno.test("Screen takes the whole block away when the terminal became narrower", () => {
  const { terminal, output, screen } = screenOn();
  terminal.write("$ p2p get\n");
  screen.paint([], ["x".repeat(30), "y".repeat(10)]);
  // The terminal wraps the first line over three rows of ten columns.
  const wrapped = new TinyTerminal();
  wrapped.write(
    "$ p2p get\n" + "x".repeat(10) + "\n" + "x".repeat(10) + "\n" + "x".repeat(10) + "\n" +
      "y".repeat(10) + "\n",
  );
  output.columns = 10;
  output.write = (text) => wrapped.write(text);
  screen.paint([], ["z"]);
  assertEquals(wrapped.lines, ["$ p2p get", "z"]);
});
