/** What may complete a command line: the command tree and its words in, a question for candidates out. */

/** The part of the library's command that matters here. */
export interface CommandWords {
  getName(): string;
  getShortDescription(): string;
  getCommands(hidden?: boolean): CommandWords[];
  getArguments(): readonly { readonly type: string; readonly variadic?: boolean | undefined }[];
  getOptions(hidden?: boolean): readonly {
    readonly flags: readonly string[];
    readonly args: readonly { readonly type: string }[];
    readonly description: string;
  }[];
}

export interface Candidate {
  readonly word: string;
  readonly about: string;
}

export type Question =
  /** One of these words. */
  | { readonly kind: "words"; readonly words: readonly Candidate[] }
  /** A value of an argument type, such as "task" or "setting-seeds", to be appended to `before`. */
  | {
    readonly kind: "value";
    readonly type: string;
    /** `--flag=`, if the value is in the same word. */
    readonly before: string;
    /** What the user has typed of the value. */
    readonly begun: string;
    /** The names of the commands on the way, without the root's. */
    readonly path: readonly string[];
  };

/** @param words all before the current one. */
export function questionOf(
  root: CommandWords,
  words: readonly string[],
  current: string,
): Question {
  let command = root;
  const path: string[] = [];
  let places = 0;
  let literal = false;
  const value = (type: string, before: string, begun: string): Question => {
    return { kind: "value", type, before, begun, path };
  };
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    if (literal) places++;
    else if (word === "--") literal = true;
    else if (word.startsWith("-")) {
      const type = word.includes("=") ? undefined : valueTypeOf(command, word);
      // The value of a flag is not an argument; that of the last flag is the current word.
      if (type !== undefined && ++i === words.length) return value(type, "", current);
    } else {
      const below = places > 0
        ? undefined
        : command.getCommands().find((each) => each.getName() === word);
      if (below === undefined) places++;
      else {
        command = below;
        path.push(word);
      }
    }
  }
  if (!literal && current.startsWith("-")) {
    const at = current.indexOf("=");
    if (at < 0) return { kind: "words", words: flagsOf(command) };
    const type = valueTypeOf(command, current.slice(0, at));
    return type === undefined
      ? { kind: "words", words: [] }
      : value(type, current.slice(0, at + 1), current.slice(at + 1));
  }
  const commands = places === 0 && !literal ? command.getCommands() : [];
  if (commands.length > 0) {
    const words = commands.map((each) => {
      return { word: each.getName(), about: each.getShortDescription() };
    });
    return { kind: "words", words };
  }
  const all = command.getArguments();
  const last = all.at(-1);
  const type = (all[places] ?? (last?.variadic ? last : undefined))?.type;
  return type === undefined ? { kind: "words", words: [] } : value(type, "", current);
}

/** The library adds it to a command only when that runs. */
const HELP: Candidate = { word: "--help", about: "Show this help" };

function flagsOf(command: CommandWords): Candidate[] {
  const flags = command.getOptions().flatMap(({ flags, description }) =>
    flags.filter((flag) => flag.startsWith("--") && flag !== HELP.word)
      .map((word) => ({ word, about: description }))
  );
  return [...flags, HELP];
}

/** undefined for a switch and for an unknown flag. */
function valueTypeOf(command: CommandWords, flag: string): string | undefined {
  return command.getOptions(true).find(({ flags }) => flags.includes(flag))?.args[0]?.type;
}
