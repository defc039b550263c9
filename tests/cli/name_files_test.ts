import { assertEquals, assertMatch } from "@std/assert";
import { OldSeed } from "../support/old_seed.ts";
import { assertCode, from, noise, ON_UNIX, PROGRAM, sha256Of, test } from "./harness.ts";

const [A, B] = [noise(200_000, 1), noise(70_000, 2)];

test(
  "p2p get --save-as writes one file under another name, in a folder that it makes",
  async (world) => {
    world.write("share/sub/a.bin", A);
    const seed = await world.serve(world.path("share"));
    assertCode(await world.p2p("get", "sub/a.bin", "--save-as", "x.bin", ...from(seed)), 0);
    const flags = ["--out", "into", "--save-as", "deep/y.bin", ...from(seed)];
    const got = await world.p2p("get", "sub/a.bin", ...flags);
    assertCode(got, 0);
    assertEquals(got.stdout, `${world.path("here", "into", "deep", "y.bin")}\n`);
    const absolute = world.path("elsewhere", "z.bin");
    assertCode(await world.p2p("get", "sub/a.bin", "--save-as", absolute, ...from(seed)), 0);
    assertEquals(Deno.readFileSync(absolute), A);
    assertEquals(world.files(), ["into/deep/y.bin", "x.bin"]);
    for (const name of world.files()) assertEquals(world.got(name), A, name);
    const two = await world.p2p("get", "sub/a.bin", "b", "--save-as", "x", ...from(seed));
    assertCode(two, 2);
    assertMatch(two.stderr, /Cannot use --save-as with more than one name/);
  },
  ON_UNIX,
);

test("p2p get --input-file gets the names in a file and on standard input", async (world) => {
  world.write("share/a.bin", A);
  world.write("share/logs/1", B);
  world.write("share/logs/2", B);
  const seed = await world.serve(world.path("share"));
  world.write("here/list", `# wanted\r\na.bin\r\n\nlogs/*\np2p://${seed.address}/logs/1\n`);
  const flags = ["--input-file", "list", "--out", "one", ...from(seed)];
  const repeated = await world.p2p("get", ...flags);
  // The link and the glob mean one file.
  assertCode(repeated, 2);
  world.write("here/list", "# wanted\r\na.bin\r\n\nlogs/*\n");
  assertCode(await world.p2p("get", ...flags), 0);
  assertEquals(world.files(world.path("here", "one")), ["a.bin", "logs/1", "logs/2"]);
  const script = `printf 'a.bin\\n' | "$@"`;
  const program = ["bash", "-c", script, "bash", PROGRAM] as const;
  const piped = await world.startWith(
    { program: [...program] },
    ...["get", "--input-file", "-", "--out", "two", ...from(seed)],
  ).ended;
  assertCode(piped, 0);
  assertEquals(world.files(world.path("here", "two")), ["a.bin"]);
  world.write("here/bad", "a.bin\n../../etc/passwd\n");
  const bad = await world.p2p("get", "--input-file", "bad", ...from(seed));
  assertCode(bad, 2);
  assertMatch(bad.stderr, /^p2p: Cannot use line 2 of "bad": "\.\.\/\.\.\/etc\/passwd" as name/);
  assertCode(await world.p2p("get", "--input-file", "nowhere", ...from(seed)), 6);
}, ON_UNIX);

test(
  "p2p get --sha256sums gets the names of a file of digests, and refuses other bytes",
  async (world) => {
    world.write("share/a.bin", A);
    world.write("share/b [1].bin", B);
    const seed = await world.serve(world.path("share"));
    const [ofA, ofB] = [await sha256Of(A), await sha256Of(B)];
    world.write("here/SHA256SUMS", `${ofA}  a.bin\n${ofB} *./b [1].bin\n`);
    const flags = ["--sha256sums", "SHA256SUMS", ...from(seed)];
    assertCode(await world.p2p("get", ...flags), 0);
    assertEquals(world.files(), ["SHA256SUMS", "a.bin", "b [1].bin"]);
    const again = await world.p2p("get", ...flags);
    assertCode(again, 0);
    assertMatch(again.stderr, /2 files are already there/);
    // Of another digest than the file that is there.
    world.write("here/WRONG", `${ofB}  a.bin\n`);
    const wrong = await world.p2p("get", "--sha256sums", "WRONG", "--out", "new", ...from(seed));
    assertCode(wrong, 5);
    assertEquals(world.files().filter((name) => name.startsWith("new/")), []);
    const one = await world.p2p("get", "a.bin", "--out", "one", ...flags);
    assertCode(one, 0);
    assertEquals(world.files(world.path("here", "one")), ["a.bin"]);
    const unknown = await world.p2p("get", "a.bin", "c.bin", "--out", "one", ...flags);
    assertCode(unknown, 2);
    assertMatch(unknown.stderr, /Cannot check "c\.bin": "SHA256SUMS" has no digest of it/);
  },
  ON_UNIX,
);

test("p2p get --out - writes to standard output, as p2p cat does", async (world) => {
  world.write("share/a.bin", A);
  const seed = await world.serve(world.path("share"));
  const script = `"$@" | sha256sum; echo "\${PIPESTATUS[0]}"`;
  const program = ["bash", "-c", script, "bash", PROGRAM] as const;
  const args = ["a.bin", "-o", "-", ...from(seed)];
  const got = await world.startWith({ program: [...program] }, "get", ...args).ended;
  assertEquals(got.stdout, `${await sha256Of(A)}  -\n0\n`);
  assertEquals(world.files(), []);
  world.write("here/SUMS", `${await sha256Of(B)}  a.bin\n`);
  const sums = [...args, "--sha256sums", "SUMS"];
  const wrong = await world.startWith({ program: [...program] }, "get", ...sums).ended;
  assertMatch(wrong.stdout, /\n5\n$/);
  assertEquals((await world.p2p("get", "--json", ...args)).code, 2);
}, ON_UNIX);

test(
  "p2p list --sha256sums writes what sha256sum -c and p2p get --sha256sums read",
  async (world) => {
    world.write("share/a.bin", A);
    world.write("share/logs/b c", B);
    const seed = await world.serve(world.path("share"));
    const listed = await world.p2p("list", "--sha256sums", ...from(seed));
    assertCode(listed, 0);
    assertEquals(
      listed.stdout,
      `${await sha256Of(A)}  a.bin\n${await sha256Of(B)}  logs/b c\n`,
    );
    world.write("here/SUMS", listed.stdout);
    assertCode(await world.p2p("get", "--sha256sums", "SUMS", ...from(seed)), 0);
    const script = `sha256sum -c SUMS`;
    const checked = await world.startWith({ program: ["bash", "-c", script] }).ended;
    assertEquals([checked.code, checked.stdout], [0, "a.bin: OK\nlogs/b c: OK\n"]);
    await using old = new OldSeed({ "old.bin": B });
    const partly = await world.p2p("list", "--sha256sums", ...from(seed, old));
    assertCode(partly, 5);
    assertEquals(partly.stdout, listed.stdout);
    assertMatch(partly.stderr, /Cannot list the digest of "old\.bin": no seed tells it/);
  },
  ON_UNIX,
);
