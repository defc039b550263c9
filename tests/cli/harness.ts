/**
 * A world for a test of the compiled program: a folder of its own with p2p's
 * settings, state and cache in it, and every process that was started there.
 * When the test ends, the processes are ended and the folder is removed.
 *
 * Nothing here waits for time to pass: what is waited for is a line, an event,
 * or the end of a process. A process that lives too long is killed, so that a
 * wait fails instead of lasting for ever.
 */
import { assertEquals } from "@std/assert";
import { basename, dirname, fromFileUrl, join } from "@std/path";

export const WINDOWS = Deno.build.os === "windows";

export const PROGRAM = fromFileUrl(
  new URL(`../../dist/${WINDOWS ? "p2p.exe" : "p2p"}`, import.meta.url),
);

/** Far beyond what any command of these tests takes, far below what a person waits for. */
const DEADLINE_MS = 45_000;

export type Fn = (world: CliFixture) => Promise<void>;

export interface TestOptions {
  /** Why the test cannot run here, if it cannot. */
  readonly ignored?: string | undefined;
}

/** A test in a world of its own; what leaks in the test itself fails it too. */
export function test(name: string, fn: Fn, { ignored }: TestOptions = {}): void {
  Deno.test({
    name: ignored === undefined ? name : `${name} [ignored: ${ignored}]`,
    ignore: ignored !== undefined,
    sanitizeOps: true,
    sanitizeResources: true,
    fn: async () => {
      await using world = CliFixture.make();
      await fn(world);
    },
  });
}

/** For tests of what only Unix has: signals that can be caught, and free names. */
export const ON_UNIX: TestOptions = WINDOWS ? { ignored: "Windows has no such thing" } : {};

export interface RunOptions {
  /** Besides the world's own variables. */
  readonly env?: Readonly<Record<string, string>>;
  /** The working folder, below the world's. */
  readonly cwd?: string;
  /** What to start instead of the compiled program: a path, and arguments before the others. */
  readonly program?: readonly [string, ...string[]];
  /** Closes standard output after its first line, as `head -1` does. */
  readonly oneLine?: boolean;
  /** The process is killed after this time. */
  readonly deadlineMs?: number;
}

export class CliFixture implements AsyncDisposable {
  /** The folder of all. */
  readonly root: string;
  /** Where commands run, and where downloads go. */
  readonly here: string;
  readonly #env: Record<string, string>;
  readonly #running: RunningProcess[] = [];
  #over = false;

  private constructor(root: string) {
    this.root = root;
    this.here = join(root, "here");
    this.#env = {
      ...strangersOf(Deno.env.toObject()),
      HOME: root,
      P2P_CONFIG_DIR: join(root, "config"),
      P2P_STATE_DIR: join(root, "state"),
      P2P_CACHE_DIR: join(root, "cache"),
      // Other tests, and other machines, must not be found.
      P2P_ANNOUNCE: "off",
      P2P_DISCOVER: "off",
    };
  }

  static make(): CliFixture {
    requireProgram();
    const root = Deno.realPathSync(Deno.makeTempDirSync({ prefix: "p2p-cli-" }));
    const world = new CliFixture(root);
    Deno.mkdirSync(world.here);
    return world;
  }

  /** The variables of every process here. */
  get env(): Readonly<Record<string, string>> {
    return this.#env;
  }

  /** The path of something below the folder of all. */
  path(...parts: string[]): string {
    return join(this.root, ...parts);
  }

  /** Writes a file below the folder of all, with the folders that it needs. */
  write(name: string, content: string | Uint8Array): string {
    const path = this.path(...name.split("/"));
    Deno.mkdirSync(dirname(path), { recursive: true });
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    Deno.writeFileSync(path, bytes);
    return path;
  }

  /** The content of a file in the folder where downloads go. */
  got(name: string): Uint8Array {
    return Deno.readFileSync(join(this.here, name));
  }

  /** What there is where downloads go: all files below it, sorted. */
  files(dir = this.here): string[] {
    return filesBelow(dir).sort();
  }

  /** Runs p2p to its end. */
  async p2p(...args: string[]): Promise<Ended> {
    return await this.start(...args).ended;
  }

  /** The same with variables or in another folder. */
  async p2pWith(options: RunOptions, ...args: string[]): Promise<Ended> {
    return await this.startWith(options, ...args).ended;
  }

  /** Starts p2p, to be watched and signalled. */
  start(...args: string[]): RunningProcess {
    return this.startWith({}, ...args);
  }

  startWith(options: RunOptions, ...args: string[]): RunningProcess {
    const { env, cwd, program: [program, ...first] = [PROGRAM] } = options;
    if (this.#over) throw new Error("Cannot start p2p: its world is over");
    const child = new Deno.Command(program, {
      args: [...first, ...args],
      cwd: cwd ?? this.here,
      clearEnv: true,
      env: { ...this.#env, ...env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const running = new RunningProcess(child, args, options);
    this.#running.push(running);
    return running;
  }

  /** Starts a seed on a free port and waits until it listens. */
  async serve(dir: string, ...flags: string[]): Promise<Seed> {
    return await this.serveWith({}, dir, ...flags);
  }

  async serveWith(options: RunOptions, dir: string, ...flags: string[]): Promise<Seed> {
    const listen = ["--host", "127.0.0.1", "--port", "0"];
    const process = this.startWith(options, "serve", dir, ...listen, ...flags);
    const line = await process.stdout.line(/^listening on /);
    return { process, address: line.slice("listening on ".length) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over = true;
    for (const running of this.#running) running.kill("SIGKILL");
    await Promise.all(this.#running.map(({ ended }) => ended));
    // Windows lets go of a program's files a moment after its end.
    await Deno.remove(this.root, { recursive: true });
  }
}

export interface Seed {
  readonly process: RunningProcess;
  readonly address: string;
}

/** The flags that name these seeds. */
export function from(...seeds: { readonly address: string }[]): string[] {
  return seeds.flatMap(({ address }) => ["--seed", address]);
}

/** A process that has ended. */
export interface Ended {
  readonly code: number;
  /** The signal that ended it, where it did not end itself. */
  readonly signal: Deno.Signal | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class RunningProcess {
  readonly stdout: ProcessOutput;
  readonly stderr: ProcessOutput;
  readonly ended: Promise<Ended>;
  readonly pid: number;
  readonly #child: Deno.ChildProcess;
  #over = false;

  constructor(
    child: Deno.ChildProcess,
    args: readonly string[],
    { oneLine = false, deadlineMs = DEADLINE_MS }: RunOptions,
  ) {
    this.#child = child;
    this.pid = child.pid;
    const story = () => `p2p ${args.join(" ")}\n${this.stdout.text}\n${this.stderr.text}`;
    this.stdout = new ProcessOutput(child.stdout, story, oneLine);
    this.stderr = new ProcessOutput(child.stderr, story, false);
    this.ended = this.#end(deadlineMs);
  }

  /** Does nothing when the process has ended. */
  kill(signal: Deno.Signal): void {
    if (this.#over) return;
    try {
      this.#child.kill(signal);
    } catch (error) {
      // It ended in this very moment.
      if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  /** Sends the signal and waits for the end. */
  async endBy(signal: Deno.Signal): Promise<Ended> {
    this.kill(signal);
    return await this.ended;
  }

  async #end(deadlineMs: number): Promise<Ended> {
    const deadline = setTimeout(() => this.kill("SIGKILL"), deadlineMs);
    const [{ code, signal }] = await Promise.all([
      this.#child.status.then((status) => {
        this.#over = true;
        return status;
      }),
      this.stdout.closed,
      this.stderr.closed,
    ]);
    clearTimeout(deadline);
    return { code, signal, stdout: this.stdout.text, stderr: this.stderr.text };
  }
}

/** What a process writes to one of its streams. */
export class ProcessOutput {
  text = "";
  /** Resolves when nothing more comes. */
  readonly closed: Promise<void>;
  readonly #story: () => string;
  #open = true;
  #changed = Promise.withResolvers<void>();

  constructor(stream: ReadableStream<Uint8Array>, story: () => string, oneLine: boolean) {
    this.#story = story;
    this.closed = this.#read(stream, oneLine);
  }

  /** All complete lines until now. */
  get lines(): string[] {
    return this.text.split("\n").slice(0, -1);
  }

  /** The first line that fits, as soon as it is there. */
  async line(wanted: RegExp): Promise<string> {
    return await this.find((line) => wanted.test(line), String(wanted));
  }

  /** The first line that `fits`; `what` says what it was to be. */
  async find(fits: (line: string) => boolean, what: string): Promise<string> {
    for (let seen = 0;;) {
      const { lines } = this;
      const found = lines.slice(seen).find(fits);
      if (found !== undefined) return found;
      seen = lines.length;
      if (!this.#open) throw new Error(`Cannot find ${what} in the output of: ${this.#story()}`);
      await this.#changed.promise;
    }
  }

  async #read(stream: ReadableStream<Uint8Array>, oneLine: boolean): Promise<void> {
    const decoder = new TextDecoder();
    for await (const bytes of stream) {
      this.text += decoder.decode(bytes, { stream: true });
      this.#tell();
      // Leaving the loop closes our end of the pipe.
      if (oneLine && this.text.includes("\n")) break;
    }
    this.#open = false;
    this.#tell();
  }

  #tell(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}

/** Of what a process said, when a test fails. */
const MAX_SHOWN = 2000;

/** @throws with what the process said last if it did not end with `code`. */
export function assertCode(ended: Ended, code: number): void {
  const [stdout, stderr] = [ended.stdout, ended.stderr].map((text) => text.slice(-MAX_SHOWN));
  assertEquals(ended.code, code, `exit code; stdout:\n${stdout}\nstderr:\n${stderr}\n`);
}

/** Bytes that look like noise, the same each time; another `seed` gives others. */
export function noise(size: number, seed = 1): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(size / 4));
  let state = seed * 2_654_435_761 | 1;
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  return new Uint8Array(words.buffer, 0, size);
}

export async function sha256Of(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

function filesBelow(dir: string): string[] {
  return Array.from(Deno.readDirSync(dir)).flatMap(({ name, isDirectory }) =>
    isDirectory ? filesBelow(join(dir, name)).map((below) => `${name}/${below}`) : [name]
  );
}

/** The environment without what p2p would listen to. */
function strangersOf(env: Record<string, string>): Record<string, string> {
  const ours = /^(P2P_|XDG_|NO_COLOR$|TERM$|COLUMNS$)/;
  return Object.fromEntries(Object.entries(env).filter(([name]) => !ours.test(name)));
}

function requireProgram(): void {
  try {
    Deno.statSync(PROGRAM);
  } catch {
    throw new Error(
      `Cannot test "${basename(PROGRAM)}": there is no ${PROGRAM}; make it with deno task build`,
    );
  }
}
