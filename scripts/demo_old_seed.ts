/** A process of its own that serves a folder in the original one-shot dialect: `demo_old_seed.ts <folder>`. */
import { OldSeed } from "../tests/support/old_seed.ts";

const [folder = "."] = Deno.args;
const names = Array.from(Deno.readDirSync(folder), ({ name }) => name);
const files = Object.fromEntries(
  names.map((name) => [name, Deno.readFileSync(`${folder}/${name}`)]),
);
await using seed = new OldSeed(files, { chunkBytes: 32 * 1024 });
console.log(`listening on ${seed.address}`);
// Until the parent ends us.
await new Promise<void>((resolve) => Deno.addSignalListener("SIGINT", resolve));
