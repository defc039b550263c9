/** What the tests of the documents read from a page. */
import { assertEquals, assertThrows } from "@std/assert";
import { anchorsOf, codeOf, linksOf, readPage, shellCommands } from "./pages.ts";

const PAGE = `# A page, \`get\` & more

A [link](other.md#part "title"), an ![image](<a.png>), and \`[no](link.md)\`.
[reference]: https://host.example/x

## More

\`\`\`sh
p2p get x   # [no](link.md)
p2p get \\
  y
# More
\`\`\`

## More
`;

Deno.test("linksOf() finds links, images and references, and none in code", () => {
  assertEquals(linksOf(PAGE), ["other.md#part", "a.png", "https://host.example/x"]);
});

Deno.test("anchorsOf() makes an anchor of each heading, with a number for the second of a name", () => {
  assertEquals([...anchorsOf(PAGE)], ["a-page-get--more", "more", "more-1"]);
});

Deno.test("shellCommands() joins lines, and reads only the blocks of these languages", () => {
  assertEquals(shellCommands(PAGE, "sh"), ["p2p get x   # [no](link.md)", "p2p get   y", "# More"]);
  assertEquals(shellCommands(PAGE, "powershell"), []);
});

Deno.test("codeOf() gives what is between backquotes, outside of blocks", () => {
  assertEquals(codeOf(PAGE), ["get", "[no](link.md)"]);
});

Deno.test("readPage() throws when a block of code has no end", () => {
  assertThrows(() => readPage("```sh\np2p get x\n"), Error, "has no end: p2p get x");
});
