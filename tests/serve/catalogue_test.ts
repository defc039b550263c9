import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { compareNames } from "../../core/base/names.ts";
import {
  Catalogue,
  type ListingPage,
  type Walked,
  walkFolder,
} from "../../core/serve/catalogue.ts";
import { openFolder } from "../../core/serve/folder.ts";
import { type ListedFile, parseListing } from "../../core/wire/listing.ts";
import { ManualClock, RunningSeed, TempFolder, test } from "./support.ts";

const never = new AbortController().signal;

function listed(names: readonly string[]): ListedFile[] {
  return names.map((name) => ({ name, size: 1, modified: 2 }));
}

function walkedOf(files: ListedFile[]): Walked {
  return { files, omitted: { count: 0, examples: [] } };
}

function offering(names: readonly string[], pageFiles?: number): Catalogue {
  const walk = () => Promise.resolve(walkedOf(listed(names)));
  return new Catalogue(walk, new ManualClock(), pageFiles);
}

async function walked(folder: TempFolder, hidden = false): Promise<string[]> {
  const { files } = await walkFolder(openFolder(folder.path, hidden), never);
  return files.map(({ name }) => name).sort(compareNames);
}

/** What a page offers, read as a client reads it. */
function namesIn({ body }: ListingPage, after: string): string[] {
  return parseListing(new TextDecoder().decode(body), after).map(({ name }) => name);
}

test("Catalogue.page() gives every name once, in pages, when there are more than fit one", async () => {
  const names = Array.from({ length: 25_001 }, (_, i) => `f${i}`);
  const catalogue = offering(names);
  const got: string[] = [];
  const pages: [number, boolean][] = [];
  for (let more = true; more;) {
    const after = got.at(-1) ?? "";
    const page = await catalogue.page(after);
    const found = namesIn(page, after);
    got.push(...found);
    pages.push([found.length, page.more]);
    more = page.more;
  }
  assertEquals(pages, [[10_000, true], [10_000, true], [5001, false]]);
  assertEquals(got, names.sort(compareNames));
});

test("Catalogue.page() says that there is no more when the last page is full", async () => {
  assertEquals((await offering(["a", "b"], 2).page("")).more, false);
  const catalogue = offering(["a", "b"], 1);
  assertEquals((await catalogue.page("")).more, true);
  assertEquals((await catalogue.page("a")).more, false);
  assertEquals(namesIn(await catalogue.page("b"), "b"), []);
});

test("Catalogue.page() leads to every name, wherever a client begins", async () => {
  const names = ["a", "b", "c", "d", "e", "f", "g"];
  const catalogue = offering(names, 3);
  for (const start of ["", "0", "a", "aa", "b", "c", "e", "f", "g", "z"]) {
    const got: string[] = [];
    for (let after = start, more = true; more; after = got.at(-1)!) {
      const page = await catalogue.page(after);
      got.push(...namesIn(page, after));
      more = page.more;
    }
    assertEquals(got, names.filter((name) => name > start), `from "${start}"`);
  }
});

test("Catalogue.page() encodes a page once for all who ask, also in its middle", async () => {
  const catalogue = offering(["a", "b", "c", "d", "e"], 3);
  const first = await catalogue.page("");
  const others = [await catalogue.page(""), await catalogue.page("a"), await catalogue.page("bb")];
  assertEquals(others.map(({ body }) => body.buffer === first.body.buffer), [true, true, true]);
  assertEquals(namesIn(others[2]!, "bb"), ["c"]);
});

test("Catalogue keeps its pages over walks that find nothing new", async () => {
  const clock = new ManualClock();
  let files = listed(["a", "b"]);
  const catalogue = new Catalogue(() => Promise.resolve(walkedOf([...files])), clock);
  const { body } = await catalogue.page("");
  const names = await catalogue.names();
  clock.advance(1000);
  assert((await catalogue.page("")).body.buffer === body.buffer);
  assert(await catalogue.names() === names);
  for (const change of [{ size: 7 }, { modified: 7 }, { name: "c" }]) {
    const before = await catalogue.page("");
    files = [{ ...files[0]!, ...change }, files[1]!];
    clock.advance(1000);
    const after = await catalogue.page("");
    assert(after.body.buffer !== before.body.buffer, JSON.stringify(change));
  }
});

test("Catalogue answers with what it knows when a walk takes long, and with the new when it is there", async () => {
  const clock = new ManualClock();
  const walk = Promise.withResolvers<Walked>();
  const catalogue = new Catalogue(() => walk.promise, clock);
  await catalogue.accept(walkedOf(listed(["a"])));
  clock.advance(1000);
  const asked = catalogue.page("");
  await clock.sleeperFor(500);
  clock.advance(500);
  assertEquals(namesIn(await asked, ""), ["a"]);
  walk.resolve(walkedOf(listed(["a", "b"])));
  const later = catalogue.page("");
  assertEquals(namesIn(await later, ""), ["a", "b"]);
});

test("Catalogue.offered tells of the last look at the folder", async () => {
  const catalogue = offering(["a", "b"]);
  assertEquals(catalogue.offered, { files: 0, bytes: 0 });
  await catalogue.all();
  assertEquals(catalogue.offered, { files: 2, bytes: 2 });
});

test("Catalogue.accept() makes the walk of another count as a fresh look", async () => {
  const clock = new ManualClock();
  let walks = 0;
  const catalogue = new Catalogue(() => (walks++, Promise.resolve(walkedOf([]))), clock);
  await catalogue.accept(walkedOf(listed(["b", "a"])));
  clock.advance(999);
  assertEquals((await catalogue.all()).map(({ name }) => name), ["a", "b"]);
  clock.advance(1);
  assertEquals([await catalogue.all(), walks], [[], 1]);
});

test("Catalogue.all() sorts by code point", async () => {
  const names = ["\u{1f600}", "\uffee", "b", "B", "a/b", "a-b", "a"];
  const got = (await offering(names).all()).map(({ name }) => name);
  assertEquals(got, ["B", "a", "a-b", "a/b", "b", "\uffee", "\u{1f600}"]);
});

test("Catalogue.all() walks again only when the listing is a second old", async () => {
  const clock = new ManualClock();
  let walks = 0;
  const catalogue = new Catalogue(() => (walks++, Promise.resolve(walkedOf([]))), clock);
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
  assertEquals((await walkFolder(sub, never)).files, []);
});

test("walkFolder() counts what cannot be offered by name, and shows a few", async () => {
  if (Deno.build.os === "windows") return;
  using folder = new TempFolder();
  for (let i = 0; i < 5; i++) folder.write(`line\n${i}`, "1");
  folder.write("sub\\folder/file", "1");
  folder.write(".hidden\n", "1");
  folder.write("x.p2p-part", "1");
  folder.write("good", "1");
  const { files, omitted } = await walkFolder(openFolder(folder.path, false), never);
  assertEquals(files.map(({ name }) => name), ["good"]);
  assertEquals([omitted.count, omitted.examples.length], [7, 3]);
  assertMatch(omitted.examples[0]!.why, /control character or a backslash/);
});

test("walkFolder() passes over what lies deeper than a name is long", async () => {
  if (Deno.build.os === "windows") return;
  using folder = new TempFolder();
  const part = "d".repeat(255);
  folder.write(`${part}/${part}/${part}/${"f".repeat(255)}`, "1");
  folder.write(`${part}/${part}/${part}/${"g".repeat(255)}/x`, "1");
  const { files, omitted } = await walkFolder(openFolder(folder.path, false), never);
  assertEquals(files.map(({ name }) => name.length), [1023]);
  assertEquals(omitted.count, 1);
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
