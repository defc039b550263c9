/** `p2p manifest`: writes the manifest files of local files. */
import { Command } from "@cliffy/command";
import { printable, type WrittenManifest } from "../core/mod.ts";
import { type Environment, writeLines } from "./environment.ts";
import { interruptible } from "./exit.ts";
import { loadSettings } from "./load_settings.ts";
import { ValueArgumentType } from "./options.ts";
import { jsonLine } from "./ui/json.ts";
import { text } from "./value_types.ts";
import { hashProgress } from "./verify.ts";

const DESCRIPTION = `Writes <file>.p2p beside each file: the digests of all its pieces.

Put both on any web server or into a bucket, and p2p get verifies every byte
that comes from there. With --url, the file also says where it is served, so
that p2p get ./<file>.p2p finds every source by itself.`;

export function manifestCommand(environment: Environment) {
  return new Command()
    .description(DESCRIPTION)
    .example("for a web server", "p2p manifest model.bin")
    .example(
      "and where the file is",
      "p2p manifest model.bin --url https://a.example/files/",
    )
    .type("file", new ValueArgumentType(text("file")))
    .type("url", new ValueArgumentType(text("url")))
    .arguments("<file...:file>")
    .option(
      "--url <url:url>",
      "Where the files are served; their names are appended to one that ends with a slash",
      { collect: true },
    )
    .option("--json", "One JSON object on standard output")
    .action((flags, ...files) => writeManifests(environment, flags, files));
}

interface Flags {
  readonly json?: boolean | undefined;
  readonly url?: readonly string[] | undefined;
}

async function writeManifests(
  environment: Environment,
  flags: Flags,
  files: readonly string[],
): Promise<void> {
  const { core, stdout } = environment;
  const { json, url = [] } = flags;
  const { values } = await loadSettings(environment, { ...flags });
  using interruption = interruptible(environment);
  using progress = hashProgress(environment, values.quiet);
  const written: WrittenManifest[] = [];
  for (const file of new Set(files)) {
    written.push(await core.writeManifest(file, url, progress.report, interruption.signal));
    if (!json) writeLines(stdout, [printable(written.at(-1)!.path)]);
  }
  progress[Symbol.dispose]();
  if (json) writeLines(stdout, [jsonLine({ files: written })]);
}
