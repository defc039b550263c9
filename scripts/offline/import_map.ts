/**
 * Leads the names in deno.json to the stand-ins instead of JSR.
 *
 * Only what exists in both worlds is mapped, so that an import that works with the stand-ins
 * works with JSR too.
 */

type Imports = Readonly<Record<string, string>>;

interface ImportMap {
  readonly imports: Imports;
  /** Folder → the names that only files below it may import. */
  readonly scopes?: Readonly<Record<string, Imports>>;
}

/** What deno.json says of packages. */
export interface Packages extends ImportMap {
  /** Our own name, which leads to the library. */
  readonly name: string;
  readonly exports: string;
}

/** JSR package → its entry points among the files of the stand-ins. */
const ENTRY_POINTS: Readonly<Record<string, Imports>> = {
  "@cliffy/command": {
    "": "dnt/@windmill-labs/cliffy-command/1.0.0-rc.5/mod.js",
    "/completions": "dnt/@windmill-labs/cliffy-command/1.0.0-rc.5/completions/mod.js",
  },
  "@std/assert": { "": "std/assert/mod.js" },
  "@std/async": { "": "std/async/mod.js" },
  "@std/log": { "": "dnt/@std/log/0.224.14/mod.js" },
  "@std/path": { "": "dnt/@std/path/1.1.3/mod.js" },
};

/** The import map for .npm-only/<folder>/, where the stand-ins lie beside it. */
export function importMapOf({ name, exports, imports, scopes = {} }: Packages): ImportMap {
  const mappedScopes = Object.entries(scopes).map(([folder, names]) =>
    [fromStore(folder), mapped(names)] as const
  );
  return {
    imports: { ...mapped(imports), [name]: fromStore(exports) },
    scopes: Object.fromEntries(mappedScopes),
  };
}

function mapped(imports: Imports): Imports {
  const entries = Object.entries(imports).flatMap(([name, specifier]) => {
    if (!specifier.startsWith("jsr:")) return [[name, fromStore(specifier)]];
    return Object.entries(entryPointsOf(specifier))
      .map(([entry, path]) => [name + entry, `./${path}`]);
  });
  return Object.fromEntries(entries);
}

function entryPointsOf(specifier: string): Imports {
  const [, id = ""] = specifier.match(/^jsr:\/?(@[^/]+\/[^@/]+)/) ?? [];
  const entryPoints = ENTRY_POINTS[id];
  if (entryPoints) return entryPoints;
  throw new Error(`Cannot take "${specifier}" from npm: it has no stand-in`);
}

/** A path of the repository as seen from .npm-only/<folder>/; npm: and the like stay. */
function fromStore(specifier: string): string {
  return specifier.replace(/^\.\//, "../../");
}
