/** What the page of a release says. */

export const CHANGELOG = ".github/CHANGELOG.md";

/** What the changelog says of `version`. @throws {Error} if that is nothing. */
export function changesOf(version: string, changelog: string): string {
  const sections = changelog.split(/^## /m).slice(1);
  const section = sections.find((text) => text.split(/\s/, 1)[0] === version);
  const changes = section?.slice(section.indexOf("\n") + 1).trim() ?? "";
  if (changes === "") {
    throw new Error(`Cannot release ${version}: ${CHANGELOG} has no section "## ${version}"`);
  }
  return changes;
}

/** @param releases the address of the page of all releases; without it, how to install is left out. */
export function notesOf(version: string, changelog: string, releases: string | undefined): string {
  const changes = changesOf(version, changelog);
  if (releases === undefined) return `${changes}\n`;
  const here = `${releases}/download/v${version}`;
  return `${changes}

## Install

Linux and macOS:

\`\`\`sh
curl -fsSL ${here}/install.sh | sh -s -- --version ${version}
\`\`\`

Windows, in PowerShell:

\`\`\`powershell
& ([scriptblock]::Create((irm ${here}/install.ps1))) -Version ${version}
\`\`\`

Each archive can be checked against \`SHA256SUMS\`, and where it was built with
\`gh attestation verify <archive> --repo ${releases.split("/").slice(-3, -1).join("/")}\`.
`;
}
