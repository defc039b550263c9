/** The parts of a release that need no disk: names, notes, installers, what is missing. */
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { installerFor } from "../../../scripts/release/installers.ts";
import { changesOf, notesOf } from "../../../scripts/release/notes.ts";
import { missingLines } from "../../../scripts/release/report.ts";
import { releaseName, targetNamed, TARGETS } from "../../../scripts/release/targets.ts";

Deno.test("TARGETS has a name, an archive and a program for each platform", () => {
  assertEquals(
    TARGETS.map((target) =>
      `${releaseName("1.2.3", target)}.${target.archive} ${target.program} ${target.triple}`
    ),
    [
      "p2p-1.2.3-linux-x64.tar.gz p2p x86_64-unknown-linux-gnu",
      "p2p-1.2.3-linux-arm64.tar.gz p2p aarch64-unknown-linux-gnu",
      "p2p-1.2.3-macos-x64.tar.gz p2p x86_64-apple-darwin",
      "p2p-1.2.3-macos-arm64.tar.gz p2p aarch64-apple-darwin",
      "p2p-1.2.3-windows-x64.zip p2p.exe x86_64-pc-windows-msvc",
    ],
  );
});

Deno.test("targetNamed() names those that there are when there is no such platform", () => {
  assertEquals(targetNamed("macos-x64").triple, "x86_64-apple-darwin");
  assertThrows(() => targetNamed("amiga"), Error, "linux-x64, linux-arm64, macos-x64");
});

const CHANGELOG = `# Changes

### 0.3.0

Not here.

## 0.2.0

Newer.

### Smaller things

- one

## 0.1.0 (2026-11-22)

The first.
`;

const sections = [
  { version: "0.2.0", want: "Newer.\n\n### Smaller things\n\n- one" },
  { version: "0.1.0", want: "The first." },
];
for (const { version, want } of sections) {
  Deno.test(`changesOf() gives the whole section of ${version} and no other`, () => {
    assertEquals(changesOf(version, CHANGELOG), want);
  });
}

for (const version of ["0.3.0", "0.1", "0.1.0-rc.1"]) {
  Deno.test(`changesOf() throws when there is no section of ${version}`, () => {
    assertThrows(() => changesOf(version, CHANGELOG), Error, `no section "## ${version}"`);
  });
}

const RELEASES = "https://forge.example/somebody/p2p/releases";

Deno.test("notesOf() reports how to install from where it is published", () => {
  const notes = notesOf("0.1.0", CHANGELOG, RELEASES);
  assertStringIncludes(
    notes,
    `curl -fsSL ${RELEASES}/download/v0.1.0/install.sh | sh -s -- --version 0.1.0\n`,
  );
  assertStringIncludes(notes, `(irm ${RELEASES}/download/v0.1.0/install.ps1))) -Version 0.1.0\n`);
  assertStringIncludes(notes, "--repo somebody/p2p");
});

Deno.test("notesOf() names no address when it is published nowhere", () => {
  assertEquals(notesOf("0.1.0", CHANGELOG, undefined), "The first.\n");
});

for (const name of ["install.sh", "install.ps1"]) {
  const script = Deno.readTextFileSync(new URL(`../../../scripts/${name}`, import.meta.url));

  Deno.test(`installerFor() makes ${name} know the address, and changes nothing else`, () => {
    const lines = installerFor(RELEASES, script).split("\n");
    const changed = lines.filter((line, i) => line !== script.split("\n")[i]);
    assertEquals(lines.length, script.split("\n").length);
    assertEquals(changed.map((line) => line.replace(/^\S+?(?: = |=)/, "")), [`'${RELEASES}'`]);
  });
}

Deno.test("installerFor() throws when the script has no place for the address", () => {
  assertThrows(() => installerFor(RELEASES, "#!/bin/sh\n"), Error, "Cannot find the place");
});

const addresses = [
  "http://forge.example/a/b/releases",
  "https://forge.example/a/b",
  "https://forge.example/$(reboot)/releases",
  "https://forge.example/a'b/releases",
  "https://forge.example/a\n/releases",
];
for (const address of addresses) {
  Deno.test(`installerFor() refuses ${JSON.stringify(address)}`, () => {
    assertThrows(() => installerFor(address, "RELEASES=''\n"), Error, "Cannot use");
  });
}

Deno.test("missingLines() names each platform with its reason, and what to do", () => {
  const missing = new Map([
    [targetNamed("macos-x64"), "no base runtime"],
    [targetNamed("windows-x64"), "no zip"],
  ]);
  const [macos, windows, advice, ...rest] = missingLines(missing);
  assertEquals([macos, windows, rest], [
    "no macos-x64: no base runtime",
    "no windows-x64: no zip",
    [],
  ]);
  assertStringIncludes(advice!, "dl.deno.land");
  assertEquals(missingLines(new Map()), []);
});
