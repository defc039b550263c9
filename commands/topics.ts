/** The pages of `p2p help`, with the settings in them. */
import { defaultTextOf } from "./options.ts";
import { SETTING_NAMES, variableOf } from "./settings.ts";
import { type Topic, topicsOf } from "./ui/topics.ts";

export const TOPICS: readonly Topic[] = topicsOf(
  SETTING_NAMES.map((name) => ({ name, variable: variableOf(name), value: defaultTextOf(name) })),
);
