import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { TaskGroup } from "../../core/base/task_group.ts";

const NEVER = new AbortController().signal;

/** Ends only when reported to, with the signal's reason. */
function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
}

Deno.test("TaskGroup.join() resolves when every job has ended", async () => {
  await using jobs = new TaskGroup(NEVER);
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const ended: number[] = [];
  gates.forEach(({ promise }, i) => jobs.spawn(() => promise.then(() => void ended.push(i))));
  assertEquals(jobs.size, 2);
  const joined = jobs.join().then(() => assertEquals(ended, [1, 0]));
  gates[1]!.resolve();
  gates[0]!.resolve();
  await joined;
  assertEquals(jobs.size, 0);
});

Deno.test("TaskGroup.join() waits also for jobs that jobs have started", async () => {
  await using jobs = new TaskGroup(NEVER);
  const reported: string[] = [];
  jobs.spawn(async () => {
    await Promise.resolve();
    jobs.spawn(async () => {
      for (let turn = 0; turn < 100; turn++) await Promise.resolve();
      reported.push("inner");
    });
    reported.push("outer");
  });
  await jobs.join();
  assertEquals(reported, ["outer", "inner"]);
});

Deno.test("TaskGroup.join() throws the first failure, once, after the siblings were stopped", async () => {
  await using jobs = new TaskGroup(NEVER);
  const failure = new Error("first");
  const reported: unknown[] = [];
  jobs.spawn((signal) => untilAborted(signal).catch((reason) => void reported.push(reason)));
  jobs.spawn((signal) => untilAborted(signal).catch(() => Promise.reject(new Error("second"))));
  jobs.spawn(() => Promise.reject(failure));
  assertStrictEquals<unknown>(await assertRejects(() => jobs.join()), failure);
  assertEquals(reported, [failure]);
  assertStrictEquals(jobs.signal.reason, failure);
  await jobs.join();
});

Deno.test("TaskGroup.join() throws when a job fails before it first waits", async () => {
  await using jobs = new TaskGroup(NEVER);
  jobs.spawn(() => {
    throw new RangeError("at once");
  });
  await assertRejects(() => jobs.join(), RangeError, "at once");
});

Deno.test("TaskGroup.join() throws when a job throws undefined", async () => {
  await using jobs = new TaskGroup(NEVER);
  jobs.spawn(() => Promise.reject(undefined));
  const outcome = await jobs.join().then(() => "resolved", () => "rejected");
  assertEquals(outcome, "rejected");
});

Deno.test("TaskGroup stops its jobs with the reason when the parent aborts, which is no failure", async () => {
  const parent = new AbortController();
  await using jobs = new TaskGroup(parent.signal);
  const reason = new Error("enough");
  jobs.spawn(untilAborted);
  parent.abort(reason);
  await jobs.join();
  assertStrictEquals(jobs.signal.reason, reason);
});

Deno.test("TaskGroup is aborted from the start when the parent is", () => {
  const reason = new Error("enough");
  const jobs = new TaskGroup(AbortSignal.abort(reason));
  assertStrictEquals(jobs.signal.reason, reason);
});

Deno.test("TaskGroup.abort() stops the jobs with its reason", async () => {
  await using jobs = new TaskGroup(NEVER);
  const reported: unknown[] = [];
  jobs.spawn((signal) => untilAborted(signal).catch((reason) => void reported.push(reason)));
  jobs.abort("enough");
  await jobs.join();
  assertEquals(reported, ["enough"]);
});

Deno.test("TaskGroup waits for its jobs when it is disposed", async () => {
  const ended: string[] = [];
  {
    await using jobs = new TaskGroup(NEVER);
    jobs.spawn(async (signal) => {
      await untilAborted(signal).catch(() => {});
      await Promise.resolve();
      ended.push("job");
    });
  }
  assertEquals(ended, ["job"]);
});

Deno.test("TaskGroup throws a failure that nobody joined when it is disposed", async () => {
  await assertRejects(
    async () => {
      await using jobs = new TaskGroup(NEVER);
      jobs.spawn(() => Promise.reject(new Error("unseen")));
      await Promise.resolve();
    },
    Error,
    "unseen",
  );
});

Deno.test("TaskGroup leaves the parent alone when it is disposed or fails", async () => {
  const parent = new AbortController();
  const jobs = new TaskGroup(parent.signal);
  jobs.spawn(() => Promise.reject(new Error("job")));
  await assertRejects(() => jobs.join());
  await jobs[Symbol.asyncDispose]();
  assert(!parent.signal.aborted);
});

Deno.test("TaskGroup.spawn() gives an aborted signal when the group has ended", async () => {
  const jobs = new TaskGroup(NEVER);
  await jobs[Symbol.asyncDispose]();
  const seen: boolean[] = [];
  jobs.spawn((signal) => Promise.resolve(void seen.push(signal.aborted)));
  await jobs.join();
  assertEquals(seen, [true]);
});

Deno.test("TaskGroup reports its jobs that it has ended when it is disposed", async () => {
  const reasons: unknown[] = [];
  {
    await using jobs = new TaskGroup(NEVER);
    jobs.spawn((signal) => untilAborted(signal).catch((reason) => void reasons.push(reason)));
  }
  const [reason] = reasons as [Error];
  assertEquals([reason.name, reason.message], ["Error", "The group of jobs has ended"]);
});
