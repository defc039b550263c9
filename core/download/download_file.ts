/**
 * Downloads one file: carries out the commands of the state machine and reports what comes of them.
 * All decisions are made in `plan/`.
 */
import { abortable } from "@std/async";
import { MIN_BYTES_PER_SECOND } from "../config.ts";
import { equalBytes, sha256 } from "../base/digest.ts";
import { P2pError } from "../base/errors.ts";
import { cellsOf, layoutOf, rangeOfPiece } from "../base/pieces.ts";
import { lengthOf } from "../base/ranges.ts";
import { formatSourceAddress, isWebAddress, type SocketAddress } from "../base/source_address.ts";
import { TaskGroup } from "../base/task_group.ts";
import { isTrouble, type TaskResult } from "../events.ts";
import type { SetAsideReason } from "../plan/content_trials.ts";
import { compareAnswer } from "../plan/content_vote.ts";
import { DownloadMachine } from "../plan/download_machine.ts";
import type { Choice, DownloadCommand, DownloadEvent, PieceEvent } from "../plan/messages.ts";
import { digestOfPiece, type Manifest } from "../protocol/manifest.ts";
import type { Source, SourceLine } from "../source/source.ts";
import { DiskFullError } from "../store/disk.ts";
import type { OutFolder } from "../store/paths.ts";
import { StoredFile } from "../store/stored_file.ts";
import type { StreamSink } from "../store/stream_sink.ts";
import {
  type ChosenContent,
  finishContentFile,
  openContentFile,
  type Outcome,
  type WantedContent,
  WrongDigestError,
} from "./content_file.ts";
import { giveUpError, reasonText, resolveError, slownessText } from "./describe.ts";
import type { MemoryShare } from "./memory_shares.ts";
import { PieceDownloader } from "./piece_downloader.ts";
import { probe, type ProbeResult } from "./probe.ts";
import { runMachine, type Running } from "./run_machine.ts";
import { StreamTarget, windowOf } from "./stream_target.ts";
import type { Swarm } from "./swarm.ts";
import type { TaskContext } from "./task_context.ts";

/** A task keeps its permit this long while it only waits for answers. */
const KEEP_PERMIT_MS = 1000;
/** Otherwise the line is idle between one piece and the next. */
const MIN_PIECES_IN_FLIGHT = 2;
/** How often the network paths are reported; a rate needs about a second to be known. */
const LINES_INTERVAL_MS = 1000;
/** A shorter wait is not worth another task's start. */
const MIN_REST_MS = 1000;
/** The user's limit may be shared by this many tasks, so a share of it is progress. */
const MIN_SHARE_OF_LIMIT = 100;

/**
 * Downloads what is wanted into `out`. What arrived in a folder is kept for the next run, whatever is
 * thrown.
 *
 * @throws {NotFoundError} @throws {UnreachableError} @throws {TimeoutError} @throws {CorruptError}
 * @throws {DiskError} @throws {ConflictError} and the signal's reason if it aborts.
 */
export async function downloadFile(
  wanted: WantedContent,
  out: OutFolder | StreamTarget,
  context: TaskContext,
  signal: AbortSignal,
): Promise<TaskResult> {
  await using download = new FileDownload(wanted, out, context, signal);
  return await runMachine(
    download.machine,
    (command, running) => download.perform(command, running),
    context.clock,
    signal,
  );
}

type Run = Running<DownloadEvent, TaskResult>;

/** A content whose file or stream is open. */
interface OpenContent {
  readonly content: ChosenContent;
  readonly file: StoredFile | StreamSink;
  readonly downloader: PieceDownloader;
}

class FileDownload implements AsyncDisposable {
  readonly machine: DownloadMachine;
  readonly #wanted: WantedContent;
  readonly #out: OutFolder | StreamTarget;
  readonly #context: TaskContext;
  readonly #signal: AbortSignal;
  readonly #sources: Map<string, Source>;
  readonly #jobs: TaskGroup;
  readonly #startedAt: number;
  readonly #manifests = new Map<string, Manifest>();
  /** Sizes of files that sources still hash. */
  readonly #sizes = new Map<string, number>();
  /** Probes that are not answered. */
  #probing = 0;
  #resolvingSince: number;
  #choice: Choice | undefined;
  #open: OpenContent | undefined;
  /** Other receivers of the open content; undefined: nothing is shared. */
  #swarm: Swarm | undefined;
  /** Closes the file of a content that was set aside. */
  #closing = Promise.resolve();
  /** What became of the content that was set aside last. */
  #contentError: P2pError | undefined;
  readonly #requests = new Map<number, { readonly source: string; readonly piece: number }>();
  /** Pieces in flight, by source. */
  readonly #inFlight = new Map<string, number>();
  /** By source: the version of its file, where only that tells whether bytes belong together. */
  readonly #versions = new Map<string, string>();
  /** Sources that hold the content and are not in trouble. */
  #useful = new Set<string>();
  #bytesBySeed: Record<string, number> = {};
  /** All bytes of a small file, as a source sent them with its manifest, not verified. */
  #small: { readonly source: string; readonly bytes: Uint8Array } | undefined;
  /** Its part of the memory for pieces, while a file is open. */
  #share: MemoryShare | undefined;
  /** The network paths as the machine knows them. */
  readonly #lines = new Map<string, SourceLine>();
  #linesDueAt: number;
  /** It waits for its permit, maybe for several sources that are back. */
  #returning = false;

  constructor(
    wanted: WantedContent,
    out: OutFolder | StreamTarget,
    context: TaskContext,
    signal: AbortSignal,
  ) {
    const { settings, clock, random, pool } = context;
    this.#wanted = wanted;
    this.#out = out;
    this.#context = context;
    this.#signal = signal;
    this.#startedAt = this.#resolvingSince = clock.now();
    this.#linesDueAt = this.#startedAt + LINES_INTERVAL_MS;
    this.#jobs = new TaskGroup(signal);
    this.#sources = new Map(
      pool.sources(wanted.seeds ?? settings.seeds).map((source) => [source.id, source]),
    );
    const { limit = Infinity, taskLimit = Infinity } = settings;
    this.machine = new DownloadMachine({
      sources: Array.from(
        this.#sources.values(),
        ({ id, troubled, reached: known }) => ({ id, troubled, known }),
      ),
      wanted,
      order: settings.share ? "rarest-first" : "in-order",
      requireVerified: settings.requireVerified,
      requireAgreement: settings.requireAgreement,
      giveUpMs: settings.giveUpMs,
      stallMs: settings.stallMs,
      minBytesPerSecond: Math.min(
        MIN_BYTES_PER_SECOND,
        Math.min(limit, taskLimit) / MIN_SHARE_OF_LIMIT,
      ),
      random,
    }, clock.now());
    context.emit({ kind: "state", state: "finding" });
  }

  perform(command: DownloadCommand, running: Run): void {
    const { emit } = this.#context;
    switch (command.kind) {
      case "probe":
        return this.#probe(command.source, running);
      case "open":
        this.#choice = command.choice;
        return this.#start((signal) => this.#openFile(command.choice, running, signal), running);
      case "request":
        return this.#request(command);
      case "cancel":
        this.#settled(command.request);
        if (command.because) {
          const text = slownessText(command.because, "taken back");
          emit({ kind: "note", level: "info", text });
        }
        return this.#open?.downloader.cancel(command.request);
      case "report": {
        const { source: seed, change: what, retryInMs, percent } = command;
        const reason = reasonText(command);
        if (this.#swarm?.has(seed)) {
          if (what === "dropped") this.#swarm.handle({ kind: "dropped", peer: seed });
          // Receivers come and go; that is no trouble of the download.
          const text = `receiver ${seed}: ${what}, ${reason}`;
          return emit({ kind: "note", level: what === "corrupt" ? "info" : "debug", text });
        }
        if (what === "joined" || what === "back") this.#swarm?.seedHolds(seed);
        if (what === "joined" || what === "back") this.#useful.add(seed);
        else if (isTrouble(what) || what === "lacks") this.#useful.delete(seed);
        const retry = retryInMs === undefined ? {} : { retryInMs };
        const progress = percent === undefined ? {} : { percent };
        return emit({ kind: "seed", seed, what, reason, ...retry, ...progress });
      }
      case "setTimer":
        running.setTimer(command.atMs);
        return this.#rest(command.atMs);
      case "finish":
        return this.#start((signal) => this.#finish(running, signal), running);
      case "setAside":
        return this.#setAside(command, running);
      case "fail":
        return running.fail(
          command.failure === "set-aside"
            ? this.#contentError
            : resolveError(this.#wanted.name, command.failure),
        );
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#jobs[Symbol.asyncDispose]();
    this.#close();
    await this.#closing;
  }

  #start(job: (signal: AbortSignal) => Promise<void>, running: Run): void {
    this.#jobs.spawn((signal) => job(signal).catch((error) => this.#failed(error, running)));
  }

  #probe(source: string, running: Run): void {
    const prefetched = this.#context.prefetch.take(source, this.#wanted.name);
    if (prefetched && !(prefetched instanceof Promise)) {
      return this.#answered(source, prefetched, running);
    }
    this.#probing++;
    const swarm = this.#swarm;
    if (swarm?.has(source)) {
      return this.#start((signal) => this.#probePeer(swarm, source, running, signal), running);
    }
    this.#start(async (signal) => {
      const result = prefetched && await abortable(prefetched, signal) ||
        await probe(this.#sources.get(source)!, this.#wanted.name, signal, this.#bytesToProbe());
      const sized = await this.#withSize(source, this.#withManifest(result), signal);
      this.#probing--;
      await this.#return(sized, running, signal);
      this.#answered(source, sized, running);
    }, running);
  }

  /** A receiver is asked for its pieces, and not for a manifest: it has no say in what the content is. */
  async #probePeer(swarm: Swarm, source: string, running: Run, signal: AbortSignal): Promise<void> {
    const isThere = await swarm.probe(source, signal);
    this.#probing--;
    const { id, size } = this.#choice!.content;
    const answer = isThere && id !== null
      ? { kind: "manifest", id, size, sha256: "" } as const
      : { kind: "failed", reason: `${source} is not there`, code: "unreachable" } as const;
    running.send({ kind: "answered", source, answer });
  }

  /** A source without a manifest may hold the content whose manifest is known. */
  #withManifest(result: ProbeResult): ProbeResult {
    const { manifest } = this.#wanted;
    const { answer } = result;
    if (answer.kind !== "size" || answer.size !== manifest?.layout.size) return result;
    const { id, sha256, layout: { size } } = manifest;
    return { answer: { kind: "manifest", id, size, sha256 }, manifest };
  }

  /** How many bytes to ask for with the manifest: one source may send those of a small file. */
  #bytesToProbe(): number {
    return this.#open === undefined ? this.#context.prefetch.claim(this.#wanted.name) : 0;
  }

  /** A seed that still hashes the file knows its size already. */
  async #withSize(source: string, result: ProbeResult, signal: AbortSignal): Promise<ProbeResult> {
    const { answer } = result;
    const isVote = this.#open === undefined && !this.#isPinned;
    if (!isVote || answer.kind !== "later" || answer.percent === undefined) return result;
    try {
      const size = this.#sizes.get(source) ??
        await this.#sources.get(source)!.size(this.#wanted.name, signal);
      this.#sizes.set(source, size);
      return { answer: { ...answer, size } };
    } catch (error) {
      if (signal.aborted || !(error instanceof P2pError)) throw error;
      return result;
    }
  }

  get #isPinned(): boolean {
    return this.#wanted.id !== undefined || this.#wanted.sha256 !== undefined;
  }

  #answered(source: string, { answer, manifest, bytes }: ProbeResult, running: Run): void {
    if (manifest) this.#manifests.set(manifest.id, manifest);
    if (bytes && this.#open === undefined) this.#small = { source, bytes };
    if (answer.kind === "size") this.#learnVersion(source);
    if (this.#open === undefined && (answer.kind === "manifest" || answer.kind === "size")) {
      const what = answer.kind === "size"
        ? "and offers no manifest"
        : `id ${answer.id.slice(0, 8)}`;
      const separator = answer.kind === "size" ? " " : ", ";
      const text = `${source} has ${answer.size} bytes${separator}${what}`;
      this.#context.emit({ kind: "note", level: "debug", text });
    }
    running.send({ kind: "answered", source, answer });
  }

  /** Once bytes are there, others must be of the same version. */
  #learnVersion(source: string): void {
    const version = this.#sources.get(source)!.versionOf?.(this.#wanted.name);
    if (version === undefined || this.#open && this.#versions.has(source)) return;
    this.#versions.set(source, version);
  }

  /** Whole files cost bytes that are there already, so sources of ranges come first. */
  #maySendWhole(source: string): boolean {
    const { name } = this.#wanted;
    let isBefore = false;
    for (const [id, other] of this.#sources) {
      if (id === source) isBefore = true;
      else if (!this.#useful.has(id)) continue;
      // Of several that send whole files only, the first one does.
      else if (!isBefore || !(other.sendsWholeOnly?.(name) ?? false)) return false;
    }
    return true;
  }

  /** A source is back: the task takes its permit again before anything is requested. */
  async #return({ answer }: ProbeResult, running: Run, signal: AbortSignal): Promise<void> {
    const { permit, emit, settings } = this.#context;
    if (permit.held || this.#open === undefined) return;
    const { content } = this.#open.content.choice;
    if (compareAnswer(answer, content, settings.requireVerified) !== "holds") return;
    running.send({ kind: "resting" });
    this.#returning = true;
    await permit.acquire(signal);
    if (this.#returning) emit({ kind: "state", state: "downloading" });
    this.#returning = false;
  }

  /** Gives the permit to the next task while there is nothing to do. */
  #rest(untilMs: number): void {
    const { clock, permit, emit } = this.#context;
    if (!permit.held) return;
    if (this.#open === undefined) {
      const waitedMs = clock.now() - this.#resolvingSince;
      if (this.#probing === 0 && waitedMs > KEEP_PERMIT_MS) permit.release();
      return;
    }
    if (this.#requests.size > 0 || untilMs - clock.now() < MIN_REST_MS) return;
    // A slow reader is no reason to look for other work.
    if (this.#out instanceof StreamTarget) return;
    permit.release();
    emit({ kind: "state", state: "waiting", waitsFor: "seeds" });
  }

  async #openFile(choice: Choice, running: Run, signal: AbortSignal): Promise<void> {
    const { permit } = this.#context;
    await this.#closing;
    await permit.acquire(signal);
    const { id, size } = choice.content;
    const content = {
      choice,
      layout: layoutOf(size),
      manifest: id === null ? undefined : this.#manifests.get(id),
      ...id === null && this.#versions.size > 0
        ? { versions: Object.fromEntries(this.#versions) }
        : {},
    };
    this.#useful = new Set(choice.holders);
    this.#emitFound(choice);
    const file = await this.#openTarget(content, running, signal);
    if ("how" in file) return running.end(this.#result(file));
    this.#bytesBySeed = {};
    this.#open = { content, file, downloader: this.#downloaderOf(file, running) };
    const small = this.#small;
    this.#small = undefined;
    signal.throwIfAborted();
    this.#swarm = this.#swarmOf(this.#open, running);
    for (const seed of choice.holders) this.#swarm?.seedHolds(seed);
    if (small && await this.#storeSmall(this.#open, small)) {
      return await this.#finish(running, signal);
    }
    this.#opened(this.#open, running);
  }

  async #openTarget(
    content: ChosenContent,
    running: Run,
    signal: AbortSignal,
  ): Promise<OpenContent["file"] | Outcome> {
    const { settings, emit } = this.#context;
    if (!(this.#out instanceof StreamTarget)) {
      return await openContentFile(content, this.#wanted, this.#out, this.#context, signal);
    }
    const stream = this.#out.open(content, this.#wanted, settings.memory, {
      onConsumed: (piece) => running.send({ kind: "consumed", piece }),
      onFailed: (error) => this.#failed(error, running),
    });
    const held = stream.held();
    if (held.pieces > 0) emit({ kind: "resumed", ...held, rehashed: 0, leftOut: true });
    return stream;
  }

  /**
   * Joins the other receivers of the content. What comes over TLS is not offered in the clear, and a
   * file of one piece is there before others are met.
   */
  #swarmOf({ content, file }: OpenContent, running: Run): Swarm | undefined {
    const { sharing, random, emit } = this.#context;
    const { manifest } = content;
    const seeds = this.#plainSeeds;
    if (sharing === undefined || seeds === undefined || manifest === undefined) return undefined;
    if (manifest.layout.count < 2 || !(file instanceof StoredFile)) return undefined;
    return sharing.swarmOf({
      manifest,
      file,
      random,
      seeds,
      sources: this.#sources,
      nextPieces: (count) => this.machine.nextPieces(count),
      send: (event) => running.send(event),
      onGiven: (bytes) => emit({ kind: "given", bytes }),
      fail: (error) => this.#failed(error, running),
    }, this.#signal);
  }

  /** The p2p seeds of the task by id; undefined if it has sources that use encryption. */
  get #plainSeeds(): Map<string, SocketAddress> | undefined {
    const seeds = new Map<string, SocketAddress>();
    for (const address of this.#wanted.seeds ?? this.#context.settings.seeds) {
      if (isWebAddress(address) ? !address.url.startsWith("http:") : address.tls) return undefined;
      if (!isWebAddress(address)) seeds.set(formatSourceAddress(address), address);
    }
    return seeds;
  }

  /**
   * Stores a small file whose bytes came with a manifest, without a transfer. Bytes that do not fit
   * the content say nothing here: its only piece is requested then, and a source that sends wrong
   * ones is charged with them.
   *
   * @returns whether it is complete
   */
  #storeSmall(
    { file, content: { manifest, layout } }: OpenContent,
    { source: seed, bytes }: { readonly source: string; readonly bytes: Uint8Array },
  ): boolean {
    if (manifest === undefined || layout.count !== 1 || bytes.length !== layout.size) return false;
    if (file.missing.length !== 1 || file.unverified.size > 0) return false;
    const { clock, emit } = this.#context;
    const hashedFrom = clock.now();
    if (!equalBytes(sha256(bytes), digestOfPiece(manifest, 0))) return false;
    const storedFrom = clock.now();
    file.write(0, bytes);
    const diskMs = clock.now() - storedFrom;
    this.#bytesBySeed = { [seed]: bytes.length };
    emit({ kind: "pieces", count: 1, cells: cellsOf(1, []) });
    emit({ kind: "state", state: "downloading" });
    emit({ kind: "received", seed, bytes: bytes.length });
    const hashMs = storedFrom - hashedFrom;
    emit({ kind: "stored", seed, piece: 0, bytes: bytes.length, hashMs, diskMs });
    return true;
  }

  #emitFound({ content: { id, size }, holders, others }: Choice): void {
    const { emit } = this.#context;
    emit({ kind: "found", size, id, seeds: holders, asked: this.#sources.size });
    if (others.length === 0) return;
    const joins = others.length === 1 ? "it joins once it responds" : "they join once they respond";
    const text = `starting without ${others.join(", ")}; ${joins}`;
    emit({ kind: "note", level: "info", text });
  }

  #downloaderOf(file: OpenContent["file"], running: Run): PieceDownloader {
    const { clock, memory, hasher, rateLimit } = this.#context;
    return new PieceDownloader({
      clock,
      name: this.#wanted.name,
      file,
      sources: this.#sources,
      memory,
      hasher,
      rateLimit,
      versionOf: (source) => this.#versions.get(source),
      maySendWhole: (source) => this.#maySendWhole(source),
      emit: (event) => this.#onPiece(event, running),
      fail: (error) => this.#failed(error, running),
    }, this.#signal);
  }

  #opened({ file }: OpenContent, running: Run): void {
    const { emit } = this.#context;
    const { layout } = file.content;
    emit({ kind: "pieces", count: layout.count, cells: cellsOf(layout.count, file.pieces) });
    emit({ kind: "state", state: "downloading" });
    const maxInFlight = this.#takeMemory(file, running);
    this.#measureLines(running);
    running.send({
      kind: "opened",
      layout,
      missing: file.missing,
      begun: file.unverified,
      maxInFlight,
      ...file instanceof StoredFile ? {} : { windowPieces: windowOf(maxInFlight) },
    });
  }

  /** @returns how many pieces may be in flight */
  #takeMemory(
    { content: { layout: { pieceSize } }, missing }: OpenContent["file"],
    running: Run,
  ): number {
    const pieces = () => Math.max(MIN_PIECES_IN_FLIGHT, Math.floor(share.bytes / pieceSize));
    this.#share?.[Symbol.dispose]();
    const share: MemoryShare = this.#context.shares.join(
      missing.length * pieceSize,
      () => running.send({ kind: "budget", maxInFlight: pieces() }),
    );
    this.#share = share;
    return pieces();
  }

  /** Reports to the machine what became of the network paths to the sources. */
  #measureLines(running: Run): void {
    for (const { id, line } of this.#sources.values()) {
      if (line === undefined) continue;
      const known = this.#lines.get(id);
      if (known?.connections === line.connections && known.roundTripMs === line.roundTripMs) {
        continue;
      }
      this.#lines.set(id, line);
      const { roundTripMs, connections } = line;
      running.send({ kind: "measured", source: id, roundTripMs, connections });
    }
  }

  /** Emits how the network paths are used, at intervals. */
  #emitLines(): void {
    const { clock, emit } = this.#context;
    const now = clock.now();
    if (now < this.#linesDueAt) return;
    this.#linesDueAt = now + LINES_INTERVAL_MS;
    for (const { source: seed, ...use } of this.machine.lines(now)) {
      const line = this.#lines.get(seed);
      if (line === undefined || use.goodput === 0) continue;
      const { roundTripMs = null, connections } = line;
      emit({ kind: "line", seed, roundTripMs, connections, ...use });
    }
  }

  #request(command: Extract<DownloadCommand, { kind: "request" }>): void {
    const { request: id, source, piece, rangeBytes, because } = command;
    this.#requests.set(id, { source, piece });
    this.#swarm?.handle({ kind: "requested", source, piece });
    this.#emitInFlight(source, 1);
    if (because) {
      const text = slownessText(because, "requested twice");
      this.#context.emit({ kind: "note", level: "debug", text });
    }
    this.#open?.downloader.fetch({ id, source, piece, rangeBytes });
  }

  /** Passes an event on to the machine, and what people see of it to the events. */
  #onPiece(event: PieceEvent, running: Run): void {
    if (event.kind === "blamed") return running.send(event);
    const request = this.#requests.get(event.request);
    if (!request || !this.#open) return;
    const { emit } = this.#context;
    const { source: seed, piece } = request;
    if (event.kind === "received") {
      this.#bytesBySeed[seed] = (this.#bytesBySeed[seed] ?? 0) + event.bytes;
      emit({ kind: "received", seed, bytes: event.bytes });
    } else this.#settled(event.request);
    if (event.kind === "stored") {
      this.#swarm?.stored(piece);
      const bytes = lengthOf(rangeOfPiece(this.#open.file.content.layout, piece));
      const { hashMs = 0, diskMs = 0 } = event;
      emit({ kind: "stored", seed, piece, bytes, hashMs, diskMs });
      this.#measureLines(running);
      this.#emitLines();
    }
    running.send(event);
  }

  /** The request is over. */
  #settled(id: number): void {
    const request = this.#requests.get(id);
    this.#requests.delete(id);
    if (request === undefined) return;
    this.#emitInFlight(request.source, -1);
    this.#swarm?.handle({ kind: "ended", source: request.source });
  }

  #emitInFlight(seed: string, more: number): void {
    const pieces = (this.#inFlight.get(seed) ?? 0) + more;
    this.#inFlight.set(seed, pieces);
    this.#context.emit({ kind: "flight", seed, pieces });
  }

  async #finish(running: Run, signal: AbortSignal): Promise<void> {
    const open = this.#open!;
    const outcome = await this.#finishTarget(open, signal);
    if (outcome) {
      const { manifest } = open.content;
      const seeds = this.#plainSeeds;
      if (manifest && seeds && outcome.how === "downloaded" && open.file instanceof StoredFile) {
        this.#context.sharing?.keep(manifest, outcome.path, Array.from(seeds.values()));
      }
      return running.end(this.#result(outcome));
    }
    if (open.file instanceof StoredFile) this.#emitChangedOnDisk(open.file);
    this.#swarm?.lost();
    this.#opened(open, running);
  }

  async #finishTarget(
    { file, content }: OpenContent,
    signal: AbortSignal,
  ): Promise<Outcome | undefined> {
    const wanted = this.#wanted;
    if (this.#out instanceof StreamTarget) {
      return await this.#out.finish(file as StreamSink, content, wanted, signal);
    }
    return await finishContentFile(
      file as StoredFile,
      content,
      wanted,
      this.#out,
      this.#context,
      signal,
    );
  }

  #emitChangedOnDisk(file: StoredFile): void {
    const { emit } = this.#context;
    const { length: count } = file.missing;
    const again = count === 1 ? "1 piece is fetched again" : `${count} pieces are fetched again`;
    const text = `the unfinished file of "${file.target}" was changed on the disk: ${again}`;
    emit({ kind: "note", level: "warn", text });
    emit({ kind: "resumed", ...file.held(), rehashed: 0 });
  }

  #result(outcome: Outcome): TaskResult {
    // A user who said which content it must be knows that there may be others.
    const contents = this.#isPinned ? [] : this.machine.contents(this.#choice!);
    return {
      ...outcome,
      bytesBySeed: this.#bytesBySeed,
      ...contents.length === 0 ? {} : { contents },
      elapsedMs: this.#context.clock.now() - this.#startedAt,
    };
  }

  #failed(error: unknown, running: Run): void {
    const why = this.#setAsideReason(error);
    if (why === undefined) return running.fail(this.#withContents(error));
    this.#contentError = error as P2pError;
    running.send({ kind: "rejected", why });
  }

  /** Why the error makes another content worth trying; undefined if it is not the content's fault. */
  #setAsideReason(error: unknown): SetAsideReason | undefined {
    if (this.#hasBegunStream) return undefined;
    if (error instanceof WrongDigestError) return error.id === null ? undefined : "wrong-sha256";
    if (!(error instanceof DiskFullError) || !error.lacking || !this.#choice) return undefined;
    const { eligible, content } = this.#choice;
    const couldFit = this.#context.store.space.couldFit(error.lacking.folder, content.size);
    return eligible > 1 && !couldFit ? "too-large" : undefined;
  }

  /** The reader has bytes of the content, so no other one can be tried. */
  get #hasBegunStream(): boolean {
    return this.#out instanceof StreamTarget && this.#out.hasBegun;
  }

  #setAside(command: Extract<DownloadCommand, { kind: "setAside" }>, running: Run): void {
    const { content: { id, size }, giveUp, hasRival } = command;
    const { emit, clock } = this.#context;
    if (giveUp) this.#contentError = giveUpError(this.#wanted.name, giveUp);
    this.#withContents(this.#contentError);
    if (hasRival && this.#hasBegunStream) return running.fail(this.#contentError);
    this.#close();
    this.#versions.clear();
    this.#resolvingSince = clock.now();
    if (!hasRival) return;
    const content = id === null ? `of ${size} bytes` : `with id ${id.slice(0, 8)}`;
    const text = `the content ${content} is set aside: ${this.#contentError?.message}`;
    emit({ kind: "note", level: "warn", text });
    emit({ kind: "state", state: "finding" });
  }

  #withContents(error: unknown): unknown {
    const contents = this.#choice ? this.machine.contents(this.#choice) : [];
    if (error instanceof P2pError && contents.length > 0) error.contents = contents;
    return error;
  }

  #close(): void {
    const open = this.#open;
    if (!open) return;
    this.#open = undefined;
    this.#share?.[Symbol.dispose]();
    this.#share = undefined;
    for (const id of Array.from(this.#requests.keys())) this.#settled(id);
    const swarm = this.#swarm;
    this.#swarm = undefined;
    const ends = [open.downloader[Symbol.asyncDispose](), swarm?.[Symbol.asyncDispose]()];
    this.#closing = Promise.all(ends).then(() => {}).finally(() => open.file[Symbol.dispose]());
  }
}
