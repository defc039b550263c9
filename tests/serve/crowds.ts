/** Made-up crowds of clients around the places of a seed, in a time of their own. */
import {
  Admission,
  type AdmissionLimits,
  type Occupant,
} from "../../core/serve/accept/admission.ts";

const TICK_MS = 20;
/** As in the connections of a seed: older bytes count for less. */
const LATELY_MS = 8000;
/** What a client waits for after it was refused, at least; up to twice as long. */
const RETRY_MS = 500;

export interface Behaviour {
  readonly client: string;
  /** Bytes a second that it is sent while it has a place. */
  readonly rate: number;
  /** How long it keeps a connection. */
  readonly stayMs: number;
  /** When it first connects. */
  readonly comesAt: number;
}

class SimulatedConnection implements Occupant {
  constructor(readonly behaviour: Behaviour, readonly admittedAt: number) {}

  get client(): string {
    return this.behaviour.client;
  }

  recentBytes(nowMs: number): number {
    const age = (nowMs - this.admittedAt) / LATELY_MS;
    return this.behaviour.rate * LATELY_MS / 1000 * (1 - Math.exp(-age));
  }
}

/** One connection of a crowd: it comes, is refused or admitted, is evicted or leaves, and comes again. */
class SimulatedClient {
  place: SimulatedConnection | undefined;
  nextAt: number;
  tries = 0;
  /** Connects in a row that were refused; and the most of them. */
  refused = 0;
  mostRefused = 0;
  evictions = 0;
  placedMs = 0;

  constructor(readonly behaviour: Behaviour) {
    this.nextAt = behaviour.comesAt;
  }
}

export class Crowd {
  readonly clients: readonly SimulatedClient[];
  readonly admission: Admission;
  readonly maxConnections: number;
  readonly #random: () => number;
  readonly #guestOf = new Map<Occupant, SimulatedClient>();
  #now = 0;

  constructor(limits: AdmissionLimits, behaviours: readonly Behaviour[], random: () => number) {
    this.admission = new Admission(limits);
    this.maxConnections = limits.maxConnections;
    this.clients = behaviours.map((behaviour) => new SimulatedClient(behaviour));
    this.#random = random;
  }

  run(untilMs: number): this {
    for (; this.#now < untilMs; this.#now += TICK_MS) {
      for (const guest of this.clients) {
        if (guest.place) guest.placedMs += TICK_MS;
        if (this.#now < guest.nextAt) continue;
        if (guest.place) this.#leave(guest);
        else this.#connect(guest);
      }
    }
    return this;
  }

  #connect(guest: SimulatedClient): void {
    guest.tries++;
    const { client, stayMs } = guest.behaviour;
    const decision = this.admission.decide(client, this.#now);
    if (decision.kind === "refuse") {
      guest.mostRefused = Math.max(guest.mostRefused, ++guest.refused);
      guest.nextAt = this.#retryAt();
      return;
    }
    if (decision.instead) {
      const other = this.#guestOf.get(decision.instead)!;
      other.evictions++;
      this.#leave(other);
    }
    guest.refused = 0;
    guest.place = new SimulatedConnection(guest.behaviour, this.#now);
    guest.nextAt = this.#now + stayMs;
    this.#guestOf.set(guest.place, guest);
    this.admission.enter(guest.place);
  }

  #leave(guest: SimulatedClient): void {
    const place = guest.place!;
    guest.place = undefined;
    guest.nextAt = this.#retryAt();
    this.#guestOf.delete(place);
    this.admission.leave(place);
    this.admission.release(place);
  }

  #retryAt(): number {
    return this.#now + RETRY_MS * (1 + this.#random());
  }
}
