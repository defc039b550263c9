/** The text of `--help`: examples first. */
import { wrap } from "./width.ts";

/** Fits every terminal. */
const WIDTH = 80;
const MAX_LEFT_WIDTH = 28;

export interface Flag {
  readonly flags: readonly string[];
  readonly args: readonly { readonly name: string }[];
  readonly description: string;
  readonly global?: boolean | undefined;
}

/** The part of the library's command that matters here. */
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
  const examples = command.getExamples();
  const width = Math.max(0, ...examples.map((each) => each.description.length));
  const flags = command.getOptions();
  const blocks = [
    titled(
      "Examples:",
      examples.map(({ name, description }) => {
        return `  ${description.padEnd(width)}  # ${name}`;
      }),
    ),
    ["Usage:", `  ${usageOf(command)}`],
    command.getDescription().trim().split("\n").flatMap((line) => wrap(line, WIDTH)),
    titled(
      "Commands:",
      aligned(
        command.getCommands().map((each) => {
          return [each.getName(), each.getShortDescription()];
        }),
      ),
    ),
    // The command's own flags first: they are what the user is looking for.
    titled("Flags:", aligned(flags.filter(({ global }) => !global).map(flagRow))),
    titled("Flags everywhere:", aligned(flags.filter(({ global }) => global).map(flagRow))),
  ];
  return blocks.filter((block) => block.length > 0)
    .map((block) => block.join("\n")).join("\n\n") + "\n";
}

function titled(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [title, ...lines];
}

/** The page of `p2p help`: the help of the whole program, and what the topics are about. */
export function renderOverview(
  root: Described,
  topics: readonly { readonly name: string; readonly about: string }[],
): string {
  const rows = topics.map(({ name, about }) => [name, about] as const);
  return `${renderHelp(root)}\n${titled("Topics of p2p help:", aligned(rows)).join("\n")}\n`;
}

/** The command with its arguments, as in "p2p get [name...] [flags]". */
export function usageOf(command: Described): string {
  const words = command.getArguments().map(({ name, optional, variadic }) => {
    const word = variadic ? `${name}...` : name;
    return optional ? `[${word}]` : `<${word}>`;
  });
  if (command.getCommands().length > 0) words.push("[command]");
  return [command.getPath(), ...words, "[flags]"].join(" ");
}

function flagRow({ flags, args, description }: Flag): [string, string] {
  const [first = "", ...rest] = flags;
  // Long names line up, with or without a short one.
  const names = rest.length > 0 ? flags.join(", ") : `    ${first}`;
  const values = args.map(({ name }) => ` <${name}>`).join("");
  return [names + values, description];
}

/** Two columns; what is too long for the left one has a line of its own. */
function aligned(rows: readonly (readonly [string, string])[]): string[] {
  const longest = Math.max(0, ...rows.map(([left]) => left.length));
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
