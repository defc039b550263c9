/** Help: examples first, then what is what; the same text from every release of the command line library, never coloured. */
import { wrap } from "./width.ts";

/** What fits everywhere. */
const WIDTH = 80;
const MAX_LEFT_WIDTH = 28;

interface Flag {
  readonly flags: readonly string[];
  readonly args: readonly { readonly name: string }[];
  readonly description: string;
  readonly global?: boolean | undefined;
}

/** What is read of a command; each command of the library has it. */
export interface Described {
  getPath(): string;
  getDescription(): string;
  getShortDescription(): string;
  getName(): string;
  getExamples(): { readonly name: string; readonly description: string }[];
  getArguments(): {
    readonly name: string;
    readonly optional?: boolean | undefined;
    readonly variadic?: boolean | undefined;
  }[];
  getOptions(hidden?: boolean): Flag[];
  getCommands(hidden?: boolean): Described[];
}

export function renderHelp(command: Described): string {
  const blocks = [
    examplesOf(command),
    ["Usage:", `  ${usageOf(command)}`],
    withoutColour(command.getDescription()).trim().split("\n")
      .flatMap((line) => wrap(line, WIDTH)),
    commandsOf(command),
    ...flagsOf(command),
  ];
  return blocks.filter((block) => block.length > 0)
    .map((block) => block.join("\n")).join("\n\n") + "\n";
}

function examplesOf(command: Described): string[] {
  const examples = command.getExamples();
  if (examples.length === 0) return [];
  const width = Math.max(...examples.map((each) => each.description.length));
  return [
    "Examples:",
    ...examples.map(({ name, description }) => `  ${description.padEnd(width)}  # ${name}`),
  ];
}

function usageOf(command: Described): string {
  const words = command.getArguments().map(
    ({ name, optional, variadic }) => {
      const word = variadic ? `${name}...` : name;
      return optional ? `[${word}]` : `<${word}>`;
    },
  );
  if (command.getCommands().length > 0) words.push("[command]");
  return [command.getPath(), ...words, "[flags]"].join(" ");
}

function commandsOf(command: Described): string[] {
  const commands = command.getCommands();
  if (commands.length === 0) return [];
  return [
    "Commands:",
    ...aligned(commands.map((each) => [each.getName(), withoutColour(each.getShortDescription())])),
  ];
}

/** What is only here first: somebody who asks for this help looks for it. */
function flagsOf(command: Described): string[][] {
  const flags = command.getOptions();
  return [
    titled("Flags:", flags.filter(({ global }) => !global)),
    titled("Flags everywhere:", flags.filter(({ global }) => global)),
  ];
}

function titled(title: string, flags: readonly Flag[]): string[] {
  return flags.length === 0 ? [] : [title, ...aligned(flags.map(flagRow))];
}

function flagRow({ flags, args, description }: Flag): [string, string] {
  const [first = "", ...rest] = flags;
  // Long names below each other, whether they have a short one or not.
  const names = rest.length > 0 ? flags.join(", ") : `    ${first}`;
  const values = args.map(({ name }) => ` <${name}>`).join("");
  return [names + values, description];
}

/** Two columns; what is too long for the left one stands on a line of its own. */
function aligned(rows: readonly (readonly [string, string])[]): string[] {
  const longest = Math.max(...rows.map(([left]) => left.length));
  const width = Math.min(longest, MAX_LEFT_WIDTH) + 2;
  const indent = " ".repeat(width + 2);
  return rows.flatMap(([left, right]) => {
    const [first = "", ...more] = wrap(right, WIDTH - indent.length);
    const rest = more.map((line) => indent + line);
    return left.length > MAX_LEFT_WIDTH
      ? [`  ${left}`, indent + first, ...rest]
      : [`  ${left.padEnd(width)}${first}`.trimEnd(), ...rest];
  });
}

function withoutColour(text: string): string {
  // deno-lint-ignore no-control-regex -- escape sequences are what it looks for
  return text.replaceAll(/\x1b\[[0-9;]*m/g, "");
}
