/** Links, manifest files, and downloads by them, against servers of this computer. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  DiskError,
  download,
  type DownloadRequest,
  downloadSettings,
  list,
  ProtocolError,
  resolveLink,
  serve,
  serveSettings,
  UsageError,
  writeManifest,
} from "../../core/mod.ts";
import { sha256 } from "../../core/base/digest.ts";
import { systemClock } from "../../core/base/clock.ts";
import { parseManifestFile } from "../../core/protocol/manifest_file.ts";
import { requestFor } from "../../core/download/links.ts";
import { byteResponse } from "../support/byte_response.ts";
import { patternOf } from "../support/bytes.ts";
import { FaultServer, filesHandler } from "../support/fault_server.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { test } from "../support/test.ts";
import { noAbort } from "../source/support.ts";

const FILE = patternOf(2_500_000);
const SHA256 = sha256(FILE).toHex();
const settings = downloadSettings([], { sync: "never", giveUpMs: 3000 });

async function get(folder: TempFolder, request: DownloadRequest, seeds: readonly string[] = []) {
  const directories = { config: folder.path, state: folder.pathOf("s"), cache: folder.pathOf("c") };
  const job = {
    requests: [request],
    outDir: folder.pathOf("out"),
    settings: { ...settings, seeds: downloadSettings(seeds).seeds },
    directories,
  };
  const [done] = await download(job);
  return done!.outcome;
}

/** The manifest file of `FILE`. */
async function manifestText(folder: TempFolder, urls: readonly string[]): Promise<string> {
  const path = folder.write("shared/a.bin", FILE);
  const written = await writeManifest(path, urls);
  assertEquals(written.path, `${path}.p2p`);
  assertEquals([written.size, written.sha256], [FILE.length, SHA256]);
  return folder.read("shared/a.bin.p2p");
}

test("writeManifest() writes where a file is served, and replaces what is there", async () => {
  using folder = new TempFolder();
  await manifestText(folder, []);
  const text = await manifestText(folder, [
    "https://a.example/dir/",
    "https://b.example/x?y=1",
    "s3://b/",
  ]);
  const { name, manifest, urls } = parseManifestFile(text);
  assertEquals([name, manifest.layout.count], ["a.bin", 3]);
  assertEquals(urls, ["https://a.example/dir/a.bin", "https://b.example/x?y=1", "s3://b/a.bin"]);
  assertEquals(folder.names(), ["shared"]);
});

for (const url of ["a.example", "ftp://a/", "https://me:secret@a.example/", "https://a/#x"]) {
  test(`writeManifest() rejects ${url} before it hashes anything`, async () => {
    using folder = new TempFolder();
    const path = folder.write("a", "x");
    const error = await assertRejects(() => writeManifest(path, [url]), UsageError);
    assert(!error.message.includes("secret"));
    assertEquals(folder.names(), ["a"]);
  });
}

test("writeManifest() says which file it cannot read", async () => {
  using folder = new TempFolder();
  const error = await assertRejects(() => writeManifest(folder.pathOf("none")), DiskError);
  assert(error.message.includes("none"), error.message);
  await assertRejects(() => writeManifest(folder.path), Error);
});

test("a link to a manifest file finds the file beside it, and verifies it", async () => {
  using folder = new TempFolder();
  const text = new TextEncoder().encode(await manifestText(folder, []));
  await using server = new FaultServer(filesHandler({ "/x/a.bin": FILE, "/x/a.bin.p2p": text }));
  const request = await resolveLink(server.url("/x/a.bin.p2p"), settings);
  assertEquals(request.name, "a.bin");
  assertEquals(request.seeds, [{ url: server.url("/x/a.bin") }]);
  const outcome = await get(folder, request);
  assert(outcome.ok && outcome.result.verified);
  assertEquals(sha256(Deno.readFileSync(folder.pathOf("out/a.bin"))).toHex(), SHA256);
});

test("a manifest file on this computer names all sources, and one that lies is blamed", async () => {
  using folder = new TempFolder();
  await using good = new FaultServer(filesHandler({ "/a.bin": FILE }));
  await using liar = new FaultServer(filesHandler({ "/a.bin": patternOf(2_500_000, 2) }));
  await manifestText(folder, [liar.url(), good.url()]);
  const request = await resolveLink(folder.pathOf("shared/a.bin.p2p"), settings);
  const outcome = await get(folder, request);
  assert(outcome.ok && outcome.result.verified);
  assertEquals(sha256(Deno.readFileSync(folder.pathOf("out/a.bin"))).toHex(), SHA256);
});

test("a manifest file without addresses pins the content at the seeds that are asked", async () => {
  using folder = new TempFolder();
  await using server = new FaultServer(filesHandler({ "/a.bin": FILE }));
  await manifestText(folder, []);
  const request = await resolveLink(folder.pathOf("shared/a.bin.p2p"), settings);
  assertEquals(request.seeds, undefined);
  const outcome = await get(folder, request, [server.url()]);
  assert(outcome.ok && outcome.result.verified);
});

test("a p2p seed behind HTTP is listed and verified", async () => {
  using folder = new TempFolder();
  folder.write("shared/dir/a.bin", FILE);
  const stop = new AbortController();
  const listening = Promise.withResolvers<number>();
  const serving = serve(
    serveSettings({ dir: folder.pathOf("shared"), host: "127.0.0.1", port: 0 }),
    { cache: folder.pathOf("cache") },
    (event) => {
      if (event.kind === "listening") listening.resolve(event.addresses[0]!.port);
    },
    stop.signal,
  );
  try {
    const seed = `http://127.0.0.1:${await listening.promise}/`;
    const { files, seeds } = await list({ glob: "dir/*", ids: false }, downloadSettings([seed]));
    assertEquals([files.map(({ name }) => name), seeds[0]?.dialect], [["dir/a.bin"], "http"]);
    const outcome = await get(folder, { name: "dir/a.bin" }, [seed]);
    assert(outcome.ok && outcome.result.verified, JSON.stringify(outcome));
    assertEquals(outcome.result.bytesBySeed, { [seed]: FILE.length });
  } finally {
    stop.abort();
    await serving;
  }
});

test("a link whose digest is another one is not downloaded", async () => {
  using folder = new TempFolder();
  const text = new TextEncoder().encode(await manifestText(folder, []));
  await using server = new FaultServer(filesHandler({ "/a.bin": FILE, "/a.bin.p2p": text }));
  const link = server.url(`/a.bin.p2p#sha256=${"0".repeat(64)}`);
  await assertRejects(() => resolveLink(link, settings), ProtocolError, "other bytes");
  const outcome = await get(
    folder,
    await resolveLink(server.url(`/a.bin#id=${"0".repeat(32)}`), settings),
  );
  assert(!outcome.ok && outcome.failure.code !== "bug");
  const right = await resolveLink(server.url(`/a.bin#sha256=${SHA256}`), settings);
  assert((await get(folder, right)).ok);
});

test("resolveLink() says what is wrong with a manifest file", async () => {
  using folder = new TempFolder();
  await using server = new FaultServer(filesHandler({ "/a.p2p": patternOf(100) }));
  await assertRejects(() => resolveLink(server.url("/a.p2p"), settings), ProtocolError);
  await assertRejects(() => resolveLink(server.url("/b.p2p"), settings), Error, "does not have it");
  const path = folder.write("x.p2p", "{}");
  const error = await assertRejects(() => resolveLink(path, settings), ProtocolError);
  assert(error.message.includes("x.p2p"), error.message);
  await assertRejects(() => resolveLink(folder.pathOf("none.p2p"), settings), DiskError);
});

test("a manifest file of a public server leads to no address of a private network", async () => {
  using folder = new TempFolder();
  const inside = [
    "http://127.0.0.1/a.bin",
    "http://10.0.0.1/a.bin",
    "http://nas/a.bin",
    "p2p://10.0.0.1/a.bin",
  ];
  const text = (await manifestText(folder, ["https://b.example/"])).replace(
    '"urls":[',
    `"urls":[${inside.map((url) => JSON.stringify(url)).join()},"other.bin","ftp://x/",`,
  );
  const web = {
    open: () => ({
      get: () => Promise.resolve(byteResponse(new TextEncoder().encode(text))),
      resolve: () => Promise.resolve([]),
      [Symbol.dispose]() {},
    }),
    s3Account: () => Promise.reject(new Error("unused")),
  };
  const runtime = { clock: systemClock, dial: () => Promise.reject(new Error("unused")), web };
  const request = await requestFor("https://a.example/dir/a.bin.p2p", settings, runtime, noAbort);
  assertEquals(request.seeds, [
    { url: "https://a.example/dir/other.bin" },
    { url: "https://b.example/a.bin" },
  ]);
});
