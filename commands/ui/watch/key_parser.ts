/** Parses what a terminal sends for keys, however the bytes are split. */

type Arrow = "up" | "down" | "left" | "right";
type Movement = Arrow | "home" | "end" | "page-up" | "page-down";
export type NamedKey = Movement | "enter" | "escape" | "backspace" | "interrupt";

export type Key =
  | { readonly kind: "character"; readonly character: string }
  | { readonly kind: NamedKey };

interface Keystrokes {
  readonly keys: readonly Key[];
  /** The beginning of a sequence, to be put before the next input; "" if there is none. */
  readonly rest: string;
}

/** ESC [ or ESC O, parameters, and a letter or a tilde. */
// deno-lint-ignore no-control-regex -- escape sequences are what it reads
const SEQUENCE = /^\x1b(?:\[[0-9;:<=>?]*[ -/]*[@-~]|O[A-Za-z])/;
// deno-lint-ignore no-control-regex -- as above
const BEGUN = /^\x1b(?:\[[0-9;:<=>?]*[ -/]*|O)?$/;
/** No key sends more; the limit bounds what is kept of a sequence that never ends. */
const MAX_SEQUENCE_CHARACTERS = 32;

const LETTERS = new Map<string, NamedKey>(
  [["A", "up"], ["B", "down"], ["C", "right"], ["D", "left"], ["F", "end"], ["H", "home"]],
);
/** The number before a tilde. */
const NUMBERS = new Map<string, NamedKey>([
  ...[["1", "home"], ["4", "end"], ["5", "page-up"]] as const,
  ...[["6", "page-down"], ["7", "home"], ["8", "end"]] as const,
]);
const CONTROLS = new Map<string, NamedKey>([
  ...[["\r", "enter"], ["\n", "enter"], ["\x03", "interrupt"]] as const,
  ...[["\x7f", "backspace"], ["\b", "backspace"], ["\x1b", "escape"]] as const,
]);

/** The keys in `text`, which begins with the rest of the input before. Unknown sequences are skipped. */
export function parseKeys(text: string): Keystrokes {
  const keys: Key[] = [];
  let left = text;
  while (left !== "") {
    if (BEGUN.test(left) && left.length <= MAX_SEQUENCE_CHARACTERS) return { keys, rest: left };
    const sequence = SEQUENCE.exec(left)?.[0];
    const taken = sequence ?? String.fromCodePoint(left.codePointAt(0)!);
    const kind = sequence === undefined ? CONTROLS.get(taken) : namedKeyOf(sequence);
    if (kind !== undefined) keys.push({ kind });
    else if (sequence === undefined && taken >= " ") {
      keys.push({ kind: "character", character: taken });
    }
    left = left.slice(taken.length);
  }
  return { keys, rest: "" };
}

/** The keys of a rest that nothing follows: the user pressed Escape. */
export function keysOfRest(rest: string): readonly Key[] {
  return rest === "\x1b" ? [{ kind: "escape" }] : [];
}

function namedKeyOf(sequence: string): NamedKey | undefined {
  const last = sequence.at(-1)!;
  return last === "~" ? NUMBERS.get(/\d+/.exec(sequence)?.[0] ?? "") : LETTERS.get(last);
}
