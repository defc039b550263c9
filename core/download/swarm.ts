/**
 * The swarm of one open content: carries out the commands of the swarm machine, and adds receivers to
 * the download as sources.
 */
import type { Clock } from "../base/clock.ts";
import { NotFoundError, P2pError } from "../base/errors.ts";
import { allPieces } from "../base/pieces.ts";
import type { SocketAddress } from "../base/source_address.ts";
import { TaskGroup } from "../base/task_group.ts";
import type { DownloadEvent } from "../plan/messages.ts";
import { type SwarmCommand, type SwarmEvent, SwarmMachine } from "../plan/swarm_machine.ts";
import type { Manifest } from "../protocol/manifest.ts";
import type { GainLog } from "../serve/swarm/gain_log.ts";
import type { Source } from "../source/source.ts";
import type { SharedContents } from "../serve/swarm/shared_contents.ts";
import type { SwarmPool, SwarmSource } from "../source/swarm_pool.ts";
import type { StoredFile } from "../store/stored_file.ts";

/** What all swarms of a process use. */
export interface SharingContext {
  readonly contents: SharedContents;
  readonly pool: SwarmPool;
  /** The port that other receivers connect to. */
  readonly port: number;
  /** Calls `onPeer` with each receiver of the content that announces itself, until disposed. */
  listen(id: string, onPeer: (peer: string) => void): Disposable;
}

export interface SwarmOptions {
  readonly manifest: Manifest;
  readonly file: StoredFile;
  readonly sharing: SharingContext;
  readonly clock: Clock;
  /** From 0 up to but not including 1. */
  readonly random: () => number;
  /** The seeds of the task, by id. */
  readonly seeds: ReadonlyMap<string, SocketAddress>;
  /** Where receivers are added as sources. */
  readonly sources: Map<string, Source>;
  /** At most `count` pieces to request next. */
  nextPieces(count: number): number[];
  send(event: DownloadEvent): void;
  /** Bytes were sent to other receivers. */
  onGiven(bytes: number): void;
  /** A bug: no failure of others is one. */
  fail(error: unknown): void;
}

/** Named in one question: the seed suggests those that it gave least. */
const CANDIDATES = 64;

export class Swarm implements AsyncDisposable {
  readonly #options: SwarmOptions;
  readonly #machine: SwarmMachine;
  readonly #jobs: TaskGroup;
  readonly #gained: GainLog;
  readonly #listening: Disposable;
  readonly #peers = new Set<string>();
  #timer: Disposable | undefined;
  #timerAt = Infinity;
  #over = false;

  constructor(options: SwarmOptions, signal: AbortSignal) {
    const { manifest: { id }, file, sharing, clock, random, onGiven } = options;
    this.#options = options;
    this.#machine = new SwarmMachine(random, clock.now());
    this.#jobs = new TaskGroup(signal);
    this.#gained = sharing.contents.offer(id, file, file.pieces, onGiven);
    this.#listening = sharing.listen(id, (peer) => this.handle({ kind: "announced", peer }));
  }

  /** Receivers that are sources now. */
  get size(): number {
    return this.#machine.sources;
  }

  has(source: string): boolean {
    return this.#peers.has(source);
  }

  handle(event: SwarmEvent): void {
    if (this.#over) return;
    for (const command of this.#machine.handle(event, this.#options.clock.now())) {
      this.#perform(command);
    }
  }

  /** A seed of the task holds the content. */
  seedHolds(seed: string): void {
    if (this.#options.seeds.has(seed)) this.handle({ kind: "seed", seed });
  }

  stored(piece: number): void {
    this.#gained.add(piece);
    this.handle({ kind: "stored" });
  }

  /** Pieces on the disk turned out to be wrong. */
  lost(): void {
    this.#gained.reset(this.#options.file.pieces);
  }

  /** A receiver failed: asks whether it is there, and what it has by now. */
  async probe(peer: string, signal: AbortSignal): Promise<boolean> {
    const { sharing, manifest: { id, layout } } = this.#options;
    try {
      const report = await sharing.pool.askPeer(peer).have(id, layout.count, undefined, signal);
      this.handle({ kind: "has", peer, report });
      return true;
    } catch (error) {
      if (signal.aborted || !(error instanceof P2pError)) throw error;
      this.handle({ kind: "hasNot", peer });
      return false;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over = true;
    this.#timer?.[Symbol.dispose]();
    this.#listening[Symbol.dispose]();
    const { sharing: { contents, pool }, manifest: { id }, file, sources } = this.#options;
    contents.withdraw(id, file);
    await this.#jobs[Symbol.asyncDispose]();
    for (const peer of this.#peers) sources.delete(peer);
    await Promise.all(Array.from(this.#peers, (peer) => pool.forget(peer)));
  }

  #perform(command: SwarmCommand): void {
    const { sharing, manifest: { layout }, sources, send } = this.#options;
    switch (command.kind) {
      case "join":
        return this.#job((signal) => this.#join(command.hub, signal));
      case "ask":
        return this.#job((signal) => this.#ask(command.peer, command.known, signal));
      case "suggest":
        return this.#job((signal) => this.#suggest(command.seed, command.count, signal));
      case "appear": {
        const { peer, pieces } = command;
        this.#peers.add(peer);
        sources.set(peer, sharing.pool.peer(peer));
        const source = { id: peer, troubled: false, known: true };
        return send({
          kind: "sourceAppeared",
          source: { ...source, peer: { pieces: new Set(pieces) } },
        });
      }
      case "gained": {
        const { peer: source, queue } = command;
        const pieces = command.pieces === "all" ? allPieces(layout) : command.pieces;
        return send({ kind: "sourceGained", source, pieces, queue });
      }
      case "left":
        return send({ kind: "sourceLeft", source: command.peer });
      case "suggests": {
        const { seed: source, suggestions } = command;
        return send({ kind: "sourceSuggests", source, suggestions });
      }
      case "setTimer":
        return this.#setTimer(command.atMs);
    }
  }

  /** Failures of others are events. */
  #job(run: (signal: AbortSignal) => Promise<void>): void {
    this.#jobs.spawn((signal) =>
      run(signal).catch((error) => {
        if (!signal.aborted) this.#options.fail(error);
      })
    );
  }

  #source(hub: string): SwarmSource {
    const { seeds, sharing: { pool } } = this.#options;
    const seed = seeds.get(hub);
    return seed ? pool.askSeed(seed) : pool.askPeer(hub);
  }

  async #join(hub: string, signal: AbortSignal): Promise<void> {
    const { sharing: { port }, manifest: { id } } = this.#options;
    try {
      const peers = await this.#source(hub).join(id, port, this.#gained.size, signal);
      this.handle({ kind: "joined", hub, peers });
    } catch (error) {
      if (signal.aborted || !(error instanceof P2pError)) throw error;
      this.handle({ kind: "notJoined", hub, isFinal: error instanceof NotFoundError });
    }
  }

  async #ask(peer: string, known: number | undefined, signal: AbortSignal): Promise<void> {
    const { sharing: { pool }, manifest: { id, layout } } = this.#options;
    try {
      const report = await pool.askPeer(peer).have(id, layout.count, known, signal);
      this.handle({ kind: "has", peer, report });
    } catch (error) {
      if (signal.aborted || !(error instanceof P2pError)) throw error;
      this.handle({ kind: "hasNot", peer });
    }
  }

  async #suggest(seed: string, count: number, signal: AbortSignal): Promise<void> {
    const { sharing: { port }, manifest: { id }, nextPieces, clock } = this.#options;
    const candidates = nextPieces(CANDIDATES);
    try {
      if (candidates.length === 0) await clock.sleep(NOTHING_TO_ASK_MS, signal);
      const answer = candidates.length === 0
        ? { pieces: [], retryAfterMs: NOTHING_TO_ASK_MS }
        : await this.#source(seed).suggest(id, port, count, candidates, signal);
      this.handle({ kind: "suggested", seed, ...answer });
    } catch (error) {
      if (signal.aborted || !(error instanceof P2pError)) throw error;
      this.handle({ kind: "notSuggested", seed });
    }
  }

  #setTimer(atMs: number): void {
    // A timer that is too early asks again: it costs less than a new one.
    if (this.#timerAt <= atMs || this.#over) return;
    const { clock } = this.#options;
    this.#timer?.[Symbol.dispose]();
    this.#timerAt = atMs;
    this.#timer = clock.after(Math.max(0, atMs - clock.now()), () => {
      this.#timerAt = Infinity;
      this.handle({ kind: "timer" });
    });
  }
}

/** All missing pieces are requested: one of them may have to be requested again. */
const NOTHING_TO_ASK_MS = 100;
