/**
 * The command tree. A new command is one file beside this one and one line here.
 *
 * The file of a command, with all that only it needs, is loaded when the command is used.
 */
import { Command } from "@cliffy/command";
import { withSettings } from "./options.ts";
import type { Environment } from "./environment.ts";
import { type Described, renderHelp } from "./ui/help.ts";
import { versionLine } from "./version.ts";

type Root = ReturnType<typeof rootCommand>;
/** Each command has a type of its own, by its flags. */
type AnyCommand = Parameters<Root["command"]>[1];

/** In the order of the help. */
const COMMANDS = {
  get: async () => (await import("./get.ts")).getCommand,
  cat: async () => (await import("./cat.ts")).catCommand,
  sync: async () => (await import("./sync.ts")).syncCommand,
  serve: async () => (await import("./serve.ts")).serveCommand,
  list: async () => (await import("./list.ts")).listCommand,
  link: async () => (await import("./link.ts")).linkCommand,
  status: async () => (await import("./status.ts")).statusCommand,
  pause: async () => (await import("./control.ts")).pauseCommand,
  resume: async () => (await import("./control.ts")).resumeCommand,
  cancel: async () => (await import("./control.ts")).cancelCommand,
  max: async () => (await import("./max.ts")).maxCommand,
  logs: async () => (await import("./logs.ts")).logsCommand,
  why: async () => (await import("./why.ts")).whyCommand,
  verify: async () => (await import("./verify.ts")).verifyCommand,
  manifest: async () => (await import("./manifest.ts")).manifestCommand,
  seeds: async () => (await import("./seeds.ts")).seedsCommand,
  config: async () => (await import("./config.ts")).configCommand,
  completions: async () => (await import("./completions.ts")).completionsCommand,
  help: async () => (await import("./help.ts")).helpCommand,
  complete: async () => (await import("./complete.ts")).completeCommand,
} as const;

type Name = keyof typeof COMMANDS;
export const COMMAND_NAMES = Object.keys(COMMANDS) as readonly Name[];

/** Its pages and answers are about all commands. */
const ABOUT_ALL: readonly Name[] = ["help", "complete"];
/** The commands that `args` may use: the one that they begin with, or all where that is not sure. */
export function commandsFor(args: readonly string[]): readonly Name[] {
  const name = COMMAND_NAMES.find((each) => each === args[0]);
  return name === undefined || ABOUT_ALL.includes(name) ? COMMAND_NAMES : [name];
}

/** The root with the commands of these names. */
export async function commandTree(
  environment: Environment,
  names: readonly Name[] = COMMAND_NAMES,
): Promise<Root> {
  const root = rootCommand(environment);
  if (names.includes("help")) root.description(await overview());
  for (const name of COMMAND_NAMES.filter((name) => names.includes(name))) {
    const makeCommand = await COMMANDS[name]();
    root.command(name, makeCommand(environment) as unknown as AnyCommand).reset();
  }
  return root;
}

const ABOUT =
  "Downloads files from several seeds at once, checks every byte, and shares a folder as a seed.";

/** Shown only with the list of all commands. */
async function overview(): Promise<string> {
  const { TOPICS } = await import("./topics.ts");
  return `${ABOUT}

p2p help <topic> explains more: ${TOPICS.map(({ name }) => name).join(", ")}.`;
}

/** Global options must be added before the first command. */
function rootCommand(environment: Environment) {
  const { stdout, version } = environment;
  const showVersion = () => stdout.write(versionLine(version));
  function showHelp(this: Described): void {
    stdout.write(renderHelp(this));
  }
  const root = new Command()
    .name("p2p")
    .description(ABOUT)
    .example("share this folder", "p2p serve")
    .example("download a file", "p2p get ubuntu.iso --seed 192.168.1.20")
    .example("watch from another terminal", "p2p status")
    .help((command: Described) => renderHelp(command))
    .noExit()
    .helpOption("-h, --help", "Show this help", { global: true, action: showHelp })
    .versionOption("-V, --version", "Show the version", { global: true, action: showVersion })
    .version(version);
  return withSettings(root, "all").action(showHelp);
}
