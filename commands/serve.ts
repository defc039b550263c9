/** `p2p serve`: shares a folder until Ctrl-C. */
import { Command } from "@cliffy/command";
import { resolve } from "node:path";
import { SERVE_DEFAULTS, type ServeEvent, type ServeSettings, UsageError } from "../core/mod.ts";
import { ValueArgumentType, withSettings } from "./options.ts";
import { type Environment, writeLines } from "./environment.ts";
import { Interrupted, interruptible } from "./exit.ts";
import { text } from "./value_types.ts";
import { loadSettings, pemIn, tokenIn } from "./load_settings.ts";
import { BoundedWriter } from "./bounded_writer.ts";
import { stoppingText } from "./ui/failure.ts";
import { reaches } from "./ui/event_text.ts";
import { type Invitation, renderListening, renderServeEvent, renderServeJson } from "./ui/serve.ts";
import type { Values } from "./settings.ts";

const DESCRIPTION = `Serves the files below a folder until Ctrl-C.

After the first Ctrl-C it accepts no new requests, gives replies being sent up
to 10 s to finish, and ends; the second Ctrl-C ends it at once.`;

export function serveCommand(environment: Environment) {
  const command = new Command()
    .description(DESCRIPTION)
    .example("share this folder", "p2p serve")
    .example("another one, on any free port", "p2p serve ~/videos --port 0")
    .example("only for clients that know the token", "p2p serve --token-file ~/token")
    .type("dir", new ValueArgumentType(text("dir")))
    .arguments("[dir:dir]");
  return withSettings(command, "serve")
    .option("--json", "Addresses and transfers as JSON, one object a line")
    .action((flags, dir) => serve(environment, { ...flags }, dir));
}

async function serve(
  environment: Environment,
  flags: Readonly<Record<string, unknown>>,
  dir: string | undefined,
): Promise<void> {
  const { core, stdout, stderr, wallTime } = environment;
  const { values, directories } = await loadSettings(environment, flags);
  const settings = await serveSettingsOf(values, dir ?? SERVE_DEFAULTS.dir);
  const least = values.quiet ? "error" : values["log-level"];
  const invitation = invitationTo(settings, values["token-file"]);
  await using writer = new BoundedWriter(stdout);
  const now = new AbortController();
  using interruption = interruptible(environment, {
    signals: 2,
    onSignal(times, signal) {
      if (times > 1) now.abort(new Interrupted("SIGINT"));
      else if (reaches("info", least)) writeLines(stderr, [`p2p: ${stoppingText(signal)}`]);
    },
  });
  /** Addresses go to stdout and everything else to stderr; with --json, later events to stdout as well. */
  const handle = (event: ServeEvent) => {
    if (event.kind === "listening") {
      writeLines(stdout, renderListening(event, flags.json === true));
    } else if (flags.json) {
      const line = renderServeJson(event, wallTime(), least);
      if (line !== undefined) writer.put(line);
    }
    writeLines(stderr, renderServeEvent(event, wallTime(), least, invitation));
  };
  await core.serve(settings, directories, handle, interruption.signal, now.signal);
  // Ctrl-C is the normal end of a seed; only the second one interrupts it.
  now.signal.throwIfAborted();
}

function invitationTo({ tls }: ServeSettings, tokenFile: string | undefined): Invitation {
  return {
    tls: tls !== undefined,
    // Public authorities sign through intermediates, whose certificates are in the file, too.
    ca: tls?.cert.match(/^-----BEGIN CERTIFICATE-----/gm)?.length === 1,
    // An absolute path, because the line may be pasted anywhere.
    tokenFile: tokenFile === undefined ? undefined : resolve(tokenFile),
  };
}

async function serveSettingsOf(values: Values, dir: string): Promise<ServeSettings> {
  return {
    dir,
    host: values.host,
    port: values.port,
    maxConnections: values["max-connections"],
    clientConnections: values["client-connections"],
    uploads: values.uploads,
    limit: values.limit,
    clientLimit: values["client-limit"],
    chunkBytes: values.chunk,
    hidden: values.hidden,
    token: await tokenIn(values["token-file"]),
    tls: await tlsOf(values),
    swarm: values.swarm,
    announce: values.announce,
    http: values.http,
    httpHosts: values["http-host"],
    links: 10,
    metrics: values.metrics,
  };
}

async function tlsOf(values: Values): Promise<ServeSettings["tls"]> {
  const [cert, key] = [values["tls-cert"], values["tls-key"]];
  if (cert === undefined && key === undefined) return undefined;
  if (cert === undefined || key === undefined) {
    throw new UsageError("Cannot serve TLS: --tls-cert and --tls-key go together");
  }
  return {
    cert: await pemIn("tls-cert", cert, "CERTIFICATE"),
    key: await pemIn("tls-key", key, "PRIVATE KEY"),
  };
}
