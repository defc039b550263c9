import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { MemoryDisk, WITH_DISKS } from "./disk.ts";
import { doneOf } from "./events.ts";
import { assertCode, from, noise, type RunningProcess, test, type TestOptions } from "./harness.ts";

const MIB = 1_048_576;
const GIB = 1024 * MIB;
const MAX_RESIDENT = 200 * MIB;

const LINUX: TestOptions = Deno.build.os === "linux"
  ? {}
  : { ignored: "only Linux reports a process's memory" };

test(
  "p2p get and p2p serve stay below 200 MiB with a file of 1 GiB, which another thread hashes",
  async (world) => {
    // Where there is a choice, it is not the disk that is waited for.
    const place = world.path("place");
    await using _disk = WITH_DISKS.ignored === undefined
      ? MemoryDisk.mount(place, 2100)
      : undefined;
    Deno.mkdirSync(join(place, "share"), { recursive: true });
    writeMarked(join(place, "share/huge.bin"));
    const seed = await world.serve(join(place, "share"));
    const flags = ["--out", place, "--json", ...from(seed)];
    const running = world.start("get", "huge.bin", ...flags);
    const { resident, threads } = await watched(running);
    const ended = await running.ended;
    assertCode(ended, 0);
    assertEquals([doneOf(ended).size, doneOf(ended).verified], [GIB, true]);
    assertMarked(join(place, "huge.bin"));
    const hashers = [...threads].filter((name) => name.startsWith("worker-"));
    assertEquals(hashers.length > 0, navigator.hardwareConcurrency > 1, [...threads].join());
    assert(resident < MAX_RESIDENT, `p2p get had ${Math.round(resident / MIB)} MiB resident`);
    const serving = peakOf(seed.process)!;
    assert(serving < MAX_RESIDENT, `p2p serve had ${Math.round(serving / MIB)} MiB resident`);
  },
  LINUX,
);

/** 1 GiB with some bytes of its own in each MiB, and holes between them. */
function writeMarked(path: string): void {
  using file = Deno.openSync(path, { write: true, createNew: true });
  file.truncateSync(GIB);
  for (let at = 0; at < GIB; at += MIB) {
    file.seekSync(at + 12_345, Deno.SeekMode.Start);
    file.writeSync(noise(64, at));
  }
}

function assertMarked(path: string): void {
  using file = Deno.openSync(path);
  const mark = new Uint8Array(64);
  for (let at = 0; at < GIB; at += MIB) {
    file.seekSync(at + 12_345, Deno.SeekMode.Start);
    file.readSync(mark);
    assertEquals(mark, noise(64, at), `at ${at}`);
  }
}

/** The most memory that a download ever had, and the names of its threads, asked at each of its events until the last one. */
async function watched(
  running: RunningProcess,
): Promise<{ resident: number; threads: Set<string> }> {
  let resident = 0;
  const threads = new Set<string>();
  await running.stdout.find((line) => {
    resident = peakOf(running) ?? resident;
    for (const name of threadsOf(running)) threads.add(name);
    return line.includes('"event":"done"') || line.includes('"event":"failed"');
  }, "the end of the download");
  return { resident, threads };
}

function threadsOf({ pid }: RunningProcess): string[] {
  try {
    const tasks = Array.from(Deno.readDirSync(`/proc/${pid}/task`));
    return tasks.map(({ name }) => Deno.readTextFileSync(`/proc/${pid}/task/${name}/comm`).trim());
  } catch {
    return []; // it, or one of them, has ended
  }
}

/** The most memory that a process ever had, or undefined when it has ended. */
function peakOf({ pid }: RunningProcess): number | undefined {
  try {
    const status = Deno.readTextFileSync(`/proc/${pid}/status`);
    const [, kib] = status.match(/^VmHWM:\s+(\d+) kB$/m) ?? [];
    return kib === undefined ? undefined : Number(kib) * 1024;
  } catch {
    return undefined;
  }
}
