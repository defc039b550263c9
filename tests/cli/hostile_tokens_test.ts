import { assert, assertEquals, assertMatch } from "@std/assert";
import { authResponse } from "../../core/protocol/greeting.ts";
import { assertCode, type CliFixture, from, noise, type Seed, test } from "./harness.ts";
import { HostileClient, SECRET } from "./hostile_client.ts";

const TOKEN = "correct horse";
const CONTENT = noise(3_000_000);

async function guarded(world: CliFixture): Promise<{ seed: Seed; token: string }> {
  world.write("share/good.bin", CONTENT);
  world.write(`share/${SECRET}.txt`, SECRET);
  const token = world.write("token", `${TOKEN}\n`);
  const room = ["--client-connections", "300", "--max-connections", "400"];
  return { seed: await world.serve(world.path("share"), "--token-file", token, ...room), token };
}

/** All that a seed says to `opening`, and to `more` once its nonce is known. */
async function talk(seed: Seed, opening: string, more = (_nonce: string) => ""): Promise<string> {
  await using attacker = await HostileClient.connect(seed.address);
  attacker.listen();
  await attacker.send(opening);
  await attacker.until(({ text }) => text.includes("\n"));
  const nonce = attacker.text.match(/nonce=([0-9a-f]{32})/)?.[1] ?? "";
  if (more(nonce) !== "") await attacker.send(more(nonce));
  attacker.halfClose();
  const reply = await attacker.rest();
  assert(!attacker.leaked, "nothing is given out without the token");
  return reply.slice(reply.indexOf("\n") + 1);
}

async function assertGets(world: CliFixture, seed: Seed, token: string): Promise<void> {
  const flags = ["--token-file", token, "--on-conflict", "overwrite", ...from(seed)];
  assertCode(await world.p2p("get", "good.bin", ...flags), 0);
  assertEquals(world.got("good.bin"), CONTENT);
}

const right = authResponse("0".repeat(32), TOKEN);
/** Answers to a nonce that are not the right one. */
const WRONG: readonly ((nonce: string) => string)[] = [
  (nonce) => authResponse(nonce, "battery staple"),
  (nonce) => authResponse(nonce, `${TOKEN}\n`),
  (nonce) => authResponse(nonce, ""),
  (nonce) => authResponse(nonce.toUpperCase(), TOKEN) + "",
  (nonce) => authResponse(nonce, TOKEN).slice(1),
  (nonce) => authResponse(nonce, TOKEN) + "0",
  (nonce) => ` ${authResponse(nonce, TOKEN)}`,
  (nonce) => authResponse(nonce, TOKEN).replace(/^./, (first) => first === "0" ? "1" : "0"),
  (nonce) => nonce,
  () => right,
  () => TOKEN,
  () => "0".repeat(64),
  () => "g".repeat(64),
  () => "é".repeat(32),
  () => "0".repeat(4000),
];

test("p2p serve takes no wrong answer for its token, and serves those who know it meanwhile", async (world) => {
  const { seed, token } = await guarded(world);
  const tries = WRONG.map(async (wrong) => {
    const reply = await talk(seed, "HELLO 2\n", (nonce) => {
      const answer = wrong(nonce);
      // A nonce of digits alone is the same in capitals.
      return answer === authResponse(nonce, TOKEN) ? "AUTH \n" : `AUTH ${answer}\nLIST\n`;
    });
    // The seed closes at once: nothing behind it is answered.
    assertMatch(reply, /^ERROR:AUTH [a-z ]+\n$/);
  });
  await Promise.all([...tries, assertGets(world, seed, token)]);
  await assertGets(world, seed, token);
});

test("p2p serve takes no answer twice: what one connection proved is worth nothing on another", async (world) => {
  const { seed } = await guarded(world);
  let overheard = "";
  const first = await talk(seed, "HELLO 2\n", (nonce) => {
    overheard = authResponse(nonce, TOKEN);
    return `AUTH ${overheard}\nFILESIZE good.bin\n`;
  });
  assertEquals(first, `OK 0\nSIZE:${CONTENT.length}\n`);
  for (let i = 0; i < 5; i++) {
    const replayed = await talk(seed, "HELLO 2\n", () => `AUTH ${overheard}\nFILESIZE good.bin\n`);
    assertMatch(replayed, /^ERROR:AUTH [a-z ]+\n$/);
  }
});

test("p2p serve gives each connection a nonce of its own", async (world) => {
  const { seed } = await guarded(world);
  const nonces = new Set<string>();
  const greet = async () => {
    await talk(seed, "HELLO 2\n", (nonce) => {
      nonces.add(nonce);
      return "";
    });
  };
  for (let i = 0; i < 10; i++) await Promise.all(Array.from({ length: 10 }, greet));
  assertEquals(nonces.size, 100);
});

const UNPROVEN = [
  "LIST",
  `LIST ${SECRET}`,
  "FILESIZE good.bin",
  "FILESIZE none",
  `MANIFEST ${SECRET}.txt`,
  `DOWNLOAD ${SECRET}.txt|0|10`,
  "DOWNLOAD good.bin|-1|1",
  "FILESIZE ../x",
  "no request",
  "",
];

test("p2p serve says the same to all who do not know its token, whatever they ask", async (world) => {
  const { seed } = await guarded(world);
  const replies = new Set<string>();
  for (const request of UNPROVEN) {
    replies.add(await talk(seed, "HELLO 2\n", () => `${request}\nPING\n`));
    const oneShot = await talk(seed, `${request}\n`);
    assertEquals(oneShot, "", `nothing follows the refusal of ${request}`);
  }
  assertEquals(replies.size, 1, Array.from(replies).join());
  assertMatch(Array.from(replies)[0]!, /^ERROR:AUTH [a-z ]+\n$/);
});
