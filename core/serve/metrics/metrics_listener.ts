/**
 * Serves `GET /metrics` over plain HTTP, and closes the connection after each reply.
 *
 * `Deno.serve` has no limits on connections, request heads and time: idle clients of
 * the metrics could take all descriptors of the server.
 */
import { onAbort } from "../../base/abort.ts";
import type { Clock } from "../../base/clock.ts";
import { reasonOf, UsageError } from "../../base/errors.ts";
import { TaskGroup } from "../../base/task_group.ts";
import type { MetricsAddress } from "../../config.ts";
import type { Listening, ListenOptions } from "../../source/listen.ts";
import type { ByteStream } from "../../source/transport.ts";
import { METRICS_TYPE } from "./metrics.ts";

/** A scraper needs one connection. Further ones are closed without a reply. */
const MAX_CLIENTS = 8;
/** From accepting to closing; Prometheus gives up after ten seconds by default. */
const CLIENT_TIMEOUT_MS = 10_000;
const MAX_HEAD_BYTES = 8 * 1024;

/** @throws {UsageError} if the address cannot be listened on. */
export function listenForMetrics(
  { host, port }: MetricsAddress,
  listen: (options: ListenOptions) => Listening,
): Listening {
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
    const request = await readRequestLine(stream);
    if (request === undefined) return;
    await stream.write(new TextEncoder().encode(replyTo(request, page)));
    await stream.endWriting();
    // With unread bytes, closing would reset the connection and discard the reply.
    const rest = new Uint8Array(1024);
    while (await stream.read(rest) !== null);
  } catch {
    // The client left or was too slow; this concerns no other client.
  }
}

/** The first line, when the head of the request is complete; undefined if it ends before or is too long. */
async function readRequestLine(stream: ByteStream): Promise<string | undefined> {
  const head = new Uint8Array(MAX_HEAD_BYTES);
  const decode = (start: number) => new TextDecoder("latin1").decode(head.subarray(start, length));
  let length = 0;
  while (length < head.length) {
    const count = await stream.read(head.subarray(length));
    if (count === null) return undefined;
    // The empty line may have begun in the bytes before.
    const start = Math.max(0, length - "\r\n\r".length);
    length += count;
    if (/\n\r?\n/.test(decode(start))) return decode(0).split(/\r?\n/, 1)[0];
  }
  return undefined;
}

const REQUEST = /^([A-Z]+) (\S+) HTTP\/1\.[01]$/;

/** The whole reply to the first line of a request. */
function replyTo(request: string, page: () => string): string {
  const [, method, target = ""] = REQUEST.exec(request) ?? [];
  if (method === undefined) return encodeReply("400 Bad Request");
  if (target.replace(/\?.*$/, "") !== "/metrics") {
    return encodeReply("404 Not Found", [], "there is only /metrics\n");
  }
  if (method !== "GET" && method !== "HEAD") {
    return encodeReply("405 Method Not Allowed", ["Allow: GET, HEAD"]);
  }
  const reply = encodeReply("200 OK", [`Content-Type: ${METRICS_TYPE}`], page());
  return method === "GET" ? reply : reply.slice(0, reply.indexOf("\r\n\r\n") + 4);
}

function encodeReply(status: string, headers: readonly string[] = [], body = ""): string {
  const length = new TextEncoder().encode(body).length;
  const head = [status, ...headers, `Content-Length: ${length}`, "Connection: close"];
  return `HTTP/1.1 ${head.join("\r\n")}\r\n\r\n${body}`;
}
