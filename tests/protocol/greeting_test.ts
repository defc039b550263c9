import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  encodeGreeting,
  type Greeting,
  parseGreeting,
  parsePairs,
} from "../../core/protocol/greeting.ts";
import { anyText, nearly, property } from "../base/property.ts";
import { show, word } from "./support.ts";

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
    name: "a token is wanted",
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
  { name: "the order is another one", line: reversed(LINE), want: GREETING },
  {
    name: "spaces are doubled",
    line: `${LINE.replaceAll(" ", "  ").replace("  2", " 2")} `,
    want: GREETING,
  },
  {
    name: "nobody says who speaks",
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
  Deno.test(`parseGreeting() understands the line when ${name}`, () => {
    assertEquals(parseGreeting(line), want);
  });
}

const others = [
  { name: "nothing", line: "" },
  { name: "only the word", line: "HELLO 2" },
  { name: "no pairs", line: "HELLO 2 " },
  { name: "another version", line: LINE.replace("HELLO 2", "HELLO 3") },
  { name: "a longer version", line: LINE.replace("HELLO 2", "HELLO 22") },
  { name: "small letters", line: LINE.replace("HELLO", "hello") },
  { name: "a space before", line: ` ${LINE}` },
  { name: "an old seed's error", line: "ERROR:INVALID Unknown command" },
  { name: "a refusal", line: "ERROR:BUSY retry-after-ms=500" },
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
  Deno.test(`parseGreeting() takes no line with ${name}`, () => {
    assertEquals(parseGreeting(line), undefined);
  });
}

const pairs = [
  { text: "", want: {} },
  { text: " ", want: {} },
  { text: "a=b", want: { a: "b" } },
  { text: "a=b c=d", want: { a: "b", c: "d" } },
  { text: "a=b=c", want: { a: "b=c" } },
  { text: "a= b", want: { a: "" } },
  { text: "=b a", want: {} },
  { text: "a=1 a=2", want: { a: "1" } },
  { text: "A=1 a=2", want: { A: "1", a: "2" } },
  { text: "a=\tx", want: { a: "\tx" } },
];
for (const { text, want } of pairs) {
  Deno.test(`parsePairs() of ${show(text)}`, () => {
    assertEquals(parsePairs(text), new Map(Object.entries(want)));
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
property("parseGreeting() takes back what was encoded", greeting, (greeting) => {
  const line = encodeGreeting(greeting);
  assert(line.endsWith("\n"));
  assertEquals(parseGreeting(line.slice(0, -1)), greeting);
});

property(
  "parseGreeting() never throws, and gives sound values",
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

property("parsePairs() never throws, and knows every pair's first value", anyText, (text) => {
  for (const [key, value] of parsePairs(text)) {
    assert(key !== "" && ` ${text} `.includes(` ${key}=${value} `));
  }
});

function reversed(line: string): string {
  const [hello, version, ...pairs] = line.split(" ");
  return [hello, version, ...pairs.reverse()].join(" ");
}
