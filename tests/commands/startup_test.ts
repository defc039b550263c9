/**
 * Every loaded file costs start-up time. These tests check what is loaded before the first answer:
 * static imports are loaded with their importer, dynamic ones when the code gets there.
 */
import { assert, assertEquals } from "@std/assert";
import { depsFlags } from "../../scripts/offline/ask_deps.ts";

interface Graph {
  readonly redirects: Readonly<Record<string, string>>;
  readonly modules: readonly {
    readonly specifier: string;
    readonly dependencies?: readonly {
      readonly isDynamic?: boolean;
      readonly code?: { readonly specifier: string };
    }[];
  }[];
}

const ROOT = new URL("../../", import.meta.url);
const graph = await graphOf("main.ts");

async function graphOf(file: string): Promise<Graph> {
  const args = ["info", "--json", ...await depsFlags(), file];
  const command = new Deno.Command(Deno.execPath(), { args, cwd: ROOT, stderr: "inherit" });
  const { success, stdout } = await command.output();
  assert(success);
  return JSON.parse(new TextDecoder().decode(stdout));
}

/** The files and packages that are loaded with `files`, relative to the repository. */
function loadedWith(...files: readonly string[]): string[] {
  const modules = new Map(graph.modules.map((module) => [module.specifier, module]));
  const loaded = new Set(files.map((file) => new URL(file, ROOT).href));
  for (const specifier of loaded) {
    const module = modules.get(specifier);
    assert(module !== undefined, `main.ts does not lead to ${specifier}`);
    for (const { isDynamic, code } of module.dependencies ?? []) {
      if (isDynamic || code === undefined) continue;
      loaded.add(graph.redirects[code.specifier] ?? code.specifier);
    }
  }
  return Array.from(loaded, (specifier) => specifier.replace(ROOT.href, ""));
}

/** Downloading, serving, hashing, the network, SQLite. */
const HEAVY = /^core\/(?:download|serve|hash|source|plan|runtime)\b|^node:(?:sqlite|net|zlib)/;
const STATE = /^core\/(?:tasks|store|state\/(?!directories\.ts))/;
const PACKAGE = /cliffy|[/@]std[/@]/;

Deno.test("p2p --version loads no package, and neither state nor network", () => {
  const loaded = loadedWith("main.ts");
  const unwanted = [HEAVY, STATE, PACKAGE];
  assertEquals(loaded.filter((file) => unwanted.some((each) => each.test(file))), []);
  // All that is left in commands: a command of its own would be too much.
  const commands = loaded.filter((file) => /^commands\/(?!ui\/)/.test(file));
  assertEquals(commands.toSorted(), [
    "commands/environment.ts",
    "commands/exit.ts",
    "commands/run.ts",
    "commands/system.ts",
    "commands/version.ts",
  ]);
});

Deno.test("p2p status loads no other command, and only what reads the state", () => {
  const loaded = loadedWith(
    "main.ts",
    "commands/command_line.ts",
    "commands/status.ts",
    "core/tasks/tasks.ts",
  );
  assertEquals(loaded.filter((file) => HEAVY.test(file) || /^core\/store\//.test(file)), []);
  const other =
    /^commands\/(?:get|serve|list|control|max|logs|why|verify|seeds|config|completions|help|complete|watch)\.ts$|^commands\/ui\/(?:watch|why)\//;
  assertEquals(loaded.filter((file) => other.test(file)), []);
});

Deno.test("the command line loads no command before it knows which one", () => {
  const before = new Set(loadedWith("main.ts"));
  const loaded = loadedWith("commands/command_line.ts").filter((file) => !before.has(file));
  const ours = loaded.filter((file) => /^(?:commands|core)\//.test(file));
  assertEquals(ours.toSorted(), [
    "commands/command_line.ts",
    "commands/last_flag.ts",
    "commands/mod.ts",
    "commands/options.ts",
    "commands/settings.ts",
    "commands/ui/help.ts",
    "commands/value_types.ts",
  ]);
});

Deno.test("p2p completions loads no state and no network", () => {
  const loaded = loadedWith("main.ts", "commands/command_line.ts", "commands/completions.ts");
  assertEquals(loaded.filter((file) => HEAVY.test(file) || STATE.test(file)), []);
});
