/**
 * The file `<name>.p2p`: a manifest beside a file on a web server, and where else the file is served.
 * One small file names the content and all its sources.
 */
import { ProtocolError } from "../base/errors.ts";
import { invalidNameReason } from "../base/names.ts";
import { encodeManifest, type Manifest, parseManifest } from "./manifest.ts";

/** What a manifest file's own name ends with. */
export const MANIFEST_FILE_SUFFIX = ".p2p";
/** More mirrors than this help nobody; each costs a connection. */
export const MAX_MANIFEST_URLS = 64;
const MAX_URL_LENGTH = 2048;

/** The content of a manifest file. */
export interface ManifestFile {
  /** The file's name, without folders. */
  readonly name: string;
  readonly manifest: Manifest;
  /** Where the file is served, as links; they may be relative to the manifest file's own address. */
  readonly urls: readonly string[];
}

export function encodeManifestFile({ name, manifest, urls }: ManifestFile): string {
  const text = encodeManifest(name, manifest);
  return urls.length === 0 ? `${text}\n` : `${text.slice(0, -1)},"urls":${JSON.stringify(urls)}}\n`;
}

/** @throws {ProtocolError} if anything in it is not valid. */
export function parseManifestFile(text: string): ManifestFile {
  const manifest = parseManifest(text);
  // `parseManifest` has accepted it as one small JSON object.
  const { name, urls = [] } = JSON.parse(text) as Readonly<Record<string, unknown>>;
  if (typeof name !== "string" || name.includes("/") || invalidNameReason(name) !== undefined) {
    throw new ProtocolError("Cannot use manifest: its name is not valid");
  }
  const isValid = Array.isArray(urls) && urls.length <= MAX_MANIFEST_URLS &&
    urls.every((url) => typeof url === "string" && url.length <= MAX_URL_LENGTH);
  if (!isValid) throw new ProtocolError("Cannot use manifest: its urls are not valid");
  return { name, manifest, urls };
}
