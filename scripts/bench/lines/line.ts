/**
 * A line between two network namespaces, "client" and "server", with delay, loss and rate; see
 * line.c, which is compiled when it is needed. Everything is removed on disposal.
 */
import { join } from "@std/path";
import type { Command } from "../command_lines.ts";

export interface LineSetting {
  readonly rttMs: number;
  /** Of the packets in each direction, in percent. */
  readonly lossPercent: number;
  /** In each direction. */
  readonly mbit: number;
  /** Selects which packets are lost. */
  readonly seed: number;
}

/** What passed over the line in one run. */
export interface Traffic {
  /** TCP connections that the client began; a repeated SYN counts again. */
  readonly connections: number;
  /** From the server to the client. */
  readonly packets: number;
  /** Of these, at random. */
  readonly lost: number;
  /** Of these, because the queue was full. */
  readonly dropped: number;
}

const CLIENT_ADDRESS = "10.99.0.1";
export const SERVER_ADDRESS = "10.99.0.2";

/** As line.c names it, in both namespaces. */
const DEVICE = "line0";
/** A namespace, its address, and the address of the other. */
type End = readonly [namespace: string, own: string, peer: string];

/** Enough for a queue of one round trip on a short line; a shorter one drops the bursts that TCP starts with. */
const MIN_QUEUE_BYTES = 128 * 1024;
/** A burst of the sender is kept until line.c reads it, so that the device itself drops nothing. */
const DEVICE_QUEUE_PACKETS = 10_000;

/** One line of input of line.c. The queue holds what arrives in one round trip, as router buffers are sized. */
export function settingText({ rttMs, lossPercent, mbit, seed }: LineSetting): string {
  const queue = Math.max(MIN_QUEUE_BYTES, rttMs * mbit * 125);
  const fields = [rttMs * 500, lossPercent * 10_000, mbit * 1000, queue, seed];
  return fields.map(Math.round).join(" ") + "\n";
}

/** One line of output of line.c. @throws {Error} for anything else. */
export function parseTraffic(text: string): Traffic {
  const counts = /^\d+(?: \d+){6}$/.test(text) ? text.split(" ").map(Number) : [];
  const [, , , passed, lost, dropped, connections] = counts;
  if (connections === undefined) {
    throw new Error(`Cannot read what passed over the line: "${text}"`);
  }
  return { connections, packets: passed! + lost! + dropped!, lost: lost!, dropped: dropped! };
}

/** Why no line can be made on this machine, or undefined. */
export async function whyNoLine(): Promise<string | undefined> {
  if (Deno.build.os !== "linux") return "network namespaces need Linux";
  if (Deno.uid() !== 0) return "network namespaces need root";
  try {
    await Deno.stat("/dev/net/tun");
  } catch {
    return "there is no /dev/net/tun";
  }
  for (const [program, flag] of [["ip", "-V"], ["cc", "--version"]] as const) {
    try {
      await run([program, flag]);
    } catch {
      return `"${program}" does not run`;
    }
  }
  return undefined;
}

export class Line implements AsyncDisposable {
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #replies: ReadableStreamDefaultReader<string>;
  readonly #ends: readonly End[];
  readonly #namespaces: AsyncDisposableStack;
  /** Put before a command, it runs at that end of the line. */
  readonly client: Command;
  readonly server: Command;

  private constructor(
    stdin: WritableStream<Uint8Array>,
    replies: ReadableStreamDefaultReader<string>,
    ends: readonly End[],
    namespaces: AsyncDisposableStack,
  ) {
    this.#writer = stdin.getWriter();
    this.#replies = replies;
    this.#namespaces = namespaces;
    this.#ends = ends;
    const [client, server] = ends.map(([name]) => within(name));
    [this.client, this.server] = [client!, server!];
  }

  /** @param dir where the compiled program goes. @throws {Error} if it cannot be made; see `whyNoLine`. */
  static async open(dir: string): Promise<Line> {
    const names = [`p2p-bench-${Deno.pid}-a`, `p2p-bench-${Deno.pid}-b`] as const;
    await using setup = new AsyncDisposableStack();
    for (const name of names) {
      await run(["ip", "netns", "add", name]);
      setup.defer(() => run(["ip", "netns", "del", name]));
    }
    const program = join(dir, "line");
    await run(["cc", "-O2", "-o", program, new URL("line.c", import.meta.url).pathname]);
    const process = new Deno.Command(program, {
      args: names.map((name) => `/run/netns/${name}`),
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    setup.defer(() => stop(process));
    const replies = linesOf(process.stdout).getReader();
    setup.defer(() => replies.cancel());
    const { value } = await replies.read();
    if (value !== "ready") throw new Error("Cannot make the line: see the message above");
    const ends: readonly End[] = [
      [names[0], CLIENT_ADDRESS, SERVER_ADDRESS],
      [names[1], SERVER_ADDRESS, CLIENT_ADDRESS],
    ];
    for (const [name, own, peer] of ends) {
      const ip = (...words: Command) => run(["ip", "-n", name, ...words]);
      await setVariables(name);
      await ip("link", "set", "lo", "up");
      await ip("addr", "add", own, "peer", peer, "dev", DEVICE);
      await ip("link", "set", DEVICE, "up", "txqueuelen", `${DEVICE_QUEUE_PACKETS}`);
    }
    return new Line(process.stdin, replies, ends, setup.move());
  }

  /**
   * Of new connections at both ends, by their route: a namespace's default can only be one that the
   * machine allows to everyone.
   *
   * @throws {Error} if the kernel does not have it.
   */
  async useCongestionControl(name: string): Promise<void> {
    for (const [namespace, , peer] of this.#ends) {
      await run(["ip", "-n", namespace, "route", "replace", peer, "dev", DEVICE, "congctl", name]);
    }
  }

  /** Drops what is on the line. @returns what passed since the last time. */
  async set(setting: LineSetting): Promise<Traffic> {
    await this.#writer.write(new TextEncoder().encode(settingText(setting)));
    const { value } = await this.#replies.read();
    if (value === undefined) throw new Error("The line has ended: see the message above");
    return parseTraffic(value);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // The end of its input ends the program.
    await this.#writer.close().catch(() => {});
    await this.#namespaces[Symbol.asyncDispose]();
  }
}

function within(namespace: string): Command {
  return ["ip", "netns", "exec", namespace];
}

/**
 * What TCP learned in one run must not speed up or slow down the next one, and IPv6 would send
 * packets of its own over the line.
 */
async function setVariables(namespace: string): Promise<void> {
  const script = "echo 1 > /proc/sys/net/ipv4/tcp_no_metrics_save; " +
    `if cd /proc/sys/net/ipv6/conf/${DEVICE}; then echo 1 > disable_ipv6; fi`;
  await run([...within(namespace), "sh", "-ec", script]);
}

async function run([program, ...args]: Command): Promise<void> {
  const command = new Deno.Command(program!, { args, stdin: "null", stdout: "null" });
  const { success, stderr } = await command.output();
  if (success) return;
  const words = new TextDecoder().decode(stderr).trim();
  throw new Error(`"${[program, ...args].join(" ")}" failed: ${words}`);
}

async function stop(process: Deno.ChildProcess): Promise<void> {
  try {
    process.kill("SIGTERM");
  } catch {
    // It has ended.
  }
  await process.status;
}

function linesOf(stream: ReadableStream<Uint8Array>): ReadableStream<string> {
  let rest = "";
  return stream.pipeThrough(new TextDecoderStream()).pipeThrough(
    new TransformStream<string, string>({
      transform(part, controller) {
        const lines = (rest + part).split("\n");
        rest = lines.pop()!;
        for (const line of lines) controller.enqueue(line);
      },
    }),
  );
}
