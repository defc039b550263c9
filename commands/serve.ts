/** `p2p serve`: shares a folder until Ctrl-C. */
import { Command } from "@cliffy/command";
import { resolve } from "@std/path";
import {
  type Level,
  SERVE_DEFAULTS,
  type ServeEvent,
  type ServeSettings,
  UsageError,
} from "../core/mod.ts";
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

The first Ctrl-C finishes what is being sent, the second ends at once.`;

export function serveCommand(environment: Environment) {
  const command = new Command()
    .description(DESCRIPTION)
    .example("share this folder", "p2p serve")
    .example("another one, on any free port", "p2p serve ~/videos --port 0")
    .example("only for those who know the token", "p2p serve --token-file ~/token")
    .type("dir", new ValueArgumentType(text("dir")))
    .arguments("[dir:dir]");
  return withSettings(command, "serve")
    .option("--json", "What is listened on, and what is sent, as JSON: one object a line")
    .action((flags, dir) => serve(environment, { ...flags }, dir));
}

async function serve(
  environment: Environment,
  flags: Readonly<Record<string, unknown>>,
  dir: string | undefined,
): Promise<void> {
  const { values, directories } = await loadSettings(environment, flags);
  const settings = await serveSettingsOf(values, dir ?? SERVE_DEFAULTS.dir);
  await using outlet = new BoundedWriter(environment.stdout);
  const teller = new Teller(environment, outlet, {
    json: flags.json === true,
    least: values.quiet ? "error" : values["log-level"],
    invitation: invitationTo(settings, values["token-file"]),
  });
  const now = new AbortController();
  using interruption = interruptible(environment, {
    signals: 2,
    told(times, signal) {
      if (times === 1) teller.note(stoppingText(signal));
      else now.abort(new Interrupted("SIGINT"));
    },
  });
  await environment.core.serve(
    settings,
    directories,
    (event) => teller.handle(event),
    interruption.signal,
    now.signal,
  );
  // Ctrl-C is how a seed ends; only one that was cut short was interrupted.
  now.signal.throwIfAborted();
}

function invitationTo({ tls }: ServeSettings, tokenFile: string | undefined): Invitation {
  return {
    tls: tls !== undefined,
    // Authorities that everybody trusts sign through others, whose certificates stand in the file, too.
    ca: tls?.cert.match(/^-----BEGIN CERTIFICATE-----/gm)?.length === 1,
    // A whole path: the line is pasted wherever somebody stands.
    tokenFile: tokenFile === undefined ? undefined : resolve(tokenFile),
  };
}

interface Telling {
  readonly json: boolean;
  readonly least: Level;
  readonly invitation: Invitation;
}

/** Tells where we listen on stdout, and all else on stderr; as JSON, what happens afterwards on stdout as well. */
class Teller {
  readonly #environment: Environment;
  readonly #outlet: BoundedWriter;
  readonly #telling: Telling;

  constructor(environment: Environment, outlet: BoundedWriter, telling: Telling) {
    this.#environment = environment;
    this.#outlet = outlet;
    this.#telling = telling;
  }

  handle(event: ServeEvent): void {
    const { stdout, stderr, wallTime } = this.#environment;
    const { json, least, invitation } = this.#telling;
    if (event.kind === "listening") {
      writeLines(stdout, renderListening(event, json));
    } else if (json) {
      const line = renderServeJson(event, wallTime(), least);
      if (line !== undefined) this.#outlet.put(line);
    }
    writeLines(stderr, renderServeEvent(event, wallTime(), least, invitation));
  }

  note(text: string): void {
    if (!reaches("info", this.#telling.least)) return;
    writeLines(this.#environment.stderr, [`p2p: ${text}`]);
  }
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
