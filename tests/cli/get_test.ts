import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { doneOf, eventsOf, eventsOfKind, summaryOf } from "./events.ts";
import { assertCode, from, noise, ON_UNIX, PROGRAM, sha256Of, test } from "./harness.ts";

const PIECE = 1_048_576;

const sizes = [
  { name: "an empty file", size: 0 },
  { name: "a file of one byte", size: 1 },
  { name: "a file of exactly one piece", size: PIECE },
  { name: "a file of one piece and one byte", size: PIECE + 1 },
  { name: "a file of several pieces", size: 5 * PIECE + 12_345 },
];

for (const { name, size } of sizes) {
  test(`p2p get downloads ${name}`, async (world) => {
    const bytes = noise(size);
    world.write("share/file.bin", bytes);
    const seed = await world.serve(world.path("share"));
    const ended = await world.p2p("get", "file.bin", "--json", ...from(seed));
    assertCode(ended, 0);
    assertEquals(world.got("file.bin"), bytes);
    assertEquals(world.files(), ["file.bin"], "no part file and no journal is left");
    const done = doneOf(ended);
    assertEquals(done.size, size);
    assertEquals(done.sha256, await sha256Of(bytes));
    assertEquals(done.verified, true);
    assertEquals(done.bytesBySeed, size === 0 ? {} : { [seed.address]: size });
  });
}

test(
  "p2p get runs fewer downloads at a time, and does not abort, where few files can be opened",
  async (world) => {
    const names = Array.from({ length: 20 }, (_, i) => `file-${i}.bin`);
    names.forEach((name, i) => world.write(`share/${name}`, noise(3 * PIECE, i)));
    const seed = await world.serve(world.path("share"));
    const program = ["sh", "-c", 'ulimit -S -n 64 && exec "$0" "$@"', PROGRAM] as const;
    const ended = await world.p2pWith({ program }, "get", "--all", "--max", "20", ...from(seed));
    assertCode(ended, 0);
    assertEquals(world.files(), [...names].sort());
    const says = /^p2p: running \d+ of 20 downloads at a time: this system allows 64 open files;/m;
    assertMatch(ended.stderr, says);
  },
  ON_UNIX,
);

test("p2p get downloads 200 MB of noise", async (world) => {
  const bytes = noise(200_000_000);
  world.write("share/large.bin", bytes);
  const seed = await world.serve(world.path("share"));
  assertCode(await world.p2p("get", "large.bin", ...from(seed)), 0);
  assertEquals(
    await sha256Of(new Uint8Array(world.got("large.bin"))),
    await sha256Of(bytes),
  );
});

test("p2p get downloads many small files and a larger one together", async (world) => {
  const contents = new Map(
    Array.from(
      { length: 20 },
      (_, i) => [`small-${i}.bin`, noise(100 + i * 977, i)] as [string, Uint8Array],
    ),
  );
  contents.set("larger.bin", noise(4 * PIECE + 7, 99));
  for (const [name, bytes] of contents) world.write(`share/${name}`, bytes);
  const seed = await world.serve(world.path("share"));
  const ended = await world.p2p("get", ...contents.keys(), ...from(seed));
  assertCode(ended, 0);
  assertEquals(world.files(), [...contents.keys()].sort());
  for (const [name, bytes] of contents) assertEquals(world.got(name), bytes, name);
  assertMatch(ended.stderr, /^Downloaded 21 files \(/m);
});

test("p2p get keeps sub-folders when names have slashes", async (world) => {
  world.write("share/a.txt", "outside\n");
  world.write("share/photos/2026/a.txt", "inside\n");
  const seed = await world.serve(world.path("share"));
  const out = world.path("new", "folder");
  const ended = await world.p2p(
    "get",
    "photos/2026/a.txt",
    "a.txt",
    "--out",
    out,
    ...from(seed),
  );
  assertCode(ended, 0);
  assertEquals(world.files(out), ["a.txt", "photos/2026/a.txt"]);
  assertEquals(Deno.readTextFileSync(world.path("new/folder/photos/2026/a.txt")), "inside\n");
});

const patterns = [
  { args: ["*.jpg"], want: ["one.jpg", "two.jpg"] },
  { args: ["photos/*.jpg"], want: ["photos/three.jpg"] },
  { args: ["**/*.jpg"], want: ["one.jpg", "photos/deep/four.jpg", "photos/three.jpg", "two.jpg"] },
  { args: ["t*", "one.jpg"], want: ["one.jpg", "text.txt", "two.jpg"] },
  { args: ["{one,two}.jpg"], want: ["one.jpg", "two.jpg"] },
  { args: ["[odd].txt"], want: ["[odd].txt"] },
  {
    args: ["--all"],
    want: [
      "[odd].txt",
      "one.jpg",
      "photos/deep/four.jpg",
      "photos/three.jpg",
      "text.txt",
      "two.jpg",
    ],
  },
];

for (const { args, want } of patterns) {
  test(`p2p get ${args.join(" ")} downloads what fits`, async (world) => {
    for (const name of ["one.jpg", "two.jpg", "text.txt", "photos/three.jpg", "[odd].txt"]) {
      world.write(`share/${name}`, `this is ${name}\n`);
    }
    world.write("share/photos/deep/four.jpg", "this is the fourth\n");
    const seed = await world.serve(world.path("share"));
    assertCode(await world.p2p("get", ...args, ...from(seed)), 0);
    assertEquals(world.files(), want);
  }, args.some((arg) => arg.includes("*")) ? ON_UNIX : {});
}

const names = [
  { what: "spaces", name: "two  words and more.txt" },
  { what: "bars", name: "a|b|0.txt" },
  { what: "umlauts", name: "Grüße aus Köln – ñ, 日本, 🦊.txt" },
  { what: "quotes and shell signs", name: `it's "$HOME" & <more>; #1.txt` },
  { what: "200 bytes", name: "ü".repeat(98) + ".txt" },
  { what: "255 bytes", name: "n".repeat(251) + ".txt" },
  { what: "a leading dash", name: "-rf" },
  { what: "the form of a flag", name: "--all" },
];

for (const { what, name } of names) {
  test(`p2p get downloads a file whose name has ${what}`, async (world) => {
    const bytes = noise(PIECE + 3);
    world.write(`share/sub/${name}`, bytes);
    world.write(`share/${name}`, bytes);
    const seed = await world.serve(world.path("share"));
    const ended = await world.p2p("get", ...from(seed), "--", name, `sub/${name}`);
    assertCode(ended, 0);
    assertEquals(world.files(), [name, `sub/${name}`].sort());
    assertEquals(world.got(name), bytes);
    assertEquals(ended.stdout.trimEnd().split("\n").length, 2);
  }, ON_UNIX);
}

test("p2p get downloads once when a name is given twice", async (world) => {
  world.write("share/a.txt", "content\n");
  const seed = await world.serve(world.path("share"));
  const ended = await world.p2p("get", "a.txt", "a.txt", "--json", ...from(seed));
  assertCode(ended, 0);
  assertEquals(summaryOf(ended).tasks.length, 1);
  assertEquals(world.files(), ["a.txt"]);
});

test("p2p get --max 1 downloads one after the other in the order given", async (world) => {
  const order = ["c.bin", "a.bin", "d.bin", "b.bin"];
  for (const name of order) world.write(`share/${name}`, noise(3 * PIECE, name.charCodeAt(0)));
  const seed = await world.serve(world.path("share"));
  const ended = await world.p2p("get", ...order, "--max", "1", "--json", ...from(seed));
  assertCode(ended, 0);
  const turns = eventsOf(ended).flatMap((event) =>
    event.event === "task" || event.event === "done" ? [`${event.event} ${event.name}`] : []
  );
  assertEquals(turns, order.flatMap((name) => [`task ${name}`, `done ${name}`]));
  assertEquals(summaryOf(ended).tasks.map(({ name }) => name), order);
});

test("p2p get reports the path of each finished file on stdout, and all else on stderr", async (world) => {
  world.write("share/a.txt", "content\n");
  const seed = await world.serve(world.path("share"));
  const ended = await world.p2p("get", "a.txt", ...from(seed));
  assertCode(ended, 0);
  assertEquals(ended.stdout, `${world.path("here", "a.txt")}\n`);
  assertStringIncludes(ended.stderr, "a.txt: done, 8 B");
});

test("p2p get --quiet says nothing but the path on success", async (world) => {
  world.write("share/a.txt", "content\n");
  const seed = await world.serve(world.path("share"));
  const ended = await world.p2p("get", "a.txt", "--quiet", ...from(seed));
  assertCode(ended, 0);
  assertEquals(ended.stderr, "");
  assertEquals(ended.stdout, `${world.path("here", "a.txt")}\n`);
});

test("p2p get --quiet names what failed", async (world) => {
  world.write("share/a.txt", "content\n");
  const seed = await world.serve(world.path("share"));
  const ended = await world.p2p("get", "b.txt", "--quiet", ...from(seed));
  assertCode(ended, 3);
  assertMatch(ended.stderr, /^p2p: .*b\.txt.*\n(hint: .*\n)?$/);
});

test("p2p get exits 3 when no seed has the name, and gets the others all the same", async (world) => {
  world.write("share/a.txt", "content\n");
  const seed = await world.serve(world.path("share"));
  const ended = await world.p2p("get", "nothing.txt", "a.txt", "--json", ...from(seed));
  assertCode(ended, 3);
  assertEquals(world.files(), ["a.txt"]);
  assertMatch(ended.stderr, /^p2p: .*nothing\.txt/m);
  const [failed] = eventsOfKind(ended, "failed");
  assertEquals([failed?.name, failed?.code, failed?.exit], ["nothing.txt", "not-found", 3]);
});

test("p2p get of a folder says how to take what is in it", async (world) => {
  for (const name of ["data/a.txt", "data/sub/b.txt"]) world.write(`share/${name}`, name);
  const seed = await world.serve(world.path("share"));
  for (const [name, code] of [["data", 3], ["./data/", 2]] as const) {
    const ended = await world.p2p("get", name, ...from(seed));
    assertCode(ended, code);
    assertMatch(ended.stderr, /^hint: .* data\/( --seed \S+)?$/m);
  }
  assertCode(await world.p2p("get", "data/**", ...from(seed)), 0);
  assertEquals(world.files(), ["data/a.txt", "data/sub/b.txt"]);
});

test("p2p get exits 3 when a glob fits nothing", async (world) => {
  world.write("share/a.txt", "content\n");
  const seed = await world.serve(world.path("share"));
  const ended = await world.p2p("get", "*.iso", "--json", ...from(seed));
  assertCode(ended, 3);
  assertMatch(ended.stderr, /^p2p: .*\*\.iso/m);
  assertEquals(summaryOf(ended).tasks, []);
});

test("p2p get exits 4 when no seed can be reached", async (world) => {
  const ended = await world.p2p("get", "a.txt", ...from({ address: await freeAddress() }));
  assertCode(ended, 4);
  assertMatch(ended.stderr, /^p2p: .*a\.txt.*connection refused$/m);
  assertMatch(ended.stderr, /^hint: /m);
  assertEquals(world.files(), []);
});

test("p2p get --all exits 4 when no seed can be reached", async (world) => {
  const ended = await world.p2p(
    "get",
    "--all",
    "--json",
    ...from({ address: await freeAddress() }),
  );
  assertCode(ended, 4);
  assertEquals(summaryOf(ended).done, 0);
});

test("p2p get downloads from the seed that answers when another one is away", async (world) => {
  world.write("share/a.txt", "content\n");
  const seed = await world.serve(world.path("share"));
  const away = { address: await freeAddress() };
  assertCode(await world.p2p("get", "a.txt", ...from(away, seed)), 0);
  assertEquals(world.files(), ["a.txt"]);
});

test("p2p get is quiet and exits 0 when the reader of its events goes away", async (world) => {
  for (let i = 0; i < 10; i++) world.write(`share/${i}.bin`, noise(PIECE, i));
  const seed = await world.serve(world.path("share"));
  const running = world.startWith(
    { oneLine: true },
    "get",
    "--all",
    "--json",
    "--progress",
    "none",
    ...from(seed),
  );
  const ended = await running.ended;
  assertCode(ended, 0);
  assertEquals(ended.stderr, "");
});

test("p2p list is quiet and exits 0 when its reader goes away", async (world) => {
  for (let i = 0; i < 1500; i++) world.write(`share/a-name-of-some-length-${i}.txt`, "");
  const seed = await world.serve(world.path("share"));
  const ended = await world.startWith({ oneLine: true }, "list", ...from(seed)).ended;
  assertCode(ended, 0);
  assertEquals(ended.stderr, "");
});

test("p2p get keeps to --limit over all downloads", async (world) => {
  for (const name of ["a.bin", "b.bin"]) world.write(`share/${name}`, noise(2 * PIECE));
  const seed = await world.serve(world.path("share"));
  const ended = await world.p2p("get", "--all", "--limit", "4MiB", "--json", ...from(seed));
  assertCode(ended, 0);
  const { elapsedMs } = summaryOf(ended);
  assert(elapsedMs >= 700, `4 MiB at 4 MiB/s came in ${elapsedMs} ms`);
});

/** An address where nobody listens. */
async function freeAddress(): Promise<string> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return await Promise.resolve(`127.0.0.1:${port}`);
}
