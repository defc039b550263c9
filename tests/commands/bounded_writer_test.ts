import { assertEquals } from "@std/assert";
import { BoundedWriter } from "../../commands/bounded_writer.ts";
import { type FakeOutput, fakeOutput } from "./fake_environment.ts";

/** A reader that takes written text only when `read` is called. */
function slowOutput(): FakeOutput & { read(): void } {
  let taken: (() => void) | undefined;
  return {
    ...fakeOutput(),
    writeSoon(text) {
      return new Promise((resolve) => {
        taken = () => {
          this.text += text;
          resolve();
        };
      });
    },
    read: () => taken?.(),
  };
}

Deno.test("BoundedWriter writes its lines in order", async () => {
  const output = fakeOutput();
  {
    await using writer = new BoundedWriter(output);
    for (const line of ["a", "b", "c"]) writer.put(line);
  }
  assertEquals(output.text, "a\nb\nc\n");
});

Deno.test("BoundedWriter keeps 1000 lines for a reader that does not read, and reports how many it lost", async () => {
  const output = slowOutput();
  {
    await using writer = new BoundedWriter(output);
    writer.put("first");
    for (let i = 0; i < 5000; i++) writer.put(String(i));
    output.read();
    await Promise.resolve();
    await Promise.resolve();
    output.read();
  }
  const lines = output.text.split("\n").slice(0, -1);
  assertEquals(lines.slice(0, 3), ["first", "0", "1"]);
  assertEquals(lines.length, 1002);
  assertEquals(JSON.parse(lines.at(-1)!), { event: "lost", lines: 4000 });
});

Deno.test("BoundedWriter ends although nothing reads", async () => {
  const output = slowOutput();
  {
    await using writer = new BoundedWriter(output);
    writer.put("a");
  }
  assertEquals(output.text, "");
});
