/** `p2p pause`, `resume`, `cancel` and `max`, said in one process and obeyed in another. */
import {
  assert,
  assertEquals,
  assertGreater,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { downloaded, eventsOf, eventsOfKind, type Line, parseEvent, summaryOf } from "./events.ts";
import {
  assertCode,
  type CliFixture,
  type Ended,
  from,
  noise,
  ON_UNIX,
  type RunningProcess,
  type Seed,
  test,
} from "./harness.ts";

const MIB = 1_048_576;
const SIZE = 10 * MIB;
/** There when the order is given: it must not be fetched again. */
const STORED = 3 * MIB;
const ONE_AT_A_TIME = ["--max", "1", "--limit", "6MiB", "--json"];

/** So that one has no more of the line than another. */
const EACH_SLOWLY = ["--task-limit", "3MiB", "--json"];

/** The file of that name, each time the same. */
function bytesOf(name: string): Uint8Array<ArrayBuffer> {
  return noise(SIZE, name.charCodeAt(0));
}

/** A seed of these files, and a process that downloads them. */
async function downloading(world: CliFixture, names: string[], flags = ONE_AT_A_TIME) {
  for (const name of names) world.write(`share/${name}`, bytesOf(name));
  const seed = await world.serve(world.path("share"));
  const get = [...names, ...flags, ...from(seed)];
  const running = world.start("get", ...get);
  await downloaded(running, STORED, names[0]);
  return { seed, running, get };
}

/** Waits until `name` has come to be in this state, the first or a later time. */
async function inState(
  running: RunningProcess,
  name: string,
  state: string,
  time = 1,
): Promise<void> {
  let [last, times] = ["", 0];
  await running.stdout.find((line) => {
    const event = parseEvent(line);
    if (event.event !== "progress" || event.name !== name) return false;
    if (event.state === state && last !== state) times++;
    last = event.state;
    return times === time;
  }, `${name} ${state} for the ${time}. time`);
}

async function done(running: RunningProcess, name: string): Promise<void> {
  await running.stdout.find((line) => isDone(parseEvent(line), name), `${name} done`);
}

function isDone(line: Line, name: string): boolean {
  return line.event === "done" && line.name === name;
}

/** Runs an order that must be obeyed, and gives what it says. */
async function order(world: CliFixture, ...args: string[]): Promise<string> {
  const ended = await world.p2p(...args);
  assertCode(ended, 0);
  assertEquals(ended.stderr, "");
  return ended.stdout;
}

async function statusOf(world: CliFixture, name: string) {
  const ended = await world.p2p("status", "--all", "--json");
  assertCode(ended, 0);
  const { tasks } = JSON.parse(ended.stdout) as {
    tasks: { name: string; state: string; pid: number | null; downloaded: number; rate: number }[];
  };
  return tasks.findLast((task) => task.name === name)!;
}

/** `name` is there, and what was there before was not fetched again. */
function assertWentOn(world: CliFixture, ended: Ended, name: string, seed: Seed): void {
  assertEquals(world.got(name), bytesOf(name));
  const result = eventsOfKind(ended, "done").find((event) => event.name === name)!;
  const fetched = result.bytesBySeed[seed.address] ?? 0;
  assert(fetched <= SIZE - STORED, `${fetched} of ${SIZE} bytes were fetched again`);
}

test(
  "p2p pause stops the bytes in another process and frees the place, and p2p resume fetches only the rest",
  async (world) => {
    const { seed, running } = await downloading(world, ["a.bin", "b.bin"]);
    assertMatch(await order(world, "pause", "a.bin"), /^\w+ {2}a\.bin: paused\n$/);
    await inState(running, "a.bin", "paused");
    // The next one has its place, and what is reported of the first one is settled.
    await downloaded(running, MIB, "b.bin");
    const paused = await statusOf(world, "a.bin");
    assertEquals([paused.state, paused.pid, paused.rate], ["paused", running.pid, 0]);
    // Asking twice is no error.
    assertMatch(await order(world, "pause", "a.bin"), /a\.bin: .*paused/);
    await done(running, "b.bin");
    assertEquals((await statusOf(world, "a.bin")).downloaded, paused.downloaded);
    assertMatch(await order(world, "resume", "a.bin"), /^\w+ {2}a\.bin: resumed\n$/);
    await inState(running, "a.bin", "downloading", 2);
    assertMatch(await order(world, "resume", "a.bin"), /a\.bin: was not paused/);
    const ended = await running.ended;
    assertCode(ended, 0);
    assertWentOn(world, ended, "a.bin", seed);
    assertEquals(world.got("b.bin"), bytesOf("b.bin"));
    assertEquals(world.files(), ["a.bin", "b.bin"]);
  },
);

test("p2p pause of what waits for its turn lets the next one pass", async (world) => {
  const { running } = await downloading(world, ["a.bin", "b.bin", "c.bin"]);
  await order(world, "pause", "b.bin");
  await done(running, "c.bin");
  assertEquals((await statusOf(world, "b.bin")).state, "paused");
  await order(world, "resume", "b.bin");
  const ended = await running.ended;
  assertCode(ended, 0);
  const names = eventsOfKind(ended, "done").map(({ name }) => name);
  assertEquals(names, ["a.bin", "c.bin", "b.bin"]);
});

test(
  "p2p pause and p2p cancel are obeyed at once by what waits for its place after p2p resume",
  async (world) => {
    const flags = [...ONE_AT_A_TIME, "--stall", "1m"];
    const { seed, running } = await downloading(world, ["a.bin", "b.bin"], flags);
    await order(world, "pause", "a.bin");
    await inState(running, "b.bin", "downloading");
    // b.bin keeps the place for as long as this takes: its seed sends nothing more.
    seed.process.kill("SIGSTOP");
    await order(world, "resume", "a.bin");
    await inState(running, "a.bin", "waiting");
    await order(world, "pause", "a.bin");
    await inState(running, "a.bin", "paused", 2);
    await order(world, "resume", "a.bin");
    await inState(running, "a.bin", "waiting", 2);
    await order(world, "cancel", "a.bin");
    await inState(running, "a.bin", "cancelled");
    const soFar = running.stdout.lines.map(parseEvent);
    assertEquals(soFar.some((line) => isDone(line, "b.bin")), false, "b.bin has the place");
    seed.process.kill("SIGCONT");
    const ended = await running.ended;
    assertCode(ended, 8);
    const { done, failed, cancelled, tasks } = summaryOf(ended);
    assertEquals([done, failed, cancelled], [1, 0, 1]);
    assertEquals(tasks.map(({ name, state }) => `${name} ${state}`), [
      "a.bin cancelled",
      "b.bin done",
    ]);
  },
  ON_UNIX,
);

test("p2p cancel ends one download, keeps what there is of it, and lets the others go on", async (world) => {
  const { seed, running } = await downloading(world, ["a.bin", "b.bin"]);
  assertMatch(await order(world, "cancel", "a.bin"), /^\w+ {2}a\.bin: cancelled\n$/);
  await inState(running, "a.bin", "cancelled");
  assertMatch(await order(world, "cancel", "a.bin"), /a\.bin: was cancelled already/);
  const ended = await running.ended;
  assertCode(ended, 8);
  assertEquals(world.files(), ["a.bin.p2p-journal", "a.bin.p2p-part", "b.bin"]);
  const again = await world.p2p("get", "a.bin", "--json", ...from(seed));
  assertCode(again, 0);
  assertWentOn(world, again, "a.bin", seed);
});

test("p2p cancel --delete removes what there is of a download that runs, and nothing else", async (world) => {
  const { running } = await downloading(world, ["a.bin", "b.bin"]);
  world.write("here/a.bin.txt", "mine\n");
  assertMatch(await order(world, "cancel", "a.bin", "--delete"), /partial file removed/);
  await inState(running, "a.bin", "cancelled");
  assertEquals(world.files().filter((name) => name.startsWith("a.")), ["a.bin.txt"]);
  assertCode(await running.ended, 8);
  assertEquals(world.files(), ["a.bin.txt", "b.bin"]);
});

test("p2p cancel --delete removes what there is of a paused download", async (world) => {
  const { running } = await downloading(world, ["a.bin"]);
  await order(world, "pause", "a.bin");
  await inState(running, "a.bin", "paused");
  await order(world, "cancel", "a.bin", "--delete");
  assertCode(await running.ended, 8);
  assertEquals(world.files(), []);
});

test("p2p cancel --delete fails only the download whose partial file cannot be removed", async (world) => {
  const { running } = await downloading(world, ["a.bin", "b.bin"]);
  await order(world, "pause", "a.bin");
  await inState(running, "a.bin", "paused");
  const part = world.path("here", "a.bin.p2p-part");
  Deno.removeSync(part);
  world.write("here/a.bin.p2p-part/mine.txt", "mine\n");
  await order(world, "cancel", "a.bin", "--delete");
  const ended = await running.ended;
  assertCode(ended, 6);
  const [failed, ...others] = eventsOfKind(ended, "failed");
  assertEquals([failed?.name, failed?.code, others], ["a.bin", "disk", []]);
  assertStringIncludes(failed!.message, part);
  assertEquals(world.got("b.bin"), bytesOf("b.bin"));
});

test("p2p cancel --delete removes what a process left that is gone", async (world) => {
  const { running } = await downloading(world, ["a.bin"]);
  await running.endBy("SIGKILL");
  assertEquals(world.files(), ["a.bin.p2p-journal", "a.bin.p2p-part"]);
  await order(world, "cancel", "a.bin", "--delete");
  assertEquals(world.files(), []);
  assertEquals((await statusOf(world, "a.bin")).state, "cancelled");
}, ON_UNIX);

test("p2p cancel --delete removes what a plain p2p cancel has kept", async (world) => {
  const { running } = await downloading(world, ["a.bin"]);
  await running.endBy("SIGKILL");
  await order(world, "cancel", "a.bin");
  assertEquals(world.files(), ["a.bin.p2p-journal", "a.bin.p2p-part"]);
  await order(world, "cancel", "a.bin", "--delete");
  assertEquals(world.files(), []);
  // Asking twice is no error.
  await order(world, "cancel", "a.bin", "--delete");
}, ON_UNIX);

test(
  "p2p get goes on with what was paused while nothing ran, and says so, instead of waiting for ever",
  async (world) => {
    const { seed, running } = await downloading(world, ["a.bin"]);
    await running.endBy("SIGKILL");
    assertStringIncludes(await order(world, "pause", "a.bin"), "p2p get continues it");
    const ended = await world.p2p("get", "a.bin", "--json", "--progress", "plain", ...from(seed));
    assertCode(ended, 0);
    assertMatch(ended.stderr, /a\.bin: .*was paused; continues, because it was requested again/);
    assertWentOn(world, ended, "a.bin", seed);
  },
  ON_UNIX,
);

test("p2p resume takes a pause back that was said while nothing ran", async (world) => {
  const { seed, running } = await downloading(world, ["a.bin"]);
  await running.endBy("SIGKILL");
  await order(world, "pause", "a.bin");
  assertStringIncludes(await order(world, "resume", "a.bin"), "run p2p get to continue");
  const ended = await world.p2p("get", "a.bin", "--json", ...from(seed));
  assertCode(ended, 0);
  assertWentOn(world, ended, "a.bin", seed);
  assertEquals(eventsOf(ended).some((line) => JSON.stringify(line).includes("paused")), false);
}, ON_UNIX);

test("p2p pause --all touches only what runs", async (world) => {
  const { seed, running: killed, get } = await downloading(world, ["a.bin"]);
  await killed.endBy("SIGKILL");
  world.write("share/b.bin", bytesOf("b.bin"));
  const running = world.start("get", "b.bin", ...get.slice(1));
  await downloaded(running, STORED, "b.bin");
  const said = await order(world, "pause", "--all");
  assertMatch(said, /^\w+ {2}b\.bin: paused\n$/);
  await inState(running, "b.bin", "paused");
  // The other one is not held.
  assertCode(await world.p2p("get", "a.bin", ...from(seed)), 0);
  assertMatch(await order(world, "resume", "--all"), /^\w+ {2}b\.bin: resumed\n$/);
  assertCode(await running.ended, 0);
  assertEquals(world.got("b.bin"), bytesOf("b.bin"));
  assertEquals(await order(world, "pause", "--all"), "No active downloads.\n");
}, ON_UNIX);

test("p2p cancel --all ends what runs and what waits, in every process", async (world) => {
  // Both are to be in the middle still when the order comes, on a busy machine as well.
  const slowly = ["--max", "1", "--limit", "1500KiB", "--json"];
  const { running, get } = await downloading(world, ["a.bin", "b.bin"], slowly);
  const other = world.start("get", ...get, "--out", "other");
  await downloaded(other, 1, "a.bin");
  const said = await order(world, "cancel", "--all");
  assertEquals(said.trimEnd().split("\n").length, 4, said);
  for (const ended of await Promise.all([running.ended, other.ended])) {
    assertCode(ended, 8);
    assertEquals(summaryOf(ended).tasks.map(({ state }) => state), ["cancelled", "cancelled"]);
  }
});

test("p2p resume --all and p2p cancel --all reach what no process works on", async (world) => {
  const { running } = await downloading(world, ["a.bin"]);
  assertMatch(await order(world, "pause", "--all"), /^\w+ {2}a\.bin: paused\n$/);
  await running.endBy("SIGKILL");
  assertStringIncludes(await order(world, "resume", "--all"), "run p2p get to continue");
  assertMatch(await order(world, "cancel", "--all"), /^\w+ {2}a\.bin: cancelled\n$/);
  assertEquals(await order(world, "cancel", "--all"), "No active downloads.\n");
}, ON_UNIX);

test("p2p max changes how many downloads a running process does at a time", async (world) => {
  const names = ["a.bin", "b.bin", "c.bin"];
  const { running } = await downloading(world, names, ["--max", "1", ...EACH_SLOWLY]);
  assertEquals(await order(world, "max", "2"), "Now running up to 2 downloads at once\n");
  await downloaded(running, MIB, "b.bin");
  const soFar = running.stdout.lines.map(parseEvent);
  assertEquals(soFar.some((line) => isDone(line, "a.bin")), false, "both at a time");
  assertEquals(await order(world, "max", "1"), "Now running up to 1 download at once\n");
  const ended = await running.ended;
  assertCode(ended, 0);
  const lines = eventsOf(ended);
  const begins = (name: string) =>
    lines.findIndex((line) => line.event === "progress" && line.name === name);
  const ends = (name: string) => lines.findIndex((line) => isDone(line, name));
  // Nothing that had begun was stopped; what waited began when the last of both was through.
  assertGreater(begins("c.bin"), Math.max(ends("a.bin"), ends("b.bin")));
  assertEquals(world.files(), names);
});

test("p2p max says so when nothing runs, and changes nothing of the next p2p get", async (world) => {
  assertStringIncludes(await order(world, "max", "1"), "No downloads running");
  const flags = ["--max", "2", ...EACH_SLOWLY];
  const { running } = await downloading(world, ["a.bin", "b.bin"], flags);
  await downloaded(running, 1, "b.bin");
  assertEquals(running.stdout.lines.map(parseEvent).some((line) => line.event === "done"), false);
});

for (const command of ["pause", "resume", "cancel"]) {
  test(`p2p ${command} exits 3 when the task is not known, and 2 when it is done`, async (world) => {
    const unknown = await world.p2p(command, "a.txt");
    assertCode(unknown, 3);
    assertMatch(unknown.stderr, /^p2p: .*"a\.txt"/m);
    world.write("share/a.txt", "content\n");
    const seed = await world.serve(world.path("share"));
    assertCode(await world.p2p("get", "a.txt", ...from(seed)), 0);
    const over = await world.p2p(command, "a.txt");
    assertCode(over, 2);
    assertStringIncludes(over.stderr, `p2p: Cannot ${command} "a.txt": it is done`);
    assertEquals([over.stdout, world.files()], ["", ["a.txt"]]);
  });
}
