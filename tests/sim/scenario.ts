/**
 * Scenarios of one download: a text file holds a world and the trace of what the state machine did
 * in it. Below the world, each line is a virtual time in ms, `>` and an event that went in or `<`
 * and a command that came out. Events `received` and `timer`, and the command `setTimer`, are left
 * out: there are hundreds of them, and what matters of them shows in the other lines.
 */
import type { DownloadCommand, DownloadEvent } from "../../core/plan/messages.ts";
import type { DownloadPlan } from "./sim_download.ts";
import type { Habits } from "./sim_seed.ts";
import { runWorld } from "./world.ts";

const UNITS: Readonly<Record<string, number>> = {
  B: 1,
  KiB: 1024,
  MiB: 1024 * 1024,
  ms: 1,
  s: 1000,
};

/** What stands between the world and its trace. */
const RULE = "----";

/** The world of a scenario's text, and the trace that was recorded. */
export function partsOf(text: string): { readonly world: string; readonly trace: string } {
  const [world = "", trace = ""] = text.split(`${RULE}\n`);
  return { world, trace };
}

/** A scenario's text with the trace of its world as it is now. */
export function record(text: string, machine?: DownloadPlan["machine"]): string {
  const { world } = partsOf(text);
  const lines: string[] = [];
  const seeds: Habits[] = [];
  let download: DownloadPlan = { size: 0 };
  let suspended: { fromMs: number; ms: number } | undefined;
  for (const line of world.split("\n")) {
    const [word = "", ...rest] = line.split(/\s+/);
    if (word === "" || word === "#") continue;
    if (word === "download") download = downloadOf(rest);
    else if (word === "seed") seeds.push(habitsOf(rest));
    else if (word === "suspend") {
      const { at, for: ms } = pairsOf(rest);
      suspended = { fromMs: amountOf(at), ms: amountOf(ms) };
    } else throw new Error(`Not a line of a scenario: ${line}`);
  }
  const names = new Map<number, string>();
  const end = runWorld({
    downloads: [{
      ...download,
      ...machine === undefined ? {} : { machine },
      trace: (direction, message, nowMs) => {
        const words = direction === ">"
          ? eventText(message as DownloadEvent, names)
          : commandText(message as DownloadCommand, names);
        if (words !== undefined) lines.push(`${Math.round(nowMs)} ${direction} ${words}`);
      },
    }],
    seeds,
    ...suspended === undefined ? {} : { suspended },
  });
  const [{ how, faults }] = end.downloads as [typeof end.downloads[0]];
  for (const fault of faults) lines.push(`fault: ${fault}`);
  lines.push(`end: ${how}`);
  return `${world}${RULE}\n${lines.join("\n")}\n`;
}

function pairsOf(words: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(words.map((word) => word.split("=")));
}

/** A number with a unit. */
function amountOf(text = ""): number {
  const match = text.match(/^([\d.]+)([A-Za-z]*)$/);
  const unit = match?.[2] === "" ? 1 : UNITS[match?.[2] ?? ""];
  if (!match || unit === undefined) throw new Error(`Not an amount: "${text}"`);
  return Number(match[1]) * unit;
}

function downloadOf(words: readonly string[]): DownloadPlan {
  const { size, inFlight = "32", giveUp = "120s", restart } = pairsOf(words);
  return {
    size: amountOf(size),
    maxInFlight: amountOf(inFlight),
    giveUpMs: amountOf(giveUp),
    ...restart === undefined ? {} : { restartMs: amountOf(restart) },
  };
}

function habitsOf([name = "", ...words]: readonly string[]): Habits {
  const { rate, latency = "5ms", holds, ...pairs } = pairsOf(words);
  const habits: Record<string, unknown> = {
    name,
    rate: amountOf(rate),
    latencyMs: amountOf(latency),
  };
  if (holds === "size") habits["sizeOnly"] = true;
  else if (holds !== undefined) habits["holds"] = holds;
  for (const [key, value] of Object.entries(pairs)) {
    const [first = "", second = ""] = value.split("-");
    if (key === "away") {
      const toMs = second === "" ? Infinity : amountOf(second);
      habits["away"] = [{ fromMs: amountOf(first), toMs }];
    } else if (key === "silent") habits["silentFromMs"] = amountOf(value);
    else if (key === "hashes") habits["hashesUntilMs"] = amountOf(value);
    else if (key === "lies" || key === "busy") habits[key] = amountOf(value);
    else if (key === "breaks") habits["breaksAfter"] = amountOf(value);
    else if (key === "late") habits["late"] = value === "yes";
    else if (key === "slows") {
      const [at = "", factor = ""] = value.split("*");
      habits["turns"] = [{ atMs: amountOf(at), factor: amountOf(factor) }];
    } else throw new Error(`Not a habit of a seed: ${key}`);
  }
  return habits as unknown as Habits;
}

function eventText(event: DownloadEvent, names: ReadonlyMap<number, string>): string | undefined {
  switch (event.kind) {
    case "answered": {
      const { source, answer } = event;
      if (answer.kind === "manifest") return `answered ${source} manifest ${answer.id}`;
      if (answer.kind === "later") return `answered ${source} later ${answer.percent ?? "busy"}`;
      return `answered ${source} ${answer.kind}`;
    }
    case "opened":
      return `opened ${event.missing.length} pieces missing`;
    case "stored":
      return `stored ${names.get(event.request)}`;
    case "failed":
      return `failed ${names.get(event.request)} ${event.failure.kind}`;
    case "blamed":
      return `blamed ${event.source}`;
    default:
      return undefined;
  }
}

function commandText(command: DownloadCommand, names: Map<number, string>): string | undefined {
  switch (command.kind) {
    case "probe":
      return `probe ${command.source}`;
    case "open": {
      const { content: { id, size }, holders, others } = command.choice;
      const rest = others.length > 0 ? `, open: ${others.join(" ")}` : "";
      return `open ${id ?? size} from ${holders.join(" ")}${rest}`;
    }
    case "request": {
      const { request, source, piece, because, rangeBytes } = command;
      names.set(request, `${source} ${piece}`);
      const range = rangeBytes === undefined ? "" : ` in ranges of ${rangeBytes}`;
      return `request ${source} ${piece}${range}${because === undefined ? "" : " (faster)"}`;
    }
    case "cancel": {
      const why = command.because === undefined ? "" : " (slow)";
      return `cancel ${names.get(command.request)}${why}`;
    }
    case "report":
      return `report ${command.source} ${command.change}`;
    case "setAside":
      return `setAside ${command.content.id ?? command.content.size}: ${command.giveUp?.why}`;
    case "setTimer":
      return undefined;
    default:
      return command.kind;
  }
}
