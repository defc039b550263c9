/** nginx as the peers' server: its own settings in a folder of its own, nobody's rights, free ports. */
import { join } from "@std/path";
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
}

const START_MS = 10_000;

export async function startNginx(
  { program, root, dir, mirrors }: NginxOptions,
  signal: AbortSignal,
): Promise<Nginx> {
  Deno.mkdirSync(dir, { recursive: true });
  const ports = freePorts(mirrors);
  const settings = join(dir, "nginx.conf");
  Deno.writeTextFileSync(settings, settingsOf(root, dir, ports, Deno.uid() === 0));
  const args = ["-p", dir, "-c", settings, "-e", join(dir, "error.log")];
  const server = new Server(
    new Deno.Command(program, { args, stdin: "null", stdout: "null", stderr: "null" }).spawn(),
  );
  try {
    for (const port of ports) await untilListening(port, join(dir, "error.log"), signal);
    return { server, urls: ports.map((port) => `http://127.0.0.1:${port}`) };
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
}

/** As fast as it goes: two workers, sendfile, no log. As root it would give up the right to read our folder. */
export function settingsOf(
  root: string,
  dir: string,
  ports: readonly number[],
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
    ...ports.map((port) => `    listen 127.0.0.1:${port};`),
    `    root "${root}";`,
    "  }",
    "}",
    "",
  ].join("\n");
}

/** All are held at once, so that they differ; somebody else could still be faster afterwards. */
function freePorts(count: number): number[] {
  const listeners = Array.from(
    { length: count },
    () => Deno.listen({ hostname: "127.0.0.1", port: 0 }),
  );
  const ports = listeners.map(({ addr }) => addr.port);
  for (const listener of listeners) listener.close();
  return ports;
}

async function untilListening(port: number, log: string, signal: AbortSignal): Promise<void> {
  const until = performance.now() + START_MS;
  while (true) {
    signal.throwIfAborted();
    try {
      return (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    } catch (error) {
      if (performance.now() > until) {
        const words = await Deno.readTextFile(log).catch(() => "");
        throw new Error(`Cannot start nginx: ${words.trim() || "it does not listen"}`, {
          cause: error,
        });
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
