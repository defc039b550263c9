/** Asks one seed what it holds under a name, and puts the answer into the words of `plan/`. */
import type { Clock } from "../base/clock.ts";
import { AuthError, BusyError, NotFoundError, P2pError, ProtocolError } from "../base/errors.ts";
import { PendingError } from "../source/errors.ts";
import type { SeedSource } from "../source/seed_source.ts";
import type { SourceAnswer } from "../plan/content_vote.ts";
import type { Manifest } from "../protocol/manifest.ts";

export interface ProbeResult {
  readonly answer: SourceAnswer;
  readonly manifest?: Manifest;
}

/** Never throws but the signal's reason and bugs. */
export async function probe(
  link: SeedSource,
  name: string,
  signal: AbortSignal,
): Promise<ProbeResult> {
  try {
    const manifest = await link.manifest(name, signal);
    if (manifest === undefined) {
      return { answer: { kind: "size", size: await link.fileSize(name, signal) } };
    }
    const { id, sha256, layout: { size } } = manifest;
    return { answer: { kind: "manifest", id, size, sha256 }, manifest };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof P2pError)) throw error;
    return { answer: answerOf(link.name, error) };
  }
}

/** How long a seed is asked again that is busy or hashes. */
export interface ProbeTimeout {
  readonly ms: number;
  /** So long after its last step then: a large file takes its time. */
  readonly whileItGetsOn: boolean;
}

/** As `inquire`, but the answer is no `later` as long as the patience lasts. */
export async function probeUntil(
  link: SeedSource,
  name: string,
  patience: ProbeTimeout,
  clock: Clock,
  signal: AbortSignal,
): Promise<ProbeResult> {
  let until = clock.now() + patience.ms;
  let best = 0;
  for (;;) {
    const inquiry = await probe(link, name, signal);
    const { answer } = inquiry;
    if (answer.kind !== "later" || clock.now() >= until) return inquiry;
    const { percent = 0, retryAfterMs } = answer;
    if (patience.whileItGetsOn && percent > best) until = clock.now() + patience.ms;
    best = Math.max(best, percent);
    // A seed may ask for a longer pause than we have patience.
    await clock.sleep(Math.min(retryAfterMs, until - clock.now()), signal);
  }
}

function answerOf(seed: string, error: P2pError): SourceAnswer {
  // What is wrong with a line or a manifest is found by those who do not know whose it is.
  const reason = error.message.includes(seed) ? error.message : `${seed}: ${error.message}`;
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
