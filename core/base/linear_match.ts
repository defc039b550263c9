/**
 * Matches regular expressions in time linear in the text. The engine's own matcher
 * backtracks: the glob `*_*_*_*.jpg` and one name of a thousand underscores, which
 * any seed may offer, take it seconds.
 *
 * Simulates a nondeterministic automaton, after Thompson, and remembers the sets of
 * states that it met with their transitions, so that most characters cost one look-up.
 */

/** The subset of regular expressions that globs become: characters, classes, groups, `|`, `*`, `+`, `?`, `$`. */
type Node =
  | { readonly kind: "character"; readonly source: string }
  | { readonly kind: "end" }
  | { readonly kind: "sequence"; readonly parts: readonly Node[] }
  | { readonly kind: "choice"; readonly options: readonly Node[] }
  | { readonly kind: "repeat"; readonly body: Node; readonly operator: string };

/** A state of the nondeterministic automaton; `next` are indices. */
interface State {
  /** Accepts one character; without it, `next` is reached without one. */
  readonly accepts?: RegExp;
  /** Passed only at the end of the text. */
  readonly atEnd?: boolean;
  next: number[];
}

/** A set of states, and where each character seen so far leads from it. */
interface StateSet {
  readonly states: readonly number[];
  /** Whether the text may end here. */
  readonly accepts: boolean;
  readonly transitions: Map<number, StateSet>;
}

/** More remembered transitions are forgotten, and found again. */
const MAX_TRANSITIONS = 50_000;
/** The state that means success. */
const ACCEPT = 0;

/** What `pattern`, which must be anchored at both ends and without flags, says of a whole text. */
export function linearMatcher(pattern: RegExp): (text: string) => boolean {
  const node = new Parser(pattern.source).parse();
  // A negative group has no place in such an automaton.
  if (node === undefined) return (text) => pattern.test(text);
  const automaton = new Automaton(node);
  return (text) => automaton.matches(text);
}

class Automaton {
  readonly #states: State[] = [{ next: [] }];
  readonly #start: StateSet;
  #sets = new Map<string, StateSet>();
  #transitions = 0;

  constructor(node: Node) {
    const first = this.#build(node, ACCEPT);
    this.#start = this.#setOf(this.#closure([first], false));
  }

  matches(text: string): boolean {
    let set = this.#start;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      set = set.transitions.get(code) ?? this.#step(set, code);
      if (set.states.length === 0) return false;
    }
    return set.accepts;
  }

  #setOf(states: readonly number[]): StateSet {
    const accepts = this.#closure(states, true).includes(ACCEPT);
    return { states, accepts, transitions: new Map() };
  }

  #step(set: StateSet, code: number): StateSet {
    if (++this.#transitions > MAX_TRANSITIONS) {
      this.#transitions = 0;
      this.#sets = new Map();
      this.#start.transitions.clear();
    }
    const character = String.fromCharCode(code);
    const reached = set.states.flatMap((index) => {
      const { accepts, next } = this.#states[index]!;
      return accepts?.test(character) ? next : [];
    });
    const states = this.#closure(reached, false);
    const key = states.join();
    let next = this.#sets.get(key);
    if (next === undefined) this.#sets.set(key, next = this.#setOf(states));
    set.transitions.set(code, next);
    return next;
  }

  /** All that is reached from `from` without a character, sorted. */
  #closure(from: readonly number[], atEnd: boolean): number[] {
    const reached = new Set(from);
    // A set visits what is added while it is gone through.
    for (const index of reached) {
      const state = this.#states[index]!;
      if (state.accepts || state.atEnd && !atEnd) continue;
      for (const next of state.next) reached.add(next);
    }
    return Array.from(reached).sort((a, b) => a - b);
  }

  /** Adds the states for `node`, which lead on to `next`. @returns the first of them. */
  #build(node: Node, next: number): number {
    switch (node.kind) {
      case "character":
        return this.#add({ accepts: new RegExp(`^${node.source}$`), next: [next] });
      case "end":
        return this.#add({ atEnd: true, next: [next] });
      case "sequence":
        return node.parts.reduceRight((after, part) => this.#build(part, after), next);
      case "choice":
        return this.#add({ next: node.options.map((option) => this.#build(option, next)) });
      case "repeat": {
        const { operator, body } = node;
        if (operator === "?") return this.#add({ next: [this.#build(body, next), next] });
        const again = this.#add({ next: [] });
        const first = this.#build(body, again);
        this.#states[again]!.next = [first, next];
        return operator === "+" ? first : again;
      }
    }
  }

  #add(state: State): number {
    return this.#states.push(state) - 1;
  }
}

/** Reads the source of a regular expression; gives undefined where it is not of the subset. */
class Parser {
  readonly #source: string;
  #at = 0;

  constructor(source: string) {
    this.#source = source;
  }

  parse(): Node | undefined {
    if (!this.#source.startsWith("^")) return undefined;
    this.#at = 1;
    const node = this.#choice();
    return this.#at === this.#source.length ? node : undefined;
  }

  #choice(): Node | undefined {
    const options: Node[] = [];
    do {
      const option = this.#sequence();
      if (option === undefined) return undefined;
      options.push(option);
    } while (this.#take("|"));
    return options.length === 1 ? options[0] : { kind: "choice", options };
  }

  #sequence(): Node | undefined {
    const parts: Node[] = [];
    while (this.#at < this.#source.length && !"|)".includes(this.#source[this.#at]!)) {
      let part = this.#atom();
      if (part === undefined) return undefined;
      for (;;) {
        const operator = ["*", "+", "?"].find((one) => this.#take(one));
        if (operator === undefined) break;
        part = { kind: "repeat", body: part, operator };
      }
      parts.push(part);
    }
    return { kind: "sequence", parts };
  }

  #atom(): Node | undefined {
    if (this.#take("(?:")) {
      const inner = this.#choice();
      return this.#take(")") ? inner : undefined;
    }
    if (this.#take("$")) return { kind: "end" };
    const start = this.#at;
    const first = this.#source[this.#at++]!;
    if ("(^{}*+?".includes(first)) return undefined;
    if (first === "\\") this.#at++;
    if (first === "[") {
      while (this.#source[this.#at] !== "]" && this.#at < this.#source.length) {
        this.#at += this.#source[this.#at] === "\\" ? 2 : 1;
      }
      this.#at++;
    }
    return { kind: "character", source: this.#source.slice(start, this.#at) };
  }

  #take(text: string): boolean {
    if (!this.#source.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }
}
