import { assertEquals } from "@std/assert";
import { patternOf } from "../../support/bytes.ts";
import { TempFolder } from "../../support/temp_folder.ts";
import { test } from "../../support/test.ts";
import { systemClock } from "../../../core/base/clock.ts";
import { SeedFixture } from "../support.ts";

/** An hour later than it is: files of now are old, and the monotonic clock is as always. */
const LATER = { ...systemClock, wallTime: () => systemClock.wallTime() + 3_600_000 };

test("serve() keeps digests over restarts with the real clock, whose monotonic time is no date", async () => {
  using folder = new TempFolder();
  using cache = new TempFolder();
  folder.write("big.bin", patternOf(9 * 1024 * 1024));
  folder.write("small.bin", patternOf(1000));
  const options = { cacheDir: cache.path, clock: LATER };
  const hashed = async () => {
    await using seed = await SeedFixture.start(folder.path, options);
    using client = await seed.session();
    for (const name of ["big.bin", "small.bin", "small.bin"]) await client.body(`MANIFEST ${name}`);
    seed.stop();
    client.close();
    await seed.ended;
    return seed.events.filter(({ kind }) => kind === "hashed").length;
  };
  // A small file is hashed once in each run.
  assertEquals([await hashed(), await hashed()], [2, 1]);
});
