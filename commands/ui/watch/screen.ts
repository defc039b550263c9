/** Draws `status --watch`: as many lines as the screen has, none of them wider. */
import { printable, type TaskStatus } from "../../../core/mod.ts";
import { NOTHING_ACTIVE, summaryOf } from "../status.ts";
import { renderDetail } from "../table.ts";
import { layoutRows, renderRow, stateWord } from "../task_row.ts";
import { fitLine, lineWidth, shortenEnd, shortenMiddle, wrap } from "../width.ts";
import { footerRows, listRows, type WatchModel } from "./model.ts";
import { renderTaskPage } from "./task_page.ts";

export interface Frame {
  readonly lines: readonly string[];
  /** The line of the picked task, to be highlighted. */
  readonly picked: number | undefined;
}

/** The keys of each page; the longest form that fits is shown. */
const KEYS = {
  list: [
    "enter details  p pause  r resume  c cancel  l log  f filter  ? help  q quit",
    "p pause  r resume  c cancel  ? help  q quit",
    "p pause  r resume  ? help  q quit",
  ],
  task: [
    "arrows  p pause  r resume  c cancel  l log  esc back  ? help  q quit",
    "l log  esc back  ? help  q quit",
  ],
  log: [
    "arrows  p pause  r resume  c cancel  esc back  ? help  q quit",
    "arrows  esc back  ? help  q quit",
  ],
} as const;

const HELP = [
  ["up, down, k, j", "pick the task above or below; scroll"],
  ["page up, page down, space", "move by a screen"],
  ["home, end, g, G", "move to the beginning or the end"],
  ["enter, right", "details of the picked task"],
  ["l", "its log"],
  ["p", "pause it"],
  ["r", "resume it"],
  ["c", "cancel it; what has arrived is kept"],
  ["f, F", "show other tasks: active, waiting, paused, failed, done, all"],
  ["esc, left, backspace", "back to the page before"],
  ["q, Ctrl-C", "quit; downloads continue"],
] as const;

export function renderWatch(model: WatchModel): Frame {
  const width = lineWidth(model.size.columns);
  const body = renderBody(model, width);
  const rows = listRows(model.size);
  const lines = [
    ...model.size.rows > 1 ? [renderHead(model, width)] : [],
    ...body.lines,
    ...new Array<string>(Math.max(0, rows - body.lines.length)).fill(""),
    ...renderFoot(model, body.place, width),
  ].map((line) => shortenEnd(line, width));
  const above = model.size.rows > 1 ? 1 : 0;
  return { lines, picked: body.picked === undefined ? undefined : body.picked + above };
}

interface Body {
  readonly lines: readonly string[];
  readonly picked?: number;
  /** The part that is shown, such as "lines 1-21 of 22". */
  readonly place: string;
}

function renderHead({ page, overview, now, help }: WatchModel, width: number): string {
  if (help) return "keys";
  if (page.kind === "log") return `log of ${printable(page.task.name)}  (${stateWord(page.task)})`;
  return now === 0 ? "reading ..." : summaryOf(overview, width);
}

function renderBody(model: WatchModel, width: number): Body {
  const { page, now, size } = model;
  if (model.help) return renderHelp(model, width);
  if (page.kind === "list") return renderList(model, width);
  if (page.kind === "log") return renderLog(page.lines, page.up, listRows(size), width);
  return part(renderTaskPage(page, now, width), page.top, model);
}

function renderHelp({ size }: WatchModel, width: number): Body {
  const lines = width < 60
    ? HELP.flatMap(([keys, does]) => wrap(`${keys}: ${does}`, width))
    : renderDetail(HELP);
  return { lines: lines.slice(0, listRows(size)), place: "press any key to return" };
}

function renderList(
  { shown, at, top, size, filter, overview, now }: WatchModel,
  width: number,
): Body {
  const rows = shown.slice(top, top + listRows(size));
  const layout = layoutRows(rows, width - MARK.length);
  const lines = rows.map((row, i) =>
    (top + i === at ? MARK : " ".repeat(MARK.length)) + renderRow(row, layout)
  );
  if (rows.length === 0 && now === 0) return { lines: [], place: "" };
  if (rows.length === 0) {
    return { lines: [filter === "unfinished" ? NOTHING_ACTIVE : ""], place: `${filter}: none` };
  }
  const withWaiting = filter === "unfinished" || filter === "waiting" || filter === "all";
  const more = withWaiting ? overview.moreWaiting : 0;
  const beyond = more > 0 ? `, and ${more} more waiting` : "";
  const place = `${filter}: ${top + 1}-${top + rows.length} of ${shown.length}${beyond}`;
  return { lines, picked: at - top, place };
}

const MARK = "> ";

/** The last lines of a log, or those `up` lines above. Only visible lines are wrapped, because a log may be long. */
function renderLog(all: readonly string[], up: number, rows: number, width: number): Body {
  const end = Math.max(Math.min(rows, all.length), all.length - up);
  let lines: string[] = [];
  for (let i = end - 1; i >= 0 && lines.length < rows; i--) {
    lines = [...wrap(all[i]!, width), ...lines];
  }
  const place = end < all.length ? `${all.length - end} more lines below` : "";
  return { lines: lines.slice(-rows), place };
}

/** The lines from `top` on that fit. */
function part(lines: readonly string[], top: number, { size }: WatchModel): Body {
  const rows = listRows(size);
  const from = Math.max(0, Math.min(top, lines.length - rows));
  const to = Math.min(from + rows, lines.length);
  const place = lines.length > rows ? `lines ${from + 1}-${to} of ${lines.length}` : "";
  return { lines: lines.slice(from, to), place };
}

function renderFoot(
  { size, question, message, page }: WatchModel,
  place: string,
  width: number,
): string[] {
  const shown = question !== undefined ? questionOf(question, width) : printable(message);
  const keys = fitLine(KEYS[page.kind], width);
  const rows = footerRows(size.rows);
  if (rows === 0) return [];
  return rows === 1 ? [shown || place || keys] : [shown || place, keys];
}

/** The name is shortened so that the question stays visible. */
function questionOf({ name }: TaskStatus, width: number): string {
  const end = width < 60 ? '"? y/n' : '"? What has arrived is kept. y/n';
  const begin = 'cancel "';
  return begin + shortenMiddle(printable(name), width - begin.length - end.length) + end;
}
