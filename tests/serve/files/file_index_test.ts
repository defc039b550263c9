import { assert, assertEquals } from "@std/assert";
import { compareNames } from "../../../core/base/names.ts";
import { TaskGroup } from "../../../core/base/task_group.ts";
import { FileIndex, type IndexPage } from "../../../core/serve/files/file_index.ts";
import type { Walked } from "../../../core/serve/files/directory_walk.ts";
import { type ListedFile, parseListing } from "../../../core/protocol/listing.ts";
import { ManualClock, RunningSeed, TempFolder, test } from "../support.ts";

/** Of walks that end by themselves. */
const jobs = new TaskGroup(new AbortController().signal);

function listed(names: readonly string[]): ListedFile[] {
  return names.map((name) => ({ name, size: 1, modified: 2 }));
}

function walkedOf(files: ListedFile[]): Walked {
  return { files, omitted: { count: 0, reasons: {}, examples: [] } };
}

function offering(names: readonly string[], pageFiles?: number): FileIndex {
  const walk = () => Promise.resolve(walkedOf(listed(names)));
  return new FileIndex(walk, jobs, new ManualClock(), pageFiles);
}

/** What a page offers, read as a client reads it. */
function namesIn({ body }: IndexPage, after: string): string[] {
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
  const catalogue = new FileIndex(() => Promise.resolve(walkedOf([...files])), jobs, clock);
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
  const catalogue = new FileIndex(() => walk.promise, jobs, clock);
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

test("Catalogue's walk ends with the group that it runs in, though nobody waits for it any more", async () => {
  const clock = new ManualClock();
  const group = new TaskGroup(new AbortController().signal);
  const stopped = Promise.withResolvers<void>();
  const walk = async (signal: AbortSignal) => {
    await clock.sleep(60_000, signal).finally(stopped.resolve);
    return walkedOf([]);
  };
  const catalogue = new FileIndex(walk, group, clock);
  await catalogue.accept(walkedOf(listed(["a"])));
  clock.advance(1000);
  const asked = catalogue.page("");
  await clock.sleeperFor(500);
  clock.advance(500);
  assertEquals(namesIn(await asked, ""), ["a"]);
  assertEquals(group.size, 1);
  await group[Symbol.asyncDispose]();
  await stopped.promise;
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
  const catalogue = new FileIndex(() => (walks++, Promise.resolve(walkedOf([]))), jobs, clock);
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
  const catalogue = new FileIndex(() => (walks++, Promise.resolve(walkedOf([]))), jobs, clock);
  await Promise.all([catalogue.all(), catalogue.all()]);
  clock.advance(999);
  await catalogue.all();
  assertEquals(walks, 1);
  clock.advance(1);
  await catalogue.all();
  assertEquals(walks, 2);
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
