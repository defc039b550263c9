import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  authResponse,
  encodeGreeting,
  type Greeting,
  isValidAuthResponse,
  parseGreeting,
} from "../../core/protocol/greeting.ts";
import { anyText, nearly, property } from "../base/property.ts";
import { word } from "./support.ts";

const TOKEN = "correct horse";
const RESPONSE = "a3adbd58b0d2bc0c14558c16ac2db914e0a069130238a6f67a4d395220429cd5";
const NONCE = "000102030405060708090a0b0c0d0e0f";
const LINE = `HELLO 2 agent=p2p/1 nonce=${NONCE} auth=none max-length=1048576 max-inflight=16`;
const GREETING: Greeting = {
  agent: "p2p/1",
  nonce: NONCE,
  auth: "none",
  maxLength: 1_048_576,
  maxInflight: 16,
  features: [],
};

Deno.test("parseGreeting() and encodeGreeting() agree", () => {
  assertEquals(encodeGreeting(GREETING), `${LINE}\n`);
  assertEquals(parseGreeting(LINE), GREETING);
});

const variants: { name: string; line: string; want: Greeting }[] = [
  {
    name: "a token is required",
    line: LINE.replace("none", "token"),
    want: { ...GREETING, auth: "token" },
  },
  { name: "unknown pairs are there", line: `${LINE} zip=yes colour=`, want: GREETING },
  { name: "unknown pairs come first", line: LINE.replace("agent", "x=y agent"), want: GREETING },
  { name: "a word is no pair", line: `${LINE} hurrah =x`, want: GREETING },
  {
    name: "features are listed",
    line: `${LINE} features=read,,swarm`,
    want: { ...GREETING, features: ["read", "swarm"] },
  },
  { name: "a key comes twice", line: `${LINE} auth=token max-length=1`, want: GREETING },
  { name: "the pairs are in another order", line: reversed(LINE), want: GREETING },
  {
    name: "spaces are doubled",
    line: `${LINE.replaceAll(" ", "  ").replace("  2", " 2")} `,
    want: GREETING,
  },
  {
    name: "there is no agent",
    line: LINE.replace("agent=p2p/1 ", ""),
    want: { ...GREETING, agent: "" },
  },
  {
    name: "the agent holds =",
    line: LINE.replace("p2p/1", "a=b"),
    want: { ...GREETING, agent: "a=b" },
  },
  {
    name: "the limits are 1",
    line: LINE.replace("1048576", "1").replace("16", "1"),
    want: { ...GREETING, maxLength: 1, maxInflight: 1 },
  },
  {
    name: "the nonce has capitals",
    line: LINE.replace(NONCE, NONCE.toUpperCase()),
    want: { ...GREETING, nonce: NONCE.toUpperCase() },
  },
];
for (const { name, line, want } of variants) {
  Deno.test(`parseGreeting() parses the line when ${name}`, () => {
    assertEquals(parseGreeting(line), want);
  });
}

const others = [
  { name: "nothing", line: "" },
  { name: "only the verb", line: "HELLO 2" },
  { name: "no pairs", line: "HELLO 2 " },
  { name: "another version", line: LINE.replace("HELLO 2", "HELLO 3") },
  { name: "a longer version", line: LINE.replace("HELLO 2", "HELLO 22") },
  { name: "small letters", line: LINE.replace("HELLO", "hello") },
  { name: "a space before", line: ` ${LINE}` },
  { name: "an old seed's error", line: "ERROR:INVALID Unknown command" },
  { name: "a reply", line: "ERROR:BUSY retry-after-ms=500" },
  { name: "no nonce", line: LINE.replace(/ nonce=\w+/, "") },
  { name: "an empty nonce", line: LINE.replace(NONCE, "") },
  { name: "a short nonce", line: LINE.replace(NONCE, NONCE.slice(1)) },
  { name: "a long nonce", line: LINE.replace(NONCE, `${NONCE}0`) },
  { name: "a nonce that is not hex", line: LINE.replace(NONCE, `g${NONCE.slice(1)}`) },
  { name: "no auth", line: LINE.replace(" auth=none", "") },
  { name: "an unknown auth", line: LINE.replace("none", "kerberos") },
  { name: "auth in capitals", line: LINE.replace("none", "NONE") },
  { name: "no max-length", line: LINE.replace(/ max-length=\d+/, "") },
  { name: "max-length 0", line: LINE.replace("1048576", "0") },
  { name: "max-length with a zero before", line: LINE.replace("1048576", "01048576") },
  { name: "a negative max-length", line: LINE.replace("1048576", "-1") },
  { name: "max-length beyond 2^53", line: LINE.replace("1048576", "9007199254740992") },
  { name: "no max-inflight", line: LINE.replace(/ max-inflight=\d+/, "") },
  { name: "max-inflight 0", line: LINE.replace("=16", "=0") },
  { name: "max-inflight that is no number", line: LINE.replace("=16", "=many") },
];
for (const { name, line } of others) {
  Deno.test(`parseGreeting() rejects a line with ${name}`, () => {
    assertEquals(parseGreeting(line), undefined);
  });
}

const greeting: fc.Arbitrary<Greeting> = fc.record({
  agent: word,
  nonce: fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => bytes.toHex()),
  auth: fc.constantFrom("none", "token"),
  maxLength: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  maxInflight: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  features: fc.array(fc.constantFrom("read", "swarm", "x-1"), { maxLength: 3 }),
});
property("parseGreeting() parses what encodeGreeting() made", greeting, (greeting) => {
  const line = encodeGreeting(greeting);
  assert(line.endsWith("\n"));
  assertEquals(parseGreeting(line.slice(0, -1)), greeting);
});

property(
  "parseGreeting() never throws, and returns valid values",
  fc.oneof(anyText, nearly(LINE)),
  (line) => {
    const greeting = parseGreeting(line);
    if (greeting === undefined) return;
    assert(Number.isSafeInteger(greeting.maxLength) && greeting.maxLength > 0);
    assert(Number.isSafeInteger(greeting.maxInflight) && greeting.maxInflight > 0);
    assertEquals(greeting.nonce.length, 32);
    assert(!greeting.agent.includes(" "));
  },
);

Deno.test("authResponse() is the protocol's vector", () => {
  assertEquals(authResponse(NONCE, TOKEN), RESPONSE);
});

const responses = [
  { name: "the valid one", response: RESPONSE, want: true },
  { name: "the valid one in capitals", response: RESPONSE.toUpperCase(), want: true },
  { name: "nothing", response: "", want: false },
  { name: "another last digit", response: RESPONSE.slice(0, -1) + "4", want: false },
  { name: "another first digit", response: "b" + RESPONSE.slice(1), want: false },
  { name: "a digit less", response: RESPONSE.slice(0, -1), want: false },
  { name: "a byte more", response: RESPONSE + "00", want: false },
  { name: "a space before", response: " " + RESPONSE, want: false },
  { name: "a line end at the end", response: RESPONSE + "\n", want: false },
  { name: "no hex digit", response: "g" + RESPONSE.slice(1), want: false },
  { name: "the token itself", response: TOKEN, want: false },
  {
    name: "the response to another nonce",
    response: authResponse("f".repeat(32), TOKEN),
    want: false,
  },
  {
    name: "the response for another token",
    response: authResponse(NONCE, "wrong horse"),
    want: false,
  },
];
for (const { name, response, want } of responses) {
  Deno.test(`isValidAuthResponse() is ${want} when given ${name}`, () => {
    assertEquals(isValidAuthResponse(response, NONCE, TOKEN), want);
  });
}

property(
  "isValidAuthResponse() accepts the response of any token",
  fc.tuple(anyText, fc.uint8Array({ minLength: 16, maxLength: 16 })),
  ([token, nonce]) => {
    assert(isValidAuthResponse(authResponse(nonce.toHex(), token), nonce.toHex(), token));
  },
);

property(
  "isValidAuthResponse() accepts nothing else",
  fc.oneof(anyText, nearly(RESPONSE)),
  (response) => {
    assertEquals(isValidAuthResponse(response, NONCE, TOKEN), response.toLowerCase() === RESPONSE);
  },
);

function reversed(line: string): string {
  const [hello, version, ...pairs] = line.split(" ");
  return [hello, version, ...pairs.reverse()].join(" ");
}
