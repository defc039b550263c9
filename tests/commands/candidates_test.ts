import { assertEquals } from "@std/assert";
import { type CommandWords, questionOf } from "../../commands/candidates.ts";
import { commandTree } from "../../commands/mod.ts";
import { fakeEnvironment } from "./fake_environment.ts";

const root = await commandTree(fakeEnvironment()) as unknown as CommandWords;

function asked(line: string): unknown {
  const words = line.split(" ");
  const question = questionOf(root, words.slice(0, -1), words.at(-1)!);
  if (question.kind === "words") return question.words.map(({ word }) => word);
  const { type, before, begun } = question;
  return `${before}<${type}>${begun}`;
}

const values = [
  { line: "get ", want: "<name>" },
  { line: "get a b", want: "<name>b" },
  { line: "get --max 3 a", want: "<name>a" },
  { line: "get --all a", want: "<name>a" },
  { line: "get --max=3 a", want: "<name>a" },
  { line: "get --seed ", want: "<setting-seeds>" },
  { line: "get -s na", want: "<setting-seeds>na" },
  { line: "get a --on-conflict=re", want: "--on-conflict=<setting-on-conflict>re" },
  { line: "get -- -x", want: "<name>-x" },
  { line: "--log-level ", want: "<setting-log-level>" },
  { line: "--log-level debug get a", want: "<name>a" },
  { line: "list ", want: "<glob>" },
  { line: "logs a --level ", want: "<level>" },
  { line: "pause a b ", want: "<task>" },
  { line: "seeds remove nas", want: "<seed>nas" },
  { line: "serve ", want: "<dir>" },
  { line: "verify a ", want: "<file>" },
  { line: "completions ", want: "<shell>" },
];
for (const { line, want } of values) {
  Deno.test(`questionOf() asks for ${want} after: p2p ${line}`, () => {
    assertEquals(asked(line), want);
  });
}

const nothing = ["logs a b", "list a b", "get --json=", "status a b", "config x"];
for (const line of nothing) {
  Deno.test(`questionOf() asks for nothing after: p2p ${line}`, () => {
    assertEquals(asked(line), []);
  });
}

Deno.test("questionOf() offers all commands but the hidden one", () => {
  const commands = asked("") as string[];
  assertEquals(commands.slice(0, 5), ["get", "cat", "sync", "serve", "list"]);
  assertEquals(commands.includes("complete"), false);
  assertEquals(asked("seeds "), ["add", "remove"]);
});

Deno.test("questionOf() offers the long flags of the command and the global ones", () => {
  const flags = asked("logs a -") as string[];
  for (const flag of ["--follow", "--level", "--json", "--help", "--quiet"]) {
    assertEquals(flags.includes(flag), true, flag);
  }
  assertEquals(flags.includes("-f"), false);
});
