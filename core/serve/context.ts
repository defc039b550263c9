/** What all clients of one seed share. */
import type { Clock } from "../base/clock.ts";
import type { ServeSettings } from "../config.ts";
import type { EventSink, ServeEvent } from "../events.ts";
import { ErrorReply } from "../protocol/error_replies.ts";
import type { BodyBuffers } from "./protocol/send_body.ts";
import type { FileIndex } from "./files/file_index.ts";
import type { ManifestService } from "./manifests/manifest_service.ts";
import type { FileResolver } from "./files/file_resolver.ts";
import type { Root } from "./files/root.ts";
import type { AuthThrottle } from "./accept/auth_throttle.ts";
import type { SentVersions } from "./protocol/sent_versions.ts";
import type { MetricsRegistry } from "./metrics/metrics_registry.ts";
import type { AccessLog } from "./metrics/access_log.ts";
import type { Scheduler } from "./schedule/scheduler.ts";

export interface ServeContext {
  readonly settings: ServeSettings;
  readonly root: Root;
  readonly files: FileResolver;
  readonly index: FileIndex;
  readonly manifests: ManifestService;
  readonly sentVersions: SentVersions;
  readonly scheduler: Scheduler;
  readonly authThrottle: AuthThrottle;
  readonly buffers: BodyBuffers;
  readonly accessLog: AccessLog;
  readonly metrics: MetricsRegistry;
  readonly clock: Clock;
  /** From 0 up to but not including 1. */
  readonly random: () => number;
  /** 32 hex digits, never the same. */
  readonly nonce: () => string;
  readonly emit: EventSink<ServeEvent>;
  /** Aborts when the seed begins to go away: what is being sent is finished, nothing new is begun. */
  readonly draining: AbortSignal;
}

export function shutdown(): ErrorReply {
  return new ErrorReply("SHUTDOWN", "the seed is going away");
}

/** A token is wanted, and this is not it. */
export function unauthorized(): ErrorReply {
  return new ErrorReply("AUTH", "this seed wants a token");
}

/** Longer requests are not told whole: they may be 4 KiB of anything. */
const MAX_LOGGED_CHARACTERS = 200;

/** A request's line as it may be told to the seed's owner: what answers for a token is nobody's business. */
export function loggable(line: string): string {
  if (/^AUTH\b/.test(line)) return "AUTH";
  return line.length > MAX_LOGGED_CHARACTERS ? `${line.slice(0, MAX_LOGGED_CHARACTERS)}…` : line;
}
