import { assert, assertEquals } from "@std/assert";
import { AuthError, BusyError, type P2pError } from "../../core/base/errors.ts";
import { Semaphore } from "../../core/base/semaphore.ts";
import { authResponse } from "../../core/protocol/greeting.ts";
import type { Dial } from "../../core/source/dial.ts";
import { GreetingMemory } from "../../core/source/greeting_memory.ts";
import { SeedSource, type SeedSourceOptions } from "../../core/source/seed_source.ts";
import { delayedDial } from "../support/delayed_line.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { type Hook, ScriptedSeed, type SeedSide } from "../support/scripted_seed.ts";
import { ADDRESS, noAbort, RawSeed, thrownBy } from "./support.ts";
import { patternOf } from "../support/bytes.ts";
import { test } from "../support/test.ts";

const ROUND_TRIP_MS = 200;
const FILE = patternOf(10_000);
const TOKEN = "correct horse";

/** One process after the other, with one memory, on a line where only round trips take time. */
class LineFixture implements AsyncDisposable {
  readonly clock = new ManualClock();
  readonly memory = new GreetingMemory();
  readonly #sources: SeedSource[] = [];

  source(dial: Dial, options: Partial<SeedSourceOptions> = {}): SeedSource {
    const source = new SeedSource(ADDRESS, {
      clock: this.clock,
      dial: delayedDial(dial, this.clock, ROUND_TRIP_MS),
      connections: 4,
      slots: new Semaphore(100),
      connectMs: 5000,
      stallMs: 5000,
      token: undefined,
      greetings: this.memory,
      ...options,
    });
    this.#sources.push(source);
    return source;
  }

  /** How many round trips `job` takes. */
  async trips(job: Promise<unknown>): Promise<number> {
    const startedAt = this.clock.now();
    let settled = false;
    job.then(() => settled = true, () => settled = true);
    while (!settled) await this.clock.advance(ROUND_TRIP_MS / 20);
    await job;
    return Math.floor((this.clock.now() - startedAt) / ROUND_TRIP_MS);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const source of this.#sources) await source[Symbol.asyncDispose]();
    assertEquals(this.clock.pending, 0, "a timer is still set");
  }
}

/** Downloads the file as a task does: its manifest, and then its bytes. */
async function download(source: SeedSource): Promise<Uint8Array> {
  const manifest = await source.manifest("a", noAbort);
  const size = manifest?.layout.size ?? await source.size("a", noAbort);
  const into = new Uint8Array(size);
  const content = { name: "a", id: manifest?.id ?? null, size };
  const options = { onBytes: () => {}, rateLimit: undefined };
  await source.read(content, { start: 0, end: size }, into, options, noAbort);
  return into;
}

function seedOf(features: readonly string[] = ["read", "fetch"], hook?: Hook): ScriptedSeed {
  const seed = new ScriptedSeed({ a: FILE }, hook);
  seed.greeting = { ...seed.greeting, features };
  return seed;
}

test("The first byte comes after four round trips from a new seed, and after three from a known one", async () => {
  await using seed = seedOf();
  await using line = new LineFixture();
  assertEquals(await line.trips(download(line.source(seed.dial))), 4);
  assertEquals(await line.trips(download(line.source(seed.dial))), 3);
});

test("A small file takes three round trips from a new seed, and two from a known one", async () => {
  await using seed = seedOf();
  await using line = new LineFixture();
  const fetch = () => line.source(seed.dial).fetch("a", FILE.length, noAbort);
  assertEquals(await line.trips(fetch()), 3);
  assertEquals(await line.trips(fetch()), 2);
});

test("A known seed that asks for a token costs one round trip more, for its nonce", async () => {
  const proof = authResponse("0".repeat(32), TOKEN);
  await using seed = new ScriptedSeed({ a: FILE }, async (request, client) => {
    if (request.verb !== "AUTH") return undefined;
    assertEquals(request.answer, proof);
    await client.send("OK 0\n");
    return "answered";
  });
  seed.greeting = { ...seed.greeting, auth: "token" };
  await using line = new LineFixture();
  const options = { token: TOKEN };
  assertEquals(await line.trips(download(line.source(seed.dial, options))), 5);
  assertEquals(await line.trips(download(line.source(seed.dial, options))), 4);
});

test("Requests on a further connection do not wait for its greeting", async () => {
  await using seed = seedOf(["read"]);
  await using line = new LineFixture();
  const source = line.source(seed.dial);
  await line.trips(source.protocol(noAbort));
  const sizes = Array.from({ length: 200 }, () => source.size("a", noAbort));
  const before = seed.connections;
  await line.trips(Promise.all(sizes));
  assert(seed.connections > before, "a further connection was opened");
  assertEquals(await Promise.all(sizes), Array(200).fill(FILE.length));
});

/** An original seed: one request a connection. */
async function oldSeed(seed: SeedSide): Promise<void> {
  const line = await seed.line();
  const offset = Number(line?.match(/^DOWNLOAD a\|(\d+)$/)?.[1] ?? NaN);
  if (line === "FILESIZE a") await seed.send(`SIZE:${FILE.length}`);
  else if (offset < FILE.length) await seed.send(FILE.subarray(offset));
}

/** Memory of a session seed, where by now something else listens. */
async function staleLine(): Promise<LineFixture> {
  await using seed = seedOf();
  const line = new LineFixture();
  await line.trips(line.source(seed.dial).protocol(noAbort));
  return line;
}

test("A seed that was replaced by an original one is used as such", async () => {
  await using line = await staleLine();
  await using old = new RawSeed(oldSeed);
  const source = line.source(old.dial);
  const downloading = download(source);
  await line.trips(downloading);
  assertEquals(await downloading, FILE);
  assertEquals(await source.protocol(noAbort), "one-shot");
  assertEquals(line.memory.recall(source.id), undefined);
});

test("A seed that was replaced by one without the features is used without them", async () => {
  await using line = await staleLine();
  await using plain = seedOf([], async (request, client) => {
    if (request.verb !== "FETCH" && request.verb !== "READ") return undefined;
    await client.send("ERROR:BAD_REQUEST not a request\n");
    return "answered";
  });
  const source = line.source(plain.dial);
  const fetching = source.fetch("a", FILE.length, noAbort);
  await line.trips(fetching);
  assertEquals(await fetching, undefined);
  const downloading = download(source);
  await line.trips(downloading);
  assertEquals(await downloading, FILE);
});

test("A seed that asks for a token by now gets it", async () => {
  await using line = await staleLine();
  await using strict = new RawSeed(async (seed) => {
    if (await seed.line() !== "HELLO 2") throw new Error("no greeting");
    const nonce = "1".repeat(32);
    await seed.send(
      `HELLO 2 agent=x nonce=${nonce} auth=token max-length=1000000 max-inflight=16\n`,
    );
    if (await seed.line() !== `AUTH ${authResponse(nonce, TOKEN)}`) {
      return await seed.send("ERROR:AUTH no\n");
    }
    await seed.send("OK 0\n");
    while (await seed.line() !== undefined) await seed.send(`SIZE:${FILE.length}\n`);
  });
  const source = line.source(strict.dial, { token: TOKEN });
  const asking = source.size("a", noAbort);
  await line.trips(asking);
  assertEquals(await asking, FILE.length);
  const without = thrownBy(line.source(strict.dial).size("a", noAbort));
  await line.trips(without);
  assert(await without instanceof AuthError);
});

const rejections: { reply: string; isExpected: (error: P2pError) => boolean }[] = [
  { reply: "ERROR:BUSY retry-after-ms=700 full\n", isExpected: (e) => e instanceof BusyError },
  { reply: "ERROR:AUTH no\n", isExpected: (e) => e instanceof AuthError },
  { reply: "ERROR:SHUTDOWN bye\n", isExpected: (e) => e.message.includes("shutting down") },
];

for (const { reply, isExpected } of rejections) {
  test(`A known seed that answers the greeting with ${reply.trim()} is remembered`, async () => {
    await using line = await staleLine();
    await using busy = seedOf();
    busy.turnsAwayWith = reply;
    const source = line.source(busy.dial);
    const asking = thrownBy(source.size("a", noAbort));
    await line.trips(asking);
    assert(isExpected(await asking), String(await asking));
    assertEquals(busy.connections, 1);
    busy.turnsAwayWith = undefined;
    const again = source.size("a", noAbort);
    await line.trips(again);
    assertEquals(await again, FILE.length);
    assert(line.memory.recall(source.id) !== undefined);
  });
}

test("A known seed that closes without a greeting is greeted once more, and then used as an original one", async () => {
  await using line = await staleLine();
  let connections = 0;
  await using closing = new RawSeed(async (seed) => {
    connections++;
    // What came with the greeting stays unread, so that the close resets the connection.
    await seed.line();
  });
  const source = line.source(closing.dial);
  const asking = source.protocol(noAbort).then(() => thrownBy(source.size("a", noAbort)));
  await line.trips(asking);
  assert(connections >= 2);
  assertEquals(line.memory.recall(source.id), undefined);
});
