/** An HTTP client that sends exactly the bytes that a test gives it. */
import { assert } from "@std/assert";
import type { RawClient } from "../../support/raw_client.ts";

export interface HttpReply {
  readonly status: number;
  readonly fields: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
  readonly text: string;
}

/** Reads one response. @param isHead its body is not sent. */
export async function readReply(client: RawClient, isHead = false): Promise<HttpReply> {
  const status = (await client.line()).match(/^HTTP\/1\.1 (\d{3}) \S/)?.[1];
  assert(status !== undefined, "a status line");
  const fields = new Map<string, string>();
  for (let line = await client.line(); line !== ""; line = await client.line()) {
    const [, name, value] = line.match(/^([^:]+): (.*)$/)!;
    assert(!fields.has(name!.toLowerCase()), `${name} once`);
    fields.set(name!.toLowerCase(), value!);
  }
  const body = isHead || status === "304" ? new Uint8Array() : await readBody(client, fields);
  return { status: Number(status), fields, body, text: new TextDecoder().decode(body) };
}

async function readBody(
  client: RawClient,
  fields: ReadonlyMap<string, string>,
): Promise<Uint8Array> {
  if (fields.get("transfer-encoding") === "chunked") return await readChunks(client);
  const length = fields.get("content-length");
  return length === undefined ? await client.rest() : await client.bytes(Number(length));
}

async function readChunks(client: RawClient): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (;;) {
    const length = Number.parseInt(await client.line(), 16);
    if (length > 0) parts.push(await client.bytes(length));
    assert(await client.line() === "", "the end of a chunk");
    if (length === 0) return new Uint8Array(await new Blob(parts as BlobPart[]).arrayBuffer());
  }
}

/** A request with these fields, and a host. */
export function request(
  target: string,
  fields: Readonly<Record<string, string>> = {},
  method = "GET",
): string {
  const lines = Object.entries({ Host: "127.0.0.1", ...fields }).map(([name, value]) =>
    `${name}: ${value}\r\n`
  );
  return `${method} ${target} HTTP/1.1\r\n${lines.join("")}\r\n`;
}
