/** What a seed tells while it serves. */
import {
  invalidNameReason,
  isGlob,
  type Level,
  type OmitReason,
  printable,
  type ServeEvent,
} from "../../core/mod.ts";
import { reaches } from "./event_text.ts";
import { shellWord } from "./hints.ts";
import { jsonLine } from "./json.ts";
import { formatBytes, formatElapsed, formatRate, formatTime, plural } from "./units.ts";

type Listening = ServeEvent & { readonly kind: "listening" };

/** What the other side needs besides the address. */
export interface Invitation {
  readonly tls: boolean;
  /** Whether the certificate's authority is one that hardly anybody trusts. */
  readonly ca: boolean;
  /** The file of the token, as it is called here. */
  readonly tokenFile: string | undefined;
}

/** One line for each listener. */
export function renderListening(event: Listening, json: boolean): string[] {
  const { addresses, files, bytes } = event;
  return addresses.map(({ host, port }) =>
    json
      ? jsonLine({ event: "listening", host, port, files, bytes })
      : `listening on ${addressOf(host, port)}`
  );
}

/** A finished transfer and the like as one line of JSON; undefined for what is no news at this level. */
export function renderServeJson(
  event: Exclude<ServeEvent, Listening>,
  now: number,
  least: Level,
): string | undefined {
  // What was asked for counts as a result, whatever stderr is to be spared.
  if (levelOf(event) === "debug" && least !== "debug") return undefined;
  const { kind, ...facts } = event;
  return jsonLine({ event: kind, time: new Date(now).toISOString(), ...facts });
}

export function renderServeEvent(
  event: ServeEvent,
  now: number,
  least: Level,
  invitation: Invitation,
): string[] {
  if (!reaches(levelOf(event), least)) return [];
  if (event.kind === "listening") return renderInvitation(event, invitation);
  // Nobody is waited for: that it stops was said already.
  if (event.kind === "draining" && event.connections === 0) return [];
  return [`${formatTime(now)} ${printable(sentenceOf(event))}`];
}

/** Hashing more takes longer than anybody likes to wait without a word: about a second. */
const LONG_TO_HASH = 2 ** 30;

function levelOf(event: ServeEvent): Level {
  switch (event.kind) {
    case "omitted":
      // Hidden files and unfinished downloads are left out on purpose.
      return event.examples.length > 0 ? "warn" : "info";
    case "refused":
      return "debug";
    case "hashing":
    case "hashed":
      return event.bytes > LONG_TO_HASH ? "info" : "debug";
    default:
      return "info";
  }
}

function sentenceOf(event: Exclude<ServeEvent, Listening>): string {
  switch (event.kind) {
    case "metrics":
      return `metrics on http://${addressOf(event.host, event.port)}/metrics`;
    case "omitted":
      return omittedSentence(event);
    case "hashing":
      return `hashing ${event.name}, ${formatBytes(event.bytes)}: asked for by ${event.client}`;
    case "hashed":
      return `hashed ${event.name}, ${formatBytes(event.bytes)} in ${
        formatElapsed(event.elapsedMs)
      }`;
    case "sent":
      return sentSentence(event);
    case "refused":
      return `refused ${event.client}${
        event.request === undefined ? "" : ` "${event.request}"`
      }: ${event.reason}`;
    case "draining":
      return `draining ${plural(event.connections, "connection")}`;
  }
}

/** Of an omitted name: it may be longer than any screen. */
const MAX_SHOWN = 60;

/** In the order in which they are shown: one of them, and several. */
const OMITTED: Readonly<Record<OmitReason, readonly [string, string]>> = {
  "bad-name": ["name that is not allowed", "names that are not allowed"],
  "unreadable-file": ["unreadable file", "unreadable files"],
  "unreadable-folder": ["unreadable folder", "unreadable folders"],
  "link-out": ["link out of the folder", "links out of the folder"],
  "broken-link": ["broken link", "broken links"],
  "repeated-link": ["link to a folder listed elsewhere", "links to folders listed elsewhere"],
  "special-file": ["device, pipe or socket", "devices, pipes or sockets"],
  unfinished: ["unfinished download", "unfinished downloads"],
  hidden: ["hidden", "hidden"],
};

function omittedSentence({ reasons, examples }: ServeEvent & { kind: "omitted" }): string {
  const parts = Object.entries(OMITTED).flatMap(([reason, [one, several]]) => {
    const count = reasons[reason as OmitReason] ?? 0;
    if (count === 0) return [];
    const name = examples.find((example) => example.reason === reason)?.name.slice(0, MAX_SHOWN);
    const example = name === undefined ? "" : count === 1 ? ` "${name}"` : ` such as "${name}"`;
    return [`${count} ${count === 1 ? one : several}${example}`];
  });
  return `skipped: ${parts.join(", ")}`;
}

/** One seed of several gives only a part of a file. */
function sentSentence(event: ServeEvent & { kind: "sent" }): string {
  const { client, name, size, bytes, elapsedMs } = event;
  const part = bytes === size ? formatBytes(size) : `${formatBytes(bytes)} of ${formatBytes(size)}`;
  const rate = elapsedMs > 0 ? ` (${formatRate(bytes * 1000 / elapsedMs)})` : "";
  return `sent ${name} to ${client}: ${part} in ${formatElapsed(elapsedMs)}${rate}`;
}

function renderInvitation(
  { addresses, files, bytes, names }: Listening,
  { tls, ca, tokenFile }: Invitation,
): string[] {
  const { host, port } = addresses[0]!;
  const everywhere = host === "0.0.0.0" || host === "::";
  const seed = (tls ? "tls://" : "") +
    addressOf(everywhere ? "127.0.0.1" : host, port);
  const example = exampleOf(names);
  const line = [
    "p2p get",
    example === undefined ? "--all" : shellWord(example),
    `--seed ${seed}`,
    ...tokenFile === undefined ? [] : [`--token-file ${shellWord(printable(tokenFile))}`],
  ].join(" ");
  const elsewhere = [
    ...everywhere ? ["this one's address"] : [],
    ...tokenFile === undefined ? [] : ["a copy of the token"],
  ].join(" and ");
  return [
    `sharing ${plural(files, "file")}, ${formatBytes(bytes)}`,
    `download with: ${line}`,
    ...elsewhere === "" ? [] : [`(from another machine: with ${elsewhere})`],
    // Which file that is nobody knows here.
    ...ca ? ["(where the certificate's authority is not trusted: with --tls-ca and its file)"] : [],
  ];
}

/** A real name says more than `<name>`; the shorter way to it, the better. */
function exampleOf(names: readonly string[]): string | undefined {
  const usable = names.filter(isUsable);
  return usable.find((name) => !name.includes("/")) ?? usable[0];
}

/** Nothing that a terminal, a shell's flags or our globs would take for something else. */
function isUsable(name: string): boolean {
  return invalidNameReason(name) === undefined && printable(name) === name &&
    !name.startsWith("-") &&
    !isGlob(name);
}

function addressOf(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
