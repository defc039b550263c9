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
  readonly #simulatedOf = new Map<Occupant, SimulatedClient>();
  #now = 0;

  constructor(limits: AdmissionLimits, behaviours: readonly Behaviour[], random: () => number) {
    this.admission = new Admission(limits);
    this.maxConnections = limits.maxConnections;
    this.clients = behaviours.map((behaviour) => new SimulatedClient(behaviour));
    this.#random = random;
  }

  run(untilMs: number): this {
    for (; this.#now < untilMs; this.#now += TICK_MS) {
      for (const simulated of this.clients) {
        if (simulated.place) simulated.placedMs += TICK_MS;
        if (this.#now < simulated.nextAt) continue;
        if (simulated.place) this.#leave(simulated);
        else this.#connect(simulated);
      }
    }
    return this;
  }

  #connect(simulated: SimulatedClient): void {
    simulated.tries++;
    const { client, stayMs } = simulated.behaviour;
    const decision = this.admission.decide(client, this.#now);
    if (decision.kind === "refuse") {
      simulated.mostRefused = Math.max(simulated.mostRefused, ++simulated.refused);
      simulated.nextAt = this.#retryAt();
      return;
    }
    if (decision.instead) {
      const other = this.#simulatedOf.get(decision.instead)!;
      other.evictions++;
      this.#leave(other);
    }
    simulated.refused = 0;
    simulated.place = new SimulatedConnection(simulated.behaviour, this.#now);
    simulated.nextAt = this.#now + stayMs;
    this.#simulatedOf.set(simulated.place, simulated);
    this.admission.enter(simulated.place);
  }

  #leave(simulated: SimulatedClient): void {
    const place = simulated.place!;
    simulated.place = undefined;
    simulated.nextAt = this.#retryAt();
    this.#simulatedOf.delete(place);
    this.admission.leave(place);
    this.admission.release(place);
  }

  #retryAt(): number {
    return this.#now + RETRY_MS * (1 + this.#random());
  }
}
