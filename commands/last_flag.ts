/**
 * Repeated flags. The command line library rejects a flag that is given twice; here the last one
 * wins, so that an alias such as `p2p get --max 8` can be changed for one call.
 */
import { SWITCH } from "./value_types.ts";

/** The part of the library's option that matters here. */
interface Flag {
  readonly name: string;
  readonly flags: readonly string[];
  readonly args: readonly unknown[];
  readonly collect?: boolean | undefined;
}

/** The part of the library's command that matters here. */
export interface FlagOwner {
  getOptions(hidden?: boolean): readonly Flag[];
  getCommand(name: string, hidden?: boolean): FlagOwner | undefined;
}

/** One or two words of the command line; of those with the same key the last one stays. */
interface Part {
  readonly words: readonly string[];
  readonly key?: string;
}

/** Its arguments are the words of another command line. */
const RAW_COMMAND = "complete";

/**
 * `args` with only the last of each flag that takes one value, and with `--quiet=off` as
 * `--no-quiet`. Words after `--` and unknown flags stay as they are.
 */
export function keepLastFlags(args: readonly string[], root: FlagOwner): string[] {
  const parts: Part[] = [];
  let command: FlagOwner | undefined = root;
  let flags = root.getOptions(true);
  for (let i = 0; i < args.length; i++) {
    const word = args[i]!;
    if (word === "--" || command === root && word === RAW_COMMAND) {
      parts.push({ words: args.slice(i) });
      break;
    }
    if (word.startsWith("-")) {
      const part = partOf(word, args[i + 1], flags);
      parts.push(part);
      i += part.words.length - 1;
    } else {
      command = command?.getCommand(word, true);
      flags = command?.getOptions(true) ?? flags;
      parts.push({ words: [word] });
    }
  }
  const lastOf = new Map(parts.map(({ key }, i) => [key, i]));
  return parts.filter(({ key }, i) => key === undefined || lastOf.get(key) === i)
    .flatMap(({ words }) => words);
}

function partOf(word: string, next: string | undefined, flags: readonly Flag[]): Part {
  const at = word.indexOf("=");
  const long = word.startsWith("--");
  const text = long ? (at < 0 ? word : word.slice(0, at)) : word.slice(0, 2);
  const flag = flags.find((each) => each.flags.includes(text));
  // The value is the next word, unless it is in this one: `--max=2`, `-m2`.
  const apart = flag !== undefined && flag.args.length > 0 && flag.flags.includes(word);
  const words = apart && next !== undefined ? [word, next] : [word];
  if (flag === undefined || flag.collect) return { words };
  const key = flag.name.replace(/^no-/, "");
  if (flag.args.length > 0) return { words, key };
  // The library splits several short flags in one word, such as -qa.
  if (!long && word.length > 2) return { words };
  const value = at < 0 ? undefined : switchOf(word.slice(at + 1));
  const negation = `--no-${key}`;
  if (value === undefined || !flags.some((each) => each.flags.includes(negation))) {
    return { words, key };
  }
  return { words: [value ? `--${key}` : negation], key };
}

function switchOf(text: string): boolean | undefined {
  try {
    return SWITCH.parse(text);
  } catch {
    return undefined;
  }
}
