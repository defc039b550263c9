/** Object stores that speak S3: where a bucket is, requests with a signature (SigV4), listings. */
import { AwsV4Signer } from "aws4fetch";
import type { Clock } from "../base/clock.ts";
import { ProtocolError, UsageError } from "../base/errors.ts";
import { isValidName } from "../base/names.ts";
import { formatSourceAddress, type WebAddress } from "../base/source_address.ts";
import type { ListedFile } from "../protocol/listing.ts";
import { MAX_WEB_FILES, parseBucketPage, sorted } from "./web_listing.ts";
import type { ObjectStore } from "./web_source.ts";
import type { SignRequest } from "./web_request.ts";

/** The account, as other tools for S3 find it. */
export interface S3Account {
  readonly region: string;
  /** Another store than Amazon's. */
  readonly endpoint: string | undefined;
  /** undefined: requests without a signature, for public buckets. */
  readonly keys: {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken: string | undefined;
  } | undefined;
}

export interface S3Platform {
  env(name: string): string | undefined;
  /** undefined if it cannot be read. */
  readTextFile(path: string): Promise<string | undefined>;
}

/** The default of Amazon's own tools. */
const DEFAULT_REGION = "us-east-1";
const DEFAULT_PROFILE = "default";
/** 1,000 keys a page, about 1 KiB each, and room for long ones. */
const MAX_PAGE_BYTES = 8 * 1024 * 1024;

/** From the usual environment variables, else from the profile files. */
export async function s3Account({ env, readTextFile }: S3Platform): Promise<S3Account> {
  const set = (name: string) => env(name) || undefined;
  const home = set("HOME") ?? set("USERPROFILE") ?? "";
  const profile = set("AWS_PROFILE") ?? DEFAULT_PROFILE;
  const read = async (path: string | undefined, section: string) =>
    iniSection(path === undefined ? "" : await readTextFile(path) ?? "", section);
  const credentials = await read(
    set("AWS_SHARED_CREDENTIALS_FILE") ?? (home && `${home}/.aws/credentials` || undefined),
    profile,
  );
  const config = await read(
    set("AWS_CONFIG_FILE") ?? (home && `${home}/.aws/config` || undefined),
    profile === DEFAULT_PROFILE ? profile : `profile ${profile}`,
  );
  const stored = (name: string) => credentials.get(name) ?? config.get(name);
  const hasKeys = set("AWS_ACCESS_KEY_ID") !== undefined;
  // Keys and their session belong together, so they come from one place.
  const key = (variable: string) => hasKeys ? set(variable) : stored(variable.toLowerCase());
  const accessKeyId = key("AWS_ACCESS_KEY_ID");
  const secretAccessKey = key("AWS_SECRET_ACCESS_KEY");
  return {
    region: set("AWS_REGION") ?? set("AWS_DEFAULT_REGION") ?? stored("region") ?? DEFAULT_REGION,
    endpoint: set("AWS_ENDPOINT_URL_S3") ?? set("AWS_ENDPOINT_URL") ?? stored("endpoint_url"),
    keys: accessKeyId === undefined || secretAccessKey === undefined
      ? undefined
      : { accessKeyId, secretAccessKey, sessionToken: key("AWS_SESSION_TOKEN") },
  };
}

/** The keys of one section of an INI file. */
function iniSection(text: string, section: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  let inside = false;
  for (const line of text.split(/\r?\n/)) {
    const trimmed = line.trim();
    if (trimmed.startsWith("[")) inside = trimmed.slice(1, -1).trim() === section;
    const at = trimmed.indexOf("=");
    if (!inside || at < 0 || trimmed.startsWith("#") || trimmed.startsWith(";")) continue;
    values.set(trimmed.slice(0, at).trim().toLowerCase(), trimmed.slice(at + 1).trim());
  }
  return values;
}

/** @throws {UsageError} if the endpoint is not a URL. */
export function s3Store(address: WebAddress, account: S3Account, clock: Clock): ObjectStore {
  const { hostname: bucket, pathname } = new URL(address.url);
  const id = formatSourceAddress(address);
  const root = bucketUrl(bucket, account);
  const base = new URL(root);
  base.pathname += pathname.slice(1);
  return {
    base,
    sign: account.keys && signer(account, clock),
    list: (get) => listBucket(id, root, decodeURIComponent(pathname.slice(1)), get),
  };
}

function bucketUrl(bucket: string, { endpoint, region }: S3Account): URL {
  if (endpoint !== undefined) {
    if (!/^https?:\/\//i.test(endpoint) || !URL.canParse(endpoint)) {
      throw new UsageError("Cannot use AWS_ENDPOINT_URL: it is no URL");
    }
    const url = new URL(endpoint);
    url.pathname = `${url.pathname.replace(/\/$/, "")}/${bucket}/`;
    return url;
  }
  // A certificate for all buckets does not cover names with dots.
  return bucket.includes(".")
    ? new URL(`https://s3.${region}.amazonaws.com/${bucket}/`)
    : new URL(`https://${bucket}.s3.${region}.amazonaws.com/`);
}

function signer({ keys, region }: S3Account, clock: Clock): SignRequest {
  return async (url, headers) => {
    const datetime = new Date(clock.wallTime()).toISOString().replace(/[:-]|\.\d{3}/g, "");
    const request = new AwsV4Signer({
      method: "GET",
      url: url.href,
      headers,
      service: "s3",
      region,
      datetime,
      accessKeyId: keys!.accessKeyId,
      secretAccessKey: keys!.secretAccessKey,
      ...keys!.sessionToken === undefined ? {} : { sessionToken: keys!.sessionToken },
    });
    const signed = await request.sign();
    return Object.fromEntries(signed.headers);
  };
}

/** The keys below a prefix, as names. Omits what is no valid name, such as the markers of folders. */
async function listBucket(
  id: string,
  root: URL,
  prefix: string,
  get: (url: URL, maxBytes: number) => Promise<string>,
): Promise<ListedFile[]> {
  const files: ListedFile[] = [];
  let token: string | undefined;
  do {
    const url = new URL(root);
    url.search = new URLSearchParams({
      "list-type": "2",
      "encoding-type": "url",
      prefix,
      ...token === undefined ? {} : { "continuation-token": token },
    }).toString();
    const page = parseBucketPage(await get(url, MAX_PAGE_BYTES));
    if (page === undefined) {
      throw new ProtocolError(`${id} sent a listing that p2p does not understand`);
    }
    for (const { key, size, modified } of page.files) {
      const name = key.startsWith(prefix) ? key.slice(prefix.length) : "";
      if (isValidName(name)) files.push({ name, size, modified });
    }
    if (files.length > MAX_WEB_FILES || page.next === token && token !== undefined) {
      throw new ProtocolError(`${id} offers more than can be listed`);
    }
    token = page.next;
  } while (token !== undefined);
  return sorted(files);
}
