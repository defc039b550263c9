/**
 * Checks a running seed, p2p's or another one, against the protocol's specification:
 * `deno task conformance --files <folder>` writes the files that the seed must serve, and
 * `deno task conformance <host:port>` runs the checks and prints a table.
 */
import { join } from "@std/path";
import { exampleChecks, RULES } from "./conformance/checks.ts";
import { EXAMPLE_FILES, examplesIn } from "./conformance/examples.ts";

const SPECIFICATION = new URL("../core/protocol/README.md", import.meta.url);

function writeFiles(folder: string): void {
  Deno.mkdirSync(folder, { recursive: true });
  for (const [name, content] of Object.entries(EXAMPLE_FILES)) {
    Deno.writeFileSync(join(folder, name), content);
  }
  console.log(`${folder} has the files of the examples. Serve it, and run the checks.`);
}

async function check(host: string, port: number): Promise<boolean> {
  const examples = examplesIn(Deno.readTextFileSync(SPECIFICATION));
  let failed = 0;
  for (const { name, run } of [...exampleChecks(examples, false), ...RULES]) {
    try {
      const skipped = await run({ host, port });
      console.log(skipped ? `skipped ${name}: ${skipped}` : `ok      ${name}`);
    } catch (error) {
      failed++;
      console.log(`FAILED  ${name}\n        ${error instanceof Error ? error.message : error}`);
    }
  }
  console.log(failed === 0 ? "The seed conforms." : `Failed checks: ${failed}`);
  return failed === 0;
}

const [first = "", folder] = Deno.args;
const [, host, port] = first.match(/^(.+):(\d+)$/) ?? [];
if (first === "--files" && folder !== undefined) writeFiles(folder);
else if (host !== undefined) Deno.exitCode = await check(host, Number(port)) ? 0 : 1;
else {
  console.error("Usage: deno task conformance <host:port> | --files <folder>");
  Deno.exitCode = 2;
}
