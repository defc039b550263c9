import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  Line,
  parseTraffic,
  SERVER_ADDRESS,
  settingText,
  whyNoLine,
} from "../../../../scripts/bench/lines/line.ts";

Deno.test("settingText() halves the round trip, and sizes the queue for a whole one", () => {
  const setting = { rttMs: 100, lossPercent: 0.1, mbit: 200, seed: 3 };
  assertEquals(settingText(setting), "50000 1000 200000 2500000 3\n");
});

Deno.test("settingText() gives a short line a queue for bursts", () => {
  const setting = { rttMs: 1, lossPercent: 0, mbit: 8, seed: 0 };
  assertEquals(settingText(setting), "500 0 8000 131072 0\n");
});

Deno.test("parseTraffic() counts the packets to the client", () => {
  const traffic = { connections: 7, packets: 60, lost: 20, dropped: 30 };
  assertEquals(parseTraffic("1 2 3 10 20 30 7"), traffic);
});

for (const text of ["", "ready", "1 2 3 4 5 6", "1 2 3 4 5 6 7 8", "1 2 3 4 5 6 x"]) {
  Deno.test(`parseTraffic() throws for "${text}"`, () => {
    assertThrows(() => parseTraffic(text), Error, "Cannot read");
  });
}

const FIRST_LOST = 4;
const reason = await whyNoLine();

/** A test on a real line, with a folder that is removed. */
function test(name: string, fn: (line: Line, dir: string) => Promise<void>): void {
  Deno.test({
    name: reason === undefined ? name : `${name} [ignored: ${reason}]`,
    ignore: reason !== undefined,
    fn: async () => {
      const dir = await Deno.makeTempDir({ prefix: "p2p-line-" });
      try {
        await using line = await Line.open(dir);
        await fn(line, dir);
      } finally {
        await Deno.remove(dir, { recursive: true });
      }
    },
  });
}

/** A port without a listener answers with a reset, after one round trip. */
async function connect(line: Line): Promise<number> {
  const [program, ...args] = [...line.client, "bash", "-c", `: < /dev/tcp/${SERVER_ADDRESS}/9`];
  const startedAt = performance.now();
  const { success } = await new Deno.Command(program!, { args, stderr: "null" }).output();
  assert(!success);
  return performance.now() - startedAt;
}

test("Line delays packets by a round trip, and counts them", async (line) => {
  await line.set({ rttMs: 300, lossPercent: 0, mbit: 100, seed: 1 });
  const elapsedMs = await connect(line);
  const traffic = await line.set({ rttMs: 1, lossPercent: 0, mbit: 100, seed: 1 });
  assert(elapsedMs >= 300, `a round trip of 300 ms took ${elapsedMs} ms`);
  assertEquals(traffic, { connections: 1, packets: 1, lost: 0, dropped: 0 });
});

test("Line loses packets by its seed, and TCP repeats them", async (line) => {
  // With this seed, the first packet is lost and the two after it are not.
  const setting = { rttMs: 2, lossPercent: 50, mbit: 100, seed: FIRST_LOST };
  await line.set(setting);
  await connect(line);
  const traffic = await line.set(setting);
  assertEquals(traffic, { connections: 2, packets: 1, lost: 0, dropped: 0 });
});

test("Line takes the congestion control of a route, and removes its namespaces", async (line) => {
  await line.useCongestionControl("reno");
  const namespace = line.server.at(-1)!;
  const args = ["-n", namespace, "route", "show"];
  const { stdout } = await new Deno.Command("ip", { args }).output();
  assert(/congctl reno/.test(new TextDecoder().decode(stdout)));
  await line[Symbol.asyncDispose]();
  assert(!await exists(`/run/netns/${namespace}`));
});

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch {
    return false;
  }
}
