/**
 * Archives that are the same wherever they are made: files in order, of one age, of nobody, with
 * rights that do not depend on who made them.
 *
 * tar.gz by GNU tar, whose flags can say all that, and Deno's own gzip, which writes neither
 * name nor time; zip by Info-ZIP. Equal bytes need the same Deno and the same zip.
 */

import { gzipSync } from "node:zlib";
import { join, resolve } from "@std/path";
import { filesBelow } from "../source_files.ts";
import { output } from "./tools.ts";

/** Packs `folder` with all its files into the new `file`; `timeS` is the age of all, in seconds since 1970. */
export async function pack(
  kind: "tar.gz" | "zip",
  folder: { readonly parent: string; readonly name: string },
  file: string,
  timeS: number,
): Promise<void> {
  await (kind === "zip" ? packZip : packTarGz)(folder, file, timeS);
}

type Packer = (
  folder: { readonly parent: string; readonly name: string },
  file: string,
  timeS: number,
) => Promise<void>;

const packTarGz: Packer = async ({ parent, name }, file, timeS) => {
  const tar = resolve(`${file}.tar`);
  await output(await gnuTar(), [
    "--create",
    `--file=${tar}`,
    "--format=ustar",
    "--sort=name",
    `--mtime=@${timeS}`,
    "--owner=0",
    "--group=0",
    "--numeric-owner",
    // Of a program everybody may run it, of the rest read it, whatever this user's mask is.
    "--mode=u=rwX,go=rX",
    name,
  ], parent);
  await Deno.writeFile(file, gzipped(await Deno.readFile(tar)));
  await Deno.remove(tar);
};

/** A byte of gzip's header, which says on which kind of system it ran; and its "unknown". */
const [SYSTEM, UNKNOWN] = [9, 255];

function gzipped(bytes: Uint8Array): Uint8Array {
  // Of a program 37.3 MB are left instead of 38.7 at the usual level, for 3 s more.
  const packed = gzipSync(bytes, { level: 9 });
  packed[SYSTEM] = UNKNOWN;
  return packed;
}

/** On macOS and BSD `tar` is another one, which cannot sort. */
export async function gnuTar(): Promise<string> {
  for (const program of ["tar", "gtar"]) {
    const version = await output(program, ["--version"], ".").catch(() => "");
    if (version.includes("GNU tar")) return program;
  }
  throw new Error('Cannot make a tar archive: there is no GNU tar, neither "tar" nor "gtar"');
}

const packZip: Packer = async ({ parent, name }, file, timeS) => {
  const files = [...filesBelow(join(parent, name))]
    .map((path) => path.slice(parent.length + 1)).sort();
  for (const each of files) await makeOrdinary(join(parent, each), timeS);
  // -X leaves out owners and finer times. What is left of the time is local, so it needs a zone.
  await output("zip", ["-q", "-X", "-9", resolve(file), ...files], parent, { TZ: "UTC" });
};

/** What zip would otherwise take from the file: its age, and rights that this user's mask made. */
async function makeOrdinary(file: string, timeS: number): Promise<void> {
  await Deno.utime(file, timeS, timeS);
  const { mode } = await Deno.stat(file);
  // Windows knows no such rights.
  if (Deno.build.os !== "windows") await Deno.chmod(file, mode! & 0o100 ? 0o755 : 0o644);
}
