import { assert, assertEquals } from "@std/assert";
import { noise, test } from "./harness.ts";
import type { HostileClient } from "./hostile_client.ts";
import { AttackFixture, GOOD, NOT_STARVED, turn } from "./attack_fixture.ts";

const ROOM = ["--max-connections", "400", "--client-connections", "300"];
const NONCE = /nonce=[0-9a-f]{32}/;

test("p2p serve serves on beside clients that send random bytes", async (world) => {
  await using fixture = await AttackFixture.start(world, ...ROOM);
  await fixture.withstand(async (goesOn) => {
    for (let dice = 1; goesOn(); dice++) {
      const attacker = (await fixture.attacker()).listen();
      // Half of them begin as if they knew the protocol.
      if (dice % 2 === 0) await attacker.send("HELLO 2\n");
      await attacker.send(noise(1 + dice * 7919 % 9000, dice));
      attacker.halfClose();
      await turn();
    }
  }, NOT_STARVED);
});

const REQUESTS = [
  "LIST",
  `FILESIZE ${GOOD}`,
  `MANIFEST ${GOOD}`,
  `DOWNLOAD ${GOOD}|7|1000`,
  "PING",
];
const SESSION = ["HELLO 2", ...REQUESTS, "BYE", ""].join("\n");

test("p2p serve answers every beginning of a session with the beginning of its replies", async (world) => {
  await using fixture = await AttackFixture.start(world, ...ROOM);
  const whole = await conversation(fixture, SESSION);
  const cuts = Array.from(SESSION, (_, at) => at);
  const replies = await Promise.all(
    cuts.map((cut) => conversation(fixture, SESSION.slice(0, cut))),
  );
  for (const cut of cuts) {
    // The whole lines of it are answered, and the rest is not.
    const lines = SESSION.slice(0, cut).split("\n").length - 1;
    const reply = replies[cut]!;
    if (!SESSION.startsWith("HELLO 2", 0) || cut < "HELLO 2".length) {
      assert(reply === "" || reply.startsWith("ERROR:BAD_REQUEST "), `${cut}: ${reply}`);
      continue;
    }
    assert(whole.startsWith(reply), `${cut} of ${lines} lines: ${reply.slice(0, 200)}`);
    const answered = await conversation(
      fixture,
      SESSION.split("\n").slice(0, Math.max(1, lines)).join("\n") + "\n",
    );
    assertEquals(reply, answered, `cut at ${cut}`);
  }
  // The same beginnings, with nobody there any more to be answered.
  for (const cut of cuts) {
    const attacker = await fixture.attacker();
    await attacker.send(SESSION.slice(0, cut));
    attacker.leave();
  }
  await fixture.assertUnharmed();
});

/** All replies to `text`, behind which the client sends nothing more. */
async function conversation(fixture: AttackFixture, text: string): Promise<string> {
  const attacker = await fixture.attacker();
  if (text !== "") await attacker.send(text);
  attacker.halfClose();
  return (await attacker.rest()).replace(NONCE, "nonce=");
}

/** In the place of the offset: what it is not, and what no file can reach. */
const NO_NUMBERS = [
  ..."-1,-0,+1,00,01,1.0,1.,.5,1e3,1E3,0x10,0b1,0o7,1_000,1n,Infinity,NaN,null,true".split(","),
  ..."٣,１,²,1\u00a0,\u200b1".split(","),
  ..." 1,1 ,1 1,1\t,,-,--1".split(","),
];
const TOO_FAR = [
  ..."9007199254740991,9007199254740992,9007199254740993,18446744073709551615".split(","),
  ..."18446744073709551616,340282366920938463463374607431768211456".split(","),
  "9".repeat(3900),
  "4194304",
];

test("p2p serve takes no number but those of the protocol", async (world) => {
  await using fixture = await AttackFixture.start(world, ...ROOM);
  const faults: string[] = [];
  const expect = async (request: string, reply: RegExp) => {
    const [, answer] = (await conversation(fixture, `HELLO 2\n${request}\nBYE\n`)).split("\n");
    if (!reply.test(answer ?? "")) faults.push(`${request.slice(0, 80)}: ${answer}`);
  };
  await Promise.all([
    ...NO_NUMBERS.flatMap((number) => [
      expect(`DOWNLOAD ${GOOD}|${number}|1`, /^ERROR:BAD_REQUEST /),
      expect(`DOWNLOAD ${GOOD}|0|${number}`, /^ERROR:BAD_REQUEST /),
    ]),
    ...TOO_FAR.flatMap((number) => [
      expect(`DOWNLOAD ${GOOD}|${number}|1`, /^ERROR:RANGE /),
      expect(`DOWNLOAD ${GOOD}|0|${number}`, /^ERROR:RANGE /),
    ]),
    expect(`DOWNLOAD ${GOOD}|0|0`, /^ERROR:RANGE /),
    expect(`DOWNLOAD ${GOOD}|4194303|1`, /^OK 1$/),
    expect(`DOWNLOAD ${GOOD}|4194303|2`, /^ERROR:RANGE /),
    expect(`DOWNLOAD ${GOOD}|9007199254740991|9007199254740991`, /^ERROR:RANGE /),
  ]);
  assertEquals(faults, []);
  const offsets = [...NO_NUMBERS, ...TOO_FAR];
  const bodies = await Promise.all(
    offsets.map((number) => conversation(fixture, `DOWNLOAD ${GOOD}|${number}\n`)),
  );
  assertEquals(bodies.filter((body) => body !== ""), [], "one-shot: nothing");
  await fixture.assertUnharmed();
});

const PINGS = 20_000;

test("p2p serve answers all that is asked beyond max-inflight, and in order", async (world) => {
  await using fixture = await AttackFixture.start(world);
  await fixture.withstand(async () => {
    const all = await fixture.attackers(8);
    await Promise.all(all.map((each) => askMuch(each)));
  }, NOT_STARVED);
});

async function askMuch(attacker: HostileClient): Promise<void> {
  const pair = `PING\nFILESIZE ${GOOD}\n`;
  const sending = attacker.send(`HELLO 2\n${pair.repeat(PINGS)}`);
  const wanted = "OK 0\nSIZE:4194304\n".repeat(PINGS);
  const greeting = 100;
  attacker.listen();
  await attacker.until(({ bytes }) => bytes >= wanted.length + greeting);
  // Whoever leaves before the end has seen nothing wrong until then.
  const replies = attacker.text.slice(attacker.text.indexOf("\n") + 1);
  assert(wanted.startsWith(replies), "in order");
  await sending;
}

const OTHERS: readonly (readonly [what: string, opening: Uint8Array])[] = [
  ["a TLS hello", tlsHello()],
  ["HTTP/0.9", utf8("get /\r\n")],
  ["an SSH greeting", utf8("SSH-2.0-OpenSSH_9.9\r\n")],
  ["a BitTorrent greeting", utf8("\x13BitTorrent protocol" + "\0".repeat(48))],
  ["an empty line", utf8("\n")],
  ["nothing but zeros", new Uint8Array(5000)],
  ["a later HELLO", utf8("HELLO 3\n")],
  ["HELLO with a space", utf8("HELLO 2 \n")],
  ["HELLO and CR alone", utf8("HELLO 2\rPING\r")],
  ["a byte order mark", utf8("\ufeffHELLO 2\n")],
];

test("p2p serve refuses what speaks another protocol, and closes", async (world) => {
  await using fixture = await AttackFixture.start(world);
  for (const [what, opening] of OTHERS) {
    const attacker = await fixture.attacker();
    await attacker.send(opening);
    // The seed closes by itself: the attacker would stay.
    const reply = await attacker.rest();
    assert(
      reply === "" || /^ERROR:(BAD_REQUEST|TOO_LONG) [ -~]*\n$/.test(reply),
      `${what}: ${reply}`,
    );
  }
  await fixture.assertUnharmed();
});

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** The beginning of a client's greeting in TLS 1.2, its length announced and its content noise. */
function tlsHello(): Uint8Array {
  return Uint8Array.from([
    0x16,
    0x03,
    0x01,
    0x02,
    0x00,
    0x01,
    0x00,
    0x01,
    0xfc,
    0x03,
    0x03,
    ...noise(512),
  ]);
}
