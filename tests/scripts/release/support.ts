/** What tests of a release need of the machine. */
import { gnuTar } from "../../../scripts/release/archive.ts";
import { output } from "../../../scripts/release/tools.ts";

/** Why a test that needs `programs` cannot run here. */
export async function lacking(...programs: readonly string[]): Promise<string | undefined> {
  for (const program of programs) {
    if (program === "GNU tar") {
      if (await gnuTar().catch(() => undefined) === undefined) return "there is no GNU tar";
    } else if (!await isThere(program)) return `there is no ${program}`;
  }
  return undefined;
}

/** How programs that know no `--version` are asked for it. */
const VERSION_FLAGS: Readonly<Record<string, string>> = {
  zip: "-v",
  unzip: "-v",
  openssl: "version",
};

async function isThere(program: string): Promise<boolean> {
  return await output(program, [VERSION_FLAGS[program] ?? "--version"], ".")
    .then(() => true, () => false);
}

/** A test that says in its name why it is ignored, if it is. */
export function testUnless(
  ignored: string | undefined,
  name: string,
  fn: () => Promise<void>,
): void {
  Deno.test({
    name: ignored === undefined ? name : `${name} [ignored: ${ignored}]`,
    ignore: ignored !== undefined,
    fn,
  });
}
