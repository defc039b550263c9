/** Runs in a worker: replies to each request, in order. */
import { RunningDigest } from "../base/digest.ts";

export interface HashRequest {
  /** In shared memory, which is not copied. */
  readonly bytes: Uint8Array;
  /** The running digest that it continues or begins. */
  readonly stream: number;
  /** Whether these are the last bytes of the stream. */
  readonly last: boolean;
}

/** Only the reply to the last bytes of a stream has a digest. */
export type HashReply = { readonly digest?: Uint8Array };

/** What this file uses of a worker's globals; the compiler only knows those of the main thread. */
interface WorkerScope {
  onmessage: (event: MessageEvent<HashRequest>) => void;
  postMessage(reply: HashReply): void;
}

const scope = globalThis as unknown as WorkerScope;
const streams = new Map<number, RunningDigest>();

scope.onmessage = ({ data: { bytes, stream, last } }) => {
  const running = streams.get(stream) ?? new RunningDigest();
  running.update(bytes);
  if (last) streams.delete(stream);
  else streams.set(stream, running);
  scope.postMessage(last ? { digest: running.digest() } : {});
};
