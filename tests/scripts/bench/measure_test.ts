import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { measure, parseTimes } from "../../../scripts/bench/measure.ts";

Deno.test("parseTimes() gives milliseconds", () => {
  assertEquals(parseTimes("1.325 0.200 12.760\n"), { wallMs: 1325, userMs: 200, sysMs: 12_760 });
});

Deno.test("parseTimes() finds the times behind what the shell says besides", () => {
  const text = "bash: warning: some locale\n0.001 0.002 0.003\n";
  assertEquals(parseTimes(text), { wallMs: 1, userMs: 2, sysMs: 3 });
});

Deno.test("parseTimes() throws when there are none", () => {
  assertThrows(() => parseTimes("1,325 0,200 0,760\n"), Error, "Cannot read the times");
});

const ignore = Deno.build.os !== "linux";
const why = ignore ? " [ignored: the bench runs on Linux]" : "";

/** A test with a file for the program's output, which leaves nothing behind. */
function test(name: string, fn: (log: string) => Promise<void>): void {
  Deno.test({
    name: name + why,
    ignore,
    sanitizeOps: true,
    sanitizeResources: true,
    fn: async () => {
      const dir = Deno.makeTempDirSync({ prefix: "p2p-measure-" });
      try {
        await fn(join(dir, "output"));
      } finally {
        Deno.removeSync(dir, { recursive: true });
      }
    },
  });
}

const calm = new AbortController().signal;

test("measure() counts the CPU time of the program and of those that it started", async (log) => {
  const spin = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done";
  const command = ["bash", "-c", `(${spin}); ${spin}`];
  const { wallMs, userMs, sysMs } = await measure({ command, log }, calm);
  // One process alone: it cannot have used more time than went by, but for rounding.
  assert(userMs > 0 && userMs + sysMs <= wallMs + 20, `${userMs}+${sysMs} in ${wallMs} ms`);
});

test("measure() keeps what the program says, and gives it its environment", async (log) => {
  const command = ["bash", "-c", 'echo "$1 $WORD"; echo errors >&2', "-", "two words"];
  await measure({ command, env: { WORD: "said" }, log }, calm);
  assertEquals(await Deno.readTextFile(log), "two words said\nerrors\n");
});

test("measure() throws with the last words when the program fails", async (log) => {
  const command = ["bash", "-c", "echo no such thing; exit 3"];
  await assertRejects(() => measure({ command, log }, calm), Error, "exit code 3:\nno such thing");
});

test("measure() ends the program and throws the reason when the signal aborts", async (log) => {
  const stop = new AbortController();
  const fifo = `${log}-fifo`;
  const made = await new Deno.Command("mkfifo", { args: [fifo] }).output();
  assert(made.success);
  const command = ["bash", "-c", `echo $$ > ${fifo}; exec sleep 1000`];
  const run = measure({ command, log }, stop.signal);
  const pid = Number(await Deno.readTextFile(fifo));
  stop.abort(new Error("enough"));
  await assertRejects(() => run, Error, "enough");
  assertThrows(() => Deno.kill(pid, "SIGCONT"), Deno.errors.NotFound);
});

test("measure() ends the program at its limit, which is no error", async (log) => {
  const cost = await measure({ command: ["sleep", "1000"], log, limitMs: 50 }, calm);
  assert(cost.unfinished);
  assert(cost.wallMs >= 40, `${cost.wallMs} ms`);
});
