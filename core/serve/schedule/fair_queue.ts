/**
 * Start-time fair queueing by client (SFQ): a free slot goes to the client with the lowest
 * virtual start time, which advances by the bytes that the client sends. So a client gets
 * no more with sixteen connections than with one. Pure: `scheduler.ts` keeps the promises
 * and the timer.
 *
 * While slots are plenty, the order alone is not fair: the system shares a line by
 * connection. So while several clients are active, none holds more slots than the one
 * that wants the fewest.
 *
 * A slot is for a step that makes progress. A step that takes long waits for its client,
 * so its slot is lent to a waiting connection: slow clients cost the others nothing.
 */

export interface FairQueueOptions {
  /** Steps that are sent at a time. */
  readonly slots: number;
  /** Bytes a second for all clients together; undefined: no limit. */
  readonly limit: number | undefined;
  /** Bytes a second for each client; undefined: no limit. */
  readonly clientLimit: number | undefined;
}

/** A longer step means that the client hardly reads. With 250 ms, 256 such connections pass 32 slots on in 2 s. */
const STALL_TIMEOUT_MS = 250;
/** A client stays active for this time between two bodies: a round trip must not cost it its share. */
const LINGER_MS = 50;
/**
 * How long a connection sends before another one of its client: enough to empty the socket
 * buffers of the others, which would otherwise all take a share of a full line.
 */
const TURN_MS = 200;
/** With many connections turns are shorter, so that each sends before its client's stall time-out of 5 s. */
const ALL_TURNS_MS = 2500;
/** Under a limit, all waiting connections together are granted this much time's worth in a round. */
const ROUND_MS = 100;
/** Timers are late by up to this, which is made up for. No more unused time is saved. */
const TIMER_SLACK_MS = 25;
/** Without a limit, a client that was late for its turn is preferred for this much. */
const CREDIT_BYTES = 256 * 1024;
/** Cost of a request without a body: what could be sent in the processor time that it takes. */
const REQUEST_COST_BYTES = 4096;
/** Idle clients are forgotten after a time, when there are many. */
const FORGET_AFTER_MS = 1000;
const MIN_CLIENTS_TO_PRUNE = 64;

class Client {
  /** Virtual time at which its last step ends. */
  finish = -Infinity;
  held = 0;
  readonly waiting: Flow[] = [];
  /** The most slots that it wanted within `LINGER_MS`. */
  demand = 0;
  demandAt = 0;
  activeAt = 0;
  /** When its own limit allows the next step. */
  freeAt = 0;
  /** Requests for the next rounds; undefined if it had none in this round. */
  requests: Request[] | undefined;

  isActive(nowMs: number): boolean {
    return this.held > 0 || this.waiting.length > 0 || nowMs - this.activeAt < LINGER_MS;
  }
}

/** A request that waits for its round. */
interface Request {
  readonly costBytes: number;
  readonly start: () => void;
}

/** A connection that sends bodies, step by step. */
export class Flow {
  maxBytes = 0;
  holdsSlot = false;
  /** Its client's next slot is for this connection, whose turn has not ended. */
  keepsTurn = false;
  turnAt = 0;
  stepAt = 0;

  constructor(readonly client: string) {}
}

/** The flow may send this many bytes now. */
export interface Grant {
  readonly flow: Flow;
  readonly bytes: number;
}

export class FairQueue {
  readonly #options: FairQueueOptions;
  readonly #clients = new Map<string, Client>();
  readonly #holders = new Set<Flow>();
  /** Clients that had a request in this round. */
  readonly #round = new Set<Client>();
  #waiting = 0;
  /** The latest virtual start time of all steps. */
  #virtualNow = 0;
  /** When the limit for all clients allows the next step. */
  #freeAt = 0;
  #pruneAt = MIN_CLIENTS_TO_PRUNE;

  constructor(options: FairQueueOptions) {
    this.#options = options;
  }

  get taken(): number {
    return this.#holders.size;
  }

  get waiting(): number {
    return this.#waiting;
  }

  /** The flow's last step has ended, and it wants to send up to `maxBytes`; 0 for a slot alone. */
  request(flow: Flow, maxBytes: number, nowMs: number): Grant[] {
    const client = this.#clientOf(flow.client, nowMs);
    const { limit, clientLimit } = this.#options;
    const turnMs = limit ?? clientLimit ? 0 : Math.min(TURN_MS, ALL_TURNS_MS / (this.#waiting + 1));
    flow.keepsTurn = flow.holdsSlot && nowMs - flow.turnAt < turnMs;
    flow.maxBytes = maxBytes;
    this.#vacate(flow);
    if (flow.keepsTurn) client.waiting.unshift(flow);
    else client.waiting.push(flow);
    this.#waiting++;
    this.#noteDemand(client, nowMs);
    return this.#dispatch(nowMs);
  }

  /** The flow wants nothing any more. */
  release(flow: Flow, nowMs: number): Grant[] {
    const client = this.#clients.get(flow.client);
    const at = client?.waiting.indexOf(flow) ?? -1;
    if (at < 0 && !flow.holdsSlot) return [];
    if (at >= 0) {
      client!.waiting.splice(at, 1);
      this.#waiting--;
    }
    this.#vacate(flow);
    client!.activeAt = nowMs;
    return this.#dispatch(nowMs);
  }

  /** Time has passed: takes slots from stalled flows if others wait. */
  advance(nowMs: number): Grant[] {
    if (this.#waiting > 0) {
      for (const flow of this.#holders) {
        if (nowMs - flow.stepAt >= STALL_TIMEOUT_MS) this.#vacate(flow);
      }
    }
    return this.#dispatch(nowMs);
  }

  /** When `advance` must be called next; undefined if no flow waits. */
  nextAt(nowMs: number): number | undefined {
    if (this.#waiting === 0) return undefined;
    if (this.#freeAt > nowMs) return this.#freeAt;
    let next = Infinity;
    for (const { waiting, freeAt } of this.#clients.values()) {
      if (waiting.length > 0) next = Math.min(next, freeAt > nowMs ? freeAt : nowMs + LINGER_MS);
    }
    return next;
  }

  /**
   * A request of a client has arrived. Each client may start one in a round of the event loop:
   * small replies never wait for their reader, so a client that pipelines thousands of
   * requests would otherwise be served in one go while all others wait.
   *
   * @param hasBody the body's steps are its cost.
   * @returns whether it may start now; otherwise `nextRound` calls `start`.
   */
  startRequest(id: string, hasBody: boolean, start: () => void, nowMs: number): boolean {
    const client = this.#clientOf(id, nowMs);
    const request = { costBytes: hasBody ? 0 : REQUEST_COST_BYTES, start };
    if (client.requests) {
      client.requests.push(request);
      return false;
    }
    client.requests = [];
    this.#round.add(client);
    this.#charge(client, request.costBytes);
    return true;
  }

  /** Starts the next request of each client. @returns whether a further round is needed. */
  nextRound(): boolean {
    for (const client of this.#round) {
      const request = client.requests!.shift();
      if (request) {
        this.#charge(client, request.costBytes);
        request.start();
      } else {
        client.requests = undefined;
        this.#round.delete(client);
      }
    }
    return this.#round.size > 0;
  }

  #clientOf(id: string, nowMs: number): Client {
    const known = this.#clients.get(id);
    if (known) return known;
    if (this.#clients.size >= this.#pruneAt) this.#prune(nowMs);
    const client = new Client();
    this.#clients.set(id, client);
    return client;
  }

  #prune(nowMs: number): void {
    for (const [id, client] of this.#clients) {
      if (client.isActive(nowMs) || client.requests || client.freeAt > nowMs) continue;
      if (nowMs - client.activeAt >= FORGET_AFTER_MS) this.#clients.delete(id);
    }
    this.#pruneAt = Math.max(MIN_CLIENTS_TO_PRUNE, 2 * this.#clients.size);
  }

  #noteDemand(client: Client, nowMs: number): void {
    const demand = client.held + client.waiting.length;
    client.activeAt = nowMs;
    if (demand < client.demand && nowMs - client.demandAt < LINGER_MS) return;
    client.demand = demand;
    client.demandAt = nowMs;
  }

  #vacate(flow: Flow): void {
    if (!this.#holders.delete(flow)) return;
    flow.holdsSlot = false;
    this.#clients.get(flow.client)!.held--;
  }

  #dispatch(nowMs: number): Grant[] {
    const grants: Grant[] = [];
    while (
      this.#waiting > 0 && this.#holders.size < this.#options.slots && this.#freeAt <= nowMs
    ) {
      const client = this.#nextClient(nowMs);
      if (!client) break;
      grants.push(this.#grant(client, nowMs));
    }
    return grants;
  }

  /** Of the clients that may send now, the one with the lowest virtual start time. */
  #nextClient(nowMs: number): Client | undefined {
    let modest: Client | undefined;
    let [lowestDemand, nextDemand] = [Infinity, Infinity];
    for (const client of this.#clients.values()) {
      if (client.demand >= nextDemand || !client.isActive(nowMs)) continue;
      if (client.demand >= lowestDemand) nextDemand = client.demand;
      else [lowestDemand, nextDemand, modest] = [client.demand, lowestDemand, client];
    }
    let best: Client | undefined;
    for (const client of this.#clients.values()) {
      if (client.waiting.length === 0 || client.freeAt > nowMs) continue;
      if (client.held >= (client === modest ? nextDemand : lowestDemand)) continue;
      const lead = best ? this.#startOf(client) - this.#startOf(best) : -1;
      // Of two that were moved up, the one that has sent less; a newcomer has sent nothing.
      if (lead < 0 || (lead === 0 && client.finish < best!.finish)) best = client;
    }
    return best;
  }

  #grant(client: Client, nowMs: number): Grant {
    const { limit, clientLimit } = this.#options;
    const flow = client.waiting.shift()!;
    this.#waiting--;
    const bytes = Math.min(
      flow.maxBytes,
      stepBytes(limit, this.#waiting + 1),
      stepBytes(clientLimit, client.waiting.length + 1),
    );
    this.#charge(client, bytes);
    this.#freeAt = freeAfter(this.#freeAt, bytes, limit, nowMs);
    client.freeAt = freeAfter(client.freeAt, bytes, clientLimit, nowMs);
    client.held++;
    this.#holders.add(flow);
    flow.holdsSlot = true;
    flow.stepAt = nowMs;
    if (!flow.keepsTurn) flow.turnAt = nowMs;
    return { flow, bytes };
  }

  #charge(client: Client, costBytes: number): void {
    const start = this.#startOf(client);
    this.#virtualNow = Math.max(this.#virtualNow, start);
    client.finish = start + costBytes;
  }

  /** A client that wanted nothing for a while is moved up: it saves nothing but a small credit. */
  #startOf(client: Client): number {
    const { limit } = this.#options;
    const credit = limit === undefined ? CREDIT_BYTES : limit * ROUND_MS / 1000;
    return Math.max(client.finish, this.#virtualNow - credit);
  }
}

/** What one of `flows` may send in a round. */
function stepBytes(bytesPerSecond: number | undefined, flows: number): number {
  if (bytesPerSecond === undefined) return Infinity;
  return Math.max(1, Math.floor(bytesPerSecond * ROUND_MS / 1000 / flows));
}

function freeAfter(
  freeAt: number,
  bytes: number,
  bytesPerSecond: number | undefined,
  nowMs: number,
): number {
  if (bytesPerSecond === undefined) return freeAt;
  return Math.max(freeAt, nowMs - TIMER_SLACK_MS) + bytes * 1000 / bytesPerSecond;
}
