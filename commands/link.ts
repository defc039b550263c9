/** `p2p link`: links to a file, for browsers, phones and other p2p clients. */
import { Command } from "@cliffy/command";
import { formatLink, isGlob, type Offer, parseSourceAddress } from "../core/mod.ts";
import { ValueArgumentType, withSettings } from "./options.ts";
import { type Environment, writeLines } from "./environment.ts";
import { interruptible } from "./exit.ts";
import { NAME } from "./value_types.ts";
import { downloadSettingsOf, type LoadedSettings, loadSettings } from "./load_settings.ts";
import { withNearbySeeds } from "./nearby.ts";
import { CommandError, hintOfReason, seedFlags } from "./ui/hints.ts";
import { jsonLine } from "./ui/json.ts";
import { renderSilentSeeds } from "./ui/list.ts";

const DESCRIPTION = `Shows a link to a file, one for each seed that has it.

A browser loads the file from that address; p2p get takes the same link, and
downloads exactly that content, whatever the name means later. A link never
holds a token.`;

export function linkCommand(environment: Environment) {
  const command = new Command()
    .description(DESCRIPTION)
    .example("to a file that this computer serves", "p2p link ubuntu.iso")
    .example("as a code for the camera of a phone", "p2p link video.mp4 --seed nas1 --qr")
    .type("name", new ValueArgumentType(NAME))
    .arguments("<name:name>");
  return withSettings(command, "list")
    .option("--qr", "Also draw each link as a QR code")
    .option("--json", "One JSON object on standard output")
    .action((flags, name) => showLinks(environment, flags, name));
}

interface Flags {
  readonly json?: boolean | undefined;
  readonly qr?: boolean | undefined;
  readonly seed?: readonly string[] | undefined;
}

interface SeedLink {
  readonly name: string;
  readonly seed: string;
  readonly id: string | null;
  readonly link: string;
}

async function showLinks(environment: Environment, flags: Flags, name: string): Promise<void> {
  const { core, stdout, stderr } = environment;
  const loaded = await loadSettings(environment, { ...flags });
  using interruption = interruptible(environment);
  const { signal } = interruption;
  const own = await downloadSettingsOf(loaded.values);
  const { settings, notes } = await withNearbySeeds(environment, loaded, own, signal);
  if (!loaded.values.quiet) writeLines(stderr, notes);
  const offer = await core.list(
    { glob: name, ids: true },
    settings,
    signal,
    loaded.directories,
  );
  const links = linksIn(offer, name, (seed) => hostOf(environment, loaded, seed));
  if (links.length === 0) throw notFound(offer, name, flags.seed);
  if (flags.json) return writeLines(stdout, [jsonLine({ links })]);
  for (const { link } of links) {
    writeLines(stdout, [link]);
    if (flags.qr) writeLines(stdout, await qrCode(link));
  }
  const unknown = links.filter(({ id }) => id === null);
  if (unknown.length > 0 && !loaded.values.quiet) {
    writeLines(stderr, [
      "note: a link without an id is to whatever the name means when it is used",
    ]);
  }
}

function linksIn(
  { files }: Offer,
  name: string,
  hostOf: (seed: string) => string | undefined,
): SeedLink[] {
  return files.filter((file) => isGlob(name) || file.name === name).flatMap((file) =>
    file.seeds.map((seed) => {
      const id = file.idOf[seed] ?? null;
      const address = parseSourceAddress(seed);
      const host = hostOf(seed);
      const reachable = host === undefined || "url" in address ? address : { ...address, host };
      return { name: file.name, seed, id, link: formatLink(reachable, file.name, id) };
    })
  );
}

/** The default seed is this computer, which others know by its name. */
function hostOf(
  { core }: Environment,
  { origins, values }: LoadedSettings,
  seed: string,
): string | undefined {
  const isDefault = origins.seeds === "default" &&
    values.seeds.some((own) => "host" in own && seed === `${own.host}:${own.port}`);
  return isDefault ? core.hostName() : undefined;
}

function notFound(
  { seeds }: Offer,
  name: string,
  from: readonly string[] | undefined,
): CommandError {
  if (seeds.length > 0 && seeds.every(({ ok }) => !ok)) {
    const reasons = renderSilentSeeds(seeds).join("; ");
    const hint = hintOfReason(reasons) ?? "Name seeds with --seed, or start one with p2p serve";
    return new CommandError("unreachable", `Cannot make a link: ${reasons}`, hint);
  }
  const hint = `See all files with p2p list${seedFlags(from)}`;
  return new CommandError("not-found", `Cannot make a link: no seed has "${name}"`, hint);
}

/** @throws {CommandError} if the link is too long for a code. */
async function qrCode(link: string): Promise<string[]> {
  const { renderUnicodeCompact } = await import("uqr");
  try {
    return renderUnicodeCompact(link, { border: 2 }).split("\n");
  } catch {
    throw new CommandError(
      "usage",
      "Cannot draw a QR code: the link is too long for one",
      "Leave out --qr",
    );
  }
}
