import { assert, assertEquals, assertMatch } from "@std/assert";
import { doneOf, eventsOf, eventsOfKind, summaryOf } from "./events.ts";
import { assertCode, from, noise, sha256Of, test } from "./harness.ts";

const MIB = 1_048_576;

test("p2p get --json reports one task and one done for each file, and a summary of all", async (world) => {
  const contents = { "a.bin": noise(3 * MIB, 1), "sub/b.bin": noise(10, 2), "c.bin": noise(0) };
  for (const [name, bytes] of Object.entries(contents)) world.write(`share/${name}`, bytes);
  const seed = await world.serve(world.path("share"));
  const ended = await world.p2p("get", ...Object.keys(contents), "--json", ...from(seed));
  assertCode(ended, 0);
  for (const kind of ["task", "done"] as const) {
    const names = eventsOfKind(ended, kind).map(({ name }) => name);
    assertEquals(names.sort(), Object.keys(contents).sort(), kind);
  }
  const summary = summaryOf(ended);
  assertEquals([summary.done, summary.failed, summary.bytes], [3, 0, 3 * MIB + 10]);
  assertEquals(summary.tasks.map(({ name }) => name), Object.keys(contents));
  for (const { name, path, size, sha256, state, error } of summary.tasks) {
    const bytes = contents[name as keyof typeof contents];
    assertEquals(path, world.path("here", ...name.split("/")));
    assertEquals([size, sha256], [bytes.length, await sha256Of(bytes)]);
    assertEquals([state, error], ["done", null]);
  }
});

test("p2p get --json gives a task's events one id and their order", async (world) => {
  world.write("share/a.bin", noise(3 * MIB));
  const seed = await world.serve(world.path("share"));
  const ended = await world.p2p("get", "a.bin", "--json", ...from(seed));
  const events = eventsOf(ended);
  const ids = new Set(events.flatMap((event) => event.event === "summary" ? [] : [event.task]));
  assertEquals(ids.size, 1);
  const kinds = events.map(({ event }) => event);
  assert(kinds.indexOf("task") < kinds.indexOf("done"), kinds.join());
  const states = eventsOfKind(ended, "progress").map(({ state }) => state);
  assert(states.indexOf("finding") < states.indexOf("downloading"), states.join());
  assertEquals(summaryOf(ended).tasks[0]?.task, doneOf(ended).task);
});

test("p2p get --json reports what failed, and why, beside what is done", async (world) => {
  world.write("share/a.txt", "content\n");
  const seed = await world.serve(world.path("share"));
  const ended = await world.p2p("get", "a.txt", "none.txt", "--json", ...from(seed));
  assertCode(ended, 3);
  const { done, failed, tasks } = summaryOf(ended);
  assertEquals([done, failed], [1, 1]);
  const none = tasks.find(({ name }) => name === "none.txt")!;
  assertEquals([none.state, none.path, none.size, none.sha256], ["failed", null, null, null]);
  assertMatch(none.error!, /none\.txt/);
});

test("p2p get exits 1 when several downloads fail for different reasons", async (world) => {
  world.write("share/a.txt", "content\n");
  world.write("here/a.txt/inside.txt", "a folder is in the way\n");
  const seed = await world.serve(world.path("share"));
  const ended = await world.p2p("get", "a.txt", "none.txt", "--json", ...from(seed));
  assertCode(ended, 1);
  assertEquals(eventsOfKind(ended, "failed").map(({ exit }) => exit).sort(), [3, 7]);
});

test("p2p get --json names each seed that has the file", async (world) => {
  world.write("share/a.bin", noise(2 * MIB));
  const seeds = [await world.serve(world.path("share")), await world.serve(world.path("share"))];
  const ended = await world.p2p("get", "a.bin", "--json", ...from(...seeds));
  assertEquals(
    eventsOfKind(ended, "task")[0]?.seeds.toSorted(),
    seeds.map(({ address }) => address).toSorted(),
  );
});
