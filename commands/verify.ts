/** `p2p verify`: compares files here with what the seeds have. */
import { Command } from "@cliffy/command";
import { basename, relative, resolve } from "@std/path";
import { invalidNameReason, type Verification, type VerifyRequest } from "../core/mod.ts";
import { ValueArgumentType, withSettings } from "./options.ts";
import { type Environment, mayMoveCursor, writeLines } from "./environment.ts";
import { ExitError, Interrupted, interruptible } from "./exit.ts";
import { text } from "./value_types.ts";
import { downloadSettingsOf, loadSettings } from "./load_settings.ts";
import { exitOfFailures } from "./ui/failure.ts";
import { jsonLine } from "./ui/json.ts";
import {
  renderHashed,
  renderVerification,
  renderVerifyFault,
  verificationFields,
} from "./ui/verify.ts";
import { Screen } from "./screen.ts";

const DESCRIPTION = `Compares files with what the seeds have, and names the pieces that differ.

A file has the name that it has below this folder; where no seed knows that, its
last part. Nothing is downloaded or changed. Exits with 0 when all are the same,
5 when one differs, 3 when no seed has it, 4 when no seed can be reached.`;

export function verifyCommand(environment: Environment) {
  const command = new Command()
    .description(DESCRIPTION)
    .example("is it really what nas1 has", "p2p verify ubuntu.iso --seed nas1")
    .example("a whole folder", "p2p verify photos/*.jpg")
    .example("what differs, for a program", "p2p verify a.bin --json | jq .files[].wrong")
    .type("file", new ValueArgumentType(text("file")))
    .arguments("<file...:file>");
  return withSettings(command, "verify")
    .option("--json", "One JSON object on standard output")
    .action((options, ...files) => verify(environment, options, files));
}

async function verify(
  environment: Environment,
  options: { readonly json?: boolean | undefined },
  files: readonly string[],
): Promise<void> {
  const { values } = await loadSettings(environment, { ...options });
  const settings = await downloadSettingsOf(values);
  const requests = files.map(requestFor);
  using interruption = interruptible(environment);
  using progress = new HashProgress(environment, values.quiet);
  const told = progress.tell.bind(progress);
  let results: Verification[];
  try {
    results = await environment.core.verify(requests, settings, told, interruption.signal);
  } catch (error) {
    const stoppedBy = interruption.stoppedBy();
    throw stoppedBy ? new Interrupted(stoppedBy) : error;
  }
  progress.end();
  const { stdout, stderr } = environment;
  if (options.json) writeLines(stdout, [jsonLine({ files: results.map(verificationFields) })]);
  else for (const result of results) writeLines(stdout, renderVerification(result));
  for (const result of results) writeLines(stderr, renderVerifyFault(result));
  const exit = exitOf(results);
  if (exit !== 0) throw new ExitError(exit);
}

function exitOf(results: readonly Verification[]): number {
  return exitOfFailures(results.flatMap(({ verdict }) => {
    if (verdict.kind === "same") return [];
    return verdict.kind === "differs" ? "corrupt" : verdict.code;
  }));
}

/** The names that the seeds may have for a file, the likeliest first. */
function requestFor(path: string): VerifyRequest {
  const below = relative(resolve("."), resolve(path)).replaceAll("\\", "/");
  const names = [below, basename(resolve(path))].flatMap((name) => [name, withoutMark(name)]);
  return { path, names: Array.from(new Set(names)).filter((name) => !invalidNameReason(name)) };
}

/** `get` calls a file `a~12345678.iso` where other bytes have the name `a.iso`. */
function withoutMark(name: string): string {
  return name.replace(/~[0-9a-f]{8}(?=(?:\.[^./]*)?$)/, "");
}

/** Small files are through before anybody could read a line about them. */
const PAINT_EVERY_MS = 200;
/** As often as `get` tells how far all is, where it cannot move the cursor. */
const LINE_EVERY_MS = 30_000;

/** One line for the file that is being hashed, on standard error. */
class HashProgress implements Disposable {
  readonly #environment: Environment;
  readonly #screen: Screen | undefined;
  readonly #quiet: boolean;
  #toldAt: number;

  constructor(environment: Environment, quiet: boolean) {
    this.#environment = environment;
    this.#quiet = quiet;
    const { stderr } = environment;
    this.#screen = mayMoveCursor(environment, stderr) ? new Screen(stderr) : undefined;
    this.#toldAt = environment.now();
  }

  tell(path: string, hashed: number, size: number): void {
    const now = this.#environment.now();
    const everyMs = this.#screen ? PAINT_EVERY_MS : LINE_EVERY_MS;
    if (this.#quiet || now - this.#toldAt < everyMs) return;
    this.#toldAt = now;
    const line = renderHashed(path, hashed, size);
    if (this.#screen) this.#screen.paint([], [line]);
    else writeLines(this.#environment.stderr, [line]);
  }

  end(): void {
    this.#screen?.clear();
  }

  [Symbol.dispose](): void {
    this.end();
  }
}
