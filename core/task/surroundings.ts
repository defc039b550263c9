/** What the platform gives to whoever talks to seeds. */
import type { Clock } from "../base/clock.ts";
import type { Dial } from "../net/transport.ts";

export interface Surroundings {
  readonly clock: Clock;
  readonly dial: Dial;
}
