/** Runs in a worker: answers each request in order. */
import { RunningDigest } from "../base/digest.ts";

export interface HashRequest {
  readonly id: number;
  /** In shared memory, which is not copied. */
  readonly bytes: Uint8Array;
  /** The running digest that it continues or begins. */
  readonly stream: number;
  /** Whether these are the last bytes of the stream. */
  readonly last: boolean;
}

export interface HashReply {
  readonly id: number;
  /** Only in reply to the last bytes of a stream. */
  readonly digest: Uint8Array | undefined;
}

/** What this file uses of a worker's globals; the compiler only knows those of the main thread. */
interface WorkerScope {
  onmessage: (event: MessageEvent<HashRequest>) => void;
  postMessage(reply: HashReply): void;
}

const scope = globalThis as unknown as WorkerScope;
const streams = new Map<number, RunningDigest>();

scope.onmessage = ({ data: { id, bytes, stream, last } }) => {
  const running = streams.get(stream) ?? new RunningDigest();
  running.update(bytes);
  if (last) streams.delete(stream);
  else streams.set(stream, running);
  scope.postMessage({ id, digest: last ? running.digest() : undefined });
};
