import { assertEquals } from "@std/assert";
import { record } from "../sim/scenario.ts";

const FOLDER = new URL("./scenarios/", import.meta.url);
/** Writes the traces anew instead of comparing them; the change is then reviewed as a diff. */
const RECORD = Deno.env.get("P2P_RECORD") === "1";

for (const { name } of Deno.readDirSync(FOLDER)) {
  const file = new URL(name, FOLDER);
  Deno.test(`DownloadMachine does what is recorded in scenarios/${name}`, () => {
    const text = Deno.readTextFileSync(file);
    const now = record(text);
    if (RECORD) Deno.writeTextFileSync(file, now);
    else assertEquals(now, text, "P2P_RECORD=1 records what it does now");
  });
}
