/** A seed announces itself on the local network. */
import type { Clock } from "../base/clock.ts";
import { isOnLink } from "./on_link.ts";
import { type Announcement, encodeAnnouncement, isQuery } from "./dns_sd.ts";
import { isMember, type LocalAddress, type Multicast, type ReceivePacket } from "./multicast.ts";

/** RFC 6762 asks for at least two announcements, at least a second apart. */
const REPEAT_MS = 1000;
/** More than a room of people causes. */
const MAX_ANSWERS = 20;
const ANSWERS_PERIOD_MS = 1000;

/** How soon the seed announces itself on a network that it joins, such as a wireless one after sleep. */
const RESCAN_MS = 5000;

/**
 * Answers questions for seeds until `signal` aborts, and then says that the seed has left. A machine
 * without multicast is no failure.
 */
export async function announce(
  announcement: Announcement,
  { multicast, clock }: { readonly multicast: Multicast; readonly clock: Clock },
  signal: AbortSignal,
): Promise<void> {
  const answers = new AnswerLimit(clock);
  const answer: ReceivePacket = (packet, sender, socket) => {
    // Only neighbours: an answer to another network would be amplified traffic for its victim.
    if (!isQuery(packet) || !isOnLink(sender.address, socket.local) || !answers.take()) return;
    const reply = encodeAnnouncement(announcement, [socket.local.address]);
    // A sender that uses another port is not a member of the group (RFC 6762, section 6.7).
    if (isMember(sender)) socket.sendToGroup(reply);
    else socket.sendTo(reply, sender);
  };
  while (!signal.aborted) {
    const addresses = textOf(multicast.addresses());
    const sockets = await multicast.open("responder", answer);
    const announceAll = (leaves = false) => {
      for (const socket of sockets) {
        socket.sendToGroup(encodeAnnouncement(announcement, [socket.local.address], leaves));
      }
    };
    try {
      announceAll();
      await clock.sleep(REPEAT_MS, signal);
      announceAll();
      do await clock.sleep(RESCAN_MS, signal); while (textOf(multicast.addresses()) === addresses);
    } catch (error) {
      if (!signal.aborted) throw error;
      announceAll(true);
    } finally {
      for (const socket of sockets) socket[Symbol.dispose]();
    }
  }
}

function textOf(addresses: readonly LocalAddress[]): string {
  return addresses.map(({ address, interface: name }) => `${address}%${name}`).sort().join();
}

/** Bounds the answers to a flood of questions, which may have a false source. */
class AnswerLimit {
  readonly #clock: Clock;
  #since = -Infinity;
  #count = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether one more answer may be sent. */
  take(): boolean {
    const now = this.#clock.now();
    if (now - this.#since >= ANSWERS_PERIOD_MS) {
      this.#since = now;
      this.#count = 0;
    }
    return ++this.#count <= MAX_ANSWERS;
  }
}
