import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { systemClock } from "../../core/base/clock.ts";
import { sha256 } from "../../core/base/digest.ts";
import { CorruptError, P2pError } from "../../core/base/errors.ts";
import type { DownloadSettings } from "../../core/config.ts";
import type { TaskResult } from "../../core/events.ts";
import { layoutOf, rangeOfPiece } from "../../core/base/pieces.ts";
import { OutFolder } from "../../core/store/paths.ts";
import { StoredFile } from "../../core/store/stored_file.ts";
import { downloadFile } from "../../core/download/download_file.ts";
import { encodeManifest, makeManifest } from "../../core/protocol/manifest.ts";
import { type Hook, sendBody } from "../support/scripted_seed.ts";
import { noAbort } from "../source/support.ts";
import { FILE, type Hosts, nameOf, OTHER, Seeds, TaskFixture } from "./support.ts";
import { test } from "../support/test.ts";

const SHA256 = sha256(FILE).toHex();

/** Claims that digest for whatever it has. */
function claiming(digest: string): Hook {
  return async (request, client, seed) => {
    if (request.verb !== "MANIFEST") return undefined;
    const { layout, digests } = seed.manifestOf(request.name);
    const manifest = makeManifest(layout.size, digest, digests);
    await sendBody(client, encodeManifest(request.name, manifest));
    return "answered";
  };
}

/** A fixture for whole tasks in real time, because the disk is real. */
function fixtureOf(hosts: Hosts, settings: Partial<DownloadSettings> = {}): TaskFixture {
  return new TaskFixture(hosts, settings, systemClock);
}

function run(
  bench: TaskFixture,
  wanted: { sha256?: string; id?: string } = {},
): Promise<TaskResult> {
  const all = { name: "a", sha256: undefined, id: undefined, ...wanted };
  return downloadFile(all, new OutFolder(bench.dir), bench.parts, noAbort);
}

function pathOf(bench: TaskFixture): string {
  return join(Deno.realPathSync(bench.dir), "a");
}

test("downloadFile() brings the right file when more seeds than honest ones claim its digest for other bytes", async () => {
  await using seeds = new Seeds();
  await using bench = fixtureOf({
    liar: seeds.add({ a: OTHER }, claiming(SHA256)),
    accomplice: seeds.add({ a: OTHER }, claiming(SHA256)),
    honest: seeds.add({ a: FILE }),
  });
  const result = await run(bench, { sha256: SHA256 });
  assertEquals(Deno.readFileSync(result.path), FILE);
  assertEquals([result.path, result.sha256, result.verified], [pathOf(bench), SHA256, true]);
  assertEquals(Object.keys(result.bytesBySeed), [nameOf("honest")]);
  // The lie is reported, and nothing of it is left.
  const notes = bench.news.flatMap((one) => one.kind === "note" ? [one.text] : []);
  assert(notes.some((text) => text.includes("not the one asked for")), notes.join("\n"));
  assertEquals(bench.reportsOf("liar").at(-1), "dissents");
  assertEquals(Array.from(Deno.readDirSync(bench.dir), ({ name }) => name), ["a"]);
});

test("downloadFile() throws CorruptError, and leaves nothing, when only liars claim the digest", async () => {
  await using seeds = new Seeds();
  const third = FILE.slice();
  third[7]! ^= 1;
  await using bench = fixtureOf({
    liar: seeds.add({ a: OTHER }, claiming(SHA256)),
    other: seeds.add({ a: third }, claiming(SHA256)),
  });
  await assertRejects(
    () => run(bench, { sha256: SHA256 }),
    CorruptError,
    "with that id or checksum",
  );
  assertEquals(Array.from(Deno.readDirSync(bench.dir)), []);
});

test("downloadFile() throws CorruptError when a seed claims another digest for the very pieces", async () => {
  await using seeds = new Seeds();
  const digest = "0".repeat(64);
  await using bench = fixtureOf({
    liar: seeds.add({ a: FILE }, claiming(digest)),
    honest: seeds.add({ a: FILE }),
  });
  await assertRejects(() => run(bench, { sha256: digest }), CorruptError);
  assertEquals(Array.from(Deno.readDirSync(bench.dir)), []);
});

/** Answers each DOWNLOAD so. */
function answering(reply: string): Hook {
  return async (request, client) => {
    if (request.verb !== "DOWNLOAD") return undefined;
    await client.send(reply);
    return "answered";
  };
}

const garbage: Hook = async (request, client) => {
  if (request.verb !== "DOWNLOAD") return undefined;
  const { start, end } = request.range;
  await sendBody(client, new Uint8Array(end - start));
  return "answered";
};

const silence: Hook = async (request, client) => {
  if (request.verb !== "DOWNLOAD") return undefined;
  await client.untilGone();
  return "answered";
};

/** Two of them outvote the honest seed. */
const useless: { name: string; hook: Hook; why: string; settings?: Partial<DownloadSettings> }[] = [
  { name: "send garbage", hook: garbage, why: "corrupt" },
  { name: "do not have it", hook: answering("ERROR:NOT_FOUND no\n"), why: "refused" },
  {
    name: "stay silent",
    hook: silence,
    why: "silence",
    settings: { giveUpMs: 400, stallMs: 100 },
  },
  {
    name: "are busy for ever",
    hook: answering("ERROR:BUSY retry-after-ms=100 full\n"),
    why: "silence",
    settings: { giveUpMs: 400, stallMs: 100 },
  },
];
for (const { name, hook, why, settings = {} } of useless) {
  test(`downloadFile() sets the content of most seeds aside when they ${name}, and brings that of the honest one`, async () => {
    await using seeds = new Seeds();
    await using bench = fixtureOf({
      liar: seeds.add({ a: OTHER }, hook),
      accomplice: seeds.add({ a: OTHER }, hook),
      honest: seeds.add({ a: FILE }),
    }, settings);
    const result = await run(bench);
    assertEquals(Deno.readFileSync(result.path), FILE);
    assertEquals<unknown>(result.contents?.map(({ seeds, setAside }) => [seeds.length, setAside]), [
      [2, why],
      [1, undefined],
    ]);
  });
}

test("downloadFile() names the contents of all seeds when none of them can be had", async () => {
  await using seeds = new Seeds();
  const hook = answering("ERROR:NOT_FOUND no\n");
  await using bench = fixtureOf({
    one: seeds.add({ a: OTHER }, hook),
    other: seeds.add({ a: FILE }, hook),
  });
  const error = await assertRejects(() => run(bench), P2pError, "no seed is left");
  assertEquals<unknown>(error.contents?.map(({ seeds, setAside }) => [seeds.length, setAside]), [
    [1, "refused"],
    [1, "refused"],
  ]);
});

test("downloadFile() computes the digest of the whole when a seed of the right pieces claims a wrong one", async () => {
  await using seeds = new Seeds();
  await using bench = fixtureOf({
    liar: seeds.add({ a: FILE }, claiming("0".repeat(64))),
    honest: seeds.add({ a: FILE }),
  });
  const result = await run(bench);
  assertEquals([result.sha256, result.verified], [SHA256, true]);
  assertEquals(bench.reportsOf("honest").includes("dissents"), false);
});

test("downloadFile() says nothing of the bytes that stay when other ones are there and are to be skipped", async () => {
  await using seeds = new Seeds();
  const seed = seeds.add({ a: FILE });
  await using bench = fixtureOf({ seed }, { onConflict: "skip" });
  Deno.writeFileSync(pathOf(bench), OTHER);
  const { how, sha256, id, verified } = await run(bench);
  assertEquals({ how, sha256, id, verified }, {
    how: "skipped",
    sha256: null,
    id: null,
    verified: false,
  });
  assertEquals(seed.asked("DOWNLOAD"), []);
  assertEquals(Deno.readFileSync(pathOf(bench)), OTHER);
});

test("downloadFile() says nothing of the bytes that stay when they came while it downloaded", async () => {
  await using seeds = new Seeds();
  const seed = seeds.add({ a: FILE });
  await using bench = fixtureOf({ seed }, { onConflict: "skip" });
  seed.hook = (request) => {
    if (request.verb === "DOWNLOAD") Deno.writeFileSync(pathOf(bench), OTHER);
    return Promise.resolve(undefined);
  };
  const { how, sha256, id, verified } = await run(bench, { sha256: SHA256 });
  assertEquals({ how, sha256, id, verified }, {
    how: "skipped",
    sha256: null,
    id: null,
    verified: false,
  });
  assertEquals(Deno.readFileSync(pathOf(bench)), OTHER);
});

test("downloadFile() says what the bytes are when the very ones are there", async () => {
  await using seeds = new Seeds();
  const seed = seeds.add({ a: FILE });
  await using bench = fixtureOf({ seed }, { onConflict: "skip" });
  Deno.writeFileSync(pathOf(bench), FILE);
  const { how, sha256, id, verified } = await run(bench);
  const expected = { how: "already-there", sha256: SHA256, id: seed.manifestOf("a").id };
  assertEquals({ how, sha256, id, verified }, { ...expected, verified: true } as never);
});

test("downloadFile() reports where the pieces of an earlier run lie before it downloads the others", async () => {
  await using seeds = new Seeds();
  const hosts = { honest: seeds.add({ a: FILE }) };
  await using bench = fixtureOf(hosts);
  const stop = new AbortController();
  const { emit } = bench.parts;
  const parts = {
    ...bench.parts,
    emit: (news: Parameters<typeof emit>[0]) => {
      emit(news);
      if (news.kind === "stored") stop.abort(new Error("enough"));
    },
  };
  const wanted = { name: "a", sha256: undefined, id: undefined };
  await assertRejects(
    () => downloadFile(wanted, new OutFolder(bench.dir), parts, stop.signal),
    Error,
    "enough",
  );
  const stored = bench.news.flatMap((one) => one.kind === "stored" ? [one.piece] : []);
  bench.news.length = 0;
  await run(bench);
  const reported = bench.news.find((one) => one.kind === "pieces");
  assertEquals(reported?.kind === "pieces" && reported.count, 6);
  const there = reported?.kind === "pieces"
    ? reported.cells.flatMap((n, i) => n > 0 ? [i] : [])
    : [];
  assertEquals(there, stored.sort());
});

test("downloadFile() fetches wrong pieces of the disk again before it blames a seed for the digest", async () => {
  await using seeds = new Seeds();
  await using bench = fixtureOf({ honest: seeds.add({ a: FILE }) });
  const manifest = makeManifest(FILE.length, SHA256, digestsOf(FILE));
  const content = { layout: manifest.layout, manifest };
  {
    using file = await StoredFile.open(pathOf(bench), content, bench.parts.store, noAbort);
    for (const piece of file.missing) {
      const { start, end } = rangeOfPiece(manifest.layout, piece);
      const bytes = FILE.slice(start, end);
      // As if the disk had changed it afterwards.
      if (piece === 1) bytes[0]! ^= 1;
      file.write(piece, bytes);
    }
  }
  const result = await run(bench, { sha256: SHA256 });
  assertEquals(Deno.readFileSync(result.path), FILE);
  const { start, end } = rangeOfPiece(manifest.layout, 1);
  assertEquals(result.bytesBySeed, { [nameOf("honest")]: end - start });
  const notes = bench.news.flatMap((one) => one.kind === "note" ? [one.text] : []);
  assert(notes.some((text) => text.includes("1 piece is fetched again")), notes.join("\n"));
});

function digestsOf(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const layout = layoutOf(bytes.length);
  const digests = new Uint8Array(layout.count * 32);
  for (let piece = 0; piece < layout.count; piece++) {
    const { start, end } = rangeOfPiece(layout, piece);
    digests.set(sha256(bytes.subarray(start, end)), piece * 32);
  }
  return digests;
}

test("downloadFile() brings the right bytes when the part is overwritten between two pieces", async () => {
  await using seeds = new Seeds();
  let asked = 0;
  const overwriting: Hook = (request) => {
    if (request.verb !== "DOWNLOAD" || ++asked !== 3) return Promise.resolve(undefined);
    using part = Deno.openSync(`${pathOf(bench)}.p2p-part`, { write: true });
    part.writeSync(new Uint8Array(FILE.length));
    return Promise.resolve(undefined);
  };
  await using bench = fixtureOf({ honest: seeds.add({ a: FILE }, overwriting) });
  const result = await run(bench);
  assert(asked >= 3, `only ${asked} requests`);
  assertEquals(Deno.readFileSync(result.path), FILE);
});
