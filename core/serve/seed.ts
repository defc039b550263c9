/** What all clients of one seed share. */
import type { Clock } from "../base/clock.ts";
import type { ServeSettings } from "../config.ts";
import type { ServeEvent, Sink } from "../events.ts";
import { Refusal } from "../wire/refusals.ts";
import type { BodyBuffers } from "./body.ts";
import type { Catalogue } from "./catalogue.ts";
import type { Digests } from "./digests.ts";
import type { Finder } from "./finder.ts";
import type { Folder } from "./folder.ts";
import type { AuthThrottle } from "./auth_throttle.ts";
import type { Rates } from "./rates.ts";
import type { ToldVersions } from "./told_versions.ts";
import type { Tally } from "./tally.ts";
import type { Transfers } from "./transfers.ts";
import type { Attention } from "./attention.ts";
import type { Uploads } from "./uploads.ts";

export interface Seed {
  readonly settings: ServeSettings;
  readonly folder: Folder;
  readonly files: Finder;
  readonly catalogue: Catalogue;
  readonly digests: Digests;
  readonly told: ToldVersions;
  readonly attention: Attention;
  readonly uploads: Uploads;
  readonly rates: Rates;
  readonly authThrottle: AuthThrottle;
  readonly buffers: BodyBuffers;
  readonly transfers: Transfers;
  readonly tally: Tally;
  readonly clock: Clock;
  /** From 0 up to but not including 1. */
  readonly random: () => number;
  /** 32 hex digits, never the same. */
  readonly nonce: () => string;
  readonly emit: Sink<ServeEvent>;
  /** Aborts when the seed begins to go away: what is being sent is finished, nothing new is begun. */
  readonly draining: AbortSignal;
}

export function shutdown(): Refusal {
  return new Refusal("SHUTDOWN", "the seed is going away");
}

/** A token is wanted, and this is not it. */
export function unauthorized(): Refusal {
  return new Refusal("AUTH", "this seed wants a token");
}

/** Longer requests are not told whole: they may be 4 KiB of anything. */
const MOST_TOLD = 200;

/** A request's line as it may be told to the seed's owner: what answers for a token is nobody's business. */
export function asTold(line: string): string {
  if (/^AUTH\b/.test(line)) return "AUTH";
  return line.length > MOST_TOLD ? `${line.slice(0, MOST_TOLD)}…` : line;
}
