import { assertEquals, assertMatch } from "@std/assert";
import {
  type ContentCandidate,
  rankContents,
  type SourceAnswer,
} from "../../core/plan/content_vote.ts";
import { noSourceReason } from "../../core/download/describe.ts";

interface Held extends ContentCandidate {
  readonly seed: string;
}

function held(seed: string, id: string | null, size = 10, sha256: string | null = null): Held {
  return { seed, id, size, sha256 };
}

/** The seeds of each group, in every order in which they may answer. */
function groupsOf(...answers: Held[]): string[] {
  const seen = new Set(
    permutationsOf(answers).map((order) =>
      rankContents(order).map((group) => group.map(({ seed }) => seed).sort().join("+")).join(" ")
    ),
  );
  return Array.from(seen);
}

function permutationsOf<T>(items: readonly T[]): T[][] {
  if (items.length < 2) return [[...items]];
  return items.flatMap((item, at) =>
    permutationsOf(items.toSpliced(at, 1)).map((rest) => [item, ...rest])
  );
}

const groups: { name: string; answers: Held[]; want: string }[] = [
  { name: "nobody answers", answers: [], want: "" },
  {
    name: "most seeds have the higher id",
    answers: [held("x", "aa"), held("y", "bb"), held("z", "bb")],
    want: "y+z x",
  },
  {
    name: "as many have one id as another",
    answers: [held("x", "bb"), held("y", "aa")],
    want: "y x",
  },
  {
    name: "one id comes with two digests of the whole",
    answers: [held("x", "aa", 10, "ff"), held("y", "aa", 10, "ee")],
    want: "x+y",
  },
  {
    name: "nobody has an id",
    answers: [held("x", null, 9), held("y", null, 10), held("z", null, 9)],
    want: "x+z y",
  },
  {
    name: "there are as many of each size",
    answers: [held("x", null, 10), held("y", null, 9)],
    want: "y x",
  },
  {
    name: "sizes differ in their number of digits",
    answers: [held("x", null, 10), held("y", null, 100), held("z", null, 9)],
    want: "z x y",
  },
];
for (const { name, answers, want } of groups) {
  Deno.test(`byContent() groups alike, in whatever order they come, when ${name}`, () => {
    assertEquals(groupsOf(...answers), [want]);
  });
}

const lacks: SourceAnswer = { kind: "lacks" };
const later: SourceAnswer = { kind: "later", reason: "t hashes", retryAfterMs: 100 };
const away: SourceAnswer = { kind: "failed", reason: "x is away", code: "unreachable" };
const slow: SourceAnswer = { kind: "failed", reason: "y is slow", code: "timeout" };
const closed: SourceAnswer = { kind: "refused", reason: "z wants a token", code: "auth" };

const reasons: { name: string; answers: SourceAnswer[]; code: string; says: RegExp }[] = [
  { name: "all lack it", answers: [lacks, lacks], code: "not-found", says: /^no seed has it$/ },
  {
    name: "one lacks it and others are away",
    answers: [away, lacks, slow],
    code: "not-found",
    says: /^no seed has it \(x is away; y is slow\)$/,
  },
  {
    name: "one never had it ready, whatever the others say",
    answers: [lacks, later, away],
    code: "timeout",
    says: /ready in time \(t hashes; x is away\)$/,
  },
  { name: "nobody said a word", answers: [], code: "timeout", says: /no seed answered/ },
  { name: "all fail alike", answers: [slow, slow], code: "timeout", says: /^y is slow$/ },
  {
    name: "the only one wants a token",
    answers: [closed],
    code: "auth",
    says: /^z wants a token$/,
  },
  {
    name: "they fail in different ways",
    answers: [closed, slow],
    code: "unreachable",
    says: /^z wants a token; y is slow$/,
  },
];
for (const { name, answers, code, says } of reasons) {
  Deno.test(`noSourceReason() says ${code} when ${name}`, () => {
    const why = noSourceReason("it", answers);
    assertEquals(why.code as string, code);
    assertMatch(why.reason, says);
  });
}
