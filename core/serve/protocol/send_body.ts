/**
 * Sends bodies, a step at a time: a step waits for its turn, is read into a lent
 * buffer and leaves from there. The reply's line stands in the buffer right
 * before the first bytes, so both leave in one write and nothing is copied.
 */
import { type ByteRange, lengthOf } from "../../base/ranges.ts";
import { ErrorReply } from "../../protocol/error_replies.ts";
import type { ClientConnection } from "../accept/client_connection.ts";
import { FileChangedError, type OpenFile } from "../files/open_file.ts";
import type { Upload } from "../schedule/scheduler.ts";

/** Measured: 64 KiB is slower by a fifth, 1 MiB is not faster. */
const LARGE_BYTES = 256 * 1024;
const SMALL_BYTES = 16 * 1024;
/** Together 16 MiB: as many clients may be slow at a time before all are sent small steps only. */
const MAX_LARGE_BUFFERS = 64;
/** For the reply's line: `OK` and a number. */
const HEAD_BYTES = 64;

/** A body that was announced cannot be sent to its end: only closing tells the client. */
export class BrokenBodyError extends Error {
  constructor(cause: unknown) {
    super("Cannot send the rest of a body", { cause });
    this.name = "BrokenBodyError";
  }
}

/** Buffers that bodies pass through: as many as were ever in use at a time, not as many as there are clients. */
export class BodyBuffers {
  readonly #large: Uint8Array[] = [];
  readonly #small: Uint8Array[] = [];
  #largeOut = 0;

  /** What a step may hold now. */
  get maxBytes(): number {
    return this.#largeOut < MAX_LARGE_BUFFERS ? LARGE_BYTES : SMALL_BYTES;
  }

  /** One for a step of `bytes`. */
  lend(bytes: number): Uint8Array {
    if (bytes <= SMALL_BYTES) {
      return this.#small.pop() ?? new Uint8Array(HEAD_BYTES + SMALL_BYTES);
    }
    this.#largeOut++;
    return this.#large.pop() ?? new Uint8Array(HEAD_BYTES + LARGE_BYTES);
  }

  /** Only when nothing reads from it any more. */
  takeBack(buffer: Uint8Array): void {
    if (buffer.length <= HEAD_BYTES + SMALL_BYTES) {
      this.#small.push(buffer);
    } else {
      this.#largeOut--;
      this.#large.push(buffer);
    }
  }
}

/**
 * Sends `head` and then exactly `range` of `file`, which must not be empty.
 *
 * @throws {ErrorReply} CHANGED if not even the first bytes are those of the file's version; nothing was sent.
 * @throws {BrokenBodyError} if that shows later. @throws what refuses its turn.
 */
export async function sendBody(
  connection: ClientConnection,
  turn: Upload,
  buffers: BodyBuffers,
  file: OpenFile,
  range: ByteRange,
  head = "",
): Promise<void> {
  for (let at = range.start; at < range.end;) {
    const most = Math.min(range.end - at, connection.stepBytes, buffers.maxBytes);
    const step = { start: at, end: at + await turn.next(most) };
    const first = at === range.start;
    await sendStep(connection, buffers, file, step, first ? { head } : undefined);
    at = step.end;
  }
}

/** @param first what stands before the bytes, where they are the body's first. */
async function sendStep(
  connection: ClientConnection,
  buffers: BodyBuffers,
  file: OpenFile,
  step: ByteRange,
  first: { readonly head: string } | undefined,
): Promise<void> {
  const bytes = lengthOf(step);
  const buffer = buffers.lend(bytes);
  try {
    file.read(buffer.subarray(HEAD_BYTES, HEAD_BYTES + bytes), step.start);
  } catch (error) {
    buffers.takeBack(buffer);
    if (!first) throw new BrokenBodyError(error);
    throw error instanceof FileChangedError ? changed() : error;
  }
  const start = putHead(buffer, first?.head ?? "");
  try {
    await connection.send(buffer.subarray(start, HEAD_BYTES + bytes));
  } catch (error) {
    // Not yet: a write that the platform cannot take back may still read from
    // the buffer, and would send another client's bytes.
    connection.released.then(() => buffers.takeBack(buffer));
    throw error;
  }
  buffers.takeBack(buffer);
}

/** Right before the bytes; says where it begins. */
function putHead(buffer: Uint8Array, head: string): number {
  const start = HEAD_BYTES - head.length;
  new TextEncoder().encodeInto(head, buffer.subarray(start, HEAD_BYTES));
  return start;
}

/** Sends `bytes`, which are in memory already, and must stay as they are. @throws what refuses their turn. */
export async function sendBytes(
  connection: ClientConnection,
  turn: Upload,
  bytes: Uint8Array,
  head = "",
): Promise<void> {
  for (let at = 0, first = true; first || at < bytes.length; first = false) {
    const most = Math.min(bytes.length - at, connection.stepBytes);
    const count = most === 0 ? 0 : await turn.next(most);
    const step = bytes.subarray(at, at + count);
    if (first) await sendFirst(connection, head, step);
    else await connection.send(step);
    at += count;
  }
}

/** What is small leaves in one write with its line: to copy it costs a twentieth of a write. */
async function sendFirst(
  connection: ClientConnection,
  head: string,
  step: Uint8Array,
): Promise<void> {
  if (step.length <= SMALL_BYTES) return await connection.send(joined(head, step));
  await connection.sendText(head);
  await connection.send(step);
}

function joined(head: string, bytes: Uint8Array): Uint8Array {
  const all = new Uint8Array(head.length + bytes.length);
  new TextEncoder().encodeInto(head, all);
  all.set(bytes, head.length);
  return all;
}

export function changed(): ErrorReply {
  return new ErrorReply("CHANGED", "the file changed since its manifest was made");
}
