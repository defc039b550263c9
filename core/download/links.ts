/** What a link or a manifest file asks for. */
import { isIP } from "node:net";
import { isLink, type Link, parseLink } from "../base/link.ts";
import { DiskError, P2pError, plainReasonOf, ProtocolError, UsageError } from "../base/errors.ts";
import { deadline } from "../base/abort.ts";
import { TimeoutError } from "../base/errors.ts";
import { isWebAddress, type SourceAddress, withoutSecrets } from "../base/source_address.ts";
import type { DownloadSettings } from "../config.ts";
import { MAX_MANIFEST_BYTES } from "../protocol/manifest.ts";
import {
  MANIFEST_FILE_SUFFIX,
  type ManifestFile,
  parseManifestFile,
} from "../protocol/manifest_file.ts";
import type { NetworkRuntime } from "../runtime.ts";
import { SourcePool } from "../source/pool.ts";
import { isPrivateAddress } from "../source/private_address.ts";
import type { DownloadRequest } from "./download.ts";

/**
 * The request that a link means: one to a file, or to a manifest file (`.p2p`), on the web or here.
 *
 * @param text a link, or the path of a manifest file.
 * @throws {UsageError} @throws {P2pError} if the manifest file cannot be read.
 */
export async function requestFor(
  text: string,
  settings: DownloadSettings,
  runtime: NetworkRuntime,
  signal: AbortSignal,
): Promise<DownloadRequest> {
  if (!isLink(text)) return await requestOfFile(text);
  const link = parseLink(text);
  const [seed] = link.seeds;
  if (!link.name.endsWith(MANIFEST_FILE_SUFFIX) || !isWebAddress(seed!)) return link;
  const body = await readText(seed, settings, runtime, signal);
  const file = parsed(body, withoutSecrets(text));
  const own = new URL(seed.url);
  own.pathname = own.pathname.slice(0, -MANIFEST_FILE_SUFFIX.length);
  return withPins(requestOf(file, file.urls.length > 0 ? file.urls : [own.href], seed.url), link);
}

async function requestOfFile(path: string): Promise<DownloadRequest> {
  let text: string;
  try {
    const { size } = await Deno.stat(path);
    if (size > MAX_MANIFEST_BYTES) {
      throw new ProtocolError(`Cannot use "${path}": it is no manifest`);
    }
    text = await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof P2pError) throw error;
    throw new DiskError(`Cannot read "${path}": ${plainReasonOf(error)}`, {
      problem: "disk-access",
    });
  }
  const file = parsed(text, path);
  return requestOf(file, file.urls, undefined);
}

function parsed(text: string, from: string): ManifestFile {
  try {
    return parseManifestFile(text);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new ProtocolError(`Cannot use "${from}": ${error.message}`);
  }
}

/** @param from the manifest file's own address; undefined for one on this computer. */
function requestOf(
  { name, manifest }: ManifestFile,
  urls: readonly string[],
  from: string | undefined,
): DownloadRequest {
  const seeds = urls.flatMap((url) => seedsOf(url, from));
  const { id, sha256 } = manifest;
  return { name, manifest, id, sha256, ...seeds.length > 0 ? { seeds } : {} };
}

/** The sources of one entry; none if p2p cannot use it, for others may be usable. */
function seedsOf(text: string, from: string | undefined): readonly SourceAddress[] {
  try {
    const isWhole = isLink(text) || from === undefined;
    const { seeds } = parseLink(isWhole ? text : new URL(text, from).href);
    return seeds.filter((seed) => from === undefined || !leadsInside(seed, from));
  } catch (error) {
    if (error instanceof UsageError || error instanceof TypeError) return [];
    throw error;
  }
}

/** A manifest of a public server must not make this computer ask for addresses in its own network. */
function leadsInside(seed: SourceAddress, from: string): boolean {
  const host = isWebAddress(seed) ? new URL(seed.url).hostname : seed.host;
  return isPrivateHost(host) && !isPrivateHost(new URL(from).hostname);
}

function isPrivateHost(host: string): boolean {
  const plain = host.replace(/^\[|\]$/g, "");
  if (isIP(plain) !== 0) return isPrivateAddress(plain);
  return /(?:^|\.)(?:localhost|local|internal)$/i.test(plain) || !plain.includes(".");
}

function withPins(request: DownloadRequest, { id, sha256 }: Link): DownloadRequest {
  const { manifest } = request;
  const differs = id !== undefined && !manifest!.id.startsWith(id) ||
    sha256 !== undefined && manifest!.sha256 !== sha256;
  if (!differs) return request;
  throw new ProtocolError(`Cannot download "${request.name}": its manifest is of other bytes`);
}

async function readText(
  address: SourceAddress,
  settings: DownloadSettings,
  { clock, dial, web }: NetworkRuntime,
  signal: AbortSignal,
): Promise<string> {
  const { giveUpMs } = settings;
  await using pool = new SourcePool({ ...settings, clock, dial, web });
  const source = pool.source(address);
  const late = () => new TimeoutError(`${source.id} sent no manifest in ${giveUpMs / 1000} s`);
  using limit = deadline(signal, clock, giveUpMs, late);
  return await source.readText!(MAX_MANIFEST_BYTES, limit.signal);
}
