import { createHash } from "node:crypto";
import { join } from "@std/path";

/** The file of checksums in a release, in the form that `sha256sum --check` reads. */
export const CHECKSUMS = "SHA256SUMS";

/** Writes the checksums of all files in `folder`. */
export async function writeChecksums(folder: string): Promise<void> {
  const names = Array.from(Deno.readDirSync(folder), ({ name }) => name).sort();
  const lines = [];
  for (const name of names) lines.push(`${await sha256OfFile(join(folder, name))}  ${name}\n`);
  await Deno.writeTextFile(join(folder, CHECKSUMS), lines.join(""));
}

/** The SHA-256 of a file, in hex. Not the one of p2p, because it checks p2p. */
export async function sha256OfFile(path: string): Promise<string> {
  using file = await Deno.open(path, { read: true });
  const hash = createHash("sha256");
  const buffer = new Uint8Array(1024 * 1024);
  for (let count; (count = await file.read(buffer)) !== null;) {
    hash.update(buffer.subarray(0, count));
  }
  return hash.digest("hex");
}
