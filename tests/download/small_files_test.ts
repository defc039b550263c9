import { assert, assertEquals } from "@std/assert";
import { CorruptError } from "../../core/base/errors.ts";
import { downloadFile } from "../../core/download/download_file.ts";
import { Prefetch } from "../../core/download/prefetch.ts";
import { OutFolder } from "../../core/store/paths.ts";
import { type Hook, type ScriptedSeed, sendBody, sendFetched } from "../support/scripted_seed.ts";
import { noAbort, thrownBy } from "../source/support.ts";
import { nameOf, Seeds, TaskFixture } from "./support.ts";
import { patternOf } from "../support/bytes.ts";
import { test } from "../support/test.ts";

const SMALL = patternOf(1000);
const OTHER = patternOf(1000, 7);

/** One task, and seeds that can send a small file with its manifest. */
class SmallFixture implements AsyncDisposable {
  readonly seeds = new Seeds();
  readonly all: Readonly<Record<string, ScriptedSeed>>;
  readonly bench: TaskFixture;

  constructor(
    hosts: Readonly<Record<string, { readonly bytes: Uint8Array; readonly hook?: Hook }>>,
    features: readonly string[] = ["read", "fetch"],
  ) {
    this.all = Object.fromEntries(
      Object.entries(hosts).map(([host, { bytes, hook }]) => {
        const seed = this.seeds.add({ a: bytes }, hook);
        seed.greeting = { ...seed.greeting, features };
        return [host, seed];
      }),
    );
    this.bench = new TaskFixture(this.all);
  }

  /** The requests that a seed got, without what says which piece. */
  asked(host: string): string[] {
    return this.all[host]!.requests.map(({ verb }) => verb);
  }

  /** As `download`, with the clock standing still while the disk works. */
  async downloadAny(): Promise<void> {
    const { parts, clock } = this.bench;
    const sources = parts.pool.sources(parts.settings.seeds);
    const options = { clock, sources, mayHaveBytes: () => true };
    await using prefetch = new Prefetch([{ name: "a", size: undefined }], options, noAbort);
    Object.assign(parts, { prefetch });
    await this.bench.timed(this.bench.download());
  }

  async download(wanted: { sha256?: string } = {}, signal = noAbort) {
    const { parts, clock, dir } = this.bench;
    const sources = parts.pool.sources(parts.settings.seeds);
    const options = { clock, sources, mayHaveBytes: () => true };
    await using prefetch = new Prefetch([{ name: "a", size: undefined }], options, signal);
    prefetch.begin("a");
    const context = { ...parts, prefetch };
    const all = { name: "a", sha256: undefined, id: undefined, ...wanted };
    const job = downloadFile(all, new OutFolder(dir), context, signal);
    return (await this.bench.timed(job)).value;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.bench[Symbol.asyncDispose]();
    await this.seeds[Symbol.asyncDispose]();
  }
}

/** Sends these bytes behind the right manifest. */
function fetching(bytes: Uint8Array, alsoRead = false): Hook {
  return async (request, client, seed) => {
    if (request.verb === "READ" && alsoRead) {
      await sendBody(client, bytes);
      return "answered";
    }
    if (request.verb !== "FETCH") return undefined;
    await sendFetched(client, "a", seed.manifestOf("a"), { bytes });
    return "answered";
  };
}

test("downloadFile() takes a small file and its manifest from one reply", async () => {
  await using fixture = new SmallFixture({ seed: { bytes: SMALL } });
  const { bytesBySeed, verified, how } = await fixture.download();
  assertEquals([verified, how], [true, "downloaded"]);
  assertEquals(bytesBySeed, { [nameOf("seed")]: 1000 });
  assertEquals(fixture.bench.written(), SMALL);
  assertEquals(fixture.asked("seed"), ["FETCH"]);
});

test("downloadFile() reports a small file as any other", async () => {
  const kindsOf = async (features: readonly string[]) => {
    await using fixture = new SmallFixture({ seed: { bytes: SMALL } }, features);
    await fixture.download();
    const { news } = fixture.bench;
    // A request for a piece is seen only where there is one.
    return news.filter(({ kind }) => kind !== "flight").map((event) =>
      event.kind === "state" ? event.state : event.kind
    );
  };
  assertEquals(await kindsOf(["fetch"]), await kindsOf([]));
});

test("downloadFile() requests manifest and bytes from a seed that does not announce FETCH", async () => {
  await using fixture = new SmallFixture({ seed: { bytes: SMALL } }, []);
  await fixture.download();
  assertEquals(fixture.asked("seed"), ["MANIFEST", "DOWNLOAD"]);
});

test("downloadFile() requests a larger file in ranges", async () => {
  const large = patternOf(300_000);
  await using fixture = new SmallFixture({ seed: { bytes: large } });
  await fixture.download();
  assertEquals(fixture.asked("seed"), ["FETCH", "READ"]);
  assertEquals(fixture.bench.written(), large);
});

test("downloadFile() uses no bytes that do not fit the manifest they came with", async () => {
  await using fixture = new SmallFixture({ seed: { bytes: SMALL, hook: fetching(OTHER) } });
  await fixture.download();
  assertEquals(fixture.asked("seed"), ["FETCH", "READ"]);
  assertEquals(fixture.bench.written(), SMALL);
});

test("downloadFile() takes a small file from another seed where one sends wrong bytes", async () => {
  const lying = { bytes: SMALL, hook: fetching(OTHER, true) };
  await using fixture = new SmallFixture({ liar: lying, good: { bytes: SMALL } });
  const { bytesBySeed } = await fixture.download();
  assertEquals(fixture.bench.written(), SMALL);
  assert((bytesBySeed[nameOf("good")] ?? 0) > 0, "the good seed sent it");
});

test("downloadFile() fails where every seed sends wrong bytes of a small file", async () => {
  await using fixture = new SmallFixture({
    seed: { bytes: SMALL, hook: fetching(OTHER, true) },
  });
  assert(await thrownBy(fixture.download()) instanceof CorruptError);
  assert(!fixture.bench.has("a"));
});

test("downloadFile() takes the content that most seeds hold, whoever sent bytes first", async () => {
  await using fixture = new SmallFixture({
    first: { bytes: OTHER },
    second: { bytes: SMALL },
    third: { bytes: SMALL },
  });
  await fixture.download();
  // The first one is asked for the bytes, and loses the vote.
  assertEquals(fixture.asked("first"), ["FETCH"]);
  assertEquals(fixture.bench.written(), SMALL);
});

test("downloadFile() replaces a seed that is silent in the middle of a small file", async () => {
  const stalling: Hook = async (request, client) => {
    if (request.verb !== "FETCH") return undefined;
    await client.send("OK 1300 manifest=300\n{");
    await client.untilGone();
    return "answered";
  };
  await using fixture = new SmallFixture({
    stuck: { bytes: SMALL, hook: stalling },
    good: { bytes: SMALL },
  });
  const startedAt = fixture.bench.clock.now();
  await fixture.downloadAny();
  assertEquals(fixture.bench.written(), SMALL);
  // What a vote waits at most for a silent seed, and a little.
  assert(fixture.bench.clock.now() - startedAt < 2500);
});

test("downloadFile() accepts a small file only with the digest that the user gave", async () => {
  await using fixture = new SmallFixture({ seed: { bytes: SMALL } });
  const error = await thrownBy(fixture.download({ sha256: "0".repeat(64) }));
  assert(error instanceof CorruptError);
  assert(!fixture.bench.has("a"));
});
