/** The repository, for the scripts that walk or run it. */
export const ROOT = new URL("../", import.meta.url);

/** `path` itself, or every file below the folder `path`; with "/" on every platform. */
export function* filesBelow(path: string): Iterable<string> {
  if (!Deno.statSync(path).isDirectory) return yield path;
  for (const { name } of Deno.readDirSync(path)) {
    yield* filesBelow(`${path}/${name}`);
  }
}
