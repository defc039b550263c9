import { assert, assertEquals } from "@std/assert";
import {
  cpuMsOf,
  familyOf,
  forgetHighWater,
  highWaterKiB,
  watchHighWater,
} from "../../../scripts/bench/process_usage.ts";

const ignore = Deno.build.os !== "linux";
const why = ignore ? " [ignored: only Linux reports]" : "";

/** A test with a shell whose `script` has said that it is ready, and which lives until the test is over. */
function test(name: string, script: string, fn: (pid: number) => Promise<void> | void): void {
  Deno.test({
    name: name + why,
    ignore,
    sanitizeOps: true,
    sanitizeResources: true,
    fn: async () => {
      const args = ["-c", `${script} read; wait`];
      const shell = new Deno.Command("bash", { args, stdin: "piped", stdout: "piped" }).spawn();
      const reader = shell.stdout.getReader();
      try {
        await reader.read();
        await fn(shell.pid);
      } finally {
        await shell.stdin.close();
        while (!(await reader.read()).done);
        await shell.status;
      }
    },
  });
}

/** It is given back before anybody looks. */
const HOLD_64_MIB = 'x=$(head -c 67108864 /dev/zero | tr "\\0" a); x=; echo ready;';
const MAX_KIB = 64 * 1024;

test("watchHighWater() sees the most memory that a process ever held", HOLD_64_MIB, async (pid) => {
  assert(await watchHighWater(pid, Promise.resolve()) > MAX_KIB);
});

test("forgetHighWater() counts anew from what is held now", HOLD_64_MIB, (pid) => {
  assert(highWaterKiB(pid) > MAX_KIB);
  forgetHighWater(pid);
  assert(highWaterKiB(pid) < MAX_KIB / 2);
});

// In the background, standard input is another one unless it is given.
const CHILDREN = "exec 3<&0; (bash -c 'echo ready; read; true' <&3; true) &";
test("familyOf() finds children and their children", CHILDREN, (pid) => {
  const family = familyOf(pid);
  assertEquals(family[0], pid);
  assertEquals(family.length, 3);
});

const SPIN = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; echo ready;";
test("cpuMsOf() counts what a running process has used", SPIN, (pid) => {
  assert(cpuMsOf(pid) > 0);
});

Deno.test("highWaterKiB() and cpuMsOf() give 0 when there is no such process", () => {
  // Beyond the most that Linux gives out.
  assertEquals([highWaterKiB(2 ** 30), cpuMsOf(2 ** 30)], [0, 0]);
});
