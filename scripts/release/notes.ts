/** What the page of a release says. */

/** What the README's section "Changes" says of `version`. @throws {Error} if that is nothing. */
export function changesOf(version: string, readme: string): string {
  const [, changelog = ""] = readme.split(/^## Changes$/m);
  const sections = changelog.split(/^## /m)[0]!.split(/^### /m).slice(1);
  const section = sections.find((text) => text.split(/\s/, 1)[0] === version);
  const changes = section?.slice(section.indexOf("\n") + 1).trim() ?? "";
  if (changes === "") {
    throw new Error(
      `Cannot release ${version}: the section "Changes" of README.md has no part "### ${version}"`,
    );
  }
  return changes;
}

/** @param releases the address of the page of all releases; without it, how to install is left out. */
export function notesOf(version: string, readme: string, releases: string | undefined): string {
  const changes = changesOf(version, readme);
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
