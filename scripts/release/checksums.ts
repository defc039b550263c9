/** The checksums of a release, in the form that `sha256sum --check` reads. */

import { join } from "@std/path";
import { sha256OfFile } from "../sha256_of_file.ts";

export const CHECKSUMS = "SHA256SUMS";

/** Writes them for all files that lie in `folder`. */
export async function writeChecksums(folder: string): Promise<void> {
  const names = Array.from(Deno.readDirSync(folder), ({ name }) => name).sort();
  const lines = [];
  for (const name of names) lines.push(`${await sha256OfFile(join(folder, name))}  ${name}\n`);
  await Deno.writeTextFile(join(folder, CHECKSUMS), lines.join(""));
}
