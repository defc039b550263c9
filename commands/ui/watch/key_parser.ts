/** What a terminal sends for keys: bytes in, keys out, however they are cut. */

export type Key =
  | { readonly kind: "character"; readonly character: string }
  | { readonly kind: NamedKey };

export type NamedKey =
  | "up"
  | "down"
  | "left"
  | "right"
  | "home"
  | "end"
  | "page-up"
  | "page-down"
  | "enter"
  | "escape"
  | "backspace"
  | "interrupt";

interface Keystrokes {
  readonly keys: readonly Key[];
  /** The beginning of a sequence, to be put before what comes next; "" when there is none. */
  readonly rest: string;
}

/** One sequence: introduced by ESC [ or ESC O, with parameters, ended by a letter or a tilde. */
// deno-lint-ignore no-control-regex -- escape sequences are what it reads
const SEQUENCE = /^\x1b(?:\[[0-9;:<=>?]*[ -/]*[@-~]|O[A-Za-z])/;
/** What may still become one. */
// deno-lint-ignore no-control-regex -- as above
const BEGUN = /^\x1b(?:\[[0-9;:<=>?]*[ -/]*|O)?$/;
/** A longer one is no key, and what never ends must not be kept. */
const MAX_SEQUENCE_CHARACTERS = 32;

const LETTERS: Readonly<Record<string, NamedKey>> = {
  A: "up",
  B: "down",
  C: "right",
  D: "left",
  F: "end",
  H: "home",
};

const NUMBERS: Readonly<Record<string, NamedKey>> = {
  "1": "home",
  "4": "end",
  "5": "page-up",
  "6": "page-down",
  "7": "home",
  "8": "end",
};

const CONTROLS: Readonly<Record<string, NamedKey>> = {
  "\r": "enter",
  "\n": "enter",
  "\x03": "interrupt",
  "\x7f": "backspace",
  "\b": "backspace",
};

/** The keys in `text`, which begins with the rest of what came before. Sequences that mean no key of ours are passed over. */
export function parseKeys(text: string): Keystrokes {
  const keys: Key[] = [];
  let left = text;
  while (left !== "") {
    if (BEGUN.test(left) && left.length <= MAX_SEQUENCE_CHARACTERS) return { keys, rest: left };
    const sequence = SEQUENCE.exec(left)?.[0];
    const taken = sequence ?? String.fromCodePoint(left.codePointAt(0)!);
    const key = sequence === undefined ? keyOf(taken) : keyOfSequence(sequence);
    if (key !== undefined) keys.push(key);
    left = left.slice(taken.length);
  }
  return { keys, rest: "" };
}

/** What a rest means when nothing follows it: somebody pressed Escape. */
export function keysOfRest(rest: string): readonly Key[] {
  return rest === "\x1b" ? [{ kind: "escape" }] : [];
}

function keyOf(character: string): Key | undefined {
  if (character === "\x1b") return { kind: "escape" };
  const named = CONTROLS[character];
  if (named !== undefined) return { kind: named };
  return character < " " ? undefined : { kind: "character", character };
}

function keyOfSequence(sequence: string): Key | undefined {
  const last = sequence.at(-1)!;
  const kind = last === "~" ? NUMBERS[/\d+/.exec(sequence)?.[0] ?? ""] : LETTERS[last];
  return kind === undefined ? undefined : { kind };
}
