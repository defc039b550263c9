/**
 * The settings of downloads and servers, and each default with its reason.
 */
import type { SourceAddress } from "./base/source_address.ts";

/** The target exists with other bytes: take another name, leave it, fail, or replace it. */
export type ConflictPolicy = "rename" | "skip" | "fail" | "overwrite";

/** `finish`: the bytes are on the disk before the final name appears; `never`: left to the system. */
export type SyncPolicy = "finish" | "never";

/** The settings of downloads. */
export interface DownloadSettings {
  /** The seeds to ask; in this order if nothing else decides. */
  readonly seeds: readonly SourceAddress[];
  /** Downloads at a time. */
  readonly max: number;
  /** Connections to one seed, over all tasks; "auto": as many as make it faster, at most 16. */
  readonly seedConnections: number | "auto";
  /** Bytes of memory for pieces in flight, over all tasks. */
  readonly memory: number;
  /** Refuse seeds that offer no manifest. */
  readonly requireVerified: boolean;
  /**
   * Fail where seeds hold different contents under a name, instead of taking that of most seeds. For
   * seeds that were not named by the user: one machine can announce many.
   */
  readonly requireAgreement: boolean;
  /** A seed that is silent for this long while pieces are in flight has stalled. */
  readonly stallMs: number;
  /** A task that receives fewer than `MIN_BYTES_PER_SECOND` useful bytes for this long fails. */
  readonly giveUpMs: number;
  /** What to do when the target exists with other bytes. */
  readonly onConflict: ConflictPolicy;
  /** When to sync the file to the disk. */
  readonly sync: SyncPolicy;
  /** Bytes a second over all tasks; undefined: no limit. */
  readonly limit: number | undefined;
  /** Bytes a second for each task; undefined: no limit. */
  readonly taskLimit: number | undefined;
  /** The shared secret of seeds that want one. */
  readonly token: string | undefined;
  /** Whether to offer verified pieces to other receivers of the same files, and to use theirs. */
  readonly share: boolean;
  /** Where other receivers connect to; 0: any free port. */
  readonly sharePort: number;
  /** Bytes a second to other receivers; undefined: no limit. */
  readonly shareLimit: number | undefined;
  /** How long a complete file is still offered after its download; undefined: not at all. */
  readonly shareForMs: number | undefined;
  /** Certificates, PEM, trusted besides the system's. */
  readonly caCerts: readonly string[];
  /** Fields for requests to web servers, by origin (`https://host`); they go to no other origin. */
  readonly httpHeaders: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/**
 * A slower download counts as stopped: a gigabyte would take three months. A modem's 1 KiB/s,
 * shared by the default three downloads, is 341 bytes a second for each, and counts as alive.
 */
export const MIN_BYTES_PER_SECOND = 128;

/** The default of every setting but the seeds. */
export const DOWNLOAD_DEFAULTS = {
  // Enough to overlap the start and the end of one file with the transfer of others.
  max: 3,
  // One connection fills a LAN. A long line with loss needs many, which only a trial shows.
  seedConnections: "auto",
  // Of the 160 MiB that the process may take. Enough for 1 Gbit/s over a round trip of 130 ms, which
  // needs three round trips of data.
  memory: 48 * 1024 * 1024,
  requireVerified: false,
  requireAgreement: false,
  // Longer than a series of TCP retransmissions, shorter than the patience of a user.
  stallMs: 5000,
  giveUpMs: 120_000,
  // The user decides what happens to a file that differs.
  onConflict: "fail",
  sync: "finish",
  limit: undefined,
  taskLimit: undefined,
  token: undefined,
  // Other receivers learn this one's address, and the line's other direction is used: the user decides.
  share: false,
  sharePort: 0,
  shareLimit: undefined,
  // A command ends when its work is done.
  shareForMs: undefined,
  caCerts: [],
  httpHeaders: {},
} as const satisfies Omit<DownloadSettings, "seeds">;

/** The settings of a server. */
export interface ServeSettings {
  /** The folder. */
  readonly dir: string;
  /** The address to listen on; `::` is all addresses of both families. */
  readonly host: string;
  /** 0 means any free port. */
  readonly port: number;
  /** Connections at a time. */
  readonly maxConnections: number;
  /** Connections of one client address. */
  readonly clientConnections: number;
  /** Bodies being sent at a time. */
  readonly uploads: number;
  /** Bytes a second over all clients; undefined: no limit. */
  readonly limit: number | undefined;
  /** Bytes a second for each client address; undefined: no limit. */
  readonly clientLimit: number | undefined;
  /** What a one-shot `DOWNLOAD` sends at most. */
  readonly chunkBytes: number;
  /** Whether to serve files and folders whose name begins with a dot. */
  readonly hidden: boolean;
  /** The secret that clients must know; undefined: none. */
  readonly token: string | undefined;
  /** Certificate and key, PEM; undefined: no TLS. */
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  /** Whether receivers of the same file find each other through this seed. */
  readonly swarm: boolean;
  /** Whether others find the seed on the local network. */
  readonly announce: boolean;
  /** Whether to answer HTTP requests on the same port. */
  readonly http: boolean;
  /** Names that HTTP requests may be for, besides the addresses and the names of this machine. */
  readonly httpHosts: readonly string[];
  /** Files whose links are reported at the start; this may hash them. */
  readonly links: number;
  /** Where to serve metrics over HTTP; undefined: not at all. */
  readonly metrics: MetricsAddress | undefined;
}

/** Where to serve metrics. */
export interface MetricsAddress {
  /** The address to listen on. */
  readonly host: string;
  /** 0 means any free port. */
  readonly port: number;
}

/** The default of every setting but the port. */
export const SERVE_DEFAULTS = {
  dir: ".",
  // Both families; IPv4 alone where the machine has no IPv6.
  host: "::",
  // Below the usual limit of 1,024 descriptors, with room for as many open files.
  maxConnections: 256,
  // As many as a `get` opens where that helps; several clients behind one address share them.
  clientConnections: 16,
  // A body is at most 1 MiB: 32 of them keep every disk and line busy.
  uploads: 32,
  limit: undefined,
  clientLimit: undefined,
  chunkBytes: 32 * 1024,
  hidden: false,
  token: undefined,
  tls: undefined,
  // Only receivers that ask to share are handed out, and only to clients that may have the file.
  swarm: true,
  // An address of this machine alone is never announced.
  announce: true,
  // Read-only, and with the same limits as the other protocols.
  http: true,
  httpHosts: [],
  // A library has the names in the first event.
  links: 0,
  metrics: undefined,
} as const satisfies Omit<ServeSettings, "port">;
