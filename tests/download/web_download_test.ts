/** Downloads from web servers that do everything wrong: the right bytes, or a failure with a name. */
import { assert, assertEquals } from "@std/assert";
import { existsSync } from "node:fs";
import {
  download,
  type DownloadRequest,
  downloadSettings,
  serve,
  serveSettings,
} from "../../core/mod.ts";
import type { TaskOutcome } from "../../core/mod.ts";
import { sha256 } from "../../core/base/digest.ts";
import { layoutOf, rangeOfPiece } from "../../core/base/pieces.ts";
import { encodeManifest, makeManifest } from "../../core/protocol/manifest.ts";
import { patternOf } from "../support/bytes.ts";
import { type FaultHandler, FaultServer, fileReply } from "../support/fault_server.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { test } from "../support/test.ts";

const FILE = patternOf(2_700_000);
const OTHER = patternOf(2_700_000, 2);
const SHA256 = sha256(FILE).toHex();
const LAYOUT = layoutOf(FILE.length);
const DIGESTS = new Uint8Array(32 * LAYOUT.count);
for (let piece = 0; piece < LAYOUT.count; piece++) {
  const { start, end } = rangeOfPiece(LAYOUT, piece);
  DIGESTS.set(sha256(FILE.subarray(start, end)), piece * 32);
}
const SIDECAR = new TextEncoder().encode(
  encodeManifest("a.bin", makeManifest(FILE.length, SHA256, DIGESTS)),
);
const ZIPPED = await new Response(
  new Blob([FILE.slice(0, 100_000)]).stream().pipeThrough(new CompressionStream("gzip")),
).bytes();

interface Case {
  readonly name: string;
  /** A new server for each download. */
  readonly handler: () => FaultHandler;
  /** How a download from this server alone ends: the codes of failures that may be, none if it succeeds. */
  readonly sidecar: readonly string[];
  /** The same without a manifest, where only the digest of the whole is known. */
  readonly sha256?: readonly string[];
}

const good: FaultHandler = (request) => fileReply(request, FILE, { ETag: '"1"' });
/** The first request only tells the size. */
const isProbe = ({ range }: Parameters<FaultHandler>[0]) => range?.[1] === 1;

/** The handler for the first `count` requests for bytes, then a good server. */
function atFirst(count: number, faulty: FaultHandler): () => FaultHandler {
  return () => {
    let left = count;
    return (request) => isProbe(request) || left-- <= 0 ? good(request) : faulty(request);
  };
}

const always = (faulty: FaultHandler) => (): FaultHandler => (request) =>
  isProbe(request) ? good(request) : faulty(request);

const retry = (status: number, value: string) => ({ status, headers: { "Retry-After": value } });

const cases: readonly Case[] = [
  { name: "serves well", handler: () => good, sidecar: [] },
  {
    name: "refuses HEAD, as an address that is signed for GET does",
    handler: () => (request) => request.method === "GET" ? good(request) : { status: 403 },
    sidecar: [],
  },
  {
    name: "ignores ranges",
    handler: () => () => ({ status: 200, body: FILE, headers: { ETag: '"1"' } }),
    sidecar: [],
  },
  {
    name: "ignores ranges and does not say the length",
    handler: () => () => ({ status: 200, body: FILE, chunked: true }),
    sidecar: [],
    sha256: ["protocol"],
  },
  {
    name: "ignores ranges and ends the body with the connection",
    handler: () => () => ({ status: 200, body: FILE, length: null }),
    sidecar: [],
    sha256: ["protocol"],
  },
  {
    name: "ignores ranges now and then",
    handler: () => {
      let count = 0;
      return (request) => ++count % 3 === 0 ? { status: 200, body: FILE } : good(request);
    },
    sidecar: [],
  },
  {
    name: "sends parts in chunks, without a length",
    handler: () => (request) => ({ ...good(request) as object, chunked: true, status: 206 }),
    sidecar: [],
  },
  {
    name: "sends another range than it says",
    handler: always(({ range }) => fileReply({ range: [range![0] + 4, range![1] + 4] }, FILE)),
    sidecar: ["corrupt"],
  },
  {
    name: "shifts bytes",
    handler: always((request) => {
      const [first, last] = request.range!;
      const reply = fileReply(request, FILE);
      return { ...reply, body: OTHER.subarray(first, Math.min(last + 1, OTHER.length)) };
    }),
    sidecar: ["corrupt"],
  },
  {
    name: "sends encoded bytes",
    handler: always(() => ({
      status: 200,
      headers: { "Content-Encoding": "gzip" },
      body: ZIPPED,
    })),
    sidecar: ["corrupt", "unreachable", "timeout"],
  },
  {
    name: "sends encoded parts",
    handler: always((request) => ({
      ...fileReply(request, FILE),
      headers: {
        ...fileReply(request, FILE).headers,
        "Content-Encoding": "gzip",
      },
      body: ZIPPED,
    })),
    sidecar: ["corrupt", "unreachable", "timeout"],
  },
  {
    name: "redirects to addresses that expire",
    handler: () => {
      let token = 0, uses = 0;
      return (request) => {
        if (request.target === "/a.bin") {
          uses = 0;
          return { status: 302, headers: { Location: `/cdn?token=${++token}` } };
        }
        const isValid = request.target === `/cdn?token=${token}` && ++uses <= 3;
        return isValid ? good(request) : { status: 403 };
      };
    },
    sidecar: [],
  },
  { name: "asks for a pause in seconds", handler: atFirst(3, () => retry(429, "0")), sidecar: [] },
  {
    name: "asks for a pause until a date",
    handler: atFirst(3, () => retry(503, "Wed, 18 May 2022 03:33:30 GMT")),
    sidecar: [],
  },
  { name: "fails at first", handler: atFirst(2, () => ({ status: 502 })), sidecar: [] },
  {
    name: "cuts the first parts",
    handler: atFirst(3, (request) => ({ ...fileReply(request, FILE), cutAfter: 300_000 })),
    sidecar: [],
  },
  {
    name: "cuts a chunked part",
    handler: atFirst(1, (request) => ({
      ...fileReply(request, FILE),
      chunked: true,
      cutAfter: 300_000,
    })),
    sidecar: [],
  },
  {
    name: "announces more than it sends",
    handler: atFirst(1, (request) => ({ ...fileReply(request, FILE), cutAfter: 0 })),
    sidecar: [],
  },
  {
    name: "stalls at first",
    handler: atFirst(1, (request) => ({ ...fileReply(request, FILE), stallAfter: 10_000 })),
    sidecar: [],
  },
  { name: "fails for ever", handler: always(() => ({ status: 500 })), sidecar: ["timeout"] },
  { name: "does not have it", handler: () => () => ({ status: 404 }), sidecar: ["not-found"] },
  { name: "has removed it", handler: () => () => ({ status: 410 }), sidecar: ["not-found"] },
  { name: "refuses access", handler: () => () => ({ status: 403 }), sidecar: ["auth"] },
  {
    name: "loses it in the middle",
    handler: always(() => ({ status: 404 })),
    sidecar: ["unreachable"],
  },
  {
    name: "says that every range is outside of the file",
    handler: always(() => ({ status: 416 })),
    sidecar: ["timeout"],
    sha256: ["unreachable"],
  },
  {
    name: "gets another version in the middle",
    handler: () => {
      let count = 0;
      return (request) => ++count <= 3 ? good(request) : fileReply(request, OTHER, { ETag: '"2"' });
    },
    sidecar: ["corrupt"],
    sha256: ["unreachable"],
  },
  {
    name: "gets another version in the middle, which If-Match finds out",
    handler: () => {
      let count = 0;
      return (request) => {
        if (++count <= 3) return good(request);
        return request.headers.has("if-match")
          ? { status: 412 }
          : fileReply(request, OTHER, { ETag: '"2"' });
      };
    },
    sidecar: ["corrupt"],
    sha256: ["unreachable"],
  },
];

interface Outcome {
  readonly outcome: TaskOutcome["outcome"];
  readonly bytes: Uint8Array | undefined;
}

/** Downloads `a.bin` into an empty folder. */
async function get(
  folder: TempFolder,
  seeds: readonly string[],
  request: Partial<DownloadRequest> = {},
  seedConnections = 4,
): Promise<Outcome> {
  const directories = {
    config: folder.path,
    state: folder.pathOf("state"),
    cache: folder.pathOf("cache"),
  };
  const settings = downloadSettings(seeds, {
    stallMs: 1000,
    giveUpMs: 2500,
    sync: "never",
    seedConnections,
  });
  const outDir = folder.pathOf("out");
  const job = { requests: [{ name: "a.bin", ...request }], outDir, settings, directories };
  const [{ outcome } = { outcome: undefined }] = await download(job);
  const path = folder.pathOf("out/a.bin");
  return { outcome: outcome!, bytes: existsSync(path) ? Deno.readFileSync(path) : undefined };
}

function assertEnd({ outcome, bytes }: Outcome, codes: readonly string[]): void {
  if (outcome.ok) {
    assertEquals(codes, []);
    assert(bytes !== undefined && sha256(bytes).toHex() === SHA256, "the right bytes");
    return;
  }
  assertEquals(bytes, undefined, "no file under the final name");
  assert(codes.includes(outcome.failure.code), JSON.stringify(outcome.failure));
}

function serverFor(handler: FaultHandler, hasSidecar: boolean): FaultServer {
  return new FaultServer((request) => {
    if (request.target === "/a.bin.p2p") {
      return hasSidecar ? { status: 200, body: SIDECAR } : { status: 404 };
    }
    return request.target.endsWith("?manifest") ? { status: 404 } : handler(request);
  });
}

/** A p2p seed that has the file. */
async function withSeed(run: (address: string) => Promise<void>): Promise<void> {
  using folder = new TempFolder();
  folder.write("shared/a.bin", FILE);
  const stop = new AbortController();
  const listening = Promise.withResolvers<number>();
  const settings = serveSettings({ dir: folder.pathOf("shared"), host: "127.0.0.1", port: 0 });
  const serving = serve(settings, { cache: folder.pathOf("cache") }, (event) => {
    if (event.kind === "listening") listening.resolve(event.addresses[0]!.port);
  }, stop.signal);
  try {
    await run(`127.0.0.1:${await listening.promise}`);
  } finally {
    stop.abort();
    await serving;
  }
}

for (const { name, handler, sidecar, sha256: whole = sidecar } of cases) {
  test(`a download from a server that ${name}, with a manifest beside the file`, async () => {
    using folder = new TempFolder();
    await using server = serverFor(handler(), true);
    assertEnd(await get(folder, [server.url()]), sidecar);
  });

  test(`a download from a server that ${name}, with the digest of the whole`, async () => {
    using folder = new TempFolder();
    await using server = serverFor(handler(), false);
    assertEnd(await get(folder, [server.url()], { sha256: SHA256 }), whole);
  });

  test(`a download from a server that ${name}, and a p2p seed`, async () => {
    using folder = new TempFolder();
    await using server = serverFor(handler(), false);
    await withSeed(async (seed) => assertEnd(await get(folder, [server.url(), seed]), []));
  });
}

test("a download without any digest is complete and says that it is not verified", async () => {
  using folder = new TempFolder();
  await using server = serverFor(good, false);
  const { outcome, bytes } = await get(folder, [server.url()]);
  assert(outcome.ok && !outcome.result.verified && outcome.result.id === null);
  assertEquals(sha256(bytes!).toHex(), SHA256);
});

test("a download that was interrupted does not go on with another version of an unverified file", async () => {
  using folder = new TempFolder();
  let isOver = false;
  const half: FaultHandler = (request) =>
    isOver ? { status: 404 } : fileReply(request, FILE, { ETag: '"1"' });
  await using server = serverFor((request) => {
    if (request.range && request.range[0] > 0) isOver = true;
    return half(request);
  }, false);
  const first = await get(folder, [server.url()]);
  assertEquals(first.outcome.ok, false);
  assertEquals(first.bytes, undefined);
  server.handler = (request) =>
    request.target === "/a.bin" ? fileReply(request, OTHER, { ETag: '"2"' }) : { status: 404 };
  const { outcome, bytes } = await get(folder, [server.url()]);
  assert(outcome.ok);
  assertEquals(sha256(bytes!).toHex(), sha256(OTHER).toHex());
});

test("a download that was interrupted goes on where the version is the same", async () => {
  using folder = new TempFolder();
  let served = 0;
  await using server = serverFor(
    (request) => isProbe(request) || ++served <= 1 ? good(request) : { status: 404 },
    false,
  );
  // The first piece is there before the second one is asked for.
  assertEquals((await get(folder, [server.url()], {}, 1)).outcome.ok, false);
  server.requests.length = 0;
  server.handler = (request) => request.target === "/a.bin" ? good(request) : { status: 404 };
  const { outcome, bytes } = await get(folder, [server.url()]);
  assert(outcome.ok);
  assertEquals(sha256(bytes!).toHex(), SHA256);
  // A request of the first download may still come in, but none of it was for the first piece.
  const starts = server.requests.flatMap(({ target, range }) =>
    target === "/a.bin" && range && range[1] > 1 ? range[0] : []
  );
  assert(starts.length >= 2 && !starts.includes(0), `the first piece was there: ${starts}`);
});

test("a wrong byte is blamed on the web server that sent it", async () => {
  using folder = new TempFolder();
  await using liar = serverFor((request) => fileReply(request, OTHER), false);
  await withSeed(async (seed) => {
    const blamed = new Set<string>();
    const settings = downloadSettings([liar.url(), seed], { sync: "never" });
    const directories = {
      config: folder.path,
      state: folder.pathOf("s"),
      cache: folder.pathOf("c"),
    };
    const job = {
      requests: [{ name: "a.bin" }],
      outDir: folder.pathOf("out"),
      settings,
      directories,
    };
    const [done] = await download(job, (event) => {
      if (event.kind === "seed" && event.what === "corrupt") blamed.add(event.seed);
    });
    assert(done?.outcome.ok && done.outcome.result.verified);
    assertEquals(Array.from(blamed), [liar.url()]);
  });
  assertEquals(sha256(Deno.readFileSync(folder.pathOf("out/a.bin"))).toHex(), SHA256);
});
