import { assertEquals, assertThrows } from "@std/assert";
import { namesIn, readNameFile, sumLine, sumsIn } from "../../commands/name_files.ts";
import { CommandError } from "../../commands/ui/hints.ts";
import { FakeInput } from "./fake_environment.ts";

const [ONE, TWO] = ["1".repeat(64), "2a".repeat(32)];

Deno.test("namesIn() reads names, globs and links, and leaves out comments, empty lines and repeats", () => {
  const text = "\ufeff# mine\r\na.iso\r\n\r\nphotos/*.jpg\n  \nhttps://example.org/b#sha256=" +
    ONE +
    "\n#a\na.iso\n-dash";
  assertEquals(namesIn(text, "list"), [
    "a.iso",
    "photos/*.jpg",
    `https://example.org/b#sha256=${ONE}`,
    "-dash",
  ]);
});

Deno.test("namesIn() names the line that is not valid, and its file", () => {
  for (const bad of ["../up", "/etc/passwd", "a\x1b[31mb", "a//b", "x".repeat(5000)]) {
    const error = assertThrows(() => namesIn(`# one\n\n${bad}\n`, "li\x1bst"), CommandError);
    assertEquals(
      error.message.startsWith('Cannot use line 3 of "li\\x1bst": '),
      true,
      error.message,
    );
    assertEquals(error.message.includes("\x1b"), false, error.message);
  }
  assertThrows(() => namesIn("a\0b", "list"), Error, 'Cannot use "list": it is no text');
});

Deno.test("sumsIn() reads what sha256sum writes, in text and binary mode, escaped and tagged", () => {
  const text = `# made today\n${ONE}  a b.iso\n${TWO.toUpperCase()} *./sub/b.iso\n` +
    `SHA256 (c (1).iso) = ${ONE}\n${ONE}  a b.iso\n`;
  assertEquals(Array.from(sumsIn(text, "SUMS")), [
    ["a b.iso", ONE],
    ["sub/b.iso", TWO],
    ["c (1).iso", ONE],
  ]);
});

Deno.test("sumsIn() names lines that are no digest, lead out of the folder, or contradict another one", () => {
  for (
    const [bad, reason] of [
      ["hello", "it must be a SHA-256 and a name"],
      [`${ONE.slice(1)}  a`, "it must be a SHA-256 and a name"],
      [`${ONE}  ../a`, '"../a" as name'],
      [`${TWO}  first`, '"first" has another digest in a line before'],
    ] as const
  ) {
    const message = `Cannot use line 2 of "SUMS": ${reason}`;
    assertThrows(() => sumsIn(`${ONE}  first\n${bad}`, "SUMS"), CommandError, message);
  }
  assertThrows(() => sumsIn("# none\n", "SUMS"), Error, "it has no digests");
});

Deno.test("sumLine() is read by sumsIn(), and escapes as sha256sum does", () => {
  assertEquals(sumLine("a b", ONE), `${ONE}  a b`);
  assertEquals(sumLine("a\\b", ONE), `\\${ONE}  a\\\\b`);
  assertEquals(sumsIn(sumLine("x/y z", TWO), "SUMS"), new Map([["x/y z", TWO]]));
});

Deno.test("readNameFile() reads standard input for -, and names a file that it cannot read", async () => {
  const stdin = new FakeInput();
  const stop = new AbortController();
  stdin.type("a\n");
  stdin.type("b\n");
  const read = readNameFile({ stdin }, "-", stop.signal);
  queueMicrotask(() => setTimeout(() => stop.abort(), 0));
  assertEquals(await read, "a\nb\n");
  await readNameFile({ stdin }, "/nowhere/list", stop.signal).then(
    () => assertEquals(true, false),
    ({ message }) =>
      assertEquals(message.startsWith('Cannot read "/nowhere/list": '), true, message),
  );
});
