import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { OldSeed } from "../support/old_seed.ts";
import { doneOf, downloaded, summaryOf } from "./events.ts";
import { assertCode, type CliFixture, type Ended, from, noise, ON_UNIX, test } from "./harness.ts";

const MIB = 1_048_576;
const BYTES = noise(8 * MIB);
const SLOWLY = ["--limit", "4MiB", "--json"];

/** A task as `p2p status --json` reports it. */
interface Task {
  readonly task: string;
  readonly name: string;
  readonly state: string;
  readonly size: number | null;
  readonly downloaded: number;
  readonly percent: number | null;
  readonly rate: number;
  readonly etaMs: number | null;
  readonly seeds: readonly string[];
  readonly path: string;
  readonly pid: number | null;
  readonly verified: boolean;
}

test("p2p list shows name, size and how many seeds have a file", async (world) => {
  world.write("one/both.bin", noise(2048));
  world.write("two/both.bin", noise(2048));
  world.write("one/sub/single.txt", "x");
  world.write("one/differs.txt", "one\n");
  world.write("two/differs.txt", "two\n");
  const seeds = [await world.serve(world.path("one")), await world.serve(world.path("two"))];
  const ended = await world.p2p("list", ...from(...seeds));
  assertCode(ended, 0);
  assertMatch(ended.stdout, /^ *2\.0 KiB +2 +same +both\.bin$/m);
  assertMatch(ended.stdout, /^ *4 B +2 +2 versions +differs\.txt$/m);
  assertMatch(ended.stdout, /^ *1 B +1 +.* +sub\/single\.txt$/m);
  assertEquals(ended.stderr, "");
});

test("p2p list --json gives files and seeds", async (world) => {
  world.write("one/same.bin", noise(2048));
  world.write("two/same.bin", noise(2048));
  world.write("one/differs.txt", "one\n");
  world.write("two/differs.txt", "twice\n");
  const seeds = [await world.serve(world.path("one")), await world.serve(world.path("two"))];
  const away = { address: "127.0.0.1:1" };
  const ended = await world.p2p("list", "--json", ...from(...seeds, away));
  assertCode(ended, 0);
  assertEquals(ended.stdout.trimEnd().split("\n").length, 1);
  const { files, seeds: reports } = JSON.parse(ended.stdout);
  assertEquals(files.map(({ name }: { name: string }) => name), ["differs.txt", "same.bin"]);
  const [differs, same] = files;
  assertEquals(Object.keys(same), ["name", "size", "modified", "seeds", "ids"]);
  assertEquals([same.size, same.ids.length, differs.ids.length], [2048, 1, 2]);
  assertEquals(same.seeds, seeds.map(({ address }) => address));
  assert(Math.abs(same.modified - Date.now()) < 3_600_000, `modified: ${same.modified}`);
  assertEquals(Object.keys(reports[0]), ["seed", "dialect", "ok", "error"]);
  assertEquals(reports.map(({ ok }: { ok: boolean }) => ok), [true, true, false]);
  assertEquals(reports[0].dialect, "session");
  assertMatch(reports[2].error, /refused/);
  assertMatch(ended.stderr, /127\.0\.0\.1:1/);
});

test("p2p list says which seed holds what when they differ", async (world) => {
  world.write("one/a.txt", "one\n");
  world.write("two/a.txt", "two\n");
  const [one, two] = [await world.serve(world.path("one")), await world.serve(world.path("two"))];
  const listed = await world.p2p("list", "--json", ...from(one, two));
  const { ids } = JSON.parse(listed.stdout).files[0];
  const { stdout } = await world.p2p("list", ...from(one, two));
  const [, line] = stdout.split("\n\n");
  for (const seed of [one, two]) {
    const got = await world.p2p("get", "a.txt", "--out", seed.address, "--json", ...from(seed));
    const { id } = doneOf(got);
    assertMatch(
      line!,
      new RegExp(`^a\\.txt differs: .*${id!.slice(0, 8)} at ${seed.address}[; ]`, "m"),
    );
    assert(ids.includes(id));
  }
});

test("p2p seeds reports of each configured seed how it is", async (world) => {
  for (const name of ["a.txt", "sub/b.txt"]) world.write(`share/${name}`, "12345");
  const seed = await world.serve(world.path("share"));
  await using old = new OldSeed({ "c.txt": noise(100) });
  const away = "127.0.0.1:1";
  assertCode(await world.p2p("seeds", "add", seed.address, old.address, away), 0);
  const ended = await world.p2p("seeds", "--json");
  assertCode(ended, 0);
  const { seeds } = JSON.parse(ended.stdout);
  const [first, second, third] = seeds;
  assert(Number.isInteger(first.roundTripMs) && first.roundTripMs >= 0, `${first.roundTripMs}`);
  assertEquals({ ...first, roundTripMs: 0 }, {
    seed: seed.address,
    dialect: "session",
    ok: true,
    error: null,
    roundTripMs: 0,
    files: 2,
    bytes: 10,
  });
  assertEquals([second.dialect, second.roundTripMs, second.files, second.bytes], [
    "one-shot",
    null,
    1,
    100,
  ]);
  assertEquals([third.ok, third.roundTripMs, third.files], [false, null, null]);
  assertMatch(third.error, /refused/);
  assertMatch((await world.p2p("seeds")).stdout, /^127\.0\.0\.1:1 +failed .*refused$/m);
});

test("p2p list <glob> shows what fits, and exits 3 when nothing does", async (world) => {
  for (const name of ["a.txt", "b.jpg", "sub/c.txt"]) world.write(`share/${name}`, "x");
  const seed = await world.serve(world.path("share"));
  const ended = await world.p2p("list", "*.txt", "--json", ...from(seed));
  const names = JSON.parse(ended.stdout).files.map(({ name }: { name: string }) => name);
  assertEquals(names, ["a.txt"]);
  assertCode(await world.p2p("list", "*.iso", ...from(seed)), 3);
}, ON_UNIX);

test("p2p list of an empty seed exits 0", async (world) => {
  Deno.mkdirSync(world.path("share"));
  const seed = await world.serve(world.path("share"));
  assertCode(await world.p2p("list", ...from(seed)), 0);
});

test("p2p list exits 4 when no seed can be reached", async (world) => {
  const ended = await world.p2p("list", "--json", ...from({ address: "127.0.0.1:1" }));
  assertCode(ended, 4);
  assertMatch(ended.stderr, /^p2p: .*127\.0\.0\.1:1.*refused/m);
});

test("p2p status says that there is nothing when there is nothing", async (world) => {
  const ended = await world.p2p("status");
  assertCode(ended, 0);
  assertEquals([ended.stdout, ended.stderr], ["No active downloads.\n", ""]);
  assertEquals(await statusOf(world), []);
});

test("p2p status shows what another process downloads, and --all what is over", async (world) => {
  const { seed, running } = await downloading(world);
  const [task, ...others] = await statusOf(world);
  assertEquals(others, []);
  assertEquals([task!.name, task!.state, task!.size], ["file.bin", "downloading", BYTES.length]);
  assertEquals([task!.pid, task!.path], [running.pid, world.path("here", "file.bin")]);
  assertEquals([task!.seeds, task!.verified], [[seed.address], true]);
  assert(task!.downloaded >= MIB && task!.downloaded < BYTES.length, `${task!.downloaded}`);
  assert(task!.percent! > 0 && task!.percent! < 100, `percent: ${task!.percent}`);
  assert(task!.rate > 0, `rate: ${task!.rate}`);
  assert(task!.etaMs! > 0, `etaMs: ${task!.etaMs}`);
  const table = await world.p2p("status");
  assertMatch(table.stdout, new RegExp(`^${task!.task} +downloading .* file\\.bin$`, "m"));

  const ended = await running.ended;
  assertCode(ended, 0);
  assertEquals((await world.p2p("status")).stdout, "No active downloads.\n");
  const [done] = await statusOf(world, "--all");
  assertEquals([done!.task, done!.state, done!.percent], [task!.task, "done", 100]);
  assertEquals([done!.downloaded, done!.pid], [BYTES.length, null]);
  assertEquals(summaryOf(ended).tasks[0]!.task, task!.task);
});

test("p2p status shows what waits in the order given", async (world) => {
  for (const name of ["c.bin", "a.bin", "b.bin"]) world.write(`share/${name}`, BYTES);
  const seed = await world.serve(world.path("share"));
  const flags = ["--max", "1", ...SLOWLY, ...from(seed)];
  const running = world.start("get", "c.bin", "a.bin", "b.bin", ...flags);
  await downloaded(running, 1, "c.bin");
  const tasks = await statusOf(world);
  assertEquals(tasks.map(({ name, state }) => `${name} ${state}`), [
    "c.bin downloading",
    "a.bin waiting",
    "b.bin waiting",
  ]);
});

test("p2p status shows a killed download as paused, and the same command goes on with it", async (world) => {
  const { seed, running } = await downloading(world);
  await running.endBy("SIGKILL");
  const [paused, ...others] = await statusOf(world);
  assertEquals(others, []);
  assertEquals([paused!.name, paused!.state, paused!.pid], ["file.bin", "paused", null]);
  assert(paused!.downloaded > 0, "what there is of it is reported");
  const ended = await world.p2p("get", "file.bin", "--json", ...from(seed));
  assertEquals(summaryOf(ended).tasks[0]!.task, paused!.task, "it is the same task");
  assertEquals(await statusOf(world), []);
});

test("p2p status shows an interrupted download as paused", async (world) => {
  const { running } = await downloading(world);
  await running.endBy("SIGINT");
  const [paused] = await statusOf(world);
  assertEquals([paused!.state, paused!.pid, paused!.rate], ["paused", null, 0]);
  assertEquals(paused!.path, world.path("here", "file.bin"));
}, ON_UNIX);

test("p2p status takes downloads of one name in two folders for two tasks", async (world) => {
  world.write("share/file.bin", BYTES);
  const seed = await world.serve(world.path("share"));
  const ids: string[] = [];
  for (const folder of ["first", "second"]) {
    Deno.mkdirSync(world.path(folder));
    const cwd = world.path(folder);
    const running = world.startWith({ cwd }, "get", "file.bin", ...SLOWLY, ...from(seed));
    await downloaded(running, MIB);
    ids.push(summaryOf(await running.endBy("SIGINT")).tasks[0]!.task);
  }
  assertNotEquals(ids[0], ids[1]);
  const tasks = await statusOf(world);
  assertEquals(tasks.map(({ path }) => path), [
    world.path("first", "file.bin"),
    world.path("second", "file.bin"),
  ]);
}, ON_UNIX);

test("p2p status <task> shows one in detail, by name and by the beginning of its id", async (world) => {
  world.write("share/a.txt", "content\n");
  const seed = await world.serve(world.path("share"));
  await world.p2p("get", "a.txt", ...from(seed));
  const [{ task }] = await statusOf(world, "--all") as [Task];
  for (const word of ["a.txt", task, task.slice(0, 4)]) {
    const ended = await world.p2p("status", word);
    assertCode(ended, 0);
    assertMatch(ended.stdout, new RegExp(`^task: +${task}$`, "m"));
    assertMatch(ended.stdout, /^state: +done$/m);
    assertEquals((await statusOf(world, word)).map((each) => each.task), [task]);
  }
  assertCode(await world.p2p("status", "nothing"), 3);
});

test("p2p status --all shows why a download failed", async (world) => {
  await world.p2p("get", "a.txt", ...from({ address: "127.0.0.1:1" }));
  const [task] = await statusOf(world, "--all");
  assertEquals([task!.name, task!.state], ["a.txt", "failed"]);
  assertMatch((await world.p2p("status", "a.txt")).stdout, /^error: .*refused/m);
});

test("p2p logs reports a task's story as prose, by name, by id and by its beginning", async (world) => {
  world.write("share/a.txt", "content\n");
  const seed = await world.serve(world.path("share"));
  const { task } = summaryOf(await world.p2p("get", "a.txt", "--json", ...from(seed))).tasks[0]!;
  const stories = [];
  for (const word of ["a.txt", task, task.slice(0, 5)]) {
    const ended = await world.p2p("logs", word);
    assertCode(ended, 0);
    stories.push(ended.stdout);
  }
  assertEquals(new Set(stories).size, 1);
  const [story] = stories as [string];
  assertMatch(story, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} info +\S/);
  assertMatch(story, new RegExp(`found 8 B .* at ${seed.address}$`, "m"));
  assertMatch(story.trimEnd().split("\n").at(-1)!, /done: .*a\.txt, 8 B .*verified$/);
});

test("p2p logs -n shows the last lines only, and --level those that matter", async (world) => {
  await world.p2p("get", "a.txt", ...from({ address: "127.0.0.1:1" }));
  const all = linesOf(await world.p2p("logs", "a.txt"));
  assert(all.length > 3);
  assertEquals(linesOf(await world.p2p("logs", "a.txt", "-n", "2")), all.slice(-2));
  assertEquals(linesOf(await world.p2p("logs", "a.txt", "-n", "0")), []);
  assertEquals(
    linesOf(await world.p2p("logs", "a.txt", "--level", "error")),
    all.filter((line) => / error /.test(line)),
  );
});

test("p2p logs --json gives the lines as stored", async (world) => {
  const seed = { address: "127.0.0.1:1" };
  const { task } = summaryOf(await world.p2p("get", "a.txt", "--json", ...from(seed))).tasks[0]!;
  const lines = linesOf(await world.p2p("logs", "a.txt", "--json")).map((line) => JSON.parse(line));
  assert(lines.length > 3);
  for (const line of lines) {
    assertEquals(line.task, task);
    assertEquals(new Date(line.time).toISOString(), line.time);
    assert(["debug", "info", "warn", "error"].includes(line.level), line.level);
    assertEquals(typeof line.event.kind, "string");
  }
  const stored = Deno.readTextFileSync(world.path("state", "logs", `${task}.jsonl`));
  const shown = await world.p2p("logs", "a.txt", "--json", "--level", "debug");
  assertEquals(shown.stdout, stored);
});

test("p2p logs -f follows a download to its end", async (world) => {
  const { running } = await downloading(world);
  const following = world.start("logs", "file.bin", "-f");
  await following.stdout.line(/ found 8.0 MiB /);
  const [ended, followed] = await Promise.all([running.ended, following.ended]);
  assertCode(ended, 0);
  assertCode(followed, 0);
  assertMatch(linesOf(followed).at(-1)!, /done: /);
  assertEquals(followed.stdout, (await world.p2p("logs", "file.bin")).stdout);
});

test("p2p logs -f ends at once when the download is over", async (world) => {
  world.write("share/a.txt", "content\n");
  const seed = await world.serve(world.path("share"));
  await world.p2p("get", "a.txt", ...from(seed));
  const followed = await world.p2p("logs", "a.txt", "--follow");
  assertCode(followed, 0);
  assertMatch(linesOf(followed).at(-1)!, /done: /);
});

test("p2p logs -f follows a download that was interrupted once and goes on", async (world) => {
  const { seed, running } = await downloading(world);
  await running.endBy("SIGINT");
  const second = world.start("get", "file.bin", ...SLOWLY, ...from(seed));
  await downloaded(second, 1);
  const followed = await world.p2p("logs", "file.bin", "-f");
  assertCode(followed, 0);
  assertMatch(linesOf(followed).at(-1)!, /done: /);
  assertCode(await second.ended, 0);
}, ON_UNIX);

test("p2p logs -f ends at SIGINT with 130", async (world) => {
  world.write("share/file.bin", BYTES);
  const seed = await world.serve(world.path("share"));
  // So slow that it is not done when the signal comes, however busy the machine is.
  const running = world.start("get", "file.bin", "--limit", "100KiB", "--json", ...from(seed));
  await downloaded(running, 1);
  const following = world.start("logs", "file.bin", "-f");
  await following.stdout.line(/ found 8.0 MiB /);
  assertCode(await following.endBy("SIGINT"), 130);
}, ON_UNIX);

test("p2p logs exits 3 for an unknown task", async (world) => {
  const ended = await world.p2p("logs", "nothing");
  assertCode(ended, 3);
  assertMatch(ended.stderr, /^p2p: .*"nothing"/);
});

test("p2p logs of a file name shows its newest task", async (world) => {
  world.write("share/a.txt", "first\n");
  const seed = await world.serve(world.path("share"));
  await world.p2p("get", "a.txt", "--out", "one", ...from(seed));
  const second = await world.p2p("get", "a.txt", "--out", "two", "--json", ...from(seed));
  const lines = linesOf(await world.p2p("logs", "a.txt", "--json"));
  assertEquals(JSON.parse(lines[0]!).task, summaryOf(second).tasks[0]!.task);
});

async function statusOf(world: CliFixture, ...args: string[]): Promise<Task[]> {
  const ended = await world.p2p("status", "--json", ...args);
  assertCode(ended, 0);
  return JSON.parse(ended.stdout).tasks;
}

/** A download in another process, slow, with at least a MiB there and reported to everyone. */
async function downloading(world: CliFixture) {
  world.write("share/file.bin", BYTES);
  const seed = await world.serve(world.path("share"));
  const running = world.start("get", "file.bin", ...SLOWLY, ...from(seed));
  await downloaded(running, 3 * MIB);
  return { seed, running };
}

function linesOf({ stdout }: Ended): string[] {
  return stdout.split("\n").slice(0, -1);
}
