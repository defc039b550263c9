/** `p2p verify`: compares files here with what the seeds have. */
import { Command } from "@cliffy/command";
import { basename, relative, resolve } from "node:path";
import { invalidNameReason, type Verification, type VerifyRequest } from "../core/mod.ts";
import { ValueArgumentType, withSettings } from "./options.ts";
import { type Environment, mayMoveCursor, writeLines } from "./environment.ts";
import { ExitError, interruptible } from "./exit.ts";
import { text } from "./value_types.ts";
import { downloadSettingsOf, loadSettings } from "./load_settings.ts";
import { withNearbySeeds } from "./nearby.ts";
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

Seeds are asked for a file by its path relative to this folder, then by its last
part. Nothing is downloaded or changed. Exits with 0 when all are the same, 5
when one differs, 3 when no seed has it, 4 when no seed can be reached.`;

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

interface Flags {
  readonly json?: boolean | undefined;
  readonly seed?: readonly string[] | undefined;
}

async function verify(
  environment: Environment,
  options: Flags,
  files: readonly string[],
): Promise<void> {
  const { core, stdout, stderr } = environment;
  const loaded = await loadSettings(environment, { ...options });
  const { values } = loaded;
  const requests = files.map(requestFor);
  using interruption = interruptible(environment);
  const { settings, notes } = await withNearbySeeds(
    environment,
    loaded,
    await downloadSettingsOf(values),
    interruption.signal,
  );
  if (!values.quiet) writeLines(stderr, notes);
  using progress = hashProgress(environment, values.quiet);
  let results: Verification[];
  try {
    results = await core.verify(requests, settings, progress.report, interruption.signal);
  } catch (error) {
    interruption.throwIfInterrupted();
    throw error;
  }
  progress[Symbol.dispose]();
  if (options.json) writeLines(stdout, [jsonLine({ files: results.map(verificationFields) })]);
  else for (const result of results) writeLines(stdout, renderVerification(result));
  for (const result of results) writeLines(stderr, renderVerifyFault(result, options.seed));
  const exit = exitOf(results);
  if (exit !== 0) throw new ExitError(exit);
}

function exitOf(results: readonly Verification[]): number {
  return exitOfFailures(results.flatMap(({ verdict }) => {
    if (verdict.kind === "same") return [];
    return verdict.kind === "differs" ? "corrupt" : verdict.code;
  }));
}

/** The names that a file may have on the seeds, the likeliest first. */
function requestFor(path: string): VerifyRequest {
  const below = relative(resolve("."), resolve(path)).replaceAll("\\", "/");
  const names = [below, basename(resolve(path))].flatMap((name) => [name, withoutMark(name)]);
  return { path, names: Array.from(new Set(names)).filter((name) => !invalidNameReason(name)) };
}

/** `get --on-conflict rename` calls a file `a~12345678.iso` if another file is called `a.iso`. */
function withoutMark(name: string): string {
  return name.replace(/~[0-9a-f]{8}(?=(?:\.[^./]*)?$)/, "");
}

/** Small files are hashed before a line about them could be read. */
const PAINT_INTERVAL_MS = 200;
/** Without cursor movement, as often as the total of `get`. */
const LINE_INTERVAL_MS = 30_000;

/** Shows the file that is being hashed, on standard error; disposing it clears the line, and may be repeated. */
/** Shows how far the hashing of a file is, if it takes long. */
export function hashProgress(environment: Environment, quiet: boolean) {
  const { stderr, now } = environment;
  const screen = mayMoveCursor(environment, stderr) ? new Screen(stderr) : undefined;
  const intervalMs = screen ? PAINT_INTERVAL_MS : LINE_INTERVAL_MS;
  let reportedAt = now();
  return {
    report(path: string, hashed: number, size: number): void {
      if (quiet || now() - reportedAt < intervalMs) return;
      reportedAt = now();
      const line = renderHashed(path, hashed, size);
      if (screen) screen.paint([], [line]);
      else writeLines(stderr, [line]);
    },
    [Symbol.dispose]: () => screen?.clear(),
  };
}
