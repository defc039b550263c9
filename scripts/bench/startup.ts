/** How long it takes until the program is there at all. */
import { join } from "@std/path";
import { type Cost, measure } from "./measure.ts";
import type { GrowthOptions } from "./growth.ts";
import { homeIn } from "../p2p.ts";
import { median, spreadOf } from "./statistics.ts";
import { mib, seconds, secondsSpread, type Table } from "./table.ts";

export interface Startup {
  readonly costs: readonly Cost[];
  readonly table: Table;
}

/** Short runs vary more than long ones, and cost nothing. */
const RUNS = 20;

export async function measureStartup(
  { workspace, program, tell }: GrowthOptions,
): Promise<Startup> {
  tell("start-up");
  const home = workspace.newFolder("home");
  Deno.mkdirSync(home);
  const costs: Cost[] = [];
  while (costs.length < RUNS) {
    const command = [program, "--version"];
    const log = join(home, "output");
    costs.push(await measure({ command, env: homeIn(home), log }, workspace.signal));
  }
  const wall = spreadOf(costs.map(({ wallMs }) => wallMs));
  const user = median(costs.map(({ userMs }) => userMs));
  const sys = median(costs.map(({ sysMs }) => sysMs));
  return {
    costs,
    table: {
      title: `Start-up, ${RUNS} runs`,
      head: ["program", "wall s", "user+sys s", "MiB"],
      rows: [[
        "p2p --version",
        secondsSpread(wall),
        `${seconds(user)}+${seconds(sys)}`,
        mib(Math.max(...costs.map(({ residentKiB }) => residentKiB))),
      ]],
    },
  };
}
