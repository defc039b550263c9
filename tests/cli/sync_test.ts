/** `p2p sync`: a folder as the seeds offer it. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { eventsOfKind } from "./events.ts";
import { assertCode, type CliFixture, from, noise, ON_UNIX, type Seed, test } from "./harness.ts";

const MIB = 1_048_576;
const TIME = new Date("2020-01-02T03:04:05.000Z");

function share(world: CliFixture, files: Readonly<Record<string, string | Uint8Array>>): void {
  for (const [name, content] of Object.entries(files)) {
    const path = world.write(`share/${name}`, content);
    Deno.utimeSync(path, TIME, TIME);
  }
}

/** Waits until the seed has noticed a change of its folder: it looks at most once a second. */
async function listed(
  world: CliFixture,
  seed: Seed,
  isThere: (files: readonly { readonly name: string; readonly modified: number }[]) => boolean,
): Promise<void> {
  for (;;) {
    const { stdout } = await world.p2p("list", "--json", ...from(seed));
    if (isThere(JSON.parse(stdout).files)) return;
  }
}

test("p2p sync fetches what is missing or changed, and only the pieces that differ", async (world) => {
  const big = noise(6 * MIB, 1);
  share(world, {
    "photos/big.bin": big,
    "photos/a.txt": "a",
    "photos/sub/b.txt": "b",
    "c.txt": "c",
  });
  const seed = await world.serve(world.path("share"));
  const sync = () => world.p2p("sync", "photos/", "--json", ...from(seed));
  assertCode(await sync(), 0);
  assertEquals(world.files(), ["photos/a.txt", "photos/big.bin", "photos/sub/b.txt"]);
  assertEquals(Deno.statSync(join(world.here, "photos/a.txt")).mtime, TIME);

  const again = await sync();
  assertCode(again, 0);
  assertEquals(eventsOfKind(again, "task"), []);

  // One piece of the large file changes, and a new file appears.
  const changed = big.slice();
  changed[2 * MIB]! ^= 1;
  world.write("share/photos/big.bin", changed);
  world.write("share/photos/new.txt", "new");
  await listed(world, seed, (files) => files.some(({ name }) => name === "photos/new.txt"));
  const updated = await sync();
  assertCode(updated, 0);
  const fetched = eventsOfKind(updated, "done").map(({ name, bytesBySeed }) => [
    name,
    Object.values(bytesBySeed).reduce((sum, bytes) => sum + bytes, 0),
  ]);
  assertEquals(Object.fromEntries(fetched), { "photos/big.bin": MIB, "photos/new.txt": 3 });
  assertEquals(world.got("photos/big.bin"), changed);
  assertStringIncludes(updated.stderr, "2 files updated (1.0 MiB fetched), 2 unchanged");
});

test("p2p sync deletes only with --delete, and only files that it saw on the seeds", async (world) => {
  share(world, { "a.txt": "a", "old/b.txt": "b" });
  const seed = await world.serve(world.path("share"));
  const sync = (...flags: string[]) => world.p2p("sync", ...flags, ...from(seed));
  assertCode(await sync(), 0);
  world.write("here/mine.txt", "mine");
  world.write("here/old/mine.txt", "mine");
  Deno.removeSync(world.path("share/old/b.txt"));
  await listed(world, seed, (files) => files.length === 1);

  const kept = await sync();
  assertCode(kept, 0);
  assertStringIncludes(
    kept.stderr,
    "1 file is no longer on the seeds; --delete removes such files",
  );
  assertEquals(world.files(), ["a.txt", "mine.txt", "old/b.txt", "old/mine.txt"]);

  const shown = await sync("--delete", "--dry-run");
  assertCode(shown, 0);
  assertEquals(shown.stdout, "delete old/b.txt\n");
  assertEquals(world.files().length, 4);

  const deleted = await sync("--delete");
  assertCode(deleted, 0);
  assertStringIncludes(deleted.stderr, "1 deleted");
  assertEquals(world.files(), ["a.txt", "mine.txt", "old/mine.txt"]);
});

test("p2p sync deletes nothing while a seed does not answer", async (world) => {
  share(world, { "a.txt": "a", "b.txt": "b" });
  const seed = await world.serve(world.path("share"));
  assertCode(await world.p2p("sync", ...from(seed)), 0);
  Deno.removeSync(world.path("share/b.txt"));
  await listed(world, seed, (files) => files.length === 1);
  const silent = { address: "127.0.0.1:1" };
  const ended = await world.p2p("sync", "--delete", ...from(seed, silent));
  assertCode(ended, 0);
  assertStringIncludes(ended.stderr, "nothing is deleted, because 127.0.0.1:1 did not answer");
  assertEquals(world.files(), ["a.txt", "b.txt"]);
});

test("p2p sync keeps everything when the seeds offer nothing", async (world) => {
  share(world, { "a.txt": "a" });
  const seed = await world.serve(world.path("share"));
  assertCode(await world.p2p("sync", ...from(seed)), 0);
  Deno.removeSync(world.path("share/a.txt"));
  await listed(world, seed, (files) => files.length === 0);
  const ended = await world.p2p("sync", "--delete", ...from(seed));
  assertCode(ended, 3);
  assertMatch(ended.stderr, /the seeds offer no file/);
  assertEquals(world.files(), ["a.txt"]);
});

test(
  "p2p sync leaves the old file whole when it is killed, and completes it the next time",
  async (world) => {
    const [old, next] = [noise(8 * MIB, 1), noise(8 * MIB, 2)];
    share(world, { "a.bin": old });
    const seed = await world.serve(world.path("share"));
    const sync = (...flags: string[]) => ["sync", ...flags, ...from(seed)];
    assertCode(await world.p2p(...sync()), 0);
    world.write("share/a.bin", next);
    await listed(world, seed, ([file]) => file!.modified !== TIME.getTime());
    const running = world.start(...sync("--limit", "2MiB", "--json"));
    await running.stdout.find(
      (line) => /"progress"/.test(line) && JSON.parse(line).downloaded > 0,
      "progress",
    );
    await running.endBy("SIGKILL");
    assertEquals(world.got("a.bin"), old);
    assertCode(await world.p2p(...sync()), 0);
    assertEquals(world.got("a.bin"), next);
    assert(!world.files().some((name) => name.includes("p2p-part")));
  },
  ON_UNIX,
);

test("p2p sync --delete replaces a file by a folder of its name", async (world) => {
  share(world, { "e": "file", "a.txt": "a" });
  const seed = await world.serve(world.path("share"));
  assertCode(await world.p2p("sync", ...from(seed)), 0);
  Deno.removeSync(world.path("share/e"));
  share(world, { "e/f": "folder" });
  await listed(world, seed, (files) => files.some(({ name }) => name === "e/f"));
  assertCode(await world.p2p("sync", "--delete", ...from(seed)), 0);
  assertEquals(world.files(), ["a.txt", "e/f"]);
});
