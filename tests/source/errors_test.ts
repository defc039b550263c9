import { assert, assertEquals } from "@std/assert";
import { errorFromReply } from "../../core/source/errors.ts";
import { ERROR_REPLY_CODES, ErrorReply } from "../../core/protocol/error_replies.ts";
import { test } from "../support/test.ts";

for (const code of ERROR_REPLY_CODES) {
  test(`errorFromReply() says in plain words that a seed answered ${code}`, () => {
    const { message } = errorFromReply("nas:7270", new ErrorReply(code, "50 \x1b[31mred"));
    assert(message.includes("nas:7270"), message);
    assert(!message.includes(code) && !message.includes("\x1b"), message);
  });
}

test("errorFromReply() says what a seed's internal error was, where it does", () => {
  const message = (text: string) => errorFromReply("nas", new ErrorReply("INTERNAL", text)).message;
  assertEquals(message("disk"), "nas had an internal error: disk");
  assertEquals(message(""), "nas had an internal error");
});
