/** Prints the events of a running seed. */
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

type Links = ServeEvent & { readonly kind: "links" };

/** What a client needs besides the address. */
export interface Invitation {
  readonly tls: boolean;
  /** Whether the certificate's authority is probably not trusted by clients. */
  readonly ca: boolean;
  /** The path of the token file on this computer. */
  readonly tokenFile: string | undefined;
}

export function renderListening(event: Listening, json: boolean): string[] {
  const { addresses, files, bytes } = event;
  return addresses.map(({ host, port }) =>
    json
      ? jsonLine({ event: "listening", host, port, files, bytes })
      : `listening on ${addressOf(host, port)}`
  );
}

/** An event as one line of JSON; undefined if it is below the level. */
export function renderServeJson(
  event: Exclude<ServeEvent, Listening>,
  now: number,
  least: Level,
): string | undefined {
  // With --json, events are results: --quiet and --log-level hide only debug events.
  if (levelOf(event) === "debug" && least !== "debug") return undefined;
  const { kind, ...fields } = event;
  return jsonLine({ event: kind, time: new Date(now).toISOString(), ...fields });
}

export function renderServeEvent(
  event: ServeEvent,
  now: number,
  least: Level,
  invitation: Invitation,
): string[] {
  if (!reaches(levelOf(event), least)) return [];
  if (event.kind === "listening") return renderInvitation(event, invitation);
  if (event.kind === "links") return renderLinks(event, invitation);
  // Nothing to wait for, and "stopping" has been reported already.
  if (event.kind === "draining" && event.connections === 0) return [];
  return [`${formatTime(now)} ${printable(sentenceOf(event))}`];
}

/** Hashing more than this takes over a second, so it is reported. */
const MIN_REPORTED_HASH_BYTES = 2 ** 30;

function levelOf(event: ServeEvent): Level {
  // Hidden files and unfinished downloads have no example: they are skipped on purpose.
  if (event.kind === "omitted") return event.examples.length > 0 ? "warn" : "info";
  if (event.kind === "refused") return "debug";
  if (event.kind !== "hashing" && event.kind !== "hashed") return "info";
  return event.bytes > MIN_REPORTED_HASH_BYTES ? "info" : "debug";
}

function sentenceOf(event: Exclude<ServeEvent, Listening | Links>): string {
  switch (event.kind) {
    case "metrics":
      return `metrics on http://${addressOf(event.host, event.port)}/metrics`;
    case "omitted":
      return omittedSentence(event);
    case "hashing":
      return `hashing ${event.name}, ${formatBytes(event.bytes)}, requested by ${event.client}`;
    case "hashed": {
      const time = formatElapsed(event.elapsedMs);
      return `hashed ${event.name}, ${formatBytes(event.bytes)} in ${time}`;
    }
    case "sent":
      return sentSentence(event);
    case "refused": {
      const request = event.request === undefined ? "" : ` "${event.request}"`;
      return `refused ${event.client}${request}: ${event.reason}`;
    }
    case "draining":
      return `waiting for ${plural(event.connections, "connection")} to finish`;
  }
}

const MAX_NAME_CHARACTERS = 60;

/** Singular and plural, in the order in which they are shown. */
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
    const name = examples.find((example) => example.reason === reason)?.name.slice(
      0,
      MAX_NAME_CHARACTERS,
    );
    const example = name === undefined ? "" : count === 1 ? ` "${name}"` : ` such as "${name}"`;
    return [`${count} ${count === 1 ? one : several}${example}`];
  });
  return `skipped: ${parts.join(", ")}`;
}

/** With several seeds, each sends a part of the file. */
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
  const seed = (tls ? "tls://" : "") + addressOf(everywhere ? "127.0.0.1" : host, port);
  const example = exampleOf(names);
  const line = [
    "p2p get",
    example === undefined ? "--all" : shellWord(example),
    `--seed ${seed}`,
    ...tokenFile === undefined ? [] : [`--token-file ${shellWord(printable(tokenFile))}`],
  ].join(" ");
  const elsewhere = [
    ...everywhere ? ["this computer's address"] : [],
    ...tokenFile === undefined ? [] : ["a copy of the token file"],
  ].join(" and ");
  return [
    `sharing ${plural(files, "file")}, ${formatBytes(bytes)}`,
    `download with: ${line}`,
    ...elsewhere === "" ? [] : [`(from another computer, use ${elsewhere})`],
    ...ca
      ? ["(if the client does not trust this certificate, add --tls-ca with its authority)"]
      : [],
  ];
}

/** For a browser and for `p2p get`. A browser asks for the token itself. */
function renderLinks({ links }: Links, { tls, tokenFile }: Invitation): string[] {
  const isOpen = tls || tokenFile === undefined;
  return [
    isOpen ? "links, for a browser or p2p get:" : "links for p2p get:",
    ...links.map(({ link }) => `  ${printable(link)}`),
  ];
}

/** A real name for the example, outside of folders if possible. */
function exampleOf(names: readonly string[]): string | undefined {
  const usable = names.filter(isUsable);
  return usable.find((name) => !name.includes("/")) ?? usable[0];
}

/** Whether `name` means itself to a terminal, as an argument and as a glob. */
function isUsable(name: string): boolean {
  return invalidNameReason(name) === undefined && printable(name) === name &&
    !name.startsWith("-") &&
    !isGlob(name);
}

function addressOf(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
