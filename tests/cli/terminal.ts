/**
 * A process of p2p in a real pseudo-terminal, made by `script` of util-linux,
 * sized by `stty`; what it writes goes to a fake screen that knows every
 * sequence of ours and throws at any other.
 */
import { TerminalScreen } from "../support/terminal_screen.ts";
import { type CliFixture, PROGRAM, type TestOptions } from "./harness.ts";

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** Far beyond what any wait of these tests takes. */
const DEADLINE_MS = 45_000;

/** For tests that need a pseudo-terminal: they are ignored where there is none. */
export const ON_TERMINAL: TestOptions = hasPseudoTerminal()
  ? {}
  : { ignored: "no pseudo-terminal: that takes script (util-linux), stty and sh" };

export class Terminal implements AsyncDisposable {
  readonly screen: TerminalScreen;
  /** The exit code of p2p, once it has ended. */
  readonly ended: Promise<number>;
  readonly #child: Deno.ChildProcess;
  readonly #keys: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #reading: Promise<void>;
  readonly #deadline: number;
  #place: { tty: string; pid: number } | undefined;
  #open = true;
  #fault: unknown;
  #changed = Promise.withResolvers<void>();

  private constructor(child: Deno.ChildProcess, size: Size) {
    this.#child = child;
    this.screen = new TerminalScreen(size);
    this.#keys = child.stdin.getWriter();
    this.#reading = this.#read(child.stdout);
    this.#deadline = setTimeout(() => this.#child.kill("SIGKILL"), DEADLINE_MS);
    this.ended = child.status.then(async ({ code }) => {
      await this.#reading;
      clearTimeout(this.#deadline);
      return code;
    });
  }

  /** Starts p2p in the world's folder; resolves when the terminal has its size. */
  static async start(world: CliFixture, size: Size, ...args: string[]): Promise<Terminal> {
    const place = world.path(`terminal-${crypto.randomUUID()}`);
    const { columns, rows } = size;
    const program = [PROGRAM, ...args].map(quoted).join(" ");
    const line = `stty cols ${columns} rows ${rows}; echo "$(tty) $$" > ${quoted(place)}; ` +
      `echo ready; exec ${program}`;
    const child = new Deno.Command("script", {
      args: ["-qefc", line, "/dev/null"],
      cwd: world.here,
      clearEnv: true,
      env: { ...world.env, TERM: "xterm-256color", SHELL: "/bin/sh" },
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const terminal = new Terminal(child, size);
    await terminal.until(({ story }) => story.includes("ready"), "the terminal");
    const [tty, pid] = Deno.readTextFileSync(place).trim().split(" ");
    terminal.#place = { tty: tty!, pid: Number(pid) };
    return terminal;
  }

  async type(keys: string): Promise<void> {
    await this.#keys.write(new TextEncoder().encode(keys));
  }

  kill(signal: Deno.Signal): void {
    Deno.kill(this.#place!.pid, signal);
  }

  /**
   * Gives the terminal another size, as somebody does who pulls at the corner of
   * its window. The program may write for the old size until it is reported of the
   * new one, so the fake screen is never the narrower of the two meanwhile.
   */
  async resize(size: Size): Promise<void> {
    const waits = !this.screen.alternate && size.columns < this.screen.columns;
    if (!waits) this.screen.resize(size);
    await this.#stty("cols", `${size.columns}`, "rows", `${size.rows}`);
    if (!waits) return;
    await this.#drained();
    this.screen.resize(size);
  }

  /** Everything that the program wrote until now has come: a mark that nobody sees comes after it. */
  async #drained(): Promise<void> {
    const mark = "\x1b[?2026h\x1b[?2026l";
    const { length } = this.screen.text;
    await Deno.writeTextFile(this.#place!.tty, mark, { create: false });
    await this.until(({ text }) => text.includes(mark, length - mark.length), "the mark");
  }

  async #stty(...args: string[]): Promise<string> {
    const { success, stdout } = await new Deno.Command("stty", {
      args: ["-F", this.#place!.tty, ...args],
    }).output();
    if (!success) throw new Error(`Cannot run stty ${args.join(" ")}`);
    return new TextDecoder().decode(stdout);
  }

  /** As `stty -a` reports them: whether the terminal echoes and reads lines. */
  async modes(): Promise<string> {
    return await this.#stty("-a");
  }

  /** Waits until the screen `fits`, but for the middle of a frame; `what` says what was waited for. */
  async until(fits: (screen: TerminalScreen) => boolean, what: string): Promise<TerminalScreen> {
    while (this.#fault === undefined && (this.screen.painting || !fits(this.screen))) {
      if (!this.#open) {
        throw new Error(`Cannot see ${what} on the screen:\n${this.screen.story.join("\n")}`);
      }
      await this.#changed.promise;
    }
    if (this.#fault !== undefined) throw this.#fault;
    return this.screen;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      if (this.#open) this.#child.kill("SIGKILL");
    } catch {
      // It ended in this very moment.
    }
    await this.#keys.close().catch(() => {});
    await this.ended;
    if (this.#fault !== undefined) throw this.#fault;
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const bytes of stream) {
      const text = decoder.decode(bytes, { stream: true });
      try {
        if (this.#fault === undefined) this.screen.write(text);
      } catch (error) {
        this.#fault = error;
      }
      this.#tell();
    }
    this.#open = false;
    this.#tell();
  }

  #tell(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function hasPseudoTerminal(): boolean {
  if (Deno.build.os !== "linux") return false;
  try {
    const { success, stdout } = new Deno.Command("script", {
      args: ["-qefc", "stty cols 80 rows 24 && stty size", "/dev/null"],
      env: { SHELL: "/bin/sh" },
      stdin: "null",
      stderr: "null",
    }).outputSync();
    return success && new TextDecoder().decode(stdout).trim() === "24 80";
  } catch {
    return false;
  }
}
