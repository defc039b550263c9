import { assert, assertEquals } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { parseReply } from "../../core/protocol/replies.ts";
import { parseGreeting } from "../../core/protocol/greeting.ts";
import { encodeSessionRequest, HELLO, parseSessionRequest } from "../../core/protocol/requests.ts";
import { ErrorReply } from "../../core/protocol/error_replies.ts";
import { Semaphore } from "../../core/base/semaphore.ts";
import { SeedSource } from "../../core/source/seed_source.ts";
import { exampleChecks, RULES } from "../../scripts/conformance/checks.ts";
import {
  type Example,
  EXAMPLE_FILES,
  examplesIn,
  type Step,
} from "../../scripts/conformance/examples.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { SeedFixture } from "../serve/support.ts";
import { ADDRESS, noAbort, RawSeed } from "../source/support.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { test } from "../support/test.ts";

const PAGE = new URL("../../core/protocol/README.md", import.meta.url);
const EXAMPLES = examplesIn(Deno.readTextFileSync(PAGE));

/** An example's text with values in place of the placeholders. */
function filledIn(text: string): string {
  return text.replaceAll("<nonce>", "0123456789abcdef".repeat(2)).replaceAll("<length>", "55")
    .replaceAll("<ms>", "1").replaceAll("<text>", "text").replaceAll("<address>", "127.0.0.1");
}

Deno.test("The specification has examples of both protocols, of the client and of a receiver", () => {
  const kinds = new Set(EXAMPLES.map(({ kind }) => kind));
  assertEquals(kinds, new Set(["session", "client", "receiver", "one-shot"] as const));
});

/** The requests of sessions, each with its reply. */
function* exchanges(): Iterable<{ readonly request: string; readonly reply: string }> {
  for (const { kind, steps } of EXAMPLES) {
    if (kind === "one-shot") continue;
    for (const [index, step] of steps.entries()) {
      const reply = steps[index + 1];
      if (step.from !== "client" || reply?.from !== "seed" || !("line" in reply)) continue;
      yield { request: step.line, reply: filledIn(reply.line) };
    }
  }
}

for (const { request, reply } of exchanges()) {
  Deno.test(`The parsers understand "${request}" and "${reply.slice(0, 40)}" as the specification says`, () => {
    if (request === HELLO) return assert(parseGreeting(reply) !== undefined);
    const parsed = parseReply(reply);
    try {
      const meaning = parseSessionRequest(request);
      // A number that no file can reach has no other text.
      if (!JSON.stringify(meaning).includes("null")) {
        assertEquals(encodeSessionRequest(meaning), request);
      }
    } catch (error) {
      // What the parser refuses is what the seed is to answer.
      assert(error instanceof ErrorReply, String(error));
      assert(reply.startsWith(`ERROR:${error.code} `), reply);
    }
    assert(parsed !== undefined);
  });
}

function writeExampleFiles(folder: string): void {
  for (const [name, content] of Object.entries(EXAMPLE_FILES)) {
    Deno.writeFileSync(join(folder, name), content);
  }
}

/** A folder with the files of the examples, served by p2p. */
async function withSeed(run: (seed: SeedFixture) => Promise<void>): Promise<void> {
  using folder = new TempFolder();
  writeExampleFiles(folder.path);
  await using seed = await SeedFixture.start(folder.path);
  await run(seed);
}

for (const { name, run } of [...exampleChecks(EXAMPLES, true), ...RULES]) {
  test(`p2p serve conforms: ${name}`, () =>
    withSeed(async (seed) => {
      assertEquals(await run({ host: "127.0.0.1", port: seed.port }), undefined);
    }));
}

/** Plays the seed's side of an example; the client must send exactly its lines. */
function playing(steps: readonly Step[]) {
  return async (
    seed: { line(): Promise<string | undefined>; send(text: string): Promise<void> },
  ) => {
    for (const step of steps) {
      if (step.from === "client") assertEquals(await seed.line(), step.line);
      else await seed.send("line" in step ? `${filledIn(step.line)}\n` : filledIn(step.body));
    }
  };
}

const client = EXAMPLES.find((example: Example) => example.kind === "client")!;
Deno.test("The client requests a verified download exactly as the specification says", async () => {
  const clock = new ManualClock();
  await using stage = new RawSeed(async (seed) => {
    await playing(client.steps)(seed);
    await seed.untilGone();
  });
  await using source = new SeedSource(ADDRESS, {
    clock,
    dial: stage.dial,
    connections: 1,
    slots: new Semaphore(1),
    connectMs: 5000,
    stallMs: 5000,
    token: undefined,
  });
  const manifest = await source.manifest("hello.txt", noAbort);
  const { id, layout: { size } } = manifest!;
  const into = new Uint8Array(size);
  const content = { name: "hello.txt", id, size };
  const options = { onBytes: () => {}, rateLimit: undefined };
  await source.read(content, { start: 0, end: size }, into, options, noAbort);
  assertEquals(new TextDecoder().decode(into), "hello\n");
});

/** A seed that was written from the page alone, in another language. */
const PYTHON_SEED = new URL("./python_seed.py", import.meta.url);
const python = await hasPython();

async function hasPython(): Promise<boolean> {
  const command = new Deno.Command("python3", { args: ["-c", ""] });
  return await command.output().then(({ success }) => success, () => false);
}

Deno.test({
  name: `A seed in Python conforms${python ? "" : " [ignored: there is no python3 here]"}`,
  ignore: !python,
  fn: async (t) => {
    using folder = new TempFolder();
    writeExampleFiles(folder.path);
    const args = [fromFileUrl(PYTHON_SEED), folder.path];
    const seed = new Deno.Command("python3", { args, stdout: "piped" }).spawn();
    try {
      const output = seed.stdout.getReader();
      const { value } = await output.read();
      output.releaseLock();
      const port = Number(new TextDecoder().decode(value));
      const skipped = new Set<string>();
      for (const { name, run } of [...exampleChecks(EXAMPLES, false), ...RULES]) {
        await t.step(name, async () => {
          const reason = await run({ host: "127.0.0.1", port });
          if (reason !== undefined) skipped.add(reason);
        });
      }
      // The feature is optional, and the only one that this seed lacks.
      assertEquals([...skipped], ["the seed does not announce swarm"]);
    } finally {
      seed.kill();
      await seed.status;
      await seed.stdout.cancel();
    }
  },
});
