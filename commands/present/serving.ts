/** What a seed tells while it serves. */
import { jsonLine } from "./json.ts";
import { printable, type ServeEvent } from "../../core/mod.ts";
import { type Level, reaches } from "./prose.ts";
import { formatBytes, formatElapsed, formatRate, formatTime, plural } from "./units.ts";

type Listening = ServeEvent & { readonly kind: "listening" };

/** What the other side needs besides the address. */
export interface Invitation {
  /** The name of a file that is served, if one is at hand. */
  readonly example: string | undefined;
  readonly tls: boolean;
  /** Whether the certificate's authority must be named. */
  readonly ca: boolean;
  readonly token: boolean;
}

export function renderListening(event: Listening, json: boolean): string {
  const { host, port, files, bytes } = event;
  return json
    ? jsonLine({ event: "listening", host, port, files, bytes })
    : `listening on ${addressOf(host, port)}`;
}

export function renderServeEvent(
  event: ServeEvent,
  now: number,
  least: Level,
  invitation: Invitation,
): string[] {
  if (!reaches(levelOf(event), least)) return [];
  if (event.kind === "listening") return renderInvitation(event, invitation);
  return [`${formatTime(now)} ${printable(sentenceOf(event))}`];
}

function levelOf({ kind }: ServeEvent): Level {
  return kind === "hashed" || kind === "refused" ? "debug" : "info";
}

function sentenceOf(event: Exclude<ServeEvent, Listening>): string {
  switch (event.kind) {
    case "hashed":
      return `hashed ${event.name}, ${formatBytes(event.bytes)} in ${
        formatElapsed(event.elapsedMs)
      }`;
    case "sent":
      return sentSentence(event);
    case "refused":
      return `refused ${event.client}: ${event.reason}`;
    case "draining":
      return `draining ${plural(event.connections, "connection")}`;
  }
}

/** One seed of several gives only a part of a file. */
function sentSentence(event: ServeEvent & { kind: "sent" }): string {
  const { client, name, size, bytes, elapsedMs } = event;
  const part = bytes === size ? formatBytes(size) : `${formatBytes(bytes)} of ${formatBytes(size)}`;
  const rate = elapsedMs > 0 ? ` (${formatRate(bytes * 1000 / elapsedMs)})` : "";
  return `sent ${name} to ${client}: ${part} in ${formatElapsed(elapsedMs)}${rate}`;
}

function renderInvitation(
  { host, port, files, bytes }: Listening,
  { example, tls, ca, token }: Invitation,
): string[] {
  const everywhere = host === "0.0.0.0" || host === "::";
  const seed = (tls ? "tls://" : "") +
    addressOf(everywhere ? "127.0.0.1" : host, port);
  const line = [
    "p2p get",
    example === undefined ? "--all" : shellWord(example),
    `--seed ${seed}`,
    ...ca ? ["--tls-ca <file>"] : [],
    ...token ? ["--token-file <file>"] : [],
  ].join(" ");
  return [
    `sharing ${plural(files, "file")}, ${formatBytes(bytes)}`,
    `download with: ${line}`,
    ...everywhere ? ["(from another machine: with this one's address)"] : [],
  ];
}

function addressOf(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** `text` as one word of a shell. */
function shellWord(text: string): string {
  return /^[\w./+@%,:=-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
