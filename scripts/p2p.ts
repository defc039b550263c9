/**
 * p2p itself, for the scripts that run the program as its users do. No package
 * is used here: build.ts runs before any is at hand.
 */

export const PROGRAM = Deno.build.os === "windows" ? "dist/p2p.exe" : "dist/p2p";

/** The environment that keeps a p2p's own files below `dir`, so that nobody's real downloads are touched. */
export function homeIn(dir: string): Record<string, string> {
  return {
    P2P_STATE_DIR: `${dir}/state`,
    P2P_CONFIG_DIR: `${dir}/config`,
    P2P_CACHE_DIR: `${dir}/cache`,
    P2P_SEEDS: "",
    P2P_ANNOUNCE: "off",
    P2P_DISCOVER: "off",
  };
}

/** Where a seed listens, as soon as it says so. @throws {Error} if it ends before, or says nothing of the kind. */
export async function addressOf(
  { stdout }: { readonly stdout: ReadableStream<Uint8Array> },
): Promise<string> {
  let text = "";
  for await (const part of stdout.pipeThrough(new TextDecoderStream())) {
    text += part;
    const address = text.match(/listening on (\S+)\r?\n/)?.[1];
    if (address !== undefined) return address;
  }
  throw new Error(`The seed ended without listening: ${text}`);
}

/** So many bytes that nobody can foresee. */
export function noise(size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at += MAX_WRITE_BYTES) {
    crypto.getRandomValues(bytes.subarray(at, at + MAX_WRITE_BYTES));
  }
  return bytes;
}

/** What the platform gives. */
const MAX_WRITE_BYTES = 65_536;
