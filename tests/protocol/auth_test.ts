import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { authResponse, isValidAuthResponse } from "../../core/protocol/auth.ts";
import { anyText, nearly, property } from "../base/property.ts";

const TOKEN = "correct horse";
const NONCE = "000102030405060708090a0b0c0d0e0f";
const ANSWER = "a3adbd58b0d2bc0c14558c16ac2db914e0a069130238a6f67a4d395220429cd5";

Deno.test("answerTo() is the protocol's vector", () => {
  assertEquals(authResponse(NONCE, TOKEN), ANSWER);
});

const answers = [
  { name: "the right one", answer: ANSWER, want: true },
  { name: "the right one in capitals", answer: ANSWER.toUpperCase(), want: true },
  { name: "nothing", answer: "", want: false },
  { name: "another last digit", answer: ANSWER.slice(0, -1) + "4", want: false },
  { name: "another first digit", answer: "b" + ANSWER.slice(1), want: false },
  { name: "a digit less", answer: ANSWER.slice(0, -1), want: false },
  { name: "a byte more", answer: ANSWER + "00", want: false },
  { name: "a space before", answer: " " + ANSWER, want: false },
  { name: "a line end behind", answer: ANSWER + "\n", want: false },
  { name: "no hex digit", answer: "g" + ANSWER.slice(1), want: false },
  { name: "the token itself", answer: TOKEN, want: false },
  { name: "the answer to another nonce", answer: authResponse("f".repeat(32), TOKEN), want: false },
  { name: "the answer of another token", answer: authResponse(NONCE, "wrong horse"), want: false },
];
for (const { name, answer, want } of answers) {
  Deno.test(`isRightAnswer() is ${want} when given ${name}`, () => {
    assertEquals(isValidAuthResponse(answer, NONCE, TOKEN), want);
  });
}

property(
  "isRightAnswer() accepts what answerTo() made, of any token",
  fc.tuple(anyText, fc.uint8Array({ minLength: 16, maxLength: 16 })),
  ([token, nonce]) => {
    assert(isValidAuthResponse(authResponse(nonce.toHex(), token), nonce.toHex(), token));
  },
);

property("isRightAnswer() accepts nothing else", fc.oneof(anyText, nearly(ANSWER)), (answer) => {
  assertEquals(isValidAuthResponse(answer, NONCE, TOKEN), answer.toLowerCase() === ANSWER);
});
