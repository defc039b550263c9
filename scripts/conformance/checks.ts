/** What a seed must do: the examples of the specification, and the rules behind them. */
import { createHash } from "node:crypto";
import { RawConnection } from "./connection.ts";
import { type Example, EXAMPLE_FILES, isLike, type Step } from "./examples.ts";

export interface Check {
  readonly name: string;
  /** @returns why the check does not apply to this seed. @throws {Error} that says what is wrong. */
  run(seed: Address): Promise<string | void>;
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** How often a manifest is requested while the seed hashes the file. */
const MAX_PENDING = 100;

/** Requests that a seed need not know, each with the feature that announces it. */
const FEATURE_BY_VERB: ReadonlyMap<string, string> = new Map([
  ["READ", "read"],
  ["FETCH", "fetch"],
  ["HAVE", "swarm"],
  ["JOIN", "swarm"],
  ["SUGGEST", "swarm"],
]);

/**
 * @param isExact whether greeting and manifests must have the very text of the page, which another
 * seed may write otherwise
 */
export function exampleChecks(examples: readonly Example[], isExact: boolean): Check[] {
  // A receiver is no seed: it has no names.
  return examples.filter(({ kind }) => kind !== "receiver").map((example) => ({
    name: `the ${example.kind} example at line ${example.at}`,
    run: async (seed) => {
      using connection = await RawConnection.open(seed.host, seed.port);
      if (example.kind === "one-shot") await runOneShot(example, connection);
      else return await runSession(example, connection, isExact);
    },
  }));
}

async function runOneShot({ steps }: Example, connection: RawConnection): Promise<void> {
  for (const step of steps) {
    if (step.from === "client") {
      // Without a line end, as original clients do.
      await connection.send(step.line);
      await connection.end();
    } else if ("body" in step) {
      const reply = new TextDecoder().decode(await connection.rest());
      if (!isLike(reply, step.body)) throw new Error(unlike(reply, step.body));
    }
  }
}

/**
 * @returns why the example does not apply: a seed that may write its greeting otherwise need not have
 * all features.
 * @throws {Error} if the replies are not those of the example.
 */
export async function runSession(
  { steps }: Example,
  connection: RawConnection,
  isExact: boolean,
): Promise<string | void> {
  let length = 0;
  let manifestBytes: number | undefined;
  let request = "";
  for (const step of steps) {
    if (step.from === "client") {
      request = step.line;
      await connection.send(`${request}\n`);
    } else if ("line" in step) {
      const line = await replyTo(request, connection);
      requireLine(line, step.line, request, isExact);
      if (request === "HELLO 2" && !isExact) {
        const missing = missingFeature(steps, featuresOf(line));
        if (missing !== undefined) return missing;
      }
      length = Number(line.match(/^OK (\d+)/)?.[1] ?? 0);
      const isFetched = request.startsWith("FETCH ") && line.startsWith("OK ");
      manifestBytes = isFetched ? manifestBytesIn(line) : undefined;
    } else {
      const bytes = await connection.bytes(length);
      const body = new TextDecoder().decode(bytes);
      const same = isExact || !step.body.startsWith("{")
        ? isLike(body, step.body)
        : manifestBytes === undefined
        ? isSameJson(body, step.body)
        : isSameFetch(bytes, manifestBytes, step.body);
      if (!same) throw new Error(unlike(body, step.body));
    }
  }
}

function featuresOf(greeting: string): string[] {
  return greeting.match(/ features=(\S+)/)?.[1]?.split(",") ?? [];
}

/** Why a seed with these features cannot be sent the requests of `steps`. */
function missingFeature(steps: readonly Step[], features: readonly string[]): string | undefined {
  for (const step of steps) {
    if (step.from !== "client") continue;
    const feature = FEATURE_BY_VERB.get(step.line.split(" ")[0]!);
    if (feature !== undefined && !features.includes(feature)) return notAnnounced(feature);
  }
  return undefined;
}

function notAnnounced(feature: string): string {
  return `the seed does not announce ${feature}`;
}

/** The reply line; a manifest is requested again while it is pending. */
async function replyTo(request: string, connection: RawConnection): Promise<string> {
  for (let tries = 0;; tries++) {
    const line = await connection.line();
    if (!line.startsWith("ERROR:PENDING") || tries === MAX_PENDING) return line;
    await new Promise((resolve) => setTimeout(resolve, 50));
    await connection.send(`${request}\n`);
  }
}

function requireLine(line: string, shown: string, request: string, isExact: boolean): void {
  if (isExact || !/^(?:HELLO|MANIFEST|LIST|FETCH)/.test(request) || shown.startsWith("ERROR")) {
    if (!isLike(line, shown)) throw new Error(unlike(line, shown));
  } else if (request === "HELLO 2") requireGreeting(line);
  else if (!/^OK [0-9]+(?: |$)/.test(line)) throw new Error(unlike(line, "OK <length>"));
}

/** @throws {Error} if the reply to FETCH does not say how long its manifest is. */
function manifestBytesIn(line: string): number {
  const length = line.match(/^OK [0-9]+ (?:.* )?manifest=([0-9]+)(?: |$)/)?.[1];
  if (length === undefined) throw new Error(unlike(line, "OK <length> manifest=<length>"));
  return Number(length);
}

/** The manifest may be written otherwise; the bytes behind it may not. */
function isSameFetch(body: Uint8Array, manifestBytes: number, shown: string): boolean {
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  const end = shown.indexOf("}") + 1;
  return isSameJson(text(body.subarray(0, manifestBytes)), shown.slice(0, end)) &&
    text(body.subarray(manifestBytes)) === shown.slice(end);
}

function requireGreeting(line: string): void {
  if (!/^HELLO 2 /.test(line)) throw new Error(unlike(line, "HELLO 2 ..."));
  const pairs = new Map(
    line.split(" ").slice(2).map((pair) => pair.split("=") as [string, string]),
  );
  const forms = {
    nonce: /^[0-9a-fA-F]{32}$/,
    auth: /^(?:none|token)$/,
    "max-length": /^[1-9][0-9]*$/,
    "max-inflight": /^[1-9][0-9]*$/,
  };
  for (const [key, form] of Object.entries(forms)) {
    if (!form.test(pairs.get(key) ?? "")) throw new Error(`the greeting has no right ${key}`);
  }
}

/** Equal where the page has a value, whatever the order and the spaces; further fields are allowed. */
function isSameJson(text: string, shown: string): boolean {
  const lines = text.trimEnd().split("\n");
  const wanted = shown.replaceAll(/<ms>/g, '"any"').trimEnd().split("\n");
  return lines.length === wanted.length && lines.every((line, i) => {
    const actual = JSON.parse(line);
    return Object.entries(JSON.parse(wanted[i]!)).every(([key, value]) =>
      value === "any" ? typeof actual[key] === "number" : actual[key] === value
    );
  });
}

function unlike(actual: string, shown: string): string {
  return `${JSON.stringify(actual.slice(0, 200))} instead of ${JSON.stringify(shown)}`;
}

/** A session after the greeting. */
async function session(seed: Address): Promise<RawConnection> {
  const connection = await RawConnection.open(seed.host, seed.port);
  await connection.send("HELLO 2\n");
  requireGreeting(await connection.line());
  return connection;
}

async function requireReplies(seed: Address, data: string | Uint8Array, ...shown: string[]) {
  using connection = await session(seed);
  await connection.send(data);
  for (const each of shown) {
    const line = await connection.line();
    if (!isLike(line, each)) throw new Error(unlike(line, each));
  }
}

const PING = "PING\n";
const NOT_FOUND = "ERROR:NOT_FOUND<text>";
const BAD_REQUEST = "ERROR:BAD_REQUEST<text>";
const UNKNOWN_ID = "0".repeat(64);

/** Requests that must be refused so, with the session still usable. */
const REFUSALS: readonly (readonly [request: string, reply: string])[] = [
  ["FILESIZE /hello.txt", NOT_FOUND],
  ["FILESIZE ./hello.txt", NOT_FOUND],
  ["FILESIZE hello.txt/", NOT_FOUND],
  ["FILESIZE x/../hello.txt", NOT_FOUND],
  ["FILESIZE ..\\hello.txt", NOT_FOUND],
  ["FILESIZE ", NOT_FOUND],
  ["FILESIZE", BAD_REQUEST],
  ["filesize hello.txt", BAD_REQUEST],
  ["PING now", BAD_REQUEST],
  ["HELLO 2", BAD_REQUEST],
  ["", BAD_REQUEST],
  ["DOWNLOAD hello.txt", BAD_REQUEST],
  ["DOWNLOAD hello.txt|+1|1", BAD_REQUEST],
  ["DOWNLOAD hello.txt|-1|1", BAD_REQUEST],
  ["DOWNLOAD hello.txt|1.0|1", BAD_REQUEST],
  ["DOWNLOAD hello.txt|0x1|1", BAD_REQUEST],
  ["DOWNLOAD hello.txt| 1|1", BAD_REQUEST],
  ["DOWNLOAD hello.txt|5|2", "ERROR:RANGE<text>"],
  ["DOWNLOAD empty|0|1", "ERROR:RANGE<text>"],
];

export const RULES: readonly Check[] = [
  ...REFUSALS.map(([request, reply]): Check => ({
    name: `"${request}" is answered ${reply.replace("<text>", "")}`,
    run: (seed) => requireReplies(seed, `${request}\n${PING}`, reply, "OK 0"),
  })),
  {
    name: "a line may end with CR and LF",
    run: (seed) => requireReplies(seed, "FILESIZE hello.txt\r\n", "SIZE:6"),
  },
  {
    name: "a line of 4,096 bytes is read",
    run: (seed) => requireReplies(seed, `${"x".repeat(4096)}\n${PING}`, BAD_REQUEST, "OK 0"),
  },
  {
    name: "a longer line is answered TOO_LONG, and the connection closes",
    run: async (seed) => {
      using connection = await session(seed);
      await connection.send(`${"x".repeat(4097)}\n${PING}`);
      const rest = new TextDecoder().decode(await connection.rest());
      if (!/^ERROR:TOO_LONG[^\n]*\n$/.test(rest)) throw new Error(unlike(rest, "ERROR:TOO_LONG"));
    },
  },
  {
    name: "a line that is not UTF-8 is refused, and the session goes on",
    run: (seed) => {
      const line = new TextEncoder().encode(`FILESIZE x\n${PING}`);
      line[9] = 0xff;
      return requireReplies(seed, line, "ERROR:<text>", "OK 0");
    },
  },
  {
    name: "sixteen requests in one packet are answered in order",
    run: (seed) => {
      const requests = Array.from({ length: 8 }, () => "FILESIZE hello.txt\nFILESIZE empty\n");
      const replies = Array.from({ length: 8 }, () => ["SIZE:6", "SIZE:0"]).flat();
      return requireReplies(seed, requests.join(""), ...replies);
    },
  },
  {
    name: "requests in one packet with the greeting are answered behind it",
    run: async (seed) => {
      using connection = await RawConnection.open(seed.host, seed.port);
      await connection.send("HELLO 2\nFILESIZE hello.txt\nPING\n");
      requireGreeting(await connection.line());
      for (const shown of ["SIZE:6", "OK 0"]) {
        const line = await connection.line();
        if (line !== shown) throw new Error(unlike(line, shown));
      }
    },
  },
  {
    name: "a request may come byte by byte",
    run: async (seed) => {
      using connection = await session(seed);
      for (const byte of new TextEncoder().encode("FILESIZE hello.txt\n")) {
        await connection.send(Uint8Array.of(byte));
      }
      const line = await connection.line();
      if (line !== "SIZE:6") throw new Error(unlike(line, "SIZE:6"));
    },
  },
  {
    name: "requests are answered when the client ends its side",
    run: async (seed) => {
      using connection = await session(seed);
      await connection.send("FILESIZE hello.txt\nPING\n");
      await connection.end();
      const rest = new TextDecoder().decode(await connection.rest());
      if (rest !== "SIZE:6\nOK 0\n") throw new Error(unlike(rest, "SIZE:6\nOK 0\n"));
    },
  },
  {
    name: "nothing is answered behind BYE",
    run: async (seed) => {
      using connection = await session(seed);
      await connection.send(`BYE\n${PING}`);
      const rest = new TextDecoder().decode(await connection.rest());
      if (rest !== "OK 0\n") throw new Error(unlike(rest, "OK 0\n"));
    },
  },
  {
    name: "a one-shot request may end with LF",
    run: async (seed) => {
      using connection = await RawConnection.open(seed.host, seed.port);
      await connection.send("FILESIZE hello.txt\n");
      const rest = new TextDecoder().decode(await connection.rest());
      if (!/^SIZE:6[\r\n\0 ]*$/.test(rest)) throw new Error(unlike(rest, "SIZE:6\n"));
    },
  },
  {
    name: "a one-shot request may end with silence",
    run: async (seed) => {
      using connection = await RawConnection.open(seed.host, seed.port);
      await connection.send("FILESIZE hello.txt");
      const rest = new TextDecoder().decode(await connection.rest());
      if (!/^SIZE:6[\r\n\0 ]*$/.test(rest)) throw new Error(unlike(rest, "SIZE:6\n"));
    },
  },
  ...Object.keys(EXAMPLE_FILES).map((name): Check => ({
    name: `the manifest of ${name} is right`,
    run: async (seed) => {
      using connection = await session(seed);
      await connection.send(`MANIFEST ${name}\n`);
      const line = await replyTo(`MANIFEST ${name}`, connection);
      const length = Number(line.match(/^OK (\d+)/)?.[1] ?? NaN);
      if (Number.isNaN(length)) throw new Error(unlike(line, "OK <length>"));
      const body = new TextDecoder().decode(await connection.bytes(length));
      const { name: _, ...wanted } = { name, ...manifestOf(EXAMPLE_FILES[name]!) };
      const actual = JSON.parse(body);
      for (const [key, value] of Object.entries(wanted)) {
        if (actual[key] !== value) throw new Error(`${key} is ${actual[key]} instead of ${value}`);
      }
    },
  })),
  {
    name: "READ, if it is announced, gives the content with the id and no other",
    run: async (seed) => {
      using connection = await RawConnection.open(seed.host, seed.port);
      await connection.send("HELLO 2\n");
      if (!featuresOf(await connection.line()).includes("read")) return notAnnounced("read");
      await connection.send("MANIFEST hello.txt\n");
      const line = await replyTo("MANIFEST hello.txt", connection);
      await connection.bytes(Number(line.match(/^OK (\d+)/)?.[1] ?? 0));
      const { id } = manifestOf(EXAMPLE_FILES["hello.txt"]!);
      await connection.send(`READ ${id}|1|3\nREAD ${UNKNOWN_ID}|0|1\nREAD ${id}|0|7\n`);
      if (await connection.line() !== "OK 3") throw new Error("READ did not send 3 bytes");
      const body = new TextDecoder().decode(await connection.bytes(3));
      if (body !== "ell") throw new Error(unlike(body, "ell"));
      for (const shown of [NOT_FOUND, "ERROR:RANGE<text>"]) {
        const reply = await connection.line();
        if (!isLike(reply, shown)) throw new Error(unlike(reply, shown));
      }
      return undefined;
    },
  },
];

const PIECE_BYTES = 1_048_576;

/** By the words of the page, with nothing of p2p's own code. */
function manifestOf(content: Uint8Array) {
  const digests: Uint8Array[] = [];
  for (let at = 0; at < content.length; at += PIECE_BYTES) {
    digests.push(createHash("sha256").update(content.subarray(at, at + PIECE_BYTES)).digest());
  }
  const id = createHash("sha256").update(`p2p-manifest-1\n${content.length}\n${PIECE_BYTES}\n`);
  for (const digest of digests) id.update(digest);
  return {
    size: content.length,
    pieceSize: PIECE_BYTES,
    sha256: createHash("sha256").update(content).digest("hex"),
    id: id.digest("hex"),
    pieces: btoa(digests.map((digest) => String.fromCharCode(...digest)).join("")),
  };
}
