/** nginx as the peers' server: its own settings in a folder of its own, nobody's rights, free ports. */
import { join } from "@std/path";
import type { Command } from "./command_lines.ts";
import { Server } from "./server.ts";

export interface Nginx {
  readonly server: Server;
  /** One a port, as if they were mirrors; without a slash at the end. */
  readonly urls: readonly string[];
}

export interface NginxOptions {
  readonly program: string;
  /** What it serves. */
  readonly root: string;
  /** Where its settings and its own files go. */
  readonly dir: string;
  readonly mirrors: number;
  /** Addresses with ports, instead of free ports of the loopback. */
  readonly listen?: readonly string[];
  /** Put before the program, as `ip netns exec` is. */
  readonly prefix?: Command;
}

const START_MS = 10_000;

export async function startNginx(
  { program, root, dir, mirrors, listen, prefix = [] }: NginxOptions,
  signal: AbortSignal,
): Promise<Nginx> {
  Deno.mkdirSync(dir, { recursive: true });
  const addresses = listen ?? freePorts(mirrors).map((port) => `127.0.0.1:${port}`);
  const settings = join(dir, "nginx.conf");
  Deno.writeTextFileSync(settings, settingsOf(root, dir, addresses, Deno.uid() === 0));
  const log = join(dir, "error.log");
  const command = [...prefix, program, "-p", dir, "-c", settings, "-e", log];
  const server = new Server(spawn(command));
  try {
    for (const address of addresses) await untilListening(address, { prefix, log, signal });
    return { server, urls: addresses.map((address) => `http://${address}`) };
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
}

/** As fast as it goes: two workers, sendfile, no log. As root it would give up the right to read our folder. */
export function settingsOf(
  root: string,
  dir: string,
  addresses: readonly string[],
  asRoot: boolean,
): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `  ${name}_temp_path "${dir}/${name}";`);
  return [
    ...(asRoot ? ["user root;"] : []),
    "daemon off;",
    "worker_processes 2;",
    `pid "${dir}/nginx.pid";`,
    "events { worker_connections 1024; }",
    "http {",
    "  access_log off;",
    "  sendfile on;",
    ...temporary,
    "  server {",
    ...addresses.map((address) => `    listen ${address};`),
    `    root "${root}";`,
    "  }",
    "}",
    "",
  ].join("\n");
}

/** All are held at once, so that they differ; another program could still take one afterwards. */
function freePorts(count: number): number[] {
  const listeners = Array.from(
    { length: count },
    () => Deno.listen({ hostname: "127.0.0.1", port: 0 }),
  );
  const ports = listeners.map(({ addr }) => addr.port);
  for (const listener of listeners) listener.close();
  return ports;
}

/** Asks from where nginx runs: this process may be in another network namespace. */
async function untilListening(
  address: string,
  { prefix, log, signal }: { prefix: Command; log: string; signal: AbortSignal },
): Promise<void> {
  const until = performance.now() + START_MS;
  const [host, port] = address.split(":");
  const connect = [...prefix, "bash", "-c", `: < /dev/tcp/${host}/${port}`];
  while (true) {
    signal.throwIfAborted();
    if ((await spawn(connect).status).success) return;
    if (performance.now() > until) {
      const words = await Deno.readTextFile(log).catch(() => "");
      throw new Error(`Cannot start nginx: ${words.trim() || "it does not listen"}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function spawn([program, ...args]: Command): Deno.ChildProcess {
  return new Deno.Command(program!, { args, stdin: "null", stdout: "null", stderr: "null" })
    .spawn();
}
