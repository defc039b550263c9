/** Programs of the system that making a release needs. */

/**
 * Runs `program` to its end.
 *
 * @returns what it wrote to stdout.
 * @throws {Error} if it is not there or fails, with what it said.
 */
export async function output(
  program: string,
  args: readonly string[],
  cwd: string | URL,
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const ended = await start(program, args, cwd, env);
  const decoder = new TextDecoder();
  if (ended.success) return decoder.decode(ended.stdout);
  throw new Error(`Cannot run "${program}": ${decoder.decode(ended.stderr).trim()}`);
}

async function start(
  program: string,
  args: readonly string[],
  cwd: string | URL,
  env: Readonly<Record<string, string>>,
): Promise<Deno.CommandOutput> {
  try {
    return await new Deno.Command(program, { args: [...args], cwd, env, stdin: "null" }).output();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new Error(`Cannot run "${program}": it is not on the PATH`, { cause: error });
  }
}
