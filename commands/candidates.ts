/** What may stand at the end of a command line that is still being written. Pure: the command tree and words in, a question for candidates out. */

/** What is read of a command; each command of the library has it. */
export interface CommandWords {
  getName(): string;
  getShortDescription(): string;
  getCommands(hidden?: boolean): CommandWords[];
  getArguments(): readonly ArgumentWords[];
  getOptions(hidden?: boolean): readonly {
    readonly flags: readonly string[];
    readonly args: readonly { readonly type: string }[];
    readonly description: string;
  }[];
}

interface ArgumentWords {
  readonly type: string;
  readonly variadic?: boolean | undefined;
}

/** A word with what it means. */
export interface Candidate {
  readonly word: string;
  readonly about: string;
}

export type Question =
  /** Some of these words. */
  | { readonly kind: "words"; readonly words: readonly Candidate[] }
  /** A value of an argument type, such as "task" or "setting-seeds", behind `before`. */
  | {
    readonly kind: "value";
    readonly type: string;
    /** Of a flag that is written `--flag=`: that much. */
    readonly before: string;
    /** What there is of the value. */
    readonly begun: string;
    /** The names of the commands on the way, without the root's. */
    readonly path: readonly string[];
  };

/** @param words all before the one that is being written. */
export function questionOf(
  root: CommandWords,
  words: readonly string[],
  current: string,
): Question {
  let command = root;
  const path: string[] = [];
  let places = 0;
  let literal = false;
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    if (literal) places++;
    else if (word === "--") literal = true;
    else if (word.startsWith("-")) {
      const type = word.includes("=") ? undefined : valueTypeOf(command, word);
      // The value of a flag is no argument; of the last one it is what is being written.
      if (type !== undefined && ++i === words.length) return value(type, "", current, path);
    } else {
      const below = places === 0 ? subCommand(command, word) : undefined;
      if (below === undefined) places++;
      else {
        command = below;
        path.push(word);
      }
    }
  }
  if (!literal && current.startsWith("-")) return flagQuestion(command, current, path);
  const commands = places === 0 && !literal ? command.getCommands() : [];
  if (commands.length > 0) return { kind: "words", words: commands.map(aboutCommand) };
  const type = argumentAt(command.getArguments(), places)?.type;
  return type === undefined ? { kind: "words", words: [] } : value(type, "", current, path);
}

function value(type: string, before: string, begun: string, path: readonly string[]): Question {
  return { kind: "value", type, before, begun, path };
}

function subCommand(command: CommandWords, name: string): CommandWords | undefined {
  return command.getCommands().find((each) => each.getName() === name);
}

function aboutCommand(command: CommandWords): Candidate {
  return { word: command.getName(), about: command.getShortDescription() };
}

function argumentAt(all: readonly ArgumentWords[], place: number): ArgumentWords | undefined {
  const last = all.at(-1);
  return all[place] ?? (last?.variadic ? last : undefined);
}

/** The library gives it to a command only when that runs. */
const HELP: Candidate = { word: "--help", about: "Show this help" };

function flagQuestion(command: CommandWords, current: string, path: readonly string[]): Question {
  const at = current.indexOf("=");
  if (at < 0) {
    const flags = command.getOptions().flatMap(({ flags, description }) =>
      flags.filter((flag) => flag.startsWith("--"))
        .map((word) => ({ word, about: description }))
    );
    const all = [...flags.filter(({ word }) => word !== HELP.word), HELP];
    return { kind: "words", words: all };
  }
  const type = valueTypeOf(command, current.slice(0, at));
  return type === undefined
    ? { kind: "words", words: [] }
    : value(type, current.slice(0, at + 1), current.slice(at + 1), path);
}

/** undefined for a switch, and for what is no flag. */
function valueTypeOf(command: CommandWords, flag: string): string | undefined {
  return command.getOptions(true).find(({ flags }) => flags.includes(flag))?.args[0]?.type;
}
