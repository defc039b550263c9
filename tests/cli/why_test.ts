import { assertEquals, assertMatch } from "@std/assert";
import { FaultProxy } from "../support/fault_proxy.ts";
import * as rude from "../support/rude_seed.ts";
import { RudeSeed } from "../support/rude_seed.ts";
import { downloaded } from "./events.ts";
import { assertCode, type CliFixture, from, noise, type RunningProcess, test } from "./harness.ts";

const MIB = 1_048_576;
const BYTES = noise(8 * MIB);
const UNREACHABLE = { address: "127.0.0.1:1" };

interface Why {
  readonly task: string;
  readonly state: string;
  readonly cause: string;
  readonly sentence: string;
  readonly advice: string | null;
  readonly spentMs: Readonly<Record<string, number>>;
  readonly seeds: readonly { readonly seed: string; readonly bytes: number }[];
}

async function whyOf(world: CliFixture, task: string): Promise<Why> {
  const ended = await world.p2p("why", task, "--json");
  assertCode(ended, 0);
  return JSON.parse(ended.stdout);
}

/** Asks until the download's process has reported so much of itself; `running` ends by itself if it never does. */
async function whyUntil(
  world: CliFixture,
  task: string,
  cause: string,
  running: RunningProcess,
): Promise<Why> {
  let over = false;
  const end = running.ended.then(() => over = true);
  for (;;) {
    const why = await whyOf(world, task);
    if (why.cause === cause) return why;
    if (over) {
      await end;
      throw new Error(`The download ended, and the cause was never ${cause}: ${why.cause}`);
    }
  }
}

test("p2p why names a limit of the user's, while it runs and when it is done", async (world) => {
  world.write("share/a.bin", BYTES);
  const seed = await world.serve(world.path("share"));
  const running = world.start("get", "a.bin", "--limit", "4MiB", "--json", ...from(seed));
  await downloaded(running, MIB);
  const now = await whyUntil(world, "a.bin", "limit", running);
  assertMatch(now.sentence, /^a\.bin is limited by --limit 4\.0 MiB\/s/);
  assertCode(await running.ended, 0);
  const then = await whyOf(world, "a.bin");
  assertEquals([then.state, then.cause], ["done", "limit"]);
  assertEquals(then.seeds.map(({ seed, bytes }) => [seed, bytes]), [[seed.address, BYTES.length]]);
  assertMatch((await world.p2p("why", "a.bin")).stdout, /^a\.bin is done; of its .*\ntime: +your/);
});

test("p2p why says what a task waits for in the queue", async (world) => {
  for (const name of ["a.bin", "b.bin", "c.bin"]) world.write(`share/${name}`, BYTES);
  const seed = await world.serve(world.path("share"));
  const flags = ["--max", "1", "--limit", "2MiB", "--json", ...from(seed)];
  const running = world.start("get", "a.bin", "b.bin", "c.bin", ...flags);
  await downloaded(running, 1, "a.bin");
  const { cause, sentence, advice } = await whyOf(world, "c.bin");
  assertEquals(cause, "place");
  assertMatch(sentence, /: 1 download is running, 1 is ahead of it \(--max 1 when it began\)$/);
  assertMatch(advice!, /^p2p max 2 /);
});

test("p2p why names seeds that cannot be reached, also when the task has failed", async (world) => {
  world.write("share/a.bin", BYTES);
  const seed = await world.serve(world.path("share"));
  const flags = ["--limit", "4MiB", "--give-up", "3s", "--json", ...from(seed)];
  const running = world.start("get", "a.bin", ...flags);
  await downloaded(running, MIB);
  await seed.process.endBy("SIGKILL");
  const now = await whyUntil(world, "a.bin", "unreachable", running);
  assertMatch(now.sentence, new RegExp(`reachable seed.*: .*${seed.address}`));
  assertCode(await running.ended, 4);
  const then = await whyOf(world, "a.bin");
  assertEquals([then.state, then.cause], ["failed", "unreachable"]);
});

test("p2p why of a task that failed at once says why", async (world) => {
  await world.p2p("get", "a.bin", "--id", "ab", ...from(UNREACHABLE));
  const { state, sentence, advice } = await whyOf(world, "a.bin");
  assertEquals(state, "failed");
  assertMatch(sentence, /failed: .*refused/);
  assertMatch(advice!, /p2p logs/);
});

test("p2p why names a seed's own limit", async (world) => {
  await using seed = new RudeSeed({ "a.bin": BYTES }, rude.busy(1000, 60_000));
  const running = world.start("get", "a.bin", "--give-up", "30s", "--json", ...from(seed));
  await running.stdout.line(/"what":"busy"/);
  const { sentence } = await whyUntil(world, "a.bin", "busy", running);
  assertMatch(sentence, /a busy seed.*: .*is busy/);
  await running.endBy("SIGKILL");
});

test("p2p why names a seed that still hashes the file", async (world) => {
  await using seed = new RudeSeed({ "a.bin": BYTES }, rude.pending(1000));
  const running = world.start("get", "a.bin", "--give-up", "30s", "--json", ...from(seed));
  await running.stdout.line(/"what":"busy"/);
  const { sentence } = await whyUntil(world, "a.bin", "pending", running);
  assertMatch(sentence, /hash the file.*: .*hashing the file/);
  await running.endBy("SIGKILL");
});

test("p2p why names the slow one of two seeds", async (world) => {
  world.write("share/a.bin", noise(24 * MIB));
  const seed = await world.serve(world.path("share"));
  const trickle = { kind: "trickle", afterBytes: 100_000, bytesPerSecond: 20_000 } as const;
  const steady = { kind: "trickle", afterBytes: 100_000, bytesPerSecond: 2_000_000 } as const;
  await using slow = new FaultProxy(seed.address, () => trickle);
  await using fast = new FaultProxy(seed.address, () => steady);
  const running = world.start("get", "a.bin", "--json", ...from(slow, fast));
  await downloaded(running, 4 * MIB);
  const { sentence } = await whyUntil(world, "a.bin", "bytes", running);
  assertMatch(sentence, new RegExp(`p2p cannot tell which\\): 2 seeds .* slow: ${slow.address} `));
  await running.endBy("SIGKILL");
});

test("p2p why of an unknown task exits 3", async (world) => {
  const ended = await world.p2p("why", "nothing");
  assertCode(ended, 3);
  assertMatch(ended.stderr, /^p2p: .*"nothing"\nhint: /);
});
