import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { delay } from "@std/async";
import { FaultProxy } from "../support/fault_proxy.ts";
import { OldSeed } from "../support/old_seed.ts";
import {
  type CliFixture,
  from,
  noise,
  ON_UNIX,
  PROGRAM,
  type Seed,
  sha256Of,
  test,
} from "./harness.ts";
import { ON_TERMINAL, Terminal } from "./terminal.ts";

const MIB = 1_048_576;

/** How a shell's pipe ended: the exit code of each of its commands. */
interface Piped {
  readonly codes: readonly number[];
  readonly stdout: Uint8Array;
  readonly stderr: string;
}

/** Runs a pipe in a shell, where `p2p` is the compiled program. */
async function pipe(world: CliFixture, line: string): Promise<Piped> {
  const script = `p2p() { "${PROGRAM}" "$@"; }\n${line}\necho "codes \${PIPESTATUS[*]}" >&2`;
  const { stdout, stderr } = await new Deno.Command("bash", {
    args: ["-c", script],
    cwd: world.here,
    clearEnv: true,
    env: { ...world.env },
    stdin: "null",
  }).output();
  const lines = new TextDecoder().decode(stderr).trimEnd().split("\n");
  const codes = lines.pop()!.split(" ").slice(1).map(Number);
  return { codes, stdout, stderr: lines.join("\n") };
}

async function seedWith(
  world: CliFixture,
  files: Readonly<Record<string, Uint8Array>>,
  folder = "share",
): Promise<Seed> {
  for (const [name, bytes] of Object.entries(files)) world.write(`${folder}/${name}`, bytes);
  return await world.serve(world.path(folder));
}

/** Asks these seeds without flags. */
async function configured(world: CliFixture, ...seeds: Seed[]): Promise<void> {
  for (const { address } of seeds) {
    assertEquals((await world.p2p("seeds", "add", address)).code, 0);
  }
}

function joined(...parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(parts.flatMap((part) => Array.from(part)));
}

const [A, B] = [noise(3 * MIB + 7, 1), noise(70_000, 2)];

test(
  "p2p cat writes files one after the other, from two seeds, and nothing to the disk",
  async (world) => {
    const one = await seedWith(world, { "a.bin": A, "b.bin": B, "empty": new Uint8Array() });
    const two = await seedWith(world, { "a.bin": A }, "other");
    await configured(world, one, two);
    const piped = await pipe(world, "p2p cat a.bin empty b.bin a.bin | cat");
    assertEquals(piped.codes, [0, 0]);
    assert(equal(piped.stdout, joined(A, B, A)), "other bytes");
    assertMatch(piped.stderr, /a\.bin: done, 3\.0 MiB in .*, verified$/m);
    assertEquals(world.files(), []);
  },
  ON_UNIX,
);

test("p2p cat | tar x unpacks an archive", async (world) => {
  world.write("tree/one/a.bin", A);
  world.write("tree/b.bin", B);
  Deno.mkdirSync(world.path("share"));
  const made = await pipe(world, "tar cf ../share/tree.tar -C ../tree . | cat");
  assertEquals(made.codes, [0, 0]);
  await configured(world, await world.serve(world.path("share")));
  const piped = await pipe(world, "p2p cat tree.tar -q | tar x");
  assertEquals([piped.codes, piped.stderr], [[0, 0], ""]);
  assertEquals(world.files(), ["b.bin", "one/a.bin"]);
  assert(equal(world.got("one/a.bin"), A), "other bytes");
}, ON_UNIX);

test("p2p cat takes globs, folders and links", async (world) => {
  const seed = await seedWith(world, { "logs/1": B, "logs/2": A, "other": A });
  await configured(world, seed);
  for (const name of ["'logs/*'", "logs/"]) {
    const piped = await pipe(world, `p2p cat ${name} -q | cat`);
    assertEquals([piped.codes, piped.stderr], [[0, 0], ""], name);
    assert(equal(piped.stdout, joined(B, A)), name);
  }
  const link = `p2p://${seed.address}/logs/1`;
  const linked = await pipe(world, `p2p cat ${link} -q --seed 127.0.0.1:1 | cat`);
  assertEquals([linked.codes, linked.stderr], [[0, 0], ""]);
  assert(equal(linked.stdout, B), link);
  const unmatched = await pipe(world, "p2p cat other 'nothing/*' | cat");
  assertEquals([unmatched.codes, unmatched.stdout.length], [[3, 0], 0]);
}, ON_UNIX);

test("p2p cat ends quietly with 0 when its reader has enough", async (world) => {
  await configured(world, await seedWith(world, { "a.bin": A }));
  const piped = await pipe(world, "p2p cat a.bin -q | head -c 1000");
  assertEquals([piped.codes, piped.stderr], [[0, 0], ""]);
  assert(equal(piped.stdout, A.subarray(0, 1000)), "other bytes");
}, ON_UNIX);

test("p2p cat --offset goes on in the middle, over several files", async (world) => {
  await configured(world, await seedWith(world, { "a.bin": A, "b.bin": B }));
  for (const offset of [0, 1, MIB, MIB + 1, A.length, A.length + 5]) {
    const piped = await pipe(world, `p2p cat a.bin b.bin -q --offset ${offset} | cat`);
    assertEquals([piped.codes, piped.stderr], [[0, 0], ""], `offset ${offset}`);
    assert(equal(piped.stdout, joined(A, B).subarray(offset)), `offset ${offset}`);
  }
  const end = await pipe(world, `p2p cat a.bin -q --offset ${A.length} | cat`);
  assertEquals([end.codes, end.stdout.length], [[0, 0], 0]);
  const behind = await pipe(world, `p2p cat a.bin -q --offset ${A.length + 1} | cat`);
  assertEquals([behind.codes, behind.stdout.length], [[2, 0], 0]);
  assertMatch(behind.stderr, /^p2p: Cannot begin at byte 3145736.*\nhint: .*--offset/);
}, ON_UNIX);

/** Runs p2p so that the test itself reads its output, as slowly as it likes. */
async function reading(
  world: CliFixture,
  { env, args }: { readonly env: Record<string, string>; readonly args: readonly string[] },
  read: (output: AsyncIterable<Uint8Array>) => Promise<void>,
): Promise<{ readonly code: number; readonly stderr: string }> {
  const child = new Deno.Command(PROGRAM, {
    args: [...args],
    cwd: world.here,
    clearEnv: true,
    env: { ...world.env, ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const deadline = setTimeout(() => child.kill("SIGKILL"), 45_000);
  try {
    const [stderr, { code }] = await Promise.all([
      new Response(child.stderr).text(),
      child.status,
      read(child.stdout),
    ]);
    return { code, stderr };
  } finally {
    clearTimeout(deadline);
  }
}

const IMPATIENT = { P2P_GIVE_UP: "1s", P2P_STALL: "500ms", P2P_MEMORY: "8MiB" };

test(
  "p2p cat says where a stream ends that a killed seed cut, with a code that is not 0",
  async (world) => {
    // More than fits into the memory, so that the end cannot have been received.
    const whole = noise(48 * MIB, 3);
    const seed = await seedWith(world, { "a.bin": whole });
    const args = ["cat", "a.bin", ...from(seed)];
    let taken = 0;
    const { code, stderr } = await reading(world, { env: IMPATIENT, args }, async (output) => {
      for await (const bytes of output) {
        if (taken === 0) await seed.process.endBy("SIGKILL");
        assert(equal(bytes, whole.subarray(taken, taken + bytes.length)), `at ${taken}`);
        taken += bytes.length;
      }
    });
    assertEquals(code, 4, stderr);
    assert(taken < whole.length);
    assertEquals(taken % MIB, 0);
    assertMatch(stderr, new RegExp(`^p2p: the output ends after ${taken} bytes$`, "m"));
    assertStringIncludes(stderr, `use --offset ${taken}`);
  },
  ON_UNIX,
);

test(
  "p2p cat holds no more than its memory while the reader is slow, and blames no seed for it",
  async (world) => {
    const whole = noise(40 * MIB, 4);
    const seed = await seedWith(world, { "a.bin": whole });
    await using proxy = new FaultProxy(seed.address, () => ({ kind: "none" }));
    const args = ["cat", "a.bin", "--log-level", "debug", ...from(proxy)];
    let taken = 0;
    let most = 0;
    const { code, stderr } = await reading(world, { env: IMPATIENT, args }, async (output) => {
      for await (const bytes of output) {
        assert(equal(bytes, whole.subarray(taken, taken + bytes.length)), `at ${taken}`);
        taken += bytes.length;
        most = Math.max(most, proxy.passed - taken);
        // Much slower than the seed, and once slower than any time limit.
        await delay(taken === bytes.length ? 2500 : 1);
      }
    });
    assertEquals([code, taken], [0, whole.length], stderr);
    // The rest is in pipes and sockets.
    assert(most <= 8 * MIB + 2 * MIB, `${most} bytes were ahead of the reader`);
    assert(!/failing|stalled|dropped|twice|given up/.test(stderr), stderr);
  },
  ON_UNIX,
);

test("p2p cat writes no byte of a wrong piece, and goes on with another seed", async (world) => {
  const seed = await seedWith(world, { "a.bin": A });
  await using liar = new FaultProxy(seed.address, () => ({ kind: "garble", afterBytes: 600_000 }));
  await configured(world, seed);
  const piped = await pipe(
    world,
    `p2p cat a.bin --seed ${liar.address} --seed ${seed.address} | cat`,
  );
  assertEquals(piped.codes, [0, 0], piped.stderr);
  assert(equal(piped.stdout, A), "other bytes");
}, ON_UNIX);

test("p2p cat --sha256 writes the last part only if the whole has the digest", async (world) => {
  await configured(world, await seedWith(world, { "a.bin": A }));
  const right = await pipe(world, `p2p cat a.bin -q --sha256 ${await sha256Of(A)} | cat`);
  assertEquals([right.codes, right.stdout.length], [[0, 0], A.length]);
  await using old = new OldSeed({ "a.bin": A });
  const asked = `--seed ${old.address} --sha256 ${await sha256Of(B)}`;
  const wrong = await pipe(world, `p2p cat a.bin ${asked} | cat`);
  assertEquals([wrong.codes, wrong.stdout.length], [[5, 0], 3 * MIB]);
  assertMatch(wrong.stderr, /its SHA-256 is [0-9a-f]{64}, not the one asked for/);
}, ON_UNIX);

test(
  "p2p cat says that bytes of an old seed are unverified, and refuses them with --require-verified",
  async (world) => {
    await using old = new OldSeed({ "a.bin": B });
    const piped = await pipe(world, `p2p cat a.bin --seed ${old.address} | cat`);
    assertEquals(piped.codes, [0, 0], piped.stderr);
    assert(equal(piped.stdout, B), "other bytes");
    assertMatch(piped.stderr, /a\.bin: done.*unverified/);
    const refused = await pipe(
      world,
      `p2p cat a.bin --require-verified --seed ${old.address} | cat`,
    );
    assertEquals([refused.codes, refused.stdout.length], [[5, 0], 0]);
  },
  ON_UNIX,
);

test("p2p cat ends at Ctrl-C, also while the reader takes nothing", async (world) => {
  const seed = await seedWith(world, { "a.bin": noise(20 * MIB, 5) });
  const child = new Deno.Command(PROGRAM, {
    args: ["cat", "a.bin", ...from(seed)],
    cwd: world.here,
    clearEnv: true,
    env: { ...world.env },
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const reader = child.stdout.getReader();
  await reader.read();
  child.kill("SIGINT");
  const { code } = await child.status;
  await reader.cancel();
  assertEquals(code, 130);
}, ON_UNIX);

const SIZE = { columns: 80, rows: 24 };

test("p2p cat refuses a terminal without --force", async (world) => {
  await configured(world, await seedWith(world, { "a.txt": new TextEncoder().encode("hello\n") }));
  await using refused = await Terminal.start(world, SIZE, "cat", "a.txt");
  assertEquals(await refused.ended, 2);
  assertMatch(refused.screen.story.join("\n"), /Cannot write to the terminal/);
  await using forced = await Terminal.start(world, SIZE, "cat", "a.txt", "--force", "-q");
  assertEquals(await forced.ended, 0);
  assertMatch(forced.screen.story.join("\n"), /hello/);
}, ON_TERMINAL);

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
