/** What the platform gives … */
import type { Chance } from "../base/chance.ts";
import type { Clock } from "../base/clock.ts";
import type { FreeDescriptors } from "../base/descriptors.ts";
import type { Hashers } from "../hash/hashers.ts";
import type { Dial } from "../net/transport.ts";
import type { StoreTerms } from "../store/stored_file.ts";

/** … to whoever talks to seeds … */
export interface Surroundings {
  readonly clock: Clock;
  readonly dial: Dial;
}

/** … and to those who download. */
export interface Platform extends Surroundings {
  readonly chance: Chance;
  readonly store: StoreTerms;
  readonly hashers: Hashers;
  /** How many descriptors can still be opened; not more than `atMost` are looked for. */
  freeDescriptors(atMost: number): FreeDescriptors;
}
