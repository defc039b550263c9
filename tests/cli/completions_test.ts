import { assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { downloaded, summaryOf } from "./events.ts";
import { type CliFixture, from, noise, ON_UNIX, test } from "./harness.ts";

const PROGRAM = fromFileUrl(new URL("../../dist", import.meta.url));

/** What bash puts in place of the word at the end of each line. */
async function completed(world: CliFixture, ...lines: string[]): Promise<string[][]> {
  const script = `source <(p2p completions bash)
    for line in "$@"; do
      COMP_LINE=$line COMP_POINT=\${#line} COMP_WORDS=() COMP_CWORD=0
      _p2p
      printf '%s\\n' "\${COMPREPLY[@]}" ---
    done`;
  const { code, stdout, stderr } = await new Deno.Command("bash", {
    args: ["-c", script, "bash", ...lines],
    cwd: world.here,
    env: {
      PATH: `${PROGRAM}:${Deno.env.get("PATH")}`,
      P2P_CONFIG_DIR: world.path("config"),
      P2P_STATE_DIR: world.path("state"),
      P2P_CACHE_DIR: world.path("cache"),
    },
  }).output();
  assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
  const groups = new TextDecoder().decode(stdout).split("---\n").slice(0, -1);
  return groups.map((group) => group.split("\n").slice(0, -1).filter((word) => word !== ""));
}

test("bash completes commands, flags and their values", async (world) => {
  const lines = ["p2p st", "p2p get --on", "p2p get x --on-conflict=re", "cd x && p2p verif"];
  assertEquals(await completed(world, ...lines, "p2p help s"), [
    ["status"],
    ["--on-conflict"],
    ["rename"],
    ["verify"],
    ["seeds", "streams", "serving", "security", "sync", "serve", "status"],
  ]);
}, ON_UNIX);

const NAMES = ["holiday film.mkv", "it's $5.txt", "a:b=c@d.txt", "x*[1].txt", "größe.bin"];

test("bash completes the seeds' names, escaped as it needs them", async (world) => {
  for (const name of NAMES) world.write(`share/${name}`, "x");
  const seed = await world.serve(world.path("share"));
  const silent = "127.0.0.1:1";
  await world.p2p("seeds", "add", silent, seed.address);
  const groups = await completed(
    world,
    "p2p get h",
    "p2p get holiday\\ ",
    "p2p get 'holi",
    'p2p get "it',
    "p2p get a",
    "p2p get a:b",
    "p2p list x",
    "p2p get it",
    `p2p get --seed ${silent} h`,
  );
  assertEquals(groups, [
    ["holiday\\ film.mkv"],
    ["holiday\\ film.mkv"],
    ["holiday film.mkv"],
    ["it's \\$5.txt"],
    ["a\\:b\\=c\\@d.txt"],
    ["b\\=c\\@d.txt"],
    ["x\\*\\[1\\].txt"],
    ["it\\'s\\ \\$5.txt"],
    [],
  ]);
}, ON_UNIX);

test("bash completes tasks by name and by id, each where it makes sense", async (world) => {
  world.write("share/done.txt", "x");
  world.write("share/slow file.bin", noise(4_000_000));
  const seed = await world.serve(world.path("share"));
  const done = await world.p2p("get", "done.txt", "--json", ...from(seed));
  const { task } = summaryOf(done).tasks[0]!;
  const flags = ["--limit", "500KiB", "--json", ...from(seed)];
  const running = world.start("get", "slow file.bin", ...flags);
  await downloaded(running, 1);
  const lines = ["p2p logs ", `p2p why ${task.slice(0, 6)}`, "p2p pause ", "p2p resume "];
  assertEquals(await completed(world, ...lines), [
    ["slow\\ file.bin", "done.txt"],
    [task],
    ["slow\\ file.bin"],
    [],
  ]);
}, ON_UNIX);

test("p2p complete reports zsh and fish what a word means, and leaves files to them", async (world) => {
  await world.p2p("get", "a b.txt", "--seed", "127.0.0.1:1");
  const lines = async (...args: string[]) =>
    (await world.p2p("complete", ...args)).stdout.trimEnd().split("\n");
  const [kind, first] = await lines("zsh", "logs", "");
  assertEquals([kind, first!.split("\t")[0]], ["words", "a b.txt"]);
  assertEquals(first!.split("\t")[1]!.startsWith("failed, task "), true, first);
  assertEquals(await lines("fish", "ser"), [
    "words",
    "serve\tServes the files below a folder until Ctrl-C.",
  ]);
  assertEquals(await lines("fish", "verify", "x"), ["files"]);
  assertEquals(await lines("zsh", "get", "--out", ""), ["dirs"]);
});

test("p2p complete fails never and says nothing of what is wrong", async (world) => {
  world.write("config/config.json", "{ broken");
  for (const args of [[], ["bash"], ["zsh", "get", ""], ["fish", "--nonsense", "x"], ["what"]]) {
    const { code, stderr } = await world.p2p("complete", ...args);
    assertEquals([code, stderr], [0, ""], args.join(" "));
  }
});
