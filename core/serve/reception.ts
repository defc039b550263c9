/**
 * Receives one client: a place or a refusal, then its first line, which decides
 * the dialect, then the conversation. Whatever happens to one client ends here.
 */
import { onAbort } from "../base/abort.ts";
import { LineNotTextError, LineTooLongError } from "../wire/inbox.ts";
import { busy, encodeRefusal, Refusal } from "../wire/refusals.ts";
import { HELLO } from "../wire/requests.ts";
import { BrokenBodyError } from "./body.ts";
import { type ClientLink, LinkLostError } from "./client_link.ts";
import { answerOneShot, refuseOneShot } from "./one_shot.ts";
import { type Seed, shutdown } from "./seed.ts";
import { Session } from "./session.ts";

/** Old clients send no line end: when nothing came for so long, the request is complete. */
const REQUEST_END_MS = 200;
/** For a client that is turned away to say what it came for. */
const TURNED_AWAY_MS = 500;
/** Who has said nothing for so long will not say it as a one-shot client, if another one needs its room. */
export const SILENT_MS = 50;
/** The pause that we ask for is this, and up to as much again. */
const RETRY_MS = 500;

/** Serves the client until it is through; nothing is thrown, the link is closed. */
export async function receive(
  link: ClientLink,
  seed: Seed,
  signal: AbortSignal,
): Promise<void> {
  await settle(link, seed, signal, async () => {
    const line = await firstLine(link);
    if (line === undefined) return;
    link.busy();
    await seed.attention.take(link.client);
    if (line !== HELLO) await answerOneShot(line, link, seed, signal);
    else if (seed.draining.aborted) await link.sendText(encodeRefusal(shutdown()));
    else return await new Session(link, seed).run(signal);
    await sayGoodbye(link);
  });
}

/**
 * Tells a client for whom there is no place to come back later. Its first line
 * is waited for, shortly, because only that says how: to `DOWNLOAD` of a
 * one-shot client any text would become part of its file. Who says nothing is
 * no one-shot client.
 *
 * @param hurry others want its room: it is told now, or not at all.
 */
export async function turnAway(
  link: ClientLink,
  why: string,
  seed: Seed,
  hurry: AbortSignal,
  signal: AbortSignal,
): Promise<void> {
  tell(link, seed, `BUSY ${why}`);
  const refusal = busy(Math.ceil(RETRY_MS * (1 + seed.random())), why);
  const silentAt = seed.clock.now() + SILENT_MS;
  await settle(link, seed, signal, async () => {
    link.rest(2 * TURNED_AWAY_MS);
    let answered = false;
    using _hurry = onAbort(hurry, () => {
      const silent = seed.clock.now() >= silentAt && link.inbox.buffered === 0;
      const last = silent && !answered ? link.sendText(encodeRefusal(refusal)) : Promise.resolve();
      last.catch(() => {}).finally(() => link.close());
    });
    const line = await firstLine(link, TURNED_AWAY_MS) ?? HELLO;
    answered = true;
    if (line === HELLO) await link.sendText(encodeRefusal(refusal));
    else await refuseOneShot(line, refusal, link);
    await sayGoodbye(link);
  });
}

/** Runs `talk`, closes the link after it, and lets no failure out. */
async function settle(
  link: ClientLink,
  seed: Seed,
  signal: AbortSignal,
  talk: () => Promise<void>,
): Promise<void> {
  if (signal.aborted) return link.close();
  using _now = onAbort(signal, () => link.close());
  try {
    await talk();
  } catch (error) {
    const reason = reasonToTell(error, link);
    if (reason !== undefined && !signal.aborted) tell(link, seed, reason);
  } finally {
    link.close();
  }
}

function tell({ client }: ClientLink, seed: Seed, reason: string): void {
  seed.emit({ kind: "refused", client, reason });
}

/** A client that just went away is no news. */
function reasonToTell(error: unknown, link: ClientLink): string | undefined {
  if (error instanceof LinkLostError) return link.lost;
  if (error instanceof BrokenBodyError) return String(error.cause);
  return String(error);
}

/**
 * The request of a one-shot client, or what opens a session; undefined when the
 * client closes, or says nothing within `silenceMs`, or nothing that is text.
 */
async function firstLine(
  link: ClientLink,
  silenceMs?: number,
): Promise<string | undefined> {
  try {
    let begun = "";
    for (;;) {
      const line = link.inbox.takeLine();
      if (line !== undefined) return begun + line;
      const speaks = begun !== "" || link.inbox.buffered > 0;
      const more = await link.fill(speaks ? REQUEST_END_MS : silenceMs);
      if (more) continue;
      begun += link.inbox.takeRest();
      // What may still become a greeting cannot become a one-shot request.
      const mayGoOn = more === undefined && begun !== "" &&
        HELLO.startsWith(begun);
      if (!mayGoOn) return begun === "" ? undefined : begun;
    }
  } catch (error) {
    if (error instanceof LineTooLongError) return refuseLongLine(link);
    if (error instanceof LineNotTextError) return undefined;
    throw error;
  }
}

async function refuseLongLine(link: ClientLink): Promise<undefined> {
  const verb = new Uint8Array("DOWNLOAD".length);
  link.inbox.takeInto(verb);
  const refusal = new Refusal("TOO_LONG", "the line is too long");
  await refuseOneShot(new TextDecoder().decode(verb), refusal, link);
  await sayGoodbye(link);
}

async function sayGoodbye(link: ClientLink): Promise<void> {
  await link.endWriting();
  await link.discard();
}
