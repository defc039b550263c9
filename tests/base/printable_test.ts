import { assertEquals, assertFalse } from "@std/assert";
import { printable } from "../../core/base/text.ts";
import { anyText, property } from "./property.ts";

const cases = [
  { name: "plain text", text: "a|b (1).txt", want: "a|b (1).txt" },
  { name: "letters of other scripts", text: "äß 日本語 עברית 😀", want: "äß 日本語 עברית 😀" },
  { name: "nothing", text: "", want: "" },
  { name: "a colour", text: "\u001b[31mred", want: "\\x1b[31mred" },
  { name: "a title", text: "\u001b]0;x\u0007", want: "\\x1b]0;x\\x07" },
  { name: "line ends", text: "a\r\nb", want: "a\\x0d\\x0ab" },
  { name: "a tab and a zero", text: "\t\0", want: "\\x09\\x00" },
  { name: "a backspace", text: "a\bb", want: "a\\x08b" },
  { name: "DEL", text: "\u007f", want: "\\x7f" },
  { name: "the one-byte CSI", text: "\u009b2J", want: "\\x9b2J" },
  { name: "both ends of C1", text: "\u0080\u009f\u00a0", want: "\\x80\\x9f\u00a0" },
  { name: "a right-to-left override", text: "a\u202egpj.exe", want: "a\\u202egpj.exe" },
  { name: "isolates", text: "\u2066a\u2069", want: "\\u2066a\\u2069" },
  { name: "the Arabic letter mark", text: "\u061c", want: "\\u061c" },
  { name: "marks without a width", text: "\u200b\u200f\ufeff", want: "\\u200b\\u200f\\ufeff" },
  { name: "line and paragraph separators", text: "\u2028\u2029", want: "\\u2028\\u2029" },
  { name: "annotations", text: "\ufff9\ufffb", want: "\\ufff9\\ufffb" },
  { name: "a lone high surrogate", text: "a\ud83d", want: "a\ufffd" },
  { name: "a lone low surrogate", text: "\ude00b", want: "\ufffdb" },
];
for (const { name, text, want } of cases) {
  Deno.test(`printable() of ${name}`, () => assertEquals(printable(text), want));
}

property("printable() changes nothing the second time", anyText, (text) => {
  assertEquals(printable(printable(text)), printable(text));
});

property("printable() leaves nothing that moves a terminal", anyText, (text) => {
  assertFalse(/\p{Cc}|\p{Bidi_Control}|\p{Zl}|\p{Zp}|\p{Cs}/u.test(printable(text)));
});
