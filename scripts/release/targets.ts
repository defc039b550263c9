/** The platforms that a release is for. */

export interface Target {
  /** Part of the archive's name; what the installers look for. */
  readonly name: string;
  /** As `Deno.build.target` names it. */
  readonly triple: string;
  /** The program inside the archive. */
  readonly program: "p2p" | "p2p.exe";
  /** What people of that platform can unpack without installing anything. */
  readonly archive: "tar.gz" | "zip";
}

/** All that `deno compile` can make. */
export const TARGETS: readonly Target[] = [
  unix("linux-x64", "x86_64-unknown-linux-gnu"),
  unix("linux-arm64", "aarch64-unknown-linux-gnu"),
  unix("macos-x64", "x86_64-apple-darwin"),
  unix("macos-arm64", "aarch64-apple-darwin"),
  {
    name: "windows-x64",
    triple: "x86_64-pc-windows-msvc",
    program: "p2p.exe",
    archive: "zip",
  },
];

function unix(name: string, triple: string): Target {
  return { name, triple, program: "p2p", archive: "tar.gz" };
}

/** "p2p-0.1.0-linux-x64": the archive without its extension, and the one folder in it. */
export function releaseName(version: string, target: Target): string {
  return `p2p-${version}-${target.name}`;
}

/** @throws {Error} naming those that there are. */
export function targetNamed(name: string): Target {
  const target = TARGETS.find((target) => target.name === name);
  if (target !== undefined) return target;
  const names = TARGETS.map(({ name }) => name).join(", ");
  throw new Error(`Cannot release for "${name}": it must be one of ${names}`);
}
