/**
 * The page of a folder: plain HTML without scripts, for browsers of any size, in light and dark, for
 * keyboards and screen readers. Pure.
 */
import { formatBytes, printable } from "../../base/text.ts";
import { LINK_ID_DIGITS } from "../../base/link.ts";
import { encodePart, encodePath } from "../../base/url_path.ts";
import type { FolderEntry, SortKey } from "./folder_view.ts";

export interface PageEntry extends FolderEntry {
  /** Known once the file was hashed. */
  readonly sha256?: string;
  readonly id?: string;
}

export interface FolderPage {
  /** "" for the root. */
  readonly folder: string;
  /** Scheme, host and port, as the browser has them. */
  readonly origin: string | undefined;
  readonly wantsToken: boolean;
  /** Files and bytes below the folder. */
  readonly files: number;
  readonly bytes: number;
  readonly entries: readonly PageEntry[];
  /** undefined: in the order of the names, which cannot be changed. */
  readonly sorted: { readonly key: SortKey; readonly descending: boolean } | undefined;
  /** Queries of other pages of the folder. */
  readonly next: string | undefined;
  readonly first: string | undefined;
}

/** Colours with a contrast of at least 4.5 in both schemes; targets of at least 24 pixels. */
const STYLE = `
:root{color-scheme:light dark}
*{box-sizing:border-box}
body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:70rem;padding:1rem}
a{text-decoration:none;overflow-wrap:anywhere}a:hover{text-decoration:underline}
:focus-visible{outline:2px solid;outline-offset:2px}
h1{font-size:1.25rem;margin:.5rem 0}
nav ol{list-style:none;margin:0;padding:0}nav li{display:inline}
nav li+li::before{content:" / "}
p{margin:.25rem 0 1rem}
table{width:100%;border-collapse:collapse}
th,td{text-align:left;padding:.4rem .75rem .4rem 0;vertical-align:top}
thead th{border-bottom:2px solid #8886;font-size:.875rem;white-space:nowrap}
tbody tr{border-bottom:1px solid #8886}
tbody th{font-weight:normal;width:99%}
td{white-space:nowrap;font-variant-numeric:tabular-nums}
.size{text-align:right}
details{font-size:.875rem}summary{cursor:pointer;width:max-content;padding:.1rem 0}
label{display:block;margin:.25rem 0}
input{width:100%;font:.8125rem ui-monospace,monospace;padding:.35rem;border:1px solid #8886;border-radius:4px}
.hidden{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
@media (max-width:36rem){
thead{display:flex;gap:1rem}thead tr{display:contents}thead th{border:0}
tbody tr{display:grid;grid-template-columns:1fr auto;padding:.4rem 0}
tbody th{grid-column:1/-1;padding:0}td{padding:0}.size{text-align:left}
}
p,td,details,nav{color:#59636e}a{color:#0b57d0}
@media (prefers-color-scheme:dark){p,td,details,nav{color:#a5adb8}a{color:#8ab4f8}}`.replaceAll(
  "\n",
  "",
);

export function renderFolderPage(page: FolderPage): string {
  const { folder, files, bytes, origin, next, first } = page;
  const title = folder === "" ? hostOf(origin) : folder.slice(folder.lastIndexOf("/") + 1);
  const pages = [
    ...first === undefined ? [] : [`<a href="${escape(first)}">First page</a>`],
    ...next === undefined ? [] : [`<a href="${escape(next)}" rel="next">Next page</a>`],
  ];
  return `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>${shown(title)}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,"><style>${STYLE}</style></head>
<body><header>${folder === "" ? "" : `<nav aria-label="Folders"><ol>${crumbs(page)}</ol></nav>`}
<h1>${shown(title)}</h1>
<p>${files === 1 ? "1 file" : `${files} files`}, ${formatBytes(bytes)}${
    files > 0 ? ` · <a href="?tar">Download all as .tar</a>` : ""
  } · <a href="?json">JSON</a></p></header>
<main>${page.entries.length === 0 ? "<p>There are no files here.</p>" : table(page)}${
    pages.length === 0 ? "" : `<p>${pages.join(" · ")}</p>`
  }</main></body></html>
`;
}

function hostOf(origin: string | undefined): string {
  return origin?.replace(/^https?:\/\//, "") ?? "p2p";
}

/** The root and every folder above this one. */
function crumbs({ folder, origin }: FolderPage): string {
  const parts = folder === "" ? [] : folder.split("/");
  const names = [hostOf(origin), ...parts];
  return names.map((name, depth) => {
    const up = names.length - 1 - depth;
    return up === 0
      ? `<li><a href="./" aria-current="page">${shown(name)}</a></li>`
      : `<li><a href="${"../".repeat(up)}">${shown(name)}</a></li>`;
  }).join("");
}

const COLUMNS: readonly (readonly [SortKey, string, string])[] = [
  ["name", "Name", ""],
  ["size", "Size", ' class="size"'],
  ["date", "Changed (UTC)", ""],
];

function table(page: FolderPage): string {
  const heads = COLUMNS.map(([key, label, attributes]) => head(page, key, label, attributes));
  return `<table><caption class="hidden">Files in ${
    shown(page.folder === "" ? hostOf(page.origin) : page.folder)
  }</caption><thead><tr>${heads.join("")}</tr></thead>
<tbody>${page.entries.map((entry) => row(page, entry)).join("\n")}</tbody></table>`;
}

function head({ sorted }: FolderPage, key: SortKey, label: string, attributes: string): string {
  if (!sorted) return `<th scope="col"${attributes}>${label}</th>`;
  const isKey = sorted.key === key;
  const state = sorted.descending ? "descending" : "ascending";
  // The first click on a size or a date shows the largest or the latest.
  const order = (isKey ? sorted.descending : key === "name") ? "asc" : "desc";
  const mark = isKey ? `<span aria-hidden="true"> ${sorted.descending ? "▼" : "▲"}</span>` : "";
  return `<th scope="col"${attributes}${
    isKey ? ` aria-sort="${state}"` : ""
  }><a href="?sort=${key}&amp;order=${order}">${label}${mark}</a></th>`;
}

function row(page: FolderPage, entry: PageEntry): string {
  const { name, isFolder, size, files } = entry;
  const href = encodePart(name) + (isFolder ? "/" : "");
  // A link with a dot in front is never taken for another scheme or a parent.
  const link = `<a href="./${href}">${shown(name)}${isFolder ? "/" : ""}</a>`;
  const about = isFolder
    ? `<td>${files === 1 ? "1 file" : `${files} files`}</td>`
    : `<td>${time(entry)}</td>`;
  return `<tr><th scope="row">${link}${isFolder ? "" : links(page, entry)}</th><td class="size">${
    formatBytes(size)
  }</td>${about}</tr>`;
}

function time({ modified }: PageEntry): string {
  // Times that no date can hold come from broken file systems.
  if (modified === undefined || !(Math.abs(modified) <= 8.64e15)) return "";
  const iso = new Date(modified).toISOString();
  const short = iso.slice(0, 16).replace("T", " ");
  return `<time datetime="${iso}">${escape(short)}</time>`;
}

/** What to copy; a field selects its text with one key, and says what it is. */
function links(page: FolderPage, { name, id, sha256 }: PageEntry): string {
  const { folder, origin, wantsToken } = page;
  if (origin === undefined) return "";
  const path = encodePath(folder === "" ? name : `${folder}/${name}`);
  const pin = id === undefined ? "" : `#id=${id.slice(0, LINK_ID_DIGITS)}`;
  const link = `${origin}/${path}${pin}`;
  // The brackets of an IPv6 address mean something to some shells.
  const word = /[[\]]/.test(link) ? `'${link}'` : link;
  const label = wantsToken ? "With p2p, and the token of this seed" : "With p2p";
  return `<details><summary>Copy<span class="hidden"> link of ${shown(name)}</span></summary>${
    field(label, `p2p get ${word}`)
  }${field("Link", link)}${sha256 === undefined ? "" : field("SHA-256", sha256)}<a href="./${
    encodePart(name)
  }" download>Save file</a></details>`;
}

function field(label: string, value: string): string {
  return `<label>${label}<input readonly value="${escape(value)}"></label>`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}

/** A name as text: characters that would hide or turn others are visible. */
function shown(name: string): string {
  return escape(printable(name));
}
