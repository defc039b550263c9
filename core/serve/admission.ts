/** Who may be connected: so many in all, so many from one address. */
export interface AdmissionLimits {
  readonly maxConnections: number;
  readonly clientConnections: number;
}

export class Admission {
  readonly #limits: AdmissionLimits;
  #total = 0;
  readonly #byClient = new Map<string, number>();

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  /** A place, freed once by disposing it; or, as text, why there is none. */
  admit(client: string): Disposable | string {
    const own = this.#byClient.get(client) ?? 0;
    if (this.#total >= this.#limits.maxConnections) {
      return "too many connections";
    }
    if (own >= this.#limits.clientConnections) {
      return "too many connections from your address";
    }
    this.#total++;
    this.#byClient.set(client, own + 1);
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (!held) return;
        held = false;
        this.#leave(client);
      },
    };
  }

  #leave(client: string): void {
    this.#total--;
    const left = this.#byClient.get(client)! - 1;
    if (left > 0) this.#byClient.set(client, left);
    else this.#byClient.delete(client);
  }
}

/** The same client under both of its spellings: a dual-stack listener sees IPv4 as `::ffff:1.2.3.4`. */
export function clientOf(peer: string): string {
  return peer.replace(/^::ffff:(?=\d+\.)/i, "");
}
