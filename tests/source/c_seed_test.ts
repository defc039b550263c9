import { assertEquals, assertRejects } from "@std/assert";
import { systemClock } from "../../core/base/clock.ts";
import { NotFoundError } from "../../core/base/errors.ts";
import { Semaphore } from "../../core/base/semaphore.ts";
import { SeedSource } from "../../core/source/seed_source.ts";
import { dialer } from "../../core/source/dial.ts";
import { CSeedProgram, withoutCSeed } from "../support/c_seed.ts";
import { noAbort } from "./support.ts";
import { patternOf } from "../support/bytes.ts";

/** Its last chunk is short. */
const FILE = patternOf(40 * 32 - 5);

const VARIANTS = [
  "size=lf",
  "size=crlf",
  "size=none",
  "size=nul",
  "size=lf-nul",
  "size=lf-lf",
  "size=padded",
  "size=space",
  "list=crlf",
  "list=nul",
  "list=open",
  "list=padded",
  "missing=own-code",
  "missing=text",
  "missing=bare",
  "hello=error",
  "pad-last",
  "reset",
  "bad-names",
];

Deno.test({
  name: `SeedSource works with a C seed${withoutCSeed ? ` [ignored: ${withoutCSeed}]` : ""}`,
  ignore: withoutCSeed !== undefined,
  fn: async (t) => {
    using program = new CSeedProgram({ "a|b c.bin": FILE, empty: new Uint8Array() });
    for (const variant of VARIANTS) {
      await t.step(`with the variant ${variant}`, async () => {
        await using seed = await program.start("chunk=512", variant);
        await using source = sourceAt(seed.port);
        assertEquals(await source.protocol(noAbort), "one-shot");
        assertEquals(await source.list(noAbort), [
          { name: "a|b c.bin", size: FILE.length, modified: 0 },
          { name: "empty", size: 0, modified: 0 },
        ]);
        const memory = new Uint8Array(FILE.length);
        const range = { start: 0, end: FILE.length };
        const options = { onBytes: () => {}, rateLimit: undefined };
        const content = { name: "a|b c.bin", id: null, size: FILE.length };
        await source.read(content, range, memory, options, noAbort);
        assertEquals(memory, FILE);
        await assertRejects(() => source.size("missing", noAbort), NotFoundError);
      });
    }
  },
});

function sourceAt(port: number): SeedSource {
  return new SeedSource({ host: "127.0.0.1", port, tls: false }, {
    clock: systemClock,
    dial: dialer(),
    connections: 4,
    slots: new Semaphore(100),
    connectMs: 5000,
    stallMs: 5000,
    token: undefined,
  });
}
