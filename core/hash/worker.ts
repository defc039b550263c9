/** What runs in a hashing thread: an answer to each order, in their order. */
import { RunningDigest } from "../base/digest.ts";

export interface HashRequest {
  readonly order: number;
  /** In shared memory: nothing is copied. */
  readonly bytes: Uint8Array;
  /** The digest that it goes on with, or begins. */
  readonly stream: number;
  /** These are the last bytes of their digest. */
  readonly ends: boolean;
}

export interface HashReply {
  readonly order: number;
  /** Where it has come to its end. */
  readonly digest: Uint8Array | undefined;
}

/** The part of a thread's own globals that is used here; the compiler only knows the main thread's. */
interface Thread {
  onmessage: (event: MessageEvent<HashRequest>) => void;
  postMessage(answer: HashReply): void;
}

const thread = globalThis as unknown as Thread;
const streams = new Map<number, RunningDigest>();

thread.onmessage = ({ data: { order, bytes, stream, ends } }) => {
  const running = streams.get(stream) ?? new RunningDigest();
  running.update(bytes);
  if (ends) streams.delete(stream);
  else streams.set(stream, running);
  const digest = ends ? running.digest() : undefined;
  thread.postMessage({ order, digest });
};
