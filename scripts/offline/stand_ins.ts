/**
 * Packages of npm that hold the same code as the JSR packages of deno.json.
 *
 * Nothing of them is committed, and nothing but what is free to use is unpacked: the standard
 * library and Cliffy, both MIT.
 */

import { importMapOf, type Packages } from "./import_map.ts";
import { type Bytes, type Files } from "./store.ts";
import { filesOf, hex, type Tarball } from "./tarball.ts";

/** The stable part of the standard library, as JavaScript without types. */
const STD: Tarball = {
  spec: "deno-std@1.4.0",
  sha512:
    "7c0Y6tyn0Sx0NKiaAeGtDwrpG+C7VFcOStVcYXPnjAuIEonxzVV+n6s8iuFjg6keqzxo/zrPbR/J9EY9BLNsRA==",
};

/** A program built with dnt: the JSR packages that it uses lie in {esm,types}/deps/jsr.io/. */
const DNT: Tarball = {
  spec: "windmill-cli@1.596.0",
  sha512:
    "5aFVNTOEaGyTKyQlyjFI1FAZ8fTIQ2vGSmnqL3FfZuKpKWdqGXh8p9Azdp8N2MkIwyP1vYtOK9nfQk6jr6tRTw==",
};

const HERE = new URL("./", import.meta.url);
/** Written by hand, because the package ships no types: those of std/x/mod.js are in std_x.d.ts. */
const TYPES = new URL("./types/", import.meta.url);

/** The two shims of dnt, without the npm package that they come from there. */
const SHIMS = {
  "dnt/_dnt.shims.js": "export const Deno = globalThis.Deno;\n" +
    "export const dntGlobalThis = globalThis;\n",
  "dnt/_dnt.shims.d.ts": "export import Deno = globalThis.Deno;\n" +
    "export declare const dntGlobalThis: typeof globalThis;\n",
};

/** A folder name that changes with all that decides what is in the folder. */
export async function standInsId(packages: Packages): Promise<string> {
  const sources = [HERE, TYPES].flatMap((folder) =>
    namesIn(folder).map((name) => Deno.readFileSync(new URL(name, folder)))
  );
  const { name, exports, imports, scopes } = packages;
  const all = new Blob([...sources, JSON.stringify({ name, exports, imports, scopes })]);
  return `deps-${(await hex("SHA-256", await all.bytes())).slice(0, 12)}`;
}

/** All files of the stand-ins, with the import map that leads to them. */
export async function standIns(packages: Packages): Promise<Files> {
  // Before the downloads, since it knows at once that a package has no stand-in.
  const importMap = JSON.stringify(importMapOf(packages), null, 2);
  const [std, dnt] = await Promise.all([filesOf(STD), filesOf(DNT)]);
  const files = new Map([
    ...stdFiles(std),
    ...handTypes(),
    ...dntFiles(dnt),
    ...Object.entries(SHIMS),
  ]);
  linkTypes(files);
  return files.set("import_map.json", importMap);
}

type Tar = ReadonlyMap<string, Bytes>;
type TextFiles = Iterable<[path: string, text: string]>;

function* stdFiles(tar: Tar): TextFiles {
  for (const [name, content] of tar) {
    if (!/^(assert|async|internal|data_structures)\//.test(name)) continue;
    // async/channel.js imports from data-structures/, but the tarball says data_structures/.
    yield [`std/${name.replace(/^data_/, "data-")}`, textOf(content)];
  }
}

function* handTypes(): TextFiles {
  for (const name of namesIn(TYPES)) {
    const [, module] = name.match(/^std_(.*)\.d\.ts$/) ?? [];
    const text = Deno.readTextFileSync(new URL(name, TYPES));
    if (module !== undefined) yield [`std/${module}/mod.d.ts`, text];
  }
}

/** Code and types side by side; nothing of the program around them. */
function* dntFiles(tar: Tar): TextFiles {
  const inside = /^(?:esm|types)\/deps\/jsr\.io\/(.*\.(?:js|d\.ts))$/;
  for (const [name, content] of tar) {
    const [, path] = name.match(inside) ?? [];
    if (path === undefined) continue;
    // The shims lie two folders further up in the tarball.
    const text = textOf(content).replace("../../_dnt.shims", "_dnt.shims")
      // Cliffy 1.0.0-rc.5 does not know `--log-level=debug` before a command; 1.2.1 does, by this.
      .replace(
        'optionName = ctx.unknown[0].replace(/^-+/, "");',
        'optionName = ctx.unknown[0].replace(/^-+/, "").split("=")[0];',
      );
    yield [`dnt/${path}`, text];
  }
}

/** Tells each module of its types, on its first line: line numbers in stacks stay true. */
function linkTypes(files: Map<string, string>): void {
  for (const [path, text] of files) {
    const types = path.replace(/\.js$/, ".d.ts");
    if (types === path || !files.has(types)) continue;
    const name = types.slice(types.lastIndexOf("/") + 1);
    files.set(path, `/* @ts-self-types="./${name}" */ ${text}`);
  }
}

function namesIn(folder: URL): string[] {
  const files = Array.from(Deno.readDirSync(folder)).filter(({ isFile }) => isFile);
  return files.map(({ name }) => name).toSorted();
}

function textOf(bytes: Bytes): string {
  return new TextDecoder().decode(bytes);
}
