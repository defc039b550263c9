import { assertEquals, assertStringIncludes } from "@std/assert";
import { type DownloadJob, formatSourceAddress } from "../../core/mod.ts";
import { run } from "../../commands/run.ts";
import { doneOutcome, fakeEnvironment } from "./fake_environment.ts";

/** Runs one `get` that downloads nothing, and returns its job. */
async function get(words: readonly string[], env: Record<string, string> = {}) {
  const jobs: DownloadJob[] = [];
  const environment = fakeEnvironment({
    env,
    core: {
      resolveNames: (names) => Promise.resolve(names.map((name) => ({ name }))),
      download(job) {
        jobs.push(job);
        return Promise.resolve([doneOutcome("a")]);
      },
    },
  });
  const code = await run(words, environment);
  return { code, job: jobs[0], stderr: environment.stderr.text };
}

const repeated = [
  ["get a --max=2 -m 5", 5],
  ["get --max 8 a --max 2", 2],
  ["get -m 5 --max=2 a", 2],
  ["get a -m 2 -m 2", 2],
] as const;
for (const [line, max] of repeated) {
  Deno.test(`the last flag wins: ${line}`, async () => {
    const { code, job, stderr } = await get(line.split(" "));
    assertEquals([code, job?.settings.max, stderr.includes("can only occur once")], [
      0,
      max,
      false,
    ]);
  });
}

Deno.test("a repeated --seed keeps every seed", async () => {
  const { job } = await get(["get", "a", "--seed", "x", "-s", "y"]);
  assertEquals(job?.settings.seeds.map(formatSourceAddress), ["x:7270", "y:7270"]);
});

const undone = [
  ["--no-require-verified", false],
  ["--require-verified=false", false],
  ["--require-verified=OFF", false],
  ["--require-verified --no-require-verified", false],
  ["--no-require-verified --require-verified", true],
  ["--require-verified=yes", true],
] as const;
for (const [flags, want] of undone) {
  Deno.test(`a switch of the environment can be changed by ${flags}`, async () => {
    const env = { P2P_REQUIRE_VERIFIED: "on" };
    const { code, job } = await get(["get", "a", ...flags.split(" ")], env);
    assertEquals([code, job?.settings.requireVerified], [0, want]);
  });
}

for (const words of [["get", "a", "--quiet=false"], ["--no-quiet", "get", "a"]]) {
  Deno.test(`an exported P2P_QUIET is undone by ${words.join(" ")}`, async () => {
    const loud = fakeEnvironment({
      env: { P2P_QUIET: "1" },
      core: {
        resolveNames: (names) => Promise.resolve(names.map((name) => ({ name }))),
        download: () => Promise.resolve([doneOutcome("a"), doneOutcome("b")]),
      },
    });
    assertEquals(await run(words, loud), 0);
    assertStringIncludes(loud.stderr.text, "2");
  });
}

Deno.test("a repeated flag after -- is a name", async () => {
  const { job } = await get(["get", "--max", "2", "--", "--max", "-m"]);
  assertEquals(job?.requests.map(({ name }) => name), ["--max", "-m"]);
});
