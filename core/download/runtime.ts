/** What the platform gives … */
import type { Random } from "../base/random.ts";
import type { Clock } from "../base/clock.ts";
import type { FreeDescriptors } from "../base/descriptors.ts";
import type { Hasher } from "../hash/pool.ts";
import type { Dial } from "../source/dial.ts";
import type { StoreOptions } from "../store/stored_file.ts";

/** … to whoever talks to seeds … */
export interface NetworkRuntime {
  readonly clock: Clock;
  readonly dial: Dial;
}

/** … and to those who download. */
export interface Runtime extends NetworkRuntime {
  readonly chance: Random;
  readonly store: StoreOptions;
  readonly hashers: Hasher;
  /** How many descriptors can still be opened; not more than `atMost` are looked for. */
  freeDescriptors(atMost: number): FreeDescriptors;
}
