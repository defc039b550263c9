/** The hidden `p2p complete`: answers a shell when Tab is pressed. It never fails, and is never slow. */
import { Command } from "@cliffy/command";
import { LEVELS, parseSourceAddress, printable } from "../core/mod.ts";
import { type Candidate, type CommandWords, type Question, questionOf } from "./candidates.ts";
import { directoriesIn, type Environment, writeLines } from "./environment.ts";
import { TOPICS } from "./topics.ts";
import { downloadSettingsOf, loadSettings } from "./load_settings.ts";
import { isSettingName, settingOf } from "./settings.ts";
import { bashWord, parseBashLine } from "./shell_words.ts";
import { SHELLS } from "./ui/completion_scripts.ts";
import { seedsAmong } from "./ui/hints.ts";

/** The user is waiting; a seed on the LAN answers 50 times faster. */
const TIMEOUT_MS = 1000;
/** Bash asks before it shows this many. */
const MAX_CANDIDATES = 1000;

export function completeCommand(environment: Environment) {
  return new Command()
    .description("Answers a shell that completes a line.")
    .hidden()
    .useRawArgs()
    .arguments("[word...]")
    .action(async function (_, ...words) {
      await complete(environment, this.getMainCommand() as unknown as CommandWords, words);
    });
}

/** The possible words; or what the shell itself completes. */
type Answer = readonly Candidate[] | "files" | "dirs";

async function complete(
  environment: Environment,
  root: CommandWords,
  [shell, ...args]: readonly string[],
): Promise<void> {
  const { stdout } = environment;
  const line = shell === "bash" ? parseBashLine(args[0] ?? "") : undefined;
  const words = line ? line.words : args.slice(0, -1);
  const current = line ? line.current : args.at(-1) ?? "";
  const question = questionOf(root, words, current);
  const answer = await answerOf(environment, root, question, words).catch((): Answer => []);
  if (typeof answer === "string") return writeLines(stdout, [answer]);
  const before = question.kind === "value" ? question.before : "";
  const fitting = answer.map(({ word, about }) => ({ word: before + word, about }))
    .filter(({ word }) => word.startsWith(current));
  const lines = fitting.slice(0, MAX_CANDIDATES).map(({ word, about }) => {
    if (line) return bashWord(word, line);
    return about === "" ? word : `${word}\t${printable(about)}`;
  });
  writeLines(stdout, ["words", ...lines]);
}

async function answerOf(
  environment: Environment,
  root: CommandWords,
  question: Question,
  words: readonly string[],
): Promise<Answer> {
  if (question.kind === "words") return question.words;
  const { type, path, begun } = question;
  switch (type) {
    case "task":
      return await taskWords(environment, path[0] ?? "", begun);
    case "name":
    case "glob":
      return await remoteNames(environment, words);
    case "seed":
    case "setting-seeds": {
      const { values } = await loadSettings(environment, {});
      return plain(settingOf("seeds").kind.format(values.seeds).split(","));
    }
    case "file":
      return "files";
    case "dir":
      return "dirs";
    case "level":
      return plain(LEVELS);
    case "topic":
      return helpPages(root);
    case "shell":
      return plain(SHELLS);
  }
  const setting = type.replace(/^setting-/, "");
  if (!isSettingName(setting)) return [];
  const { placeholder, choices = [] } = settingOf(setting).kind;
  return placeholder === "file" ? "files" : placeholder === "dir" ? "dirs" : plain(choices);
}

/** What `p2p help` explains; a topic hides a command of the same name. */
function helpPages(root: CommandWords): Candidate[] {
  const topics = TOPICS.map(({ name, about }) => ({ word: name, about }));
  const commands = root.getCommands()
    .map((each) => ({ word: each.getName(), about: each.getShortDescription() }))
    .filter(({ word }) => TOPICS.every(({ name }) => name !== word));
  return [...topics, ...commands];
}

function plain(words: readonly string[]): Candidate[] {
  return words.map((word) => ({ word, about: "" }));
}

/** By name; also by id once the user begins to type one. */
async function taskWords(
  environment: Environment,
  command: string,
  begun: string,
): Promise<Candidate[]> {
  const all = await environment.core.tasksBeginning(directoriesIn(environment), begun, {
    all: command !== "pause" && command !== "cancel" && command !== "resume",
  });
  const fitting = all.filter(({ state }) => command !== "resume" || state === "paused").reverse();
  const names = fitting.filter(({ name }) => isPlain(name))
    .map(({ name, state, task }) => ({ word: name, about: `${state}, task ${task}` }));
  const ids = begun === "" ? [] : fitting.map(({ task, state, name }) => {
    return { word: task, about: `${state}, ${name}` };
  });
  // A word means the newest task that it names, which is the first here.
  const byWord = new Map([...ids, ...names].toReversed().map((each) => [each.word, each]));
  return Array.from(byWord.values()).reverse();
}

/** From every seed that answers in time: a silent one must not hide the names of the others. */
async function remoteNames(
  environment: Environment,
  words: readonly string[],
): Promise<Candidate[]> {
  const { values, directories } = await loadSettings(environment, {});
  const settings = await downloadSettingsOf(values);
  const named = seedsAmong(words);
  const seeds = named.length > 0 ? named.map(parseSourceAddress) : settings.seeds;
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const query = { glob: undefined, ids: false };
  const offers = await Promise.allSettled(
    seeds.map((seed) =>
      environment.core.list(query, { ...settings, seeds: [seed] }, signal, directories)
    ),
  );
  const files = offers.flatMap((each) => each.status === "fulfilled" ? each.value.files : []);
  return plain(Array.from(new Set(files.map(({ name }) => name).filter(isPlain))).sort());
}

/** Whether `name` has nothing that moves the cursor or ends a line of the answer. */
function isPlain(name: string): boolean {
  return printable(name) === name;
}
