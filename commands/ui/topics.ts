/** The pages of `p2p help <topic>`. Tables kept elsewhere (exit codes, settings) are rendered from there. */
import { EXITS } from "./failure.ts";

export interface Topic {
  readonly name: string;
  readonly about: string;
  readonly text: string;
}

export interface SettingLine {
  readonly name: string;
  readonly variable: string;
  readonly value: string;
}

export function topicsOf(settings: readonly SettingLine[]): readonly Topic[] {
  const topics: [name: string, about: string, text: string][] = [
    ["seeds", "where files come from, and what happens when seeds differ", SEEDS],
    ["resume", "stopping, resuming, and what survives a crash", RESUME],
    ["streams", "files into other programs, and names from files", STREAMS],
    ["conflicts", "when a file of that name exists already", CONFLICTS],
    ["links", "files for browsers, curl and phones, and links to them", LINKS],
    ["serving", "fair shares, output and metrics of a seed", SERVING],
    ["exit-codes", "what they mean to a script", exitCodesPage()],
    ["config", "flags, variables, config.json, and p2p's folders", configPage(settings)],
    ["security", "what is checked, what is secret, and what is not", SECURITY],
    ["limits", "what p2p cannot do, and what to do about it", LIMITS],
  ];
  return topics.map(([name, about, text]) => ({ name, about, text }));
}

const SEEDS = `A seed is a computer that serves whole files: p2p serve ~/videos. A download
takes pieces from every seed that has the file, more from faster ones.

  p2p get film.mkv --seed nas1 --seed nas2:7271   these two, this time
  p2p seeds add nas1 nas2:7271                    these two, from now on
  p2p seeds                                       how each of them is doing
  p2p list                                        what they offer

Without any of these, 127.0.0.1:7270 is asked, and the seeds that announce
themselves on the local network: p2p seeds --lan shows them. Seeds that you did
not name must agree on what a file contains, or the download fails. A seed is
host, host:port, [v6]:port, or tls://host:port.

A web server, a CDN or a bucket is a seed, too, and its bytes are checked like
all others if any seed has the digests, or if p2p manifest has written them into
a file beside it. Without them, give --sha256, or the file is not verified.

  p2p get film.mkv --seed nas1 --seed https://example.org/films/
  p2p get https://example.org/films/film.mkv      a link; also s3://bucket/key
  p2p manifest film.mkv                           writes film.mkv.p2p

Buckets are read with the account of AWS_ACCESS_KEY_ID or AWS_PROFILE, at
AWS_ENDPOINT_URL. A password in a URL, and --header, go to that server only.

The same content has the same id on every seed, so seeds need not know each
other. If seeds have different versions under one name, the version of most
seeds wins, on a tie the one with the lowest id; the other seeds are reported,
and p2p list shows all versions. To choose another one:
p2p get film.mkv --id 4e1f.

A seed that fails is retried at growing intervals while others send. When no
seed is left that may still answer, the download fails without waiting for
--give-up, which is for seeds that answer but send nothing useful. The pieces of
a seed that is silent for --stall are requested from others. A seed that sends
bad data three times is dropped. p2p logs shows all of this, and p2p why what
limits a download.`;

const RESUME = `After Ctrl-C, a crash or a power cut, run the same command again to resume. What
has arrived is in <name>.p2p-part beside the target, with a <name>.p2p-journal;
both disappear when the file is complete. Until then p2p status shows the
download as stopped, or as paused if you paused it.

  p2p pause film.mkv         from any terminal, until p2p resume or p2p get
  p2p resume film.mkv        continues it, or ends the pause if nothing runs
  p2p cancel film.mkv        cancels it; --delete removes the partial file

Only verified bytes count. After a restart of the computer, pieces that were not
yet safely on the disk are hashed again, which takes about a second per
gigabyte. A file that exists already is verified, not downloaded.`;

const STREAMS = `p2p cat writes files to standard output, in order, as soon as their pieces were
verified. They come from all seeds, and nothing is written to a disk.

  p2p cat model.tar | tar x                 unpack it while it arrives
  p2p cat film.mkv | ffplay -               watch it
  p2p cat part1 part2 | sha256sum           one after the other, without a gap
  p2p get model.tar --out -                 the same as p2p cat

A slow reader makes the seeds wait and is no failure. What was received and not
yet written is held in memory, at most --memory. The piece that is needed next
is requested from a second seed when the first one is slow.

If the reader ends early, as head does, p2p ends with exit code 0. If a file
fails, the output ends before the first byte that is missing, and the exit code
is not 0. A shell hides the exit code of a pipe's first program unless you say:
set -o pipefail. p2p says how many bytes it wrote, and --offset goes on there:

  p2p cat film.mkv --offset 3145728 >> film.mkv

Bytes of old seeds, which have no digests, are written unverified, and p2p says
so at the end; --require-verified refuses them. With --sha256 the last part of a
file is written only if the whole has that digest. A stream has no record:
p2p status does not show it, and it cannot be paused.

  p2p get --input-file list.txt             names or links, one a line
  p2p list --sha256sums > SHA256SUMS        the digests of what seeds offer
  p2p get --sha256sums SHA256SUMS           those files, with these bytes

In both files, empty lines and lines that begin with # do not count.`;

const CONFLICTS = `If the target already has the same content, there is nothing to do: exit code 0.
If its content differs, --on-conflict decides:

  fail        keep the existing file; exit code 7 (the default)
  rename      save the new one as name~<first 8 digits of its id>.ext
  skip        keep the existing file; exit code 0
  overwrite   replace it once the new one is complete

p2p verify shows whether a file is the same as on the seeds, and which pieces
differ. Two downloads never work on one target: the second one ends with exit
code 7.`;

const LINKS = `A seed answers browsers and every other HTTP client on the port that it has for
p2p. Open http://nas1:7270/ to see its files; each has a link to copy.

  p2p link film.mkv                         links to it, one for each seed
  p2p link film.mkv --qr                    as a code for the camera of a phone
  p2p get http://nas1:7270/film.mkv         the file of a link, verified
  curl -O http://nas1:7270/film.mkv         without p2p; -C - resumes
  curl http://nas1:7270/films/?json         the files below a folder, as JSON
  curl http://nas1:7270/films/?tar | tar x  all of them

A link that ends in #id= names one content: p2p get downloads exactly that, or
fails. Browsers and curl do not check it. A link never holds a token. A seed
with a token answers HTTP only with TLS.

A seed answers requests for its addresses, localhost, its own name (also with
.local, .lan, .internal or .home.arpa), its --host, and the names in its
certificate. Otherwise a web page could read its files through a name that leads
to your computer. Allow further names, such as that of a proxy, with
p2p serve --http-host files.example.org; p2p serve --http off answers no HTTP.`;

const SERVING = `p2p serve ~/videos serves the files below a folder on port 7270 of all
addresses, IPv6 and IPv4. p2p help security says how to restrict it.

Bandwidth is shared fairly between clients, however many connections they open.
--limit 10MiB limits the total rate, --client-limit the rate of each client.
When --max-connections are open, a new client replaces an idle connection, or
one of the client with the most. A file is hashed when it is first requested,
about a second per gigabyte; the result is cached.

After the first Ctrl-C, serve accepts no new requests and gives replies being
sent up to 10 s to finish. The second Ctrl-C ends it at once.

It prints a line for each file sent to a client; with --log-level debug also
each refused request and why. It names what the folder contains but the seed
does not offer, by reason: a link out of the folder, unreadable, and so on. With
--json, stdout has one object a line. You can ignore this output: if nothing
reads it, lines beyond a thousand are dropped and counted.

  p2p serve ~/videos --metrics 127.0.0.1:9270

This offers counters, gauges and latencies to Prometheus at
http://127.0.0.1:9270/metrics. It asks for no token, so choose an address that
strangers cannot reach.`;

const SECURITY = `Every piece is checked against the manifest of the seed that offered the file.
So a seed cannot mix wrong bytes into what others send, and transmission errors
are detected. Which seeds to trust, and whether the manifest is the one that you
want, is up to you: --sha256 accepts only the bytes with that digest.

Without TLS, anyone on the network path can read the files, and without a token
anyone may ask for them. A seed listens on all addresses unless told otherwise:

  p2p serve --host 127.0.0.1
  p2p serve --token-file secret.txt                clients: --token-file as well
  p2p serve --tls-cert cert.pem --tls-key key.pem  clients: --seed tls://host
                                                   and --tls-ca if needed

The token is never sent, but a hostile seed that you use with --token-file can
use your proof of it to open a session at another seed with the same token: use
a token only with seeds that you trust.

This makes a certificate for a home network. Give clients cert.pem as --tls-ca.
It must contain every name and address by which clients call the seed, and p2p
rejects certificates without the first extension.

  openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -keyout key.pem \\
    -out cert.pem -subj /CN=nas1 -addext basicConstraints=critical,CA:FALSE \\
    -addext subjectAltName=DNS:nas1,IP:192.168.1.10,IP:127.0.0.1

A seed serves only what is below its folder, follows no link out of it, and
skips names that begin with a dot unless --hidden is given. Secrets are read
from files, because every process can read the command line. Old seeds (protocol
v1) cannot prove what they send: such a download is marked unverified, and
--require-verified refuses it.`;

const LIMITS = `Downloads
- The sha256 in results comes from the seeds unless you give --sha256. The
  pieces of the manifest are verified in any case.
- The next run trusts a partial file only if no other user can have written it:
  owner, permissions, links, length and modification time must be as p2p left
  them. After a restart of the computer, or where the system has no boot id, it
  trusts only what was synced, which happens every 128 MiB, and never with
  --sync never. Everything else is hashed again, about a second per gigabyte. A
  program that changes a partial file and restores its time is noticed only with
  --sha256.
- A partial file of another version is renamed to <name>~<id>.p2p-part and used
  when you want that version again. status --all lists such files; they are
  removed after 30 days, or with cancel --delete of the download.
- A successful download of less than a second has no log file. p2p logs shows
  the record of its run instead.
- A low limit of open files (ulimit -n) lowers how many downloads and
  connections there are at once.
- p2p why sees only its own computer: it cannot tell a slow network from a slow
  seed, and says so.
- nohup does not keep p2p running when the terminal is closed, because the
  runtime handles SIGHUP itself. Use setsid, tmux or a service manager.

Seeds
- serve --limit and --client-limit count file contents, listings and manifests,
  not the other lines of the protocol: replies to a flood of refused requests
  are not limited.
- serve does not see files whose name is not UTF-8, because the runtime does not
  list them.
- With TLS, the runtime keeps the descriptor of a client that never finishes its
  handshake until that client disconnects. Such clients take no connection slot,
  but when they use up the descriptors of the process (ulimit -n, often 1,024),
  the seed cannot accept clients. On a hostile network, raise that limit, or put
  a TLS proxy in front of the seed.`;

function exitCodesPage(): string {
  const rows = EXITS.map(([code, meaning]) => `  ${String(code).padEnd(9)}${meaning}`);
  return `If all failures are of one kind, the exit code is that of the kind:

${rows.join("\n")}

With --json, the last line of p2p get has the result of each download.`;
}

function configPage(settings: readonly SettingLine[]): string {
  const width = Math.max(...settings.map(({ name }) => name.length)) + 2;
  const wide = Math.max(...settings.map(({ variable }) => variable.length)) + 2;
  const rows = settings.map(({ name, variable, value }) =>
    `  ${name.padEnd(width)}${variable.padEnd(wide)}${value}`
  );
  return `A setting comes from its flag, else from its variable, else from config.json,
else from its default. p2p config shows each with its value and its origin.
If a flag is given twice, the last one wins. Switches take on, off, yes, no,
true and false; --no-quiet (or --quiet=off) undoes P2P_QUIET for one call, and
--no- works the same for every other switch.

  {"max": 5, "seeds": ["nas1", "nas2:7271"], "limit": "10MiB"}

config.json is in $XDG_CONFIG_HOME/p2p (~/.config/p2p), records and logs are in
$XDG_STATE_HOME/p2p (~/.local/state/p2p), digests of served files in
$XDG_CACHE_HOME/p2p (~/.cache/p2p), or in your platform's usual folders. Logs
are removed after 30 days, or above 200 MiB. P2P_CONFIG_DIR, P2P_STATE_DIR and
P2P_CACHE_DIR override these folders. With NO_COLOR or TERM=dumb p2p does not
move the cursor; --progress bar draws bars in spite of NO_COLOR.

${rows.join("\n")}`;
}
