/** The next step for the user after a failure: every `hint:` line is worded here. */
import {
  type ErrorCode,
  isGlob,
  P2pError,
  type Problem,
  type TaskFailure,
  withoutSecrets,
} from "../../core/mod.ts";

/** An error of a command itself, which knows the next step best. */
export class CommandError extends P2pError {
  constructor(
    override readonly code: ErrorCode,
    message: string,
    readonly hint?: string,
    options: { cause?: unknown } = {},
  ) {
    super(message, options);
  }
}

/** Stands for the `--seed` flags of the command that failed. */
const SEEDS = "{seeds}";

const OF_CODE: Readonly<Record<ErrorCode | "interrupted", string>> = {
  usage: "See p2p --help",
  "not-found": `See the seeds' files with p2p list${SEEDS}`,
  unreachable: "Check the address and that p2p serve runs there, or name another seed with --seed",
  timeout: `See how the seeds are doing with p2p seeds${SEEDS}, or give more time with --give-up`,
  busy: "Try again later, or name more seeds with --seed",
  auth: "Give the seed's token with --token-file",
  protocol: "Name other seeds with --seed",
  corrupt: "See which seed it was with p2p logs",
  changed: "Run the same command again: the file changed on the seed",
  disk: "Check that the disk has space and that you may write there",
  conflict: "Choose what to do with --on-conflict; p2p help conflicts explains it",
  interrupted: "Run the same command again to resume",
};

const OF_PROBLEM: Readonly<Record<Problem, string>> = {
  "address-scheme": "Write host:port, tls://host:port, https://host/folder/ or s3://bucket/",
  "disk-access": "Check the folder and its permissions, or choose another one with --out",
  "disk-full": "Free some space or choose another folder with --out, then run it again",
  "file-held":
    "Wait until that program (a virus scanner, an indexer, a backup) is done, then run it again",
  "foreign-file": "Ask its owner to remove it, or choose another folder with --out",
  "id-ambiguous": "Give more digits of the id with --id",
  "link": "Write https://host/file, s3://bucket/key, or a link that p2p serve shows",
  "listen-address": "Choose another address with --host and --port; --port 0 takes any free port",
  "metrics-address": "Choose another address with --metrics; port 0 takes any free port",
  "no-folder": "Name the folder to serve, as in: p2p serve ./files",
  "no-home": "Set HOME to an absolute path, or P2P_CONFIG_DIR, P2P_STATE_DIR and P2P_CACHE_DIR",
  "no-name-server": "Check the network connection, or give the seed's IP address",
  "not-a-folder": "Name the folder that contains the file",
  "offset-behind-end": "Give a smaller --offset; it counts from the beginning of the first file",
  "open-files": "Raise the limit of open files with ulimit -n, or lower --max",
  "partial-kept": "The partial file is kept; run the same command again to resume",
  "seed-address": "Write host, host:port, [v6]:port, tls://host:port or https://host/folder/",
  "state-folder": "Choose another folder with P2P_STATE_DIR",
  "target-blocked": "Remove or rename it, or choose another folder with --out",
  "target-busy": "Wait for it, or choose another folder with --out",
  "target-exists": "Choose what to do with --on-conflict rename, skip or overwrite",
  "target-replaced": "Run the same command again to start over",
  "task-over": "Run p2p get again to download it again",
  "task-unknown": "See all tasks with p2p status --all",
  "tls-files": "Give a PEM certificate and its private key with --tls-cert and --tls-key",
  "token-rejected": "Compare the file of --token-file with the one that the seed was given",
  "unreadable-folder": "Allow yourself to read the folder, or serve another one",
  "wrong-sha256": "Check the digest, or name other seeds with --seed",
};

/** Why a connection failed is only in the message, because each seed may have another reason. */
const OF_REASON: readonly (readonly [RegExp, string])[] = [
  [/ refuses access/, "Give a user as https://user:password@host/, or a field with --header"],
  [/ cannot list its files/, "Name files, as in: p2p get https://host/file"],
  [/ asks for a token/, OF_CODE.auth],
  [/does not accept the token/, OF_PROBLEM["token-rejected"]],
  [/signed by unknown authority/, "Trust the certificate with --tls-ca"],
  [/is an authority's own/, "Give the seed a certificate with basicConstraints=CA:FALSE"],
  [/certificate is not valid yet/, "Compare the clocks of the two computers"],
  [/certificate is for /, "Write the seed by a name that its certificate is for"],
  [/does not speak TLS/, "Write the seed without tls://, or with http:// in place of https://"],
  [/ speaks TLS/, "Write the seed with tls:// in front"],
];

/** @param seeds as `--seed` names them on the command line that failed. */
export function hintOf(
  failure: Pick<TaskFailure, "code" | "message" | "problem">,
  seeds: readonly string[] = [],
): string | undefined {
  const { code, message, problem } = failure;
  if (failure instanceof CommandError && failure.hint !== undefined) return failure.hint;
  const hint = problem !== undefined
    ? OF_PROBLEM[problem]
    : hintOfReason(message) ?? (code === "bug" || code === "cancelled" ? undefined : OF_CODE[code]);
  return hint?.replaceAll(SEEDS, seedFlags(seeds));
}

export function hintOfReason(message: string): string | undefined {
  return OF_REASON.find(([reason]) => reason.test(message))?.[1];
}

/** ` --seed nas1 --seed nas2`, to be put behind a command. */
export function seedFlags(seeds: readonly string[] = []): string {
  return seeds.map((seed) => ` --seed ${shellWord(withoutSecrets(seed))}`).join("");
}

/** The seeds that `--seed` names in the words of a command line. */
export function seedsAmong(words: readonly string[]): string[] {
  return words.flatMap((word, i) => {
    if (word === "--seed" || word === "-s") return words[i + 1] ?? [];
    return word.startsWith("--seed=") ? word.slice("--seed=".length) : [];
  });
}

/** A name like this is hardly a folder's. */
const EXTENSION = /\.(?=\w*[a-z])\w{1,7}$/i;
const FOLDER = "; for a folder: p2p ";

/** `hint`, and the command for the files of a folder if `name` may be one: seeds have only files. */
export function orFolder(
  hint: string,
  command: "get" | "list",
  name: string,
  seeds: readonly string[] = [],
): string {
  if (EXTENSION.test(name) || isGlob(name)) return hint;
  return `${hint}${FOLDER}${command} ${shellWord(`${name}/`)}${seedFlags(seeds)}`;
}

/** `hint` without the command for a folder, which differs for each name. */
export function withoutFolder(hint: string): string {
  return hint.split(FOLDER)[0]!;
}

/** `text` as one word that can be pasted into a shell. */
export function shellWord(text: string): string {
  return /^[\w./+@%,:=-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** A hint with the nearest of `words`, or undefined if none is near. */
export function didYouMean(word: string, words: readonly string[]): string | undefined {
  const [best] = words.map((each) => ({ each, distance: levenshtein(word, each) }))
    .toSorted((a, b) => a.distance - b.distance);
  const near = Math.max(2, Math.floor(word.length / 3));
  return best && best.distance <= near ? `Did you mean "${best.each}"?` : undefined;
}

function levenshtein(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
