import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { MemoryDisk, WITH_DISKS } from "./disk.ts";
import { doneOf, downloaded, eventsOfKind, failedOf, parseEvent } from "./events.ts";
import { assertCode, type CliFixture, from, noise, ON_UNIX, test } from "./harness.ts";
import { symlink } from "../support/platform.ts";

const MIB = 1_048_576;
const NEW = noise(2 * MIB + 9, 1);
const OLD = noise(2 * MIB + 9, 2);

test("p2p get fetches nothing when the target has the same bytes", async (world) => {
  const seed = await sharing(world, { "a.bin": NEW });
  const target = world.write("here/a.bin", NEW);
  const before = Deno.statSync(target);
  const ended = await world.p2p("get", "a.bin", "--json", ...from(seed));
  assertCode(ended, 0);
  const done = doneOf(ended);
  assertEquals([done.bytesBySeed, done.verified, done.path], [{}, true, target]);
  assertEquals(Deno.statSync(target).mtime, before.mtime);
  assertEquals(world.files(), ["a.bin"]);
});

test("p2p get --on-conflict rename saves the new content under another name", async (world) => {
  const seed = await sharing(world, { "docs/a.tar.gz": NEW });
  world.write("here/docs/a.tar.gz", OLD);
  const ended = await world.p2p(
    "get",
    "docs/a.tar.gz",
    "--on-conflict",
    "rename",
    "--json",
    ...from(seed),
  );
  assertCode(ended, 0);
  const { id, path } = doneOf(ended);
  const name = `docs/a.tar~${id!.slice(0, 8)}.gz`;
  assertEquals(path, join(world.here, name));
  assertEquals(world.files(), ["docs/a.tar.gz", name].sort());
  assertEquals(world.got("docs/a.tar.gz"), OLD);
  assertEquals(world.got(name), NEW);
});

test("p2p get fetches nothing when the renamed one is there already", async (world) => {
  const seed = await sharing(world, { "a.bin": NEW });
  world.write("here/a.bin", OLD);
  const get = () => world.p2p("get", "a.bin", "--on-conflict", "rename", "--json", ...from(seed));
  assertCode(await get(), 0);
  const again = await get();
  assertCode(again, 0);
  assertEquals(doneOf(again).bytesBySeed, {});
  assertEquals(world.files().length, 2);
});

test("p2p get --on-conflict skip leaves other bytes and exits 0", async (world) => {
  const seed = await sharing(world, { "a.bin": NEW });
  world.write("here/a.bin", OLD);
  const flags = ["--on-conflict", "skip", "--json", ...from(seed)];
  const ended = await world.p2p("get", "a.bin", ...flags);
  assertCode(ended, 0);
  assertEquals([doneOf(ended).bytesBySeed, doneOf(ended).verified], [{}, false]);
  assertEquals(world.files(), ["a.bin"]);
  assertEquals(world.got("a.bin"), OLD);
});

test("p2p get exits 7 when the target has different content, and says how to choose", async (world) => {
  const seed = await sharing(world, { "a.bin": NEW });
  const target = world.write("here/a.bin", OLD);
  const ended = await world.p2p("get", "a.bin", "--json", ...from(seed));
  assertCode(ended, 7);
  assertEquals(failedOf(ended).exit, 7);
  assertStringIncludes(ended.stderr, target);
  assertStringIncludes(ended.stderr, "--on-conflict rename, skip or overwrite");
  assertEquals(world.files(), ["a.bin"]);
  assertEquals(world.got("a.bin"), OLD);
});

test("p2p get --on-conflict overwrite replaces other bytes", async (world) => {
  const seed = await sharing(world, { "a.bin": NEW });
  world.write("here/a.bin", OLD);
  const flags = ["--on-conflict", "overwrite", "--json", ...from(seed)];
  const ended = await world.p2p("get", "a.bin", ...flags);
  assertCode(ended, 0);
  assertEquals(world.files(), ["a.bin"]);
  assertEquals(world.got("a.bin"), NEW);
});

test(
  "p2p get --on-conflict overwrite keeps the old bytes until the new ones are whole",
  async (world) => {
    const seed = await sharing(world, { "a.bin": NEW });
    world.write("here/a.bin", OLD);
    const flags = ["--on-conflict", "overwrite", "--limit", "2MiB", "--json", ...from(seed)];
    const running = world.start("get", "a.bin", ...flags);
    await downloaded(running, 1);
    assertEquals(world.got("a.bin"), OLD);
    assertCode(await running.endBy("SIGINT"), 130);
    assertEquals(world.got("a.bin"), OLD);
  },
  ON_UNIX,
);

test("p2p get exits 7 when the target is a folder", async (world) => {
  const seed = await sharing(world, { "a.bin": NEW });
  world.write("here/a.bin/inside.txt", "mine\n");
  for (const policy of ["rename", "overwrite"]) {
    const ended = await world.p2p("get", "a.bin", "--on-conflict", policy, ...from(seed));
    assertCode(ended, 7);
    assertMatch(ended.stderr, /^p2p: .*a\.bin.* folder/m);
  }
  assertEquals(world.files(), ["a.bin/inside.txt"]);
});

test("p2p get exits 7 when a file stands where a sub-folder must be", async (world) => {
  const seed = await sharing(world, { "sub/a.bin": NEW });
  world.write("here/sub", "mine\n");
  assertCode(await world.p2p("get", "sub/a.bin", ...from(seed)), 7);
  assertEquals(world.files(), ["sub"]);
});

test("p2p get exits 6 when --out is a file", async (world) => {
  const seed = await sharing(world, { "a.bin": NEW });
  const out = world.write("here/out", "mine\n");
  const ended = await world.p2p("get", "a.bin", "--out", out, ...from(seed));
  assertCode(ended, 6);
  assertMatch(ended.stderr, /^p2p: .*here.out/m);
  assertMatch(ended.stderr, /^hint: /m);
});

test("p2p get writes nothing through a link that leads out of --out", async (world) => {
  const seed = await sharing(world, { "sub/a.bin": NEW });
  world.write("elsewhere/mine.txt", "mine\n");
  symlink(world.path("elsewhere"), join(world.here, "sub"));
  assertCode(await world.p2p("get", "sub/a.bin", ...from(seed)), 7);
  assertEquals(world.files(world.path("elsewhere")), ["mine.txt"]);
}, ON_UNIX);

test("p2p get exits 7 and names the process when another one works on the target", async (world) => {
  const seed = await sharing(world, { "a.bin": noise(8 * MIB) });
  const first = world.start("get", "a.bin", "--limit", "4MiB", "--json", ...from(seed));
  await downloaded(first, MIB);
  const second = await world.p2p("get", "a.bin", "--json", ...from(seed));
  assertCode(second, 7);
  assertEquals(failedOf(second).code, "conflict");
  assertStringIncludes(second.stderr, `process ${first.pid}`);
  assertCode(await first.ended, 0);
  assertEquals(world.got("a.bin"), noise(8 * MIB));
});

test("p2p get of two processes at once into two folders disturbs neither", async (world) => {
  const seed = await sharing(world, { "a.bin": NEW });
  const ended = await Promise.all(
    ["one", "two", "three"].map((out) => world.p2p("get", "a.bin", "--out", out, ...from(seed))),
  );
  for (const one of ended) assertCode(one, 0);
  assertEquals(world.files(), ["one/a.bin", "three/a.bin", "two/a.bin"]);
});

test("p2p get exits 6 when there is no room, and goes on after room was made", async (world) => {
  const bytes = noise(6 * MIB);
  const seed = await sharing(world, { "a.bin": bytes });
  await using disk = MemoryDisk.mount(world.path("disk"), 8);
  disk.leave(4);
  const flags = ["--out", disk.path, "--give-up", "1s", "--json", ...from(seed)];
  const full = await world.p2p("get", "a.bin", ...flags);
  assertCode(full, 6);
  assertEquals([failedOf(full).code, failedOf(full).exit], ["disk", 6]);
  assertMatch(full.stderr, /^p2p: .*a\.bin.* free/m);
  assertMatch(full.stderr, /^hint: .*space/m);
  disk.clear();
  assertCode(await world.p2p("get", "a.bin", ...flags), 0);
  assertEquals(Deno.readFileSync(join(disk.path, "a.bin")), bytes);
}, WITH_DISKS);

test(
  "p2p get exits 6 when the disk fills in the middle, and fetches only the rest later",
  async (world) => {
    const bytes = noise(6 * MIB);
    const seed = await sharing(world, { "a.bin": bytes });
    await using disk = MemoryDisk.mount(world.path("disk"), 8);
    const flags = ["--out", disk.path, "--give-up", "1s", "--json", ...from(seed)];
    const running = world.start("get", "a.bin", "--limit", "4MiB", ...flags);
    await downloaded(running, 2 * MIB);
    disk.leave(0);
    const full = await running.ended;
    assertCode(full, 6);
    assertEquals(failedOf(full).code, "disk");
    assertMatch(full.stderr, /the disk is full/);
    assertMatch(full.stderr, /^p2p: .*a\.bin.* (full|free)/m);
    assertMatch(full.stderr, /^hint: .*space/m);
    disk.clear();
    const again = await world.p2p("get", "a.bin", ...flags);
    assertCode(again, 0);
    assertEquals(Deno.readFileSync(join(disk.path, "a.bin")), bytes);
    const fetched = doneOf(again).bytesBySeed[seed.address]!;
    assert(fetched <= 4 * MIB, `${fetched} bytes were fetched again`);
  },
  WITH_DISKS,
);

test("p2p get waits for room on a full disk, and goes on in the same run", async (world) => {
  const bytes = noise(6 * MIB);
  const seed = await sharing(world, { "a.bin": bytes });
  await using disk = MemoryDisk.mount(world.path("disk"), 8);
  const flags = ["--out", disk.path, "--json", ...from(seed)];
  const running = world.start("get", "a.bin", "--limit", "4MiB", ...flags);
  await downloaded(running, 2 * MIB);
  disk.leave(0);
  await running.stderr.line(/a\.bin.*waiting for room/);
  await running.stdout.find((line) => {
    const event = parseEvent(line);
    return event.event === "progress" && event.state === "waiting";
  }, "the state waiting");
  disk.clear();
  const ended = await running.ended;
  assertCode(ended, 0);
  assertEquals(Deno.readFileSync(join(disk.path, "a.bin")), bytes);
  const fetched = doneOf(ended).bytesBySeed[seed.address]!;
  assert(fetched <= 4 * MIB, `${fetched} bytes were fetched again`);
}, WITH_DISKS);

test("p2p get gives its place to the next one while it waits for room", async (world) => {
  const seed = await sharing(world, { "a.bin": noise(6 * MIB), "b.txt": NEW });
  await using disk = MemoryDisk.mount(world.path("disk"), 12);
  disk.leave(4);
  const flags = ["--out", disk.path, "--max", "1", "--json", ...from(seed)];
  const running = world.start("get", "a.bin", "b.txt", ...flags);
  await running.stderr.line(/a\.bin.*waiting for room/);
  await running.stdout.find((line) => parseEvent(line).event === "done", "b.txt done");
  assertEquals(Deno.readFileSync(join(disk.path, "b.txt")), NEW);
  disk.clear();
  const ended = await running.ended;
  assertCode(ended, 0);
  assertEquals(eventsOfKind(ended, "done").map(({ name }) => name), ["b.txt", "a.bin"]);
}, WITH_DISKS);

async function sharing(world: CliFixture, files: Readonly<Record<string, Uint8Array>>) {
  for (const [name, bytes] of Object.entries(files)) world.write(`share/${name}`, bytes);
  return await world.serve(world.path("share"));
}

test("p2p get finishes two of three downloads when there is room for two", async (world) => {
  const files = { "a.bin": noise(4 * MIB), "b.bin": noise(4 * MIB), "c.bin": noise(4 * MIB) };
  const seed = await sharing(world, files);
  await using disk = MemoryDisk.mount(world.path("disk"), 10);
  const flags = ["--out", disk.path, "--give-up", "1s", "--json", ...from(seed)];
  const ended = await world.p2p("get", ...Object.keys(files), ...flags);
  assertCode(ended, 6);
  // The downloads begin at the same time: any of them may be the one that finds no space.
  const failed = failedOf(ended);
  assertEquals(failed.code, "disk");
  const stored = Object.keys(files).filter((name) => name !== failed.name);
  assertEquals(eventsOfKind(ended, "done").map(({ name }) => name).sort(), stored);
  assertMatch(ended.stderr, /not enough disk space \(4\.0 MiB needed, [\d.]+ [KM]iB free\)/);
  const names = Array.from(Deno.readDirSync(disk.path), ({ name }) => name);
  assertEquals(names.filter((name) => name.endsWith(".bin")).sort(), stored);
}, WITH_DISKS);

test("p2p get finishes a download that was begun when small files come after it", async (world) => {
  const small = Array.from({ length: 8 }, (_, i) => `small-${i}.bin`);
  const files = { "big.bin": noise(6 * MIB) };
  const seed = await sharing(world, {
    ...files,
    ...Object.fromEntries(small.map((name) => [name, noise(MIB)])),
  });
  await using disk = MemoryDisk.mount(world.path("disk"), 8);
  const flags = ["--out", disk.path, "--give-up", "1s", "--json", ...from(seed)];
  const ended = await world.p2p("get", "big.bin", ...small, ...flags);
  assertCode(ended, 6);
  assertEquals(Deno.readFileSync(join(disk.path, "big.bin")), files["big.bin"]);
}, WITH_DISKS);

test("p2p get does not wait for space that its disk will never have", async (world) => {
  const seed = await sharing(world, { "a.bin": noise(6 * MIB) });
  await using disk = MemoryDisk.mount(world.path("disk"), 4);
  // By default it would wait two minutes, longer than a test may take.
  const ended = await world.p2p("get", "a.bin", "--out", disk.path, "--json", ...from(seed));
  assertCode(ended, 6);
  assertMatch(ended.stderr, /not enough disk space \(6\.0 MiB needed, 4\.0 MiB free\)/);
}, WITH_DISKS);

for (const policy of ["overwrite", "rename"]) {
  test(`p2p get --on-conflict ${policy} fetches only the pieces that differ from the file that is there`, async (world) => {
    const bytes = noise(8 * MIB + 100, 3);
    const old = bytes.slice();
    old[3 * MIB + 7]! ^= 1;
    const seed = await sharing(world, { "a.bin": bytes });
    world.write("here/a.bin", old);
    const flags = ["--on-conflict", policy, "--json", ...from(seed)];
    const ended = await world.p2p("get", "a.bin", ...flags);
    assertCode(ended, 0);
    const { path, bytesBySeed } = doneOf(ended);
    assertEquals(Object.values(bytesBySeed), [MIB]);
    assertEquals(Deno.readFileSync(path), bytes);
    assertEquals(world.got("a.bin"), policy === "overwrite" ? bytes : old);
  });
}

test("p2p get takes a folder", async (world) => {
  const seed = await sharing(world, { "photos/a.jpg": NEW, "photos/sub/b.jpg": OLD, "c.jpg": OLD });
  assertCode(await world.p2p("get", "photos/", ...from(seed)), 0);
  assertEquals(world.files(), ["photos/a.jpg", "photos/sub/b.jpg"]);
});

test(
  "p2p get keeps the time and the permission of a program, except with --no-times",
  async (world) => {
    const modified = new Date("2020-02-03T04:05:06.000Z");
    for (const name of ["run.sh", "notes.txt", "big.bin"]) {
      const bytes = name === "big.bin" ? NEW : new TextEncoder().encode(name);
      const path = world.write(`share/sub/${name}`, bytes);
      Deno.chmodSync(path, name === "run.sh" ? 0o755 : 0o644);
      Deno.utimeSync(path, modified, modified);
    }
    const seed = await world.serve(world.path("share"));
    assertCode(await world.p2p("get", "sub/", ...from(seed)), 0);
    const stat = (name: string) => Deno.statSync(join(world.here, "sub", name));
    for (const name of ["run.sh", "notes.txt", "big.bin"]) {
      assertEquals(stat(name).mtime, modified, name);
      assertEquals((stat(name).mode! & 0o100) !== 0, name === "run.sh", name);
    }
    // The same bytes are there already: only the time differs.
    Deno.utimeSync(join(world.here, "sub/notes.txt"), new Date(), new Date());
    assertCode(await world.p2p("get", "sub/", ...from(seed)), 0);
    assertEquals(stat("notes.txt").mtime, modified);

    const out = ["--out", world.path("other")];
    assertCode(await world.p2p("get", "sub/", "--no-times", ...out, ...from(seed)), 0);
    for (const name of ["run.sh", "notes.txt", "big.bin"]) {
      const { mtime, mode } = Deno.statSync(world.path("other/sub", name));
      assert(mtime!.getTime() > modified.getTime(), name);
      assertEquals(mode! & 0o100, 0, name);
    }
  },
  ON_UNIX,
);
