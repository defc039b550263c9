/** The pages of `p2p help <topic>`. What is in a table elsewhere (exit codes, settings) is made from it. */
import { EXITS } from "./failure.ts";

export interface Topic {
  readonly name: string;
  readonly about: string;
  readonly text: string;
}

/** A setting, as far as a page tells of it. */
export interface SettingLine {
  readonly name: string;
  readonly variable: string;
  readonly value: string;
}

export function topicsOf(settings: readonly SettingLine[]): readonly Topic[] {
  return [
    {
      name: "seeds",
      about: "where files come from, and what happens when seeds differ",
      text: SEEDS,
    },
    { name: "resume", about: "stopping, going on, and what survives a crash", text: RESUME },
    { name: "conflicts", about: "when a file of that name is there already", text: CONFLICTS },
    { name: "exit-codes", about: "what a script can tell from them", text: exitCodesPage() },
    {
      name: "config",
      about: "flags, variables, config.json, and where p2p keeps its files",
      text: configPage(settings),
    },
    { name: "security", about: "what is checked, what is secret, and what is not", text: SECURITY },
  ];
}

const SEEDS = `A seed is a machine that serves whole files: p2p serve ~/videos. A download
takes pieces from every seed that has the file, as many from each as it is fast.

  p2p get film.mkv --seed nas1 --seed nas2:7271   these two, this time
  p2p seeds add nas1 nas2:7271                    these two, from now on
  p2p seeds                                       how each of them is doing
  p2p list                                        what they offer

Without any of that, 127.0.0.1:7270 is asked. A seed is host, host:port,
[v6]:port, or tls://host:port.

Seeds with the same bytes have the same id, so they need not know each other.
Where seeds hold different bytes under one name, the bytes of most seeds win, on
a tie those with the lowest id; the others are named, and p2p list shows who
holds what. --id takes other ones: p2p get film.mkv --id 4e1f.

A seed that fails is tried again, at growing intervals, while others go on. When
no seed is left that may still answer, the download fails without waiting for
--give-up, which is for seeds that answer but send nothing useful. A seed that
is silent for --stall loses its pieces to the others. One that sends wrong bytes
three times is not asked again. p2p logs tells all of it, and p2p why what a
download waits for.`;

const RESUME = `Ctrl-C stops a download, and so does a crash or a power cut: the same command
goes on where it was. What has arrived is in <name>.p2p-part beside the target,
with a <name>.p2p-journal; both are gone when the file is there. Until then
p2p status shows it as stopped, or as paused if you paused it.

  p2p pause film.mkv         from any terminal, until p2p resume or p2p get
  p2p resume film.mkv        goes on, or no longer counts as paused by you
  p2p cancel film.mkv        ends it for good; --delete removes what has arrived

Only bytes that were checked count. After the machine was restarted, pieces that
were not yet safe on the disk are hashed again, which takes about a second a
gigabyte. A file that is there already is checked, not fetched.`;

const CONFLICTS = `If the target already has the same content, there is nothing to do: exit code 0.
If its content differs, --on-conflict decides:

  fail        keep the existing file; exit code 7 (the default)
  rename      save the new one as name~<first 8 digits of its id>.ext
  skip        keep the existing file; exit code 0
  overwrite   replace it once the new one is complete

p2p verify says whether a file is what the seeds have, and which pieces differ.
Two downloads never work on one target: the second one ends with exit code 7.`;

const SECURITY = `Every piece is checked against the manifest of the seed that offered the file.
So a seed cannot mix wrong bytes into what others send, and a bad line is
noticed. Who the seeds are, and whether the manifest is the one that you want,
is for you to say: --sha256 takes no other bytes than yours.

Without TLS everybody on the way can read along, and without a token everybody
may ask. A seed listens on every address of the machine unless told otherwise:

  p2p serve --host 127.0.0.1
  p2p serve --token-file secret.txt                clients: --token-file as well
  p2p serve --tls-cert cert.pem --tls-key key.pem  clients: --seed tls://host
                                                   and --tls-ca, if it is needed

A seed serves only what is below its folder, follows no link out of it, and
leaves out what begins with a dot unless --hidden is said. Secrets are in files,
never on the command line, where every process of the machine could read them.
Old seeds, which speak the first protocol, cannot prove what they send: such a
download is marked unverified, and --require-verified refuses it.`;

function exitCodesPage(): string {
  const rows = EXITS.map(([code, meaning]) => `  ${String(code).padEnd(9)}${meaning}`);
  return [
    "One kind of failure has its code, whatever else went well or was cancelled:",
    "",
    ...rows,
    "",
    "With --json, the last line of p2p get tells what became of each download.",
  ].join("\n");
}

function configPage(settings: readonly SettingLine[]): string {
  const width = Math.max(...settings.map(({ name }) => name.length)) + 2;
  const wide = Math.max(...settings.map(({ variable }) => variable.length)) + 2;
  return `A setting comes from its flag, else from its variable, else from config.json,
else from its default. p2p config shows each with its value and its origin.
Of a flag that is given twice the last one wins. Switches take on, off, yes, no,
true and false; --no-quiet (or --quiet=off) undoes P2P_QUIET for one call, and
so does --no- before any other switch.

  {"max": 5, "seeds": ["nas1", "nas2:7271"], "limit": "10MiB"}

config.json is in $XDG_CONFIG_HOME/p2p (~/.config/p2p), records and logs are in
$XDG_STATE_HOME/p2p (~/.local/state/p2p), digests of served files in
$XDG_CACHE_HOME/p2p (~/.cache/p2p), or where the platform keeps such things.
P2P_CONFIG_DIR, P2P_STATE_DIR and P2P_CACHE_DIR win over all. NO_COLOR and
TERM=dumb keep p2p from moving the cursor; --progress bar draws bars in spite of
NO_COLOR.

${
    settings.map(({ name, variable, value }) =>
      `  ${name.padEnd(width)}${variable.padEnd(wide)}${value}`
    ).join("\n")
  }`;
}
