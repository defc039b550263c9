/** The hidden `p2p complete`: what a shell's script asks when Tab is pressed. It never fails, and is never slow. */
import { Command } from "@cliffy/command";
import { LEVELS, parseSeedAddress, printable, type TaskStatus } from "../core/mod.ts";
import { type Candidate, type CommandWords, type Question, questionOf } from "./candidates.ts";
import { type Environment, writeLines } from "./environment.ts";
import { TOPICS } from "./help.ts";
import { directoriesIn, downloadSettingsOf, loadSettings } from "./load_settings.ts";
import { seedsAmong } from "./ui/hints.ts";
import { SHELLS } from "./ui/completion_scripts.ts";
import { isSettingName, settingOf } from "./settings.ts";
import { bashWord, parseBashLine } from "./shell_words.ts";

/** A person waits with a finger on the key: a seed on the LAN answers in a fiftieth of that. */
const TIMEOUT_MS = 1000;
/** Bash asks before it shows so many; nobody reads more. */
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

async function complete(
  environment: Environment,
  root: CommandWords,
  [shell, ...args]: readonly string[],
): Promise<void> {
  const line = shell === "bash" ? parseBashLine(args[0] ?? "") : undefined;
  const words = line ? line.words : args.slice(0, -1);
  const current = line ? line.current : args.at(-1) ?? "";
  const question = questionOf(root, words, current);
  const answer = await answerOf(environment, root, question, words).catch(() => NOTHING);
  if (typeof answer === "string") return writeLines(environment.stdout, [answer]);
  const fitting = answer.filter(({ word }) => word.startsWith(current)).slice(0, MAX_CANDIDATES);
  writeLines(environment.stdout, [
    "words",
    ...fitting.map(({ word, about }) =>
      line ? bashWord(word, line) : about === "" ? word : `${word}\t${printable(about)}`
    ),
  ]);
}

/** Whole words with all that is written of them already; or what the shell itself completes. */
type Answer = readonly Candidate[] | "files" | "dirs";
const NOTHING: Answer = [];

async function answerOf(
  environment: Environment,
  root: CommandWords,
  question: Question,
  words: readonly string[],
): Promise<Answer> {
  if (question.kind === "words") return question.words;
  const { before } = question;
  const values = await valuesOf(environment, root, question, words);
  if (typeof values === "string") return values;
  return values.map(({ word, about }) => ({ word: before + word, about }));
}

async function valuesOf(
  environment: Environment,
  root: CommandWords,
  { type, path, begun }: Question & { kind: "value" },
  words: readonly string[],
): Promise<Answer> {
  switch (type) {
    case "task":
      return await taskWords(environment, path[0] ?? "", begun);
    case "name":
    case "glob":
      return await remoteNames(environment, words);
    case "seed":
    case "setting-seeds":
      return await configuredSeeds(environment);
    case "file":
    case "setting-token-file":
    case "setting-tls-ca":
    case "setting-tls-cert":
    case "setting-tls-key":
      return "files";
    case "dir":
    case "setting-out":
      return "dirs";
    case "level":
      return plain(LEVELS);
    case "topic":
      return pagesOf(root);
    case "shell":
      return plain(SHELLS);
  }
  const setting = type.replace(/^setting-/, "");
  return plain(isSettingName(setting) ? settingOf(setting).kind.choices ?? [] : []);
}

/** What `p2p help` explains; where a command has the name of a topic, that is the topic. */
function pagesOf(root: CommandWords): Candidate[] {
  const topics = TOPICS.map(({ name, about }) => ({ word: name, about }));
  const commands = root.getCommands()
    .map((each) => ({ word: each.getName(), about: each.getShortDescription() }))
    .filter(({ word }) => TOPICS.every(({ name }) => name !== word));
  return [...topics, ...commands];
}

function plain(words: readonly string[]): Candidate[] {
  return words.map((word) => ({ word, about: "" }));
}

/** By name, which people know; by id once somebody begins to write one. */
async function taskWords(
  environment: Environment,
  command: string,
  begun: string,
): Promise<Candidate[]> {
  const all = await environment.core.tasksBeginning(directoriesIn(environment), begun, {
    all: command !== "pause" && command !== "cancel" && command !== "resume",
  });
  const fitting = all.filter(({ state }) => command !== "resume" || state === "paused").reverse();
  const about = ({ task, state }: TaskStatus) => `${state}, task ${task}`;
  const names = fitting.filter(({ name }) => isPlain(name))
    .map((task) => ({ word: task.name, about: about(task) }));
  const ids = begun === "" ? [] : fitting.map((task) => {
    return { word: task.task, about: `${task.state}, ${task.name}` };
  });
  // A word means the first that it names, which is the newest.
  const byWord = new Map([...ids, ...names].toReversed().map((each) => [each.word, each]));
  return Array.from(byWord.values()).reverse();
}

/** From every seed that answers in time: one that does not must not keep the others' from being offered. */
async function remoteNames(
  environment: Environment,
  words: readonly string[],
): Promise<Candidate[]> {
  const { values } = await loadSettings(environment, {});
  const settings = await downloadSettingsOf(values);
  const named = seedsAmong(words);
  const seeds = named.length > 0 ? named.map(parseSeedAddress) : settings.seeds;
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const query = { glob: undefined, ids: false };
  const offers = await Promise.allSettled(
    seeds.map((seed) => environment.core.list(query, { ...settings, seeds: [seed] }, signal)),
  );
  const files = offers.flatMap((each) => each.status === "fulfilled" ? each.value.files : []);
  const names = new Set(files.map(({ name }) => name).filter(isPlain));
  return plain(Array.from(names).sort());
}

async function configuredSeeds(environment: Environment): Promise<Candidate[]> {
  const { values } = await loadSettings(environment, {});
  return plain(settingOf("seeds").kind.format(values.seeds).split(","));
}

/** Nothing that would move the cursor, or end a line of the answer. */
function isPlain(name: string): boolean {
  return printable(name) === name;
}
