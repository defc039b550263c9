import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { FileResolver } from "../../../core/serve/files/file_resolver.ts";
import { openRoot, type Root } from "../../../core/serve/files/root.ts";
import {
  FileChangedError,
  isReadable,
  type OpenFile,
} from "../../../core/serve/files/open_file.ts";
import { ErrorReply } from "../../../core/protocol/error_replies.ts";
import { SeedFixture } from "../support.ts";
import { TempFolder } from "../../support/temp_folder.ts";
import { test } from "../../support/test.ts";
import { ON_WINDOWS, symlink } from "../../support/platform.ts";

function openServed(root: Root, name: string): OpenFile {
  const resolver = new FileResolver(root);
  return resolver.open(resolver.find(name));
}

function testLinks(name: string, fn: () => Promise<void> | void): void {
  if (!ON_WINDOWS) test(name, fn);
}

/** The served folder lies in another one, where the secret is. */
function makeFixture(): TempFolder & { readonly root: string } {
  const folder = new TempFolder();
  folder.write("secret.txt", "secret");
  folder.write("served/open.txt", "open");
  folder.write("served/sub/deep.txt", "deep");
  folder.write("served/.hidden/key", "key");
  folder.write("served/.env", "env");
  folder.write("served/half.bin.p2p-part", "half");
  folder.write("served/half.bin.p2p-journal", "half");
  return Object.assign(folder, { root: folder.pathOf("served") });
}

const forbidden = [
  "../secret.txt",
  "sub/../../secret.txt",
  "sub/../open.txt",
  "./open.txt",
  "/etc/passwd",
  "//etc/passwd",
  "sub//deep.txt",
  "sub/",
  "sub",
  ".",
  "..",
  "",
  " ",
  "..\\secret.txt",
  "sub\\deep.txt",
  "C:\\Windows\\win.ini",
  "open.txt\u0000",
  "open.txt/",
  "open.txt/x",
  "%2e%2e/secret.txt",
  "..%2fsecret.txt",
  "..;/secret.txt",
  "\u2025/secret.txt",
  ".env",
  ".hidden/key",
  "half.bin.p2p-part",
  "half.bin.p2p-journal",
  "HALF.BIN.P2P-PART",
  "dir/x.P2P-Journal",
  "dir.p2p-part/x.bin",
  "x".repeat(300),
  "x/".repeat(511) + "x",
  "\ud800",
];

for (const name of forbidden) {
  test(`FileResolver says NOT_FOUND to ${JSON.stringify(name.slice(0, 40))}`, () => {
    using fixture = makeFixture();
    const folder = openRoot(fixture.root, false);
    const refusal = assertThrows(() => openServed(folder, name), ErrorReply);
    assertEquals(refusal.code, "NOT_FOUND");
  });
}

test("FileResolver serves hidden files when asked to, but never unfinished ones", () => {
  using fixture = makeFixture();
  const folder = openRoot(fixture.root, true);
  using file = openServed(folder, ".hidden/key");
  assertEquals(file.version.size, 3);
  assertThrows(() => openServed(folder, "half.bin.p2p-part"), ErrorReply);
});

const links = [
  { name: "a link to a file outside", target: "../secret.txt", link: "link", ask: "link" },
  { name: "a folder link that leads out", target: "..", link: "out", ask: "out/secret.txt" },
  { name: "an absolute link that leads out", target: "/etc", link: "etc", ask: "etc/passwd" },
  { name: "a link that leads nowhere", target: "none", link: "link", ask: "link" },
  { name: "a link to itself", target: "link", link: "link", ask: "link" },
  { name: "a link to a folder", target: "sub", link: "link", ask: "link" },
  {
    name: "a link to an unfinished download",
    target: "half.bin.p2p-part",
    link: "link",
    ask: "link",
  },
  { name: "a link to a device", target: "/dev/zero", link: "link", ask: "link" },
];

for (const { name, target, link, ask } of links) {
  testLinks(`FileResolver says NOT_FOUND to ${name}`, () => {
    using fixture = makeFixture();
    symlink(target, join(fixture.root, link));
    const folder = openRoot(fixture.root, false);
    const refusal = assertThrows(() => openServed(folder, ask), ErrorReply);
    assertEquals(refusal.code, "NOT_FOUND");
  });
}

testLinks("FileResolver follows links that stay inside", () => {
  using fixture = makeFixture();
  symlink("sub/deep.txt", join(fixture.root, "file-link"));
  symlink("sub", join(fixture.root, "folder-link"));
  const folder = openRoot(fixture.root, false);
  for (const name of ["file-link", "folder-link/deep.txt"]) {
    using file = openServed(folder, name);
    const bytes = new Uint8Array(4);
    file.read(bytes, 0);
    assertEquals(new TextDecoder().decode(bytes), "deep");
  }
});

testLinks("FileResolver serves a folder that is itself reached by a link", () => {
  using fixture = makeFixture();
  symlink("served", fixture.pathOf("alias"));
  using file = openServed(openRoot(fixture.pathOf("alias"), false), "open.txt");
  assertEquals(file.version.size, 4);
});

testLinks("FileResolver says NOT_FOUND to a pipe, without waiting for its writer", async () => {
  using fixture = makeFixture();
  const path = join(fixture.root, "pipe");
  await new Deno.Command("mkfifo", { args: [path] }).output();
  const folder = openRoot(fixture.root, false);
  assertThrows(() => openServed(folder, "pipe"), ErrorReply, "NOT_FOUND");
});

testLinks("OpenFile.isUnchanged() says no when a link on the way leads elsewhere", () => {
  using fixture = makeFixture();
  const link = join(fixture.root, "folder-link");
  symlink("sub", link);
  using file = openServed(openRoot(fixture.root, false), "folder-link/deep.txt");
  assertEquals(file.isUnchanged(), true);
  Deno.mkdirSync(fixture.pathOf("outside"));
  fixture.write("outside/deep.txt", "evil");
  Deno.removeSync(link);
  symlink("../outside", link);
  assertEquals(file.isUnchanged(), false);
  assertThrows(() => file.read(new Uint8Array(4), 0), FileChangedError);
});

const changes: { name: string; change: (fixture: TempFolder) => void }[] = [
  { name: "grows", change: (fixture) => fixture.write("served/open.txt", "opened") },
  { name: "is cut", change: (fixture) => fixture.write("served/open.txt", "o") },
  {
    name: "is written anew",
    change: (fixture) => Deno.utimeSync(fixture.pathOf("served/open.txt"), 5, 5),
  },
  { name: "vanishes", change: (fixture) => Deno.removeSync(fixture.pathOf("served/open.txt")) },
  {
    name: "is replaced",
    change: (fixture) =>
      Deno.renameSync(fixture.write("new", "open"), fixture.pathOf("served/open.txt")),
  },
];

for (const { name, change } of changes) {
  test(`OpenFile.read() throws FileChangedError when the file ${name}`, () => {
    using fixture = makeFixture();
    fixture.age("served/open.txt");
    using file = openServed(openRoot(fixture.root, false), "open.txt");
    file.read(new Uint8Array(4), 0);
    change(fixture);
    assertThrows(() => file.read(new Uint8Array(4), 0), FileChangedError);
  });
}

test("serve() lists exactly what it serves", async () => {
  using fixture = makeFixture();
  if (!ON_WINDOWS) {
    symlink("../secret.txt", join(fixture.root, "out-file"));
    symlink("..", join(fixture.root, "out-folder"));
    symlink(".", join(fixture.root, "loop"));
    symlink("sub/deep.txt", join(fixture.root, "inside"));
    fixture.write("served/new\nline", "x");
    fixture.write("served/back\\slash", "x");
  }
  await using seed = await SeedFixture.start(fixture.root);
  const names = (await seed.ask("LIST")).split("\n").slice(0, -1);
  const want = ["inside", "open.txt", "sub/deep.txt"];
  assertEquals(names, ON_WINDOWS ? want.slice(1) : want);
  for (const name of names) {
    assertMatch(await seed.ask(`FILESIZE ${name}`), /^SIZE:/);
  }
});

test("serve() notices files that appear and vanish", async () => {
  using fixture = makeFixture();
  await using seed = await SeedFixture.start(fixture.root);
  using client = await seed.session();
  assertMatch(await client.ask("FILESIZE new"), /^ERROR:NOT_FOUND /);
  fixture.write("served/new", "12345");
  assertEquals(await client.ask("FILESIZE new"), "SIZE:5");
  await client.body("DOWNLOAD new|0|5");
  Deno.removeSync(join(fixture.root, "new"));
  assertMatch(await client.ask("DOWNLOAD new|0|5"), /^ERROR:NOT_FOUND /);
});

for (const first of ["FILESIZE open.txt", "DOWNLOAD open.txt|0|1"]) {
  test(`Session says CHANGED to a DOWNLOAD when the file changed since "${first}"`, async () => {
    using fixture = makeFixture();
    fixture.age("served/open.txt");
    await using seed = await SeedFixture.start(fixture.root);
    using client = await seed.session();
    await client.ask(first);
    if (first.startsWith("DOWNLOAD")) await client.bytes(1);
    fixture.write("served/open.txt", "OPEN");
    assertMatch(await client.ask("DOWNLOAD open.txt|0|4"), /^ERROR:CHANGED /);
    await client.text("MANIFEST open.txt");
    assertEquals(await client.body("DOWNLOAD open.txt|0|4"), new TextEncoder().encode("OPEN"));
  });
}

test("Session says CHANGED on every connection until the manifest is asked for again", async () => {
  using fixture = makeFixture();
  fixture.age("served/open.txt");
  await using seed = await SeedFixture.start(fixture.root);
  using one = await seed.session();
  using other = await seed.session();
  await one.text("MANIFEST open.txt");
  await other.body("DOWNLOAD open.txt|0|4");
  fixture.write("served/open.txt", "OPEN");
  for (const client of [one, other]) {
    assertMatch(await client.ask("DOWNLOAD open.txt|0|4"), /^ERROR:CHANGED /);
  }
  const manifest = JSON.parse(await one.text("MANIFEST open.txt"));
  assertEquals(manifest.size, 4);
  for (const client of [one, other]) {
    assertEquals(new TextDecoder().decode(await client.body("DOWNLOAD open.txt|0|4")), "OPEN");
  }
});

test("FileResolver serves a folder whose parents have names of unfinished downloads", () => {
  using fixture = new TempFolder();
  fixture.write("x.p2p-part/served/a.txt", "a");
  fixture.write("x.p2p-part/served/b.p2p-part", "b");
  symlink("b.p2p-part", fixture.pathOf("x.p2p-part/served/c"));
  const folder = openRoot(fixture.pathOf("x.p2p-part/served"), false);
  using file = openServed(folder, "a.txt");
  assertEquals(file.version.size, 1);
  assertThrows(() => openServed(folder, "c"), ErrorReply);
});

test("isReadable() opens only files that not all users may read, and returns false only for a missing right", () => {
  const failing = (code: string) => () => {
    throw Object.assign(new Error(code), { code });
  };
  const never = () => {
    throw new Error("opened");
  };
  assertEquals(isReadable("x", { mode: 0o100644 }, never), true);
  assertEquals(isReadable("x", { mode: null }, never), true);
  assertEquals(isReadable("x", { mode: 0o100600 }, () => {}), true);
  assertEquals(isReadable("x", { mode: 0o100640 }, failing("EACCES")), false);
  assertEquals(isReadable("x", { mode: 0o100000 }, failing("EPERM")), false);
  assertEquals(isReadable("x", { mode: 0o100600 }, failing("EMFILE")), true);
});
