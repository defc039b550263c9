import { assert, assertEquals } from "@std/assert";
import { compareNames } from "../../../core/base/names.ts";
import { TaskGroup } from "../../../core/base/task_group.ts";
import { FileIndex, type IndexPage } from "../../../core/serve/files/file_index.ts";
import type { WalkResult } from "../../../core/serve/files/directory_walk.ts";
import type { ListedFile } from "../../../core/protocol/listing.ts";
import { parseListing } from "../../protocol/support.ts";
import { SeedFixture } from "../support.ts";
import { ManualClock, YEAR_2033 } from "../../support/manual_clock.ts";
import { TempFolder } from "../../support/temp_folder.ts";
import { test } from "../../support/test.ts";

/** For walks that end by themselves. */
const jobs = new TaskGroup(new AbortController().signal);

function listed(names: readonly string[]): ListedFile[] {
  return names.map((name) => ({ name, size: 1, modified: 2 }));
}

function walkedOf(files: ListedFile[]): WalkResult {
  return { files, omitted: { count: 0, reasons: {}, examples: [] } };
}

function offering(names: readonly string[], pageFiles?: number): FileIndex {
  const walk = () => Promise.resolve(walkedOf(listed(names)));
  return new FileIndex(walk, jobs, new ManualClock(YEAR_2033), pageFiles);
}

/** The names of a page, parsed as a client does. */
function namesIn({ body }: IndexPage, after: string): string[] {
  return parseListing(new TextDecoder().decode(body), after).map(({ name }) => name);
}

test("FileIndex.page() returns every name once, in pages, when there are more than fit into one", async () => {
  const names = Array.from({ length: 25_001 }, (_, i) => `f${i}`);
  const index = offering(names);
  const got: string[] = [];
  const pages: [number, boolean][] = [];
  for (let more = true; more;) {
    const after = got.at(-1) ?? "";
    const page = await index.page(after);
    const found = namesIn(page, after);
    got.push(...found);
    pages.push([found.length, page.more]);
    more = page.more;
  }
  assertEquals(pages, [[10_000, true], [10_000, true], [5001, false]]);
  assertEquals(got, names.sort(compareNames));
});

test("FileIndex.page() says that there are no more when the last page is full", async () => {
  assertEquals((await offering(["a", "b"], 2).page("")).more, false);
  const index = offering(["a", "b"], 1);
  assertEquals((await index.page("")).more, true);
  assertEquals((await index.page("a")).more, false);
  assertEquals(namesIn(await index.page("b"), "b"), []);
});

test("FileIndex.page() leads to every name, wherever a client begins", async () => {
  const names = ["a", "b", "c", "d", "e", "f", "g"];
  const index = offering(names, 3);
  for (const start of ["", "0", "a", "aa", "b", "c", "e", "f", "g", "z"]) {
    const got: string[] = [];
    for (let after = start, more = true; more; after = got.at(-1)!) {
      const page = await index.page(after);
      got.push(...namesIn(page, after));
      more = page.more;
    }
    assertEquals(got, names.filter((name) => name > start), `from "${start}"`);
  }
});

test("FileIndex.page() encodes a page once for all clients, also from its middle on", async () => {
  const index = offering(["a", "b", "c", "d", "e"], 3);
  const first = await index.page("");
  const others = [await index.page(""), await index.page("a"), await index.page("bb")];
  assertEquals(others.map(({ body }) => body.buffer === first.body.buffer), [true, true, true]);
  assertEquals(namesIn(others[2]!, "bb"), ["c"]);
});

test("FileIndex keeps its pages after walks that find nothing new", async () => {
  const clock = new ManualClock(YEAR_2033);
  let files = listed(["a", "b"]);
  const index = new FileIndex(() => Promise.resolve(walkedOf([...files])), jobs, clock);
  const { body } = await index.page("");
  const names = await index.names();
  clock.tick(1000);
  assert((await index.page("")).body.buffer === body.buffer);
  assert(await index.names() === names);
  for (const change of [{ size: 7 }, { modified: 7 }, { name: "c" }]) {
    const before = await index.page("");
    files = [{ ...files[0]!, ...change }, files[1]!];
    clock.tick(1000);
    const after = await index.page("");
    assert(after.body.buffer !== before.body.buffer, JSON.stringify(change));
  }
});

test("FileIndex returns the older listing when a walk takes long, and the new one when that has ended", async () => {
  const clock = new ManualClock(YEAR_2033);
  const walk = Promise.withResolvers<WalkResult>();
  const index = new FileIndex(() => walk.promise, jobs, clock);
  await index.accept(walkedOf(listed(["a"])));
  clock.tick(1000);
  const asked = index.page("");
  await clock.timerIn(500);
  clock.tick(500);
  assertEquals(namesIn(await asked, ""), ["a"]);
  walk.resolve(walkedOf(listed(["a", "b"])));
  const later = index.page("");
  assertEquals(namesIn(await later, ""), ["a", "b"]);
});

test("FileIndex ends its walk with the group that it runs in, when no request waits for it", async () => {
  const clock = new ManualClock(YEAR_2033);
  const group = new TaskGroup(new AbortController().signal);
  const stopped = Promise.withResolvers<void>();
  const walk = async (signal: AbortSignal) => {
    await clock.sleep(60_000, signal).finally(stopped.resolve);
    return walkedOf([]);
  };
  const index = new FileIndex(walk, group, clock);
  await index.accept(walkedOf(listed(["a"])));
  clock.tick(1000);
  const asked = index.page("");
  await clock.timerIn(500);
  clock.tick(500);
  assertEquals(namesIn(await asked, ""), ["a"]);
  assertEquals(group.size, 1);
  await group[Symbol.asyncDispose]();
  await stopped.promise;
});

test("FileIndex.offered counts what the last walk found", async () => {
  const index = offering(["a", "b"]);
  assertEquals(index.offered, { files: 0, bytes: 0 });
  await index.all();
  assertEquals(index.offered, { files: 2, bytes: 2 });
});

test("FileIndex.accept() installs the result of a walk as a fresh listing", async () => {
  const clock = new ManualClock(YEAR_2033);
  let walks = 0;
  const index = new FileIndex(() => (walks++, Promise.resolve(walkedOf([]))), jobs, clock);
  await index.accept(walkedOf(listed(["b", "a"])));
  clock.tick(999);
  assertEquals((await index.all()).map(({ name }) => name), ["a", "b"]);
  clock.tick(1);
  assertEquals([await index.all(), walks], [[], 1]);
});

test("FileIndex.all() sorts by code point", async () => {
  const names = ["\u{1f600}", "\uffee", "b", "B", "a/b", "a-b", "a"];
  const got = (await offering(names).all()).map(({ name }) => name);
  assertEquals(got, ["B", "a", "a-b", "a/b", "b", "\uffee", "\u{1f600}"]);
});

test("FileIndex.all() walks again only when the listing is a second old", async () => {
  const clock = new ManualClock(YEAR_2033);
  let walks = 0;
  const index = new FileIndex(() => (walks++, Promise.resolve(walkedOf([]))), jobs, clock);
  await Promise.all([index.all(), index.all()]);
  clock.tick(999);
  await index.all();
  assertEquals(walks, 1);
  clock.tick(1);
  await index.all();
  assertEquals(walks, 2);
});

test("Session pages through more files than fit into one reply", async () => {
  using folder = new TempFolder();
  for (let i = 0; i < 10_001; i++) {
    Deno.writeFileSync(folder.pathOf(`f${i}`), new Uint8Array());
  }
  await using seed = await SeedFixture.start(folder.path);
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
