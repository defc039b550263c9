/**
 * Serves `GET /metrics` over plain HTTP, and closes the connection after each reply.
 *
 * `Deno.serve` has no limits on connections, lines and time: idle clients of the
 * metrics could take all descriptors of the server.
 */
import { onAbort } from "../../base/abort.ts";
import type { Clock } from "../../base/clock.ts";
import { reasonOf, UsageError } from "../../base/errors.ts";
import { TaskGroup } from "../../base/task_group.ts";
import type { MetricsAddress } from "../../config.ts";
import { type ByteStream, listen, type Listening } from "../../source/transport.ts";
import { ReadBuffer } from "../../protocol/read_buffer.ts";
import { METRICS_TYPE } from "./metrics.ts";

/** A scraper needs one connection. Further ones are closed without a reply. */
const MAX_CLIENTS = 8;
/** From accepting to closing; Prometheus gives up after ten seconds by default. */
const CLIENT_TIMEOUT_MS = 10_000;
/** A scraper sends about ten. */
const MAX_LINES = 100;

/** @throws {UsageError} if the address cannot be listened on. */
export function listenForMetrics({ host, port }: MetricsAddress): Listening {
  try {
    return listen({ host, port });
  } catch (error) {
    throw new UsageError(`Cannot offer metrics: ${reasonOf(error)}`, {
      cause: error,
      problem: "metrics-address",
    });
  }
}

/** Serves until `signal` aborts. @param page renders the text for each request. */
export async function serveMetrics(
  listening: Listening,
  page: () => string,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  await using clients = new TaskGroup(signal);
  using _stop = onAbort(signal, () => listening.close());
  for await (const stream of listening.clients()) {
    if (clients.size >= MAX_CLIENTS) stream.close();
    else clients.spawn((signal) => serveOne(stream, page, clock, signal));
  }
}

async function serveOne(
  stream: ByteStream,
  page: () => string,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  using _closed = stream;
  using _late = clock.after(CLIENT_TIMEOUT_MS, () => stream.close());
  try {
    using _now = onAbort(signal, () => stream.close());
    const request = await requestLine(stream);
    if (request === undefined) return;
    await stream.write(new TextEncoder().encode(reply(request, page)));
    await stream.endWriting();
    // With unread bytes, closing would reset the connection and discard the reply.
    const rest = new Uint8Array(1024);
    while (await stream.read(rest) !== null);
  } catch {
    // The client left or was too slow; this concerns no other client.
  }
}

/** The first line, when the head of the request is complete; undefined if it ends before or is too long. @throws when the stream fails, or a line is too long. */
async function requestLine(stream: ByteStream): Promise<string | undefined> {
  const buffer = new ReadBuffer();
  let first: string | undefined;
  for (let lines = 0; lines < MAX_LINES;) {
    const line = buffer.takeLine();
    if (line === undefined) {
      const count = await stream.read(buffer.space());
      if (count === null) return undefined;
      buffer.filled(count);
      continue;
    }
    lines++;
    if (first === undefined) first = line;
    else if (line === "") return first;
  }
  return undefined;
}

const REQUEST = /^([A-Z]+) (\S+) HTTP\/1\.[01]$/;

/** The whole reply to the first line of a request. */
function reply(request: string, page: () => string): string {
  const [, method, target] = request.match(REQUEST) ?? [];
  if (method === undefined || target === undefined) return response("400 Bad Request", "");
  if (target.replace(/\?.*$/, "") !== "/metrics") {
    return response("404 Not Found", "there is only /metrics\n");
  }
  if (method !== "GET" && method !== "HEAD") {
    return response("405 Method Not Allowed", "", ["Allow: GET, HEAD"]);
  }
  const body = page();
  return response("200 OK", body, [`Content-Type: ${METRICS_TYPE}`], method === "HEAD");
}

function response(
  status: string,
  body: string,
  headers: readonly string[] = [],
  headOnly = false,
): string {
  const length = new TextEncoder().encode(body).length;
  return [
    `HTTP/1.1 ${status}`,
    ...headers,
    `Content-Length: ${length}`,
    "Connection: close",
    "",
    headOnly ? "" : body,
  ].join("\r\n");
}
