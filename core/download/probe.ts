/** Asks one source what it holds under a name. */
import type { Clock } from "../base/clock.ts";
import { AuthError, BusyError, NotFoundError, P2pError, ProtocolError } from "../base/errors.ts";
import type { SourceAnswer } from "../plan/content_vote.ts";
import type { Manifest } from "../protocol/manifest.ts";
import { PendingError } from "../source/errors.ts";
import type { Source } from "../source/source.ts";

export interface ProbeResult {
  readonly answer: SourceAnswer;
  readonly manifest?: Manifest;
  /** All bytes of the file, not verified. */
  readonly bytes?: Uint8Array;
}

/**
 * Failures of the source are answers.
 *
 * @param maxBytes also asks for the bytes of a file that has at most so many. @throws the signal's
 * reason if it aborts.
 */
export async function probe(
  source: Source,
  name: string,
  signal: AbortSignal,
  maxBytes = 0,
): Promise<ProbeResult> {
  try {
    const fetched = maxBytes > 0 ? await source.fetch?.(name, maxBytes, signal) : undefined;
    const manifest = fetched?.manifest ?? await source.manifest(name, signal);
    if (manifest === undefined) {
      return { answer: { kind: "size", size: await source.size(name, signal) } };
    }
    const { id, sha256, layout: { size } } = manifest;
    const bytes = fetched?.bytes === undefined ? {} : { bytes: fetched.bytes };
    return { answer: { kind: "manifest", id, size, sha256 }, manifest, ...bytes };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof P2pError)) throw error;
    return { answer: answerOf(source.id, error) };
  }
}

/** How long a source that is busy or hashes the file is asked again. */
export interface ProbeTimeout {
  readonly ms: number;
  /** Whether progress of the hashing extends the time: a large file takes long. */
  readonly extends: boolean;
}

/** As `probe`, but asks again while the answer is `later`, until the timeout. */
export async function probeUntil(
  source: Source,
  name: string,
  timeout: ProbeTimeout,
  clock: Clock,
  signal: AbortSignal,
): Promise<ProbeResult> {
  let until = clock.now() + timeout.ms;
  let highest = 0;
  for (;;) {
    const result = await probe(source, name, signal);
    const { answer } = result;
    if (answer.kind !== "later" || clock.now() >= until) return result;
    const { percent = 0, retryAfterMs } = answer;
    if (timeout.extends && percent > highest) until = clock.now() + timeout.ms;
    highest = Math.max(highest, percent);
    // The source may ask for a longer pause than the timeout allows.
    await clock.sleep(Math.min(retryAfterMs, until - clock.now()), signal);
  }
}

function answerOf(id: string, error: P2pError): SourceAnswer {
  // Parsers do not know whose line or manifest they read.
  const reason = error.message.includes(id) ? error.message : `${id}: ${error.message}`;
  if (error instanceof NotFoundError) return { kind: "lacks" };
  if (error instanceof PendingError) {
    const { retryAfterMs, percent } = error;
    return { kind: "later", reason, retryAfterMs, percent };
  }
  if (error instanceof BusyError) {
    return { kind: "later", reason, retryAfterMs: error.retryAfterMs };
  }
  if (error instanceof AuthError || error instanceof ProtocolError) {
    return { kind: "refused", reason, code: error.code };
  }
  return { kind: "failed", reason, code: error.code };
}
