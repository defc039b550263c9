import { assert, assertEquals, assertMatch, assertStrictEquals } from "@std/assert";
import { TimeoutError } from "../../core/base/errors.ts";
import type { DownloadSettings } from "../../core/config.ts";
import { type SeedHealth, seedHealth } from "../../core/download/list.ts";
import { type Hook, refusing } from "../support/scripted_seed.ts";
import { noAbort, RawSeed, thrownBy } from "../source/support.ts";
import {
  type Hosts,
  nameOf,
  oldSeedOf,
  Seeds,
  SILENT,
  TaskFixture,
  UNREACHABLE,
} from "./support.ts";
import { patternOf } from "../support/bytes.ts";
import { test } from "../support/test.ts";

const GIVE_UP_MS = 20_000;
const FILES = { a: patternOf(700), "dir/b": patternOf(41) };

function silentTo(verb: "PING" | "LIST"): Hook {
  return async (request, client) => {
    if (request.verb !== verb) return undefined;
    await client.untilGone();
    return "answered";
  };
}

class HealthFixture extends TaskFixture {
  constructor(hosts: Hosts, settings: Partial<DownloadSettings> = {}) {
    super(hosts, { giveUpMs: GIVE_UP_MS, ...settings });
  }

  async look(signal = noAbort): Promise<{ value: SeedHealth[]; ms: number }> {
    const platform = { clock: this.clock, dial: this.dial };
    return await this.timed(seedHealth(this.parts.settings, platform, signal));
  }

  /** Answers each PING after the next of these times, ms. */
  slowPings(...pauses: number[]): Hook {
    return async (request) => {
      if (request.verb === "PING") await this.clock.sleep(pauses.shift() ?? 0, this.over);
      return undefined;
    };
  }
}

test("healthOf() reports of each seed, in their order, how it speaks and what it offers", async () => {
  await using seeds = new Seeds();
  await using old = new RawSeed(oldSeedOf({ x: 5, y: 6, z: 7 }));
  await using fixture = new HealthFixture({
    old: old.dial,
    away: UNREACHABLE,
    full: seeds.add(FILES),
    empty: seeds.add(),
  });
  const { value: [one, two, three, four] } = await fixture.look();
  assertEquals(one, {
    seed: nameOf("old"),
    dialect: "one-shot",
    ok: true,
    error: null,
    roundTripMs: null,
    files: 3,
    bytes: 18,
  });
  assertMatch(two?.error ?? "", /refused/);
  assertEquals({ ...two, error: null }, {
    seed: nameOf("away"),
    dialect: null,
    ok: false,
    error: null,
    roundTripMs: null,
    files: null,
    bytes: null,
  });
  assertEquals([three?.dialect, three?.files, three?.bytes], ["session", 2, 741]);
  assertEquals([four?.ok, four?.files, four?.bytes], [true, 0, 0]);
});

test("healthOf() reports the shortest of a few round trips", async () => {
  for (const pauses of [[90, 40, 70], [40, 90, 70], [70, 90, 40]]) {
    await using seeds = new Seeds();
    const seed = seeds.add(FILES);
    await using fixture = new HealthFixture({ seed });
    seed.hook = fixture.slowPings(...pauses);
    const { value: [health] } = await fixture.look();
    assertEquals(health?.roundTripMs, 40);
    assertEquals(seed.asked("PING").length, pauses.length);
  }
});

test("healthOf() pings before it asks for the list, behind which an answer would wait", async () => {
  await using seeds = new Seeds();
  const seed = seeds.add(FILES);
  await using fixture = new HealthFixture({ seed });
  await fixture.look();
  const verbs = seed.requests.map(({ verb }) => verb);
  assertEquals(verbs.lastIndexOf("PING") < verbs.indexOf("LIST"), true, verbs.join());
});

test("healthOf() keeps the round trip that it measured when the seed fails afterwards", async () => {
  await using seeds = new Seeds();
  const seed = seeds.add(FILES);
  await using fixture = new HealthFixture({ seed });
  const pings = fixture.slowPings(30);
  seed.hook = async (request, client, self) => {
    if (seed.asked("PING").length > 1) client.close();
    return await pings(request, client, self);
  };
  const { value: [health] } = await fixture.look();
  assertEquals(health?.roundTripMs, 30);
});

test("healthOf() says what is wrong with a seed that answers PING and reports no list", async () => {
  await using seeds = new Seeds();
  await using fixture = new HealthFixture({
    seed: seeds.add(FILES, refusing("LIST", "ERROR:INTERNAL the disk is gone")),
  });
  const { value: [health] } = await fixture.look();
  assertEquals([health?.ok, health?.files, health?.bytes], [false, null, null]);
  assertMatch(health?.error ?? "", /seed:7270/);
  assert(health?.roundTripMs !== null);
});

test("healthOf() asks all at once: it takes as long as the slowest alone", async () => {
  await using seeds = new Seeds();
  const [deaf, dumb] = [seeds.add(FILES, silentTo("PING")), seeds.add(FILES, silentTo("LIST"))];
  const hosts: Hosts = { silent: SILENT, deaf, dumb, good: seeds.add(FILES) };
  let longest = 0;
  for (const [host, there] of Object.entries(hosts)) {
    await using fixture = new HealthFixture({ [host]: there });
    longest = Math.max(longest, (await fixture.look()).ms);
  }
  await using fixture = new HealthFixture(hosts);
  const { value, ms } = await fixture.look();
  assertEquals(value.map(({ ok }) => ok), [false, true, false, true]);
  assertEquals(value.map(({ roundTripMs }) => roundTripMs === null), [true, true, false, false]);
  assertEquals(ms, longest);
});

test("healthOf() throws the signal's reason, and leaves nothing behind, when it aborts", async () => {
  for (const verb of ["PING", "LIST"] as const) {
    await using seeds = new Seeds();
    const seed = seeds.add(FILES, silentTo(verb));
    await using fixture = new HealthFixture({ seed, silent: SILENT });
    const stop = new AbortController();
    const ending = thrownBy(fixture.look(stop.signal));
    await fixture.until(() => seed.asked(verb).length > 0);
    const reason = new TimeoutError("enough");
    stop.abort(reason);
    assertStrictEquals<unknown>(await ending, reason);
  }
});

test("healthOf() throws a bug as what it is, also one that would not come twice", async () => {
  await using seeds = new Seeds();
  const seed = seeds.add(FILES);
  const bug = new TypeError("a bug");
  let dials = 0;
  await using fixture = new HealthFixture({
    x: (address, signal) => {
      if (dials++ === 0) throw bug;
      return seed.dial(address, signal);
    },
  });
  assertStrictEquals<unknown>(await thrownBy(fixture.look()), bug);
});
