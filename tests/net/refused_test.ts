import { assert, assertEquals } from "@std/assert";
import { errorOfRefusal } from "../../core/net/refused.ts";
import { Refusal, REFUSAL_CODES } from "../../core/wire/refusals.ts";
import { test } from "./support.ts";

for (const code of REFUSAL_CODES) {
  test(`errorOfRefusal() says in plain words that a seed answered ${code}`, () => {
    const { message } = errorOfRefusal("nas:7270", new Refusal(code, "50 \x1b[31mred"));
    assert(message.includes("nas:7270"), message);
    assert(!message.includes(code) && !message.includes("\x1b"), message);
  });
}

test("errorOfRefusal() says what a seed's internal error was, where it does", () => {
  const message = (text: string) => errorOfRefusal("nas", new Refusal("INTERNAL", text)).message;
  assertEquals(message("disk"), "nas had an internal error: disk");
  assertEquals(message(""), "nas had an internal error");
});
