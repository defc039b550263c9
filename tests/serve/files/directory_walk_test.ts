import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { compareNames } from "../../../core/base/names.ts";
import { openRoot } from "../../../core/serve/files/root.ts";
import { walkDirectory } from "../../../core/serve/files/directory_walk.ts";
import { TempFolder } from "../../support/temp_folder.ts";
import { test } from "../../support/test.ts";
import { symlink } from "../../support/platform.ts";

const never = new AbortController().signal;

async function walked(folder: TempFolder, hidden = false): Promise<string[]> {
  const { files } = await walkDirectory(openRoot(folder.path, hidden), never);
  return files.map(({ name }) => name).sort(compareNames);
}

test("walkDirectory() skips what may not be read, and goes on", async () => {
  if (Deno.build.os === "windows") return;
  using folder = new TempFolder();
  folder.write("a/one", "1");
  folder.write("b/two", "2");
  Deno.chmodSync(folder.pathOf("a"), 0);
  const names = await walked(folder);
  Deno.chmodSync(folder.pathOf("a"), 0o700);
  // Root reads everything.
  assertEquals(names.at(-1), "b/two");
});

test("walkDirectory() lists what links inside lead to, once, and survives loops", async () => {
  if (Deno.build.os === "windows") return;
  using folder = new TempFolder();
  folder.write("a/b/file", "1");
  symlink(".", join(folder.path, "loop"));
  symlink("..", folder.pathOf("a/b/up"));
  symlink("a/b", folder.pathOf("link"));
  symlink("a/b", folder.pathOf("link2"));
  symlink("a/b/file", folder.pathOf("file-link"));
  assertEquals(await walked(folder), ["a/b/file", "file-link", "link/file"]);
});

test("walkDirectory() ends soon when links multiply at every level", async () => {
  if (Deno.build.os === "windows") return;
  using folder = new TempFolder();
  for (let level = 0; level < 30; level++) {
    folder.write(`d${level}/file`, "1");
    for (const link of ["x", "y", "z"]) {
      symlink(`../d${level + 1}`, folder.pathOf(`d${level}/${link}`));
    }
  }
  const names = await walked(folder);
  assertEquals(names.length < 1000, true);
});

test("walkDirectory() lists hidden files only when asked to", async () => {
  using folder = new TempFolder();
  folder.write(".a/b", "1");
  folder.write("c/.d", "1");
  folder.write("e", "1");
  folder.write("e.p2p-part", "1");
  assertEquals(await walked(folder), ["e"]);
  assertEquals(await walked(folder, true), [".a/b", "c/.d", "e"]);
});

test("walkDirectory() lists nothing when the folder is gone", async () => {
  using folder = new TempFolder();
  folder.write("sub/file", "1");
  const sub = openRoot(folder.pathOf("sub"), false);
  Deno.removeSync(sub.path, { recursive: true });
  assertEquals((await walkDirectory(sub, never)).files, []);
});

test("walkDirectory() counts everything that it skips by the reason, with an example where it is not left out on purpose", async () => {
  if (Deno.build.os === "windows") return;
  using folder = new TempFolder();
  for (let i = 0; i < 5; i++) folder.write(`line\n${i}`, "1");
  folder.write("sub\\folder/file", "1");
  for (const name of [".hidden", ".git/config", ".git/index"]) folder.write(name, "1");
  for (const name of ["x.p2p-part", "x.p2p-journal"]) folder.write(name, "1");
  folder.write("good", "1");
  folder.write("sub/good", "1");
  const link = (to: string, name: string) => symlink(to, folder.pathOf(name));
  link("/etc/passwd", "out");
  link("..", "up");
  link("none", "broken");
  link("itself", "itself");
  link("sub", "again");
  link("sub", "and again");
  link(".", "loop");
  link("x.p2p-part", "x");
  const fifo = await new Deno.Command("mkfifo", { args: [folder.pathOf("fifo")] }).output();
  assertEquals(fifo.success, true);
  const { files, omitted } = await walkDirectory(openRoot(folder.path, false), never);
  assertEquals(files.map(({ name }) => name).sort(), ["again/good", "good", "sub/good"]);
  assertEquals(omitted.reasons, {
    "bad-name": 6,
    hidden: 2,
    unfinished: 3,
    "link-out": 2,
    "broken-link": 2,
    "repeated-link": 2,
    "special-file": 1,
  });
  assertEquals(omitted.count, 18);
  assertEquals(omitted.examples.map(({ reason }) => reason).sort(), [
    "bad-name",
    "broken-link",
    "link-out",
    "repeated-link",
    "special-file",
  ]);
});

test("walkDirectory() does not offer files and folders that may not be read", async () => {
  // Root reads everything.
  if (Deno.build.os === "windows" || Deno.uid() === 0) return;
  using folder = new TempFolder();
  for (const name of ["mine", "secret", "closed/file"]) folder.write(name, "1");
  Deno.chmodSync(folder.pathOf("mine"), 0o600);
  Deno.chmodSync(folder.pathOf("secret"), 0);
  Deno.chmodSync(folder.pathOf("closed"), 0);
  const { files, omitted } = await walkDirectory(openRoot(folder.path, false), never);
  Deno.chmodSync(folder.pathOf("closed"), 0o700);
  assertEquals(files.map(({ name }) => name), ["mine"]);
  assertEquals(omitted.reasons, { "unreadable-file": 1, "unreadable-folder": 1 });
});

test("walkDirectory() skips what has a name that is too long", async () => {
  if (Deno.build.os === "windows") return;
  using folder = new TempFolder();
  const part = "d".repeat(255);
  folder.write(`${part}/${part}/${part}/${"f".repeat(255)}`, "1");
  folder.write(`${part}/${part}/${part}/${"g".repeat(255)}/x`, "1");
  const { files, omitted } = await walkDirectory(openRoot(folder.path, false), never);
  assertEquals(files.map(({ name }) => name.length), [1023]);
  assertEquals(omitted.count, 1);
});
