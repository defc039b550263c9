/**
 * Web servers of the distribution as sources: alone, beside a p2p seed, and killed in the middle. A
 * test whose server is not installed is ignored, and its name says so.
 */
import { assert, assertEquals, assertGreater } from "@std/assert";
import { join } from "@std/path";
import { systemClock } from "../../core/base/clock.ts";
import { sha256 } from "../../core/base/digest.ts";
import {
  download,
  downloadSettings,
  list,
  serve,
  serveSettings,
  writeManifest,
} from "../../core/mod.ts";
import type { TaskEvent } from "../../core/mod.ts";
import { SourcePool } from "../../core/source/pool.ts";
import { httpClients } from "../../core/source/http_client.ts";
import { s3Account } from "../../core/source/s3.ts";
import { DOWNLOAD_DEFAULTS } from "../../core/config.ts";
import { patternOf } from "../support/bytes.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { noAbort } from "./support.ts";

const NAME = "dir/a b.bin";
const FILE = patternOf(24 * 1024 * 1024 + 5);
const SHA256 = sha256(FILE).toHex();

interface Started {
  readonly url: string;
  readonly process: Deno.ChildProcess;
}

type Start = (folder: TempFolder, port: number, backend: string) => Deno.ChildProcess;

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return (listener.addr as Deno.NetAddr).port;
}

function run(program: string, args: readonly string[], folder: TempFolder): Deno.ChildProcess {
  return new Deno.Command(program, {
    args: [...args],
    cwd: folder.path,
    env: { HOME: folder.path, XDG_DATA_HOME: folder.path, XDG_CONFIG_HOME: folder.path },
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
}

/** The paths of nginx below the folder, so that it needs no rights. */
const NGINX_PATHS = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
const SERVERS: Readonly<Record<string, Start>> = {
  nginx(folder, port) {
    const paths = NGINX_PATHS.map((name) => `${name}_temp_path ${folder.pathOf(`t-${name}`)};`);
    const conf = folder.write(
      "nginx.conf",
      `daemon off; master_process off; pid ${folder.pathOf("pid")}; error_log stderr;
      events {} http { access_log off; ${paths.join(" ")}
      server { listen 127.0.0.1:${port}; root ${folder.pathOf("www")}; } }`,
    );
    return run("nginx", ["-e", "stderr", "-c", conf], folder);
  },
  caddy: (folder, port) =>
    run(
      "caddy",
      ["file-server", "--listen", `127.0.0.1:${port}`, "--root", folder.pathOf("www")],
      folder,
    ),
  lighttpd(folder, port) {
    const conf = folder.write(
      "lighttpd.conf",
      `server.bind = "127.0.0.1"\nserver.port = ${port}\nserver.document-root = "${
        folder.pathOf("www")
      }"\n`,
    );
    return run("lighttpd", ["-D", "-f", conf], folder);
  },
  varnishd: (folder, port, backend) =>
    run("varnishd", [
      "-F",
      "-a",
      `127.0.0.1:${port}`,
      "-b",
      backend,
      "-n",
      folder.pathOf("varnish"),
      "-s",
      "malloc,64m",
    ], folder),
};

function isInstalled(program: string): boolean {
  return ["/usr/sbin", "/usr/bin", "/usr/local/bin", "/usr/local/sbin"].some((folder) => {
    try {
      return Deno.statSync(join(folder, program)).isFile;
    } catch {
      return false;
    }
  });
}

/** Answers as soon as the server does. */
async function ready(url: string, process: Deno.ChildProcess): Promise<void> {
  let ended = false;
  process.status.then(() => ended = true);
  for (let tries = 0; tries < 200 && !ended; tries++) {
    try {
      const response = await fetch(url);
      await response.body?.cancel();
      return;
    } catch {
      await systemClock.sleep(50, noAbort);
    }
  }
  throw new Error(`The server at ${url} does not start`);
}

class Servers implements AsyncDisposable {
  readonly folder = new TempFolder();
  readonly #processes: Deno.ChildProcess[] = [];

  constructor() {
    this.folder.write(`www/${NAME}`, FILE);
    // Servers that run as another user read it, too.
    for (const path of ["", "www", "www/dir"]) Deno.chmodSync(this.folder.pathOf(path), 0o755);
  }

  async start(program: string, backend = ""): Promise<Started> {
    const port = freePort();
    const process = SERVERS[program]!(this.folder, port, backend);
    this.#processes.push(process);
    const url = `http://127.0.0.1:${port}/`;
    await ready(url, process);
    return { url, process };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const process of this.#processes) await kill(process);
    this.folder[Symbol.dispose]();
  }
}

async function kill(process: Deno.ChildProcess): Promise<void> {
  try {
    process.kill("SIGTERM");
  } catch {
    // It has ended.
  }
  await process.status;
}

async function get(
  folder: TempFolder,
  seeds: readonly string[],
  onEvent?: (event: TaskEvent) => void,
) {
  const settings = downloadSettings(seeds, { sync: "never" });
  const directories = {
    config: folder.path,
    state: folder.pathOf("state"),
    cache: folder.pathOf("c"),
  };
  const job = { requests: [{ name: NAME }], outDir: folder.pathOf("out"), settings, directories };
  const [done] = await download(job, onEvent);
  assert(done!.outcome.ok, JSON.stringify(done));
  assertEquals(sha256(Deno.readFileSync(folder.pathOf(`out/${NAME}`))).toHex(), SHA256);
  return done!.outcome.result;
}

async function withSeed(
  folder: TempFolder,
  run: (address: string) => Promise<void>,
): Promise<void> {
  const stop = new AbortController();
  const listening = Promise.withResolvers<number>();
  const settings = serveSettings(
    { dir: folder.pathOf("www"), host: "127.0.0.1", port: 0, announce: false } as Parameters<
      typeof serveSettings
    >[0],
  );
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

for (const program of Object.keys(SERVERS)) {
  const needed = program === "varnishd" ? ["nginx", program] : [program];
  const missing = needed.filter((each) => !isInstalled(each));
  const why = missing.length === 0 ? "" : ` (ignored: ${missing.join()} is not installed)`;
  const test = (name: string, fn: (servers: Servers, server: Started) => Promise<void>) =>
    Deno.test({
      name: `${program} ${name}${why}`,
      ignore: missing.length > 0,
      async fn() {
        await using servers = new Servers();
        const backend = program === "varnishd" ? await servers.start("nginx") : undefined;
        await fn(servers, await servers.start(program, backend && new URL(backend.url).host));
      },
    });

  test("as the only source, without a manifest and with one", async ({ folder }, { url }) => {
    const plain = await get(folder, [url]);
    assertEquals([plain.verified, plain.id], [false, null]);
    Deno.removeSync(folder.pathOf("out"), { recursive: true });
    await writeManifest(folder.pathOf(`www/${NAME}`));
    // A cache in front may still know that there was none.
    const sources = program === "varnishd" ? [url.replace("127.0.0.1", "localhost")] : [url];
    const verified = await get(folder, sources);
    assertEquals(verified.verified, true);
  });

  test("beside a p2p seed: both send", async ({ folder }, { url }) => {
    await withSeed(folder, async (seed) => {
      const { verified, bytesBySeed } = await get(folder, [url, seed]);
      assertEquals(verified, true);
      for (const source of [url, seed]) assertGreater(bytesBySeed[source] ?? 0, 0, source);
    });
  });

  test("killed in the middle, beside a p2p seed", async ({ folder }, { url, process }) => {
    await withSeed(folder, async (seed) => {
      let killed = false;
      const { verified } = await get(folder, [url, seed], (event) => {
        if (event.kind !== "stored" || event.seed !== url || killed) return;
        killed = true;
        process.kill("SIGKILL");
      });
      assertEquals([verified, killed], [true, true]);
    });
  });

  test("cannot list its files, and p2p says so", async (_, { url }) => {
    const { seeds } = await list({ glob: undefined, ids: false }, downloadSettings([url]));
    assert(seeds[0]?.error?.includes("plain web server"), JSON.stringify(seeds));
  });
}

/** The program of the npm package s3rver. */
const S3RVER = Deno.env.get("P2P_TEST_S3RVER") ?? (isInstalled("s3rver") ? "s3rver" : undefined);

Deno.test({
  name: `an object store as a source, with signatures and a listing${
    S3RVER ? "" : " (ignored: install s3rver@3.7.1 from npm and name it by P2P_TEST_S3RVER)"
  }`,
  ignore: S3RVER === undefined,
  async fn() {
    using folder = new TempFolder();
    const port = freePort();
    const process = run(S3RVER!, [
      ...["--address", "127.0.0.1", "--port", String(port), "--directory", folder.pathOf("s3")],
      ...["--silent", "--configure-bucket", "bucket"],
    ], folder);
    const endpoint = `http://127.0.0.1:${port}`;
    try {
      await ready(endpoint, process);
      const environment: Record<string, string> = {
        AWS_ACCESS_KEY_ID: "S3RVER",
        AWS_SECRET_ACCESS_KEY: "S3RVER",
        AWS_ENDPOINT_URL: endpoint,
      };
      const { AwsV4Signer } = await import("aws4fetch");
      const sign = (options: { url: string; method: string; signQuery?: boolean }) =>
        new AwsV4Signer({
          ...{
            accessKeyId: "S3RVER",
            secretAccessKey: "S3RVER",
            service: "s3",
            region: "us-east-1",
          },
          ...options,
        }).sign();
      const bytes = FILE.slice(0, 3_000_000);
      for (const key of ["pre/a%20b%2B.bin", "pre/sub/c", "other"]) {
        const { url, headers } = await sign({ url: `${endpoint}/bucket/${key}`, method: "PUT" });
        const put = await fetch(url, { method: "PUT", headers, body: bytes });
        await put.body?.cancel();
        assertEquals(put.status, 200, key);
      }
      const web = (env: Record<string, string>) => ({
        open: httpClients(),
        s3Account: () =>
          s3Account({ env: (name) => env[name], readTextFile: () => Promise.resolve(undefined) }),
      });
      const pool = (env: Record<string, string>) =>
        new SourcePool({
          ...{ ...DOWNLOAD_DEFAULTS, clock: systemClock, web: web(env) },
          dial: () => Promise.reject(new Error("unused")),
        });
      await using signed = pool(environment);
      const source = signed.source({ url: "s3://bucket/pre/" });
      const names = (await source.list(noAbort)).map(({ name, size }) => [name, size]);
      assertEquals(names, [["a b+.bin", 3_000_000], ["sub/c", 3_000_000]]);
      assertEquals(await source.size("a b+.bin", noAbort), 3_000_000);
      const into = new Uint8Array(1000);
      const content = { name: "a b+.bin", id: null, size: 3_000_000 };
      const options = { onBytes: () => {}, rateLimit: undefined };
      await source.read(content, { start: 5000, end: 6000 }, into, options, noAbort);
      assertEquals(into, bytes.slice(5000, 6000));

      const wrong = { ...environment, AWS_ACCESS_KEY_ID: "nobody" };
      await using refused = pool(wrong);
      const error = await refused.source({ url: "s3://bucket/pre/" }).size("sub/c", noAbort).catch((
        error,
      ) => error);
      assertEquals(error.message, "s3://bucket/pre/ refuses access (HTTP 403)");

      // A URL that is signed for GET.
      const presigned = await sign({
        url: `${endpoint}/bucket/pre/sub/c?X-Amz-Expires=600`,
        method: "GET",
        signQuery: true,
      });
      const direct = signed.source({ url: presigned.url.href });
      assertEquals(direct.id, `${endpoint}/bucket/pre/sub/c`);
      assertEquals(await direct.manifest("c", noAbort), undefined);
      await direct.read({ ...content, name: "c" }, { start: 0, end: 1000 }, into, options, noAbort);
      assertEquals(into, bytes.slice(0, 1000));
    } finally {
      await kill(process);
    }
  },
});
