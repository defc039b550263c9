/** One task as one line, the same on every screen: name, percentage, bar, figures, and a word if something is wrong. */
import { printable, type SeedSnapshot, type TaskDetail, type TaskStatus } from "../../core/mod.ts";
import { formatEta, formatPart, formatRate, percentOf, plural } from "./units.ts";
import {
  clip,
  displayWidth,
  padEnd,
  padStart,
  READABLE_NAME,
  shortenEnd,
  shortenMiddle,
} from "./width.ts";

export interface TaskRow
  extends Pick<TaskStatus, "name" | "state" | "size" | "downloaded" | "rate" | "etaMs" | "seeds"> {
  readonly detail: TaskDetail | null;
  readonly error?: string | null;
  /** Distinguishes a pause by the user from an interruption, if known. */
  readonly pausedBy?: TaskStatus["pausedBy"];
}

const MIN_NAME_WIDTH = 12;
const MAX_NAME_WIDTH = 60;
const MIN_BAR_WIDTH = 8;
const MAX_BAR_WIDTH = 30;
/** This much of a sentence is shown before the name gets more room. */
const MAX_WORD_WIDTH = 24;

/** The columns beside the name, in the order in which they are dropped; each leaves that much for the name. */
const CELLS = [
  { id: "seeds", width: 8, name: READABLE_NAME },
  { id: "part", width: 13, name: READABLE_NAME },
  { id: "bar", width: MIN_BAR_WIDTH, name: READABLE_NAME },
  { id: "eta", width: 7, name: MIN_NAME_WIDTH },
  { id: "word", width: 0, name: MIN_NAME_WIDTH },
  { id: "rate", width: 10, name: MIN_NAME_WIDTH },
  { id: "percent", width: 4, name: MIN_NAME_WIDTH },
] as const;

type Cell = typeof CELLS[number]["id"];

export interface RowLayout {
  readonly width: number;
  readonly name: number;
  readonly bar: number;
  /** 0 if no task has one, or if it replaces the figures. */
  readonly word: number;
  readonly cells: ReadonlySet<Cell>;
}

/** Keeps the columns that fit beside a readable name; name and bar share the remaining width. */
export function layoutRows(rows: readonly TaskRow[], width: number): RowLayout {
  const word = Math.min(MAX_WORD_WIDTH, longest(rows.map(wordOf)));
  const idle: Partial<Record<Cell, boolean>> = {
    word: word === 0,
    seeds: rows.every(({ seeds }) => seeds.length === 0),
    part: rows.every(({ size }) => size === null),
  };
  let kept = CELLS.filter(({ id }) => !idle[id])
    .map((cell) => cell.id === "word" ? { ...cell, width: word } : cell);
  const room = () => width - kept.reduce((used, cell) => used + cell.width + 1, 0);
  const names = Math.max(MIN_NAME_WIDTH, longest(rows.map(({ name }) => printable(name))));
  while (kept.length > 0 && room() < Math.min(kept[0]!.name, names)) kept = kept.slice(1);
  const name = Math.max(1, Math.min(room(), names, MAX_NAME_WIDTH));
  const cells = new Set(kept.map(({ id }) => id));
  return {
    width,
    name,
    bar: Math.min(MAX_BAR_WIDTH, MIN_BAR_WIDTH + room() - name),
    word: cells.has("word") ? word : 0,
    cells,
  };
}

export function renderRow(row: TaskRow, layout: RowLayout): string {
  const line = (width: number, cells: readonly string[]) => {
    const name = padEnd(shortenMiddle(printable(row.name), width), width);
    return shortenEnd([name, ...cells].join(" ").trimEnd(), layout.width);
  };
  const word = wordOf(row);
  // Without a column for the word, it replaces the figures.
  const sentence = sentenceFor(row) ?? (layout.word === 0 && word !== "" ? word : undefined);
  if (sentence === undefined) return line(layout.name, figuresOf(row, word, layout));
  const beside = PERCENT + Math.min(displayWidth(sentence), MAX_WORD_WIDTH) + 2;
  const width = Math.min(layout.name, Math.max(MIN_NAME_WIDTH, layout.width - beside));
  return line(width, [percentCell(row), sentence]);
}

const PERCENT = 4;

function figuresOf(row: TaskRow, word: string, layout: RowLayout): string[] {
  const cells: Record<Cell, () => string> = {
    percent: () => percentCell(row),
    bar: () => renderBar(row, layout.bar),
    part: () => padStart(row.size === null ? "" : formatPart(row.downloaded, row.size), 13),
    rate: () => padStart(rateText(row), 10),
    eta: () => padStart(row.state === "downloading" ? formatEta(row.etaMs) : "", 7),
    seeds: () => padStart(row.seeds.length === 0 ? "" : plural(row.seeds.length, "seed"), 8),
    word: () => padEnd(clip(word, layout.word), layout.word),
  };
  const order = Object.keys(cells) as Cell[];
  return order.filter((id) => layout.cells.has(id)).map((id) => cells[id]());
}

/** Replaces the figures while nothing is received and the reason is known. */
function sentenceFor(row: TaskRow): string | undefined {
  const { state, detail, error } = row;
  if (state === "failed") return `failed: ${printable(error ?? "see its log")}`;
  if (state !== "waiting" && state !== "finding") return undefined;
  const reason = detail?.trouble ?? detail?.seeds.find(isAway)?.reason;
  return reason ? `${state}: ${printable(reason)}` : undefined;
}

/** What is wrong with a running download, in two words; "" if nothing is. */
function wordOf({ state, detail }: TaskRow): string {
  if (state !== "downloading" || detail === null) return "";
  if (detail.trouble !== null) return printable(detail.trouble);
  return naming("corrupt", detail.seeds.filter(({ standing }) => standing === "corrupt")) ||
    naming("away", detail.seeds.filter(({ standing }) => standing === "failing")) ||
    naming("busy", detail.seeds.filter(({ standing }) => standing === "busy")) ||
    naming("slow", detail.seeds.filter(({ slow }) => slow));
}

function isAway({ standing }: SeedSnapshot): boolean {
  return standing === "failing" || standing === "busy" || standing === "corrupt";
}

function naming(word: string, [first, ...others]: readonly SeedSnapshot[]): string {
  if (first === undefined) return "";
  const more = others.length > 0 ? ` +${others.length}` : "";
  const room = MAX_WORD_WIDTH - word.length - 2 - more.length;
  return `${word}: ${shortenMiddle(printable(first.seed), room)}${more}`;
}

function percentCell(row: TaskRow): string {
  return padStart(row.size === null ? "-" : `${percentOfRow(row)}%`, PERCENT);
}

/** An empty file is at 0 % until it is done. */
function percentOfRow({ state, downloaded, size }: TaskRow): number {
  return size === null || (size === 0 && state !== "done") ? 0 : percentOf(downloaded, size);
}

function renderBar(row: TaskRow, width: number): string {
  if (row.size === null) return " ".repeat(width);
  const full = Math.floor(percentOfRow(row) * width / 100);
  return "#".repeat(full) + "-".repeat(width - full);
}

/** Tasks that receive nothing show their state instead of a rate. */
function rateText(row: TaskRow): string {
  return row.state === "downloading" ? formatRate(row.rate) : stateWord(row);
}

function longest(texts: readonly string[]): number {
  return texts.reduce((most, text) => Math.max(most, displayWidth(text)), 0);
}

/** A paused task that the user did not pause is "stopped": its process ended, and the next `get` of it resumes. JSON calls both paused. */
export function stateWord({ state, pausedBy }: Pick<TaskRow, "state" | "pausedBy">): string {
  return state === "paused" && pausedBy === "interrupt" ? "stopped" : state;
}
