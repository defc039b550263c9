/**
 * Sends bodies step by step: a step waits until it is granted, is read into a shared
 * buffer and written from there. The reply's line, and a manifest of one piece, stand in the
 * buffer right before the first bytes, so that all leave in one write and nothing is copied.
 */
import { type ByteRange, lengthOf } from "../../base/ranges.ts";
import type { ClientConnection } from "../accept/client_connection.ts";
import type { OpenFile } from "../files/open_file.ts";
import type { Upload } from "../schedule/scheduler.ts";
import { type BodyBuffers, HEAD_BYTES, SMALL_BYTES } from "./body_buffers.ts";
import { BrokenBodyError } from "./errors.ts";

/** What bodies are read from: a file, or the verified pieces of one. */
export type Readable = Pick<OpenFile, "read">;

/**
 * Sends `head` and then exactly `range` of `file`, which must not be empty.
 *
 * @throws {FileChangedError} if the first bytes are not of the file's version; nothing was sent.
 * @throws {BrokenBodyError} if later bytes are not. @throws as `Upload.next`.
 */
export async function sendBody(
  connection: ClientConnection,
  upload: Upload,
  buffers: BodyBuffers,
  file: Readable,
  range: ByteRange,
  head: string | Uint8Array = "",
): Promise<void> {
  const first = typeof head === "string" ? new TextEncoder().encode(head) : head;
  for (let at = range.start; at < range.end;) {
    const maxBytes = Math.min(range.end - at, connection.stepBytes, buffers.maxBytes);
    const step = { start: at, end: at + await upload.next(maxBytes) };
    await sendStep(connection, buffers, file, step, at === range.start ? first : undefined);
    at = step.end;
  }
}

/** @param head stands before the body's first bytes; undefined for later ones. One that is too long for the buffer is a write of its own. */
async function sendStep(
  connection: ClientConnection,
  buffers: BodyBuffers,
  file: Readable,
  step: ByteRange,
  head: Uint8Array | undefined,
): Promise<void> {
  const end = HEAD_BYTES + lengthOf(step);
  const buffer = buffers.take(lengthOf(step));
  try {
    file.read(buffer.subarray(HEAD_BYTES, end), step.start);
  } catch (error) {
    buffers.putBack(buffer);
    throw head === undefined ? new BrokenBodyError(error) : error;
  }
  const fits = head !== undefined && head.length <= HEAD_BYTES;
  const start = HEAD_BYTES - (fits ? head.length : 0);
  if (fits) buffer.set(head, start);
  try {
    if (head !== undefined && !fits) await connection.send(head);
    await connection.send(buffer.subarray(start, end));
  } catch (error) {
    // A write that the system cannot take back may still read from the buffer, and would
    // send another client's bytes.
    connection.released.then(() => buffers.putBack(buffer));
    throw error;
  }
  buffers.putBack(buffer);
}

/** Sends `head` and then `bytes`, which must stay as they are. @throws as `Upload.next`. */
export async function sendBytes(
  connection: ClientConnection,
  upload: Upload,
  bytes: Uint8Array,
  head = "",
): Promise<void> {
  const maxBytes = Math.min(bytes.length, connection.stepBytes, SMALL_BYTES);
  let at = maxBytes === 0 ? 0 : await upload.next(maxBytes);
  await connection.send(joined(head, bytes.subarray(0, at)));
  while (at < bytes.length) {
    const granted = await upload.next(Math.min(bytes.length - at, connection.stepBytes));
    await connection.send(bytes.subarray(at, at + granted));
    at += granted;
  }
}

/** `head` and then `bytes`. */
export function joined(head: string, bytes: Uint8Array): Uint8Array {
  const all = new Uint8Array(head.length + bytes.length);
  new TextEncoder().encodeInto(head, all);
  all.set(bytes, head.length);
  return all;
}
