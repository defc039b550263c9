/** Packages of the npm registry as files in memory, each pinned to its bytes. */

import type { Bytes } from "./store.ts";

export interface Tarball {
  /** Name and exact version. */
  readonly spec: string;
  /** Base64, as the registry itself states it. */
  readonly sha512: string;
}

/** @returns the regular files: path, without the leading "package/", to content. */
export async function filesOf(tarball: Tarball): Promise<Map<string, Bytes>> {
  const tgz = await download(tarball);
  await checkDigest(tgz, tarball);
  return untar(await gunzip(tgz));
}

export async function hex(algorithm: string, bytes: Bytes): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest(algorithm, bytes)).toHex();
}

/** By npm itself, not by fetch, so that the user's registry, proxy and certificates hold. */
async function download({ spec }: Tarball): Promise<Bytes> {
  const into = await Deno.makeTempDir({ prefix: "p2p-deps-" });
  try {
    const { success, stderr } = await npm([
      "pack",
      "--silent",
      "--pack-destination",
      into,
      spec,
    ], into);
    if (!success) {
      throw new Error(
        `Cannot get "${spec}" from npm: ${new TextDecoder().decode(stderr).trim()}`,
      );
    }
    const [tgz] = Array.from(Deno.readDirSync(into), (entry) => entry.name);
    return await Deno.readFile(`${into}/${tgz}`);
  } finally {
    await Deno.remove(into, { recursive: true });
  }
}

/** In `cwd`, since npm would otherwise look for a package.json around the caller. */
async function npm(args: string[], cwd: string): Promise<Deno.CommandOutput> {
  // On Windows npm is a batch file, which only cmd can start.
  const [program, ...first] = Deno.build.os === "windows"
    ? ["cmd", "/c", "npm"] as const
    : ["npm"] as const;
  const command = new Deno.Command(program, {
    args: [...first, ...args],
    cwd,
    stdout: "null",
  });
  try {
    return await command.output();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new Error("Cannot run npm: it is not on the PATH", { cause: error });
  }
}

async function checkDigest(
  tgz: Bytes,
  { spec, sha512 }: Tarball,
): Promise<void> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-512", tgz))
    .toBase64();
  if (digest === sha512) return;
  throw new Error(
    `Cannot use "${spec}": its SHA-512 is ${digest}, expected is ${sha512}`,
  );
}

async function gunzip(bytes: Bytes): Promise<Bytes> {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return await new Response(stream).bytes();
}

/** Enough of tar for what npm makes: plain ustar, no long-name records. */
function untar(tar: Bytes): Map<string, Bytes> {
  const files = new Map<string, Bytes>();
  const block = 512;
  for (let at = 0; at + block <= tar.length && tar[at] !== 0;) {
    const { name, kind, size } = headerAt(tar, at);
    const content = at + block;
    const regular = kind === "" || kind === "0";
    if (regular) {
      files.set(
        name.replace(/^package\//, ""),
        tar.subarray(content, content + size),
      );
    }
    at = content + Math.ceil(size / block) * block;
  }
  return files;
}

function headerAt(tar: Bytes, at: number): { name: string; kind: string; size: number } {
  const field = (offset: number, length: number) => {
    const bytes = tar.subarray(at + offset, at + offset + length);
    return new TextDecoder().decode(bytes).replace(/\0.*$/s, "");
  };
  const prefix = field(345, 155);
  const name = prefix === "" ? field(0, 100) : `${prefix}/${field(0, 100)}`;
  return { name, kind: field(156, 1), size: parseInt(field(124, 12), 8) };
}
