import { assert, assertEquals } from "@std/assert";
import { errorFromReply } from "../../core/source/errors.ts";
import { ERROR_REPLY_CODES, ErrorReply } from "../../core/protocol/error_replies.ts";
import { test } from "../support/test.ts";

for (const code of ERROR_REPLY_CODES) {
  test(`errorFromReply() describes ${code} in plain terms, without control characters`, () => {
    const { message } = errorFromReply("nas:7270", new ErrorReply(code, "50 \x1b[31mred"));
    assert(message.includes("nas:7270"), message);
    assert(!message.includes(code) && !message.includes("\x1b"), message);
  });
}

test("errorFromReply() includes the text of an internal error, if any", () => {
  const message = (text: string) => errorFromReply("nas", new ErrorReply("INTERNAL", text)).message;
  assertEquals(message("disk"), "nas had an internal error: disk");
  assertEquals(message(""), "nas had an internal error");
});
