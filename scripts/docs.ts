/**
 * Checks the documentation of the library: every export of core/mod.ts is documented without a
 * reference to a private type, and the examples in the comments compile and run.
 */
import { depsFlags } from "./offline/ask_deps.ts";
import { filesBelow, ROOT } from "./source_files.ts";

const ENTRY = "core/mod.ts";
/** The beginning of an example in a comment. */
const EXAMPLE = /^ \* ```ts$/m;

/** The source files below `folder` with an example in a comment, sorted. */
export function filesWithExamples(folder: string): string[] {
  return [...filesBelow(folder)]
    .filter((file) => file.endsWith(".ts") && EXAMPLE.test(Deno.readTextFileSync(file)))
    .sort();
}

/**
 * The configuration for the examples. `deno test --doc` imports all exports of a file into each of its
 * examples, so unused imports are no errors there.
 */
function configForExamples(): string {
  const { name, exports, imports, compilerOptions } = JSON.parse(
    Deno.readTextFileSync(new URL("deno.json", ROOT)),
  );
  return JSON.stringify({
    lock: false,
    imports: { ...imports, [name]: new URL(exports, ROOT).href },
    compilerOptions: { ...compilerOptions, noUnusedLocals: false },
  });
}

async function deno(...args: readonly string[]): Promise<boolean> {
  const command = new Deno.Command(Deno.execPath(), { args: [...args], cwd: ROOT });
  const { success } = await command.spawn().status;
  return success;
}

async function main(): Promise<number> {
  Deno.chdir(ROOT);
  const flags = await depsFlags();
  const documented = await deno("doc", "--quiet", "--lint", ...flags, ENTRY);
  const folder = await Deno.makeTempDir({ prefix: "p2p-docs-" });
  try {
    const config = `${folder}/deno.json`;
    await Deno.writeTextFile(config, configForExamples());
    const files = filesWithExamples("core");
    const test = ["test", "-A", "--quiet", "--doc", `--config=${config}`, ...flags];
    return await deno(...test, ...files) && documented ? 0 : 1;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

if (import.meta.main) Deno.exit(await main());
