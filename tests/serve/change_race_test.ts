/** A file that is rewritten while it is sent: what a client gets is of one version, or is refused, or breaks off. */
import { assert, assertEquals } from "@std/assert";
import { SeedFixture } from "./support.ts";
import { type RawClient } from "../support/raw_client.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { test } from "../support/test.ts";

const SIZE = 1_048_576;
const REQUESTS = 16;
const [BEFORE, AFTER] = [1, 2] as const;

/** The versions in each body that came whole, until the seed refuses or breaks off. */
async function versionsGot(client: RawClient): Promise<number[][]> {
  const got: number[][] = [];
  for (let line = `OK ${SIZE}`; line.startsWith("OK");) {
    const body = await client.bytes(SIZE).catch(() => undefined);
    if (body === undefined) return got;
    got.push([BEFORE, AFTER].filter((version) => body.includes(version)));
    line = await client.line().catch(() => "");
  }
  return got;
}

const ways: { name: string; replace: (path: string, bytes: Uint8Array) => void }[] = [
  { name: "rewritten in place", replace: (path, bytes) => Deno.writeFileSync(path, bytes) },
  {
    name: "replaced by a rename",
    replace(path, bytes) {
      Deno.writeFileSync(`${path}.p2p-part`, bytes);
      Deno.renameSync(`${path}.p2p-part`, path);
    },
  },
];

for (const { name, replace } of ways) {
  test(`DOWNLOAD sends bytes of one version only when the file is ${name} meanwhile`, async () => {
    using folder = new TempFolder();
    const path = folder.write("file", new Uint8Array(SIZE).fill(BEFORE));
    folder.age("file");
    await using seed = await SeedFixture.start(folder.path);
    using client = await seed.session();
    // More than the buffers on the way can take, so the seed is in the middle of a body.
    await client.send(`DOWNLOAD file|0|${SIZE}\n`.repeat(REQUESTS));
    assertEquals(await client.line(), `OK ${SIZE}`);
    replace(path, new Uint8Array(SIZE).fill(AFTER));
    const got = await versionsGot(client);
    assert(got.length < REQUESTS);
    assertEquals(got.filter((versions) => versions.join() !== String(BEFORE)), []);
  });
}
