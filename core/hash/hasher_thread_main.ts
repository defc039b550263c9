/** What runs in a hashing thread: a digest for each order, in their order. */
import { sha256 } from "../base/digest.ts";

export interface HashOrder {
  readonly order: number;
  /** In shared memory: nothing is copied. */
  readonly bytes: Uint8Array;
}

export interface HashAnswer {
  readonly order: number;
  readonly digest: Uint8Array;
}

/** The part of a thread's own globals that is used here; the compiler only knows the main thread's. */
interface Thread {
  onmessage: (event: MessageEvent<HashOrder>) => void;
  postMessage(answer: HashAnswer): void;
}

const thread = globalThis as unknown as Thread;

thread.onmessage = ({ data: { order, bytes } }) => {
  thread.postMessage({ order, digest: sha256(bytes) });
};
