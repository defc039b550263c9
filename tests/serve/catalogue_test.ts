import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { compareNames } from "../../core/base/names.ts";
import { Catalogue, walkFolder } from "../../core/serve/catalogue.ts";
import { openFolder } from "../../core/serve/folder.ts";
import type { ListedFile } from "../../core/wire/listing.ts";
import { ManualClock, RunningSeed, TempFolder, test } from "./support.ts";

const never = new AbortController().signal;

function listed(names: readonly string[]): ListedFile[] {
  return names.map((name) => ({ name, size: 1, modified: 2 }));
}

async function walked(folder: TempFolder, hidden = false): Promise<string[]> {
  const files = await walkFolder(openFolder(folder.path, hidden), never);
  return files.map(({ name }) => name).sort(compareNames);
}

test("Catalogue.page() gives every name once, in pages, when there are more than fit one", async () => {
  const names = Array.from({ length: 25_001 }, (_, i) => `f${i}`);
  const catalogue = new Catalogue(() => Promise.resolve(listed(names)), new ManualClock());
  const got: string[] = [];
  const pages: [number, boolean][] = [];
  for (let more = true; more;) {
    const page = await catalogue.page(got.at(-1) ?? "");
    got.push(...page.files.map(({ name }) => name));
    pages.push([page.files.length, page.more]);
    more = page.more;
  }
  assertEquals(pages, [[10_000, true], [10_000, true], [5001, false]]);
  assertEquals(got, names.sort(compareNames));
});

test("Catalogue.page() says that there is no more when the last page is full", async () => {
  const catalogue = new Catalogue(() => Promise.resolve(listed(["a", "b"])), new ManualClock());
  assertEquals((await catalogue.page("", 2)).more, false);
  assertEquals((await catalogue.page("", 1)).more, true);
  assertEquals(await catalogue.page("b", 1), { files: [], more: false });
});

test("Catalogue.all() sorts by code point", async () => {
  const names = ["\u{1f600}", "\uffee", "b", "B", "a/b", "a-b", "a"];
  const catalogue = new Catalogue(() => Promise.resolve(listed(names)), new ManualClock());
  const got = (await catalogue.all()).map(({ name }) => name);
  assertEquals(got, ["B", "a", "a-b", "a/b", "b", "\uffee", "\u{1f600}"]);
});

test("Catalogue.all() walks again only when the listing is a second old", async () => {
  const clock = new ManualClock();
  let walks = 0;
  const catalogue = new Catalogue(() => (walks++, Promise.resolve([])), clock);
  await Promise.all([catalogue.all(), catalogue.all()]);
  clock.advance(999);
  await catalogue.all();
  assertEquals(walks, 1);
  clock.advance(1);
  await catalogue.all();
  assertEquals(walks, 2);
});

test("walkFolder() passes over what may not be read, and goes on", async () => {
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

test("walkFolder() lists what links inside lead to, once, and survives loops", async () => {
  if (Deno.build.os === "windows") return;
  using folder = new TempFolder();
  folder.write("a/b/file", "1");
  Deno.symlinkSync(".", join(folder.path, "loop"));
  Deno.symlinkSync("..", folder.pathOf("a/b/up"));
  Deno.symlinkSync("a/b", folder.pathOf("link"));
  Deno.symlinkSync("a/b", folder.pathOf("link2"));
  Deno.symlinkSync("a/b/file", folder.pathOf("file-link"));
  assertEquals(await walked(folder), ["a/b/file", "file-link", "link/file"]);
});

test("walkFolder() ends soon when links multiply at every level", async () => {
  if (Deno.build.os === "windows") return;
  using folder = new TempFolder();
  for (let level = 0; level < 30; level++) {
    folder.write(`d${level}/file`, "1");
    for (const link of ["x", "y", "z"]) {
      Deno.symlinkSync(`../d${level + 1}`, folder.pathOf(`d${level}/${link}`));
    }
  }
  const names = await walked(folder);
  assertEquals(names.length < 1000, true);
});

test("walkFolder() lists hidden files only when asked to", async () => {
  using folder = new TempFolder();
  folder.write(".a/b", "1");
  folder.write("c/.d", "1");
  folder.write("e", "1");
  folder.write("e.p2p-part", "1");
  assertEquals(await walked(folder), ["e"]);
  assertEquals(await walked(folder, true), [".a/b", "c/.d", "e"]);
});

test("walkFolder() lists nothing when the folder is gone", async () => {
  using folder = new TempFolder();
  folder.write("sub/file", "1");
  const sub = openFolder(folder.pathOf("sub"), false);
  Deno.removeSync(sub.root, { recursive: true });
  assertEquals(await walkFolder(sub, never), []);
});

test("Session pages through more files than fit one reply", async () => {
  using folder = new TempFolder();
  for (let i = 0; i < 10_001; i++) {
    Deno.writeFileSync(folder.pathOf(`f${i}`), new Uint8Array());
  }
  await using seed = await RunningSeed.start(folder.path);
  using client = await seed.session();
  const line = await client.ask("LIST");
  const [, length] = line.match(/^OK (\d+) more=1$/) ?? [];
  const first = new TextDecoder().decode(await client.bytes(Number(length)));
  const lines = first.split("\n").slice(0, -1);
  assertEquals(lines.length, 10_000);
  const { name } = JSON.parse(lines.at(-1)!);
  const rest = await client.text(`LIST ${name}`);
  assertEquals(rest.split("\n").length, 2);
  assertEquals(JSON.parse(rest).name, "f9999");
});
