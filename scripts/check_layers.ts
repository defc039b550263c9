/**
 * Checks which room may import which, which files may use the platform's time, randomness, sockets
 * and environment, and that no string in core names a command line flag. Prints one line for each
 * fault and exits with 1 if there is one.
 *
 * It checks what main.ts reaches; tests and scripts may import anything.
 */

import { depsFlags } from "./offline/ask_deps.ts";
import { filesBelow, ROOT } from "./source_files.ts";

/** A source file and the files of ours that it imports, all relative to the repository. */
export interface Module {
  readonly file: string;
  readonly imports: readonly string[];
}

/** Files lead to files, or rooms to rooms. */
type Graph = ReadonlyMap<string, readonly string[]>;

const CORE: Readonly<Record<string, readonly string[]>> = {
  "core/base": [],
  "core/events.ts": ["core/base"],
  "core/config.ts": ["core/base"],
  "core/hash": ["core/base"],
  "core/protocol": ["core/base"],
  "core/plan": ["core/events.ts", "core/base"],
  "core/store": ["core/config.ts", "core/hash", "core/protocol", "core/base"],
  "core/discovery": ["core/base"],
  "core/source": ["core/protocol", "core/base"],
  "core/progress": ["core/events.ts", "core/base"],
  "core/state": ["core/progress", "core/events.ts", "core/base"],
  "core/tasks": ["core/state", "core/store", "core/progress", "core/events.ts", "core/base"],
  "core/runtime.ts": ["core/discovery", "core/hash", "core/source", "core/store", "core/base"],
  "core/download": [
    "core/runtime.ts",
    "core/serve",
    "core/hash",
    "core/plan",
    "core/source",
    "core/store",
    "core/progress",
    "core/state",
    "core/events.ts",
    "core/config.ts",
    "core/protocol",
    "core/base",
  ],
  "core/serve": [
    "core/discovery",
    "core/runtime.ts",
    "core/hash",
    "core/store",
    "core/source",
    "core/events.ts",
    "core/config.ts",
    "core/protocol",
    "core/base",
  ],
};

/** Each room, a folder or a file, and the rooms that it may import beside itself. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  ...CORE,
  "core/mod.ts": Object.keys(CORE),
  "commands/ui": ["core/mod.ts"],
  "commands": ["commands/ui", "core/mod.ts"],
  "main.ts": ["commands", "core/mod.ts", "deno.json"],
  "deno.json": [], // main.ts reads the version from it
};

/**
 * Names of the platform that only the files in `except` may use; all other files take what they need
 * as an argument. `core/mod.ts` passes the real ones in.
 */
const PLATFORM_RULES = [
  {
    names: /\b(?:setTimeout|setInterval|Date\.now|performance\.now|AbortSignal\.timeout)\b/g,
    in: ["core"],
    except: ["core/mod.ts", "core/base/clock.ts"],
  },
  {
    names: /\b(?:Math\.random|crypto\.getRandomValues|crypto\.randomUUID)\b/g,
    in: ["core"],
    except: ["core/mod.ts", "core/base/random.ts"],
  },
  {
    names: /\b(?:createSocket|Deno\.networkInterfaces)\b/g,
    in: ["core"],
    except: ["core/discovery/multicast.ts"],
  },
  {
    names: /\bDeno\.(?:connect|connectTls|startTls|listen|listenTls|listenDatagram|serve)\b/g,
    in: ["core"],
    except: ["core/mod.ts", "core/source/dial.ts", "core/source/listen.ts"],
  },
  // A call of the global function; methods of this name are other things.
  {
    names: /\bDeno\.createHttpClient\b|(?:=>?|\bawait|\breturn)\s+fetch\(/g,
    in: ["core"],
    except: ["core/mod.ts", "core/source/http_client.ts"],
  },
  { names: /\bDeno\.env\b/g, in: ["core"], except: ["core/mod.ts"] },
  {
    names: /\bDeno\.makeTemp(?:Dir|File)(?:Sync)?\b/g,
    in: ["core"],
    except: ["core/runtime.ts"],
  },
  // An exit from anywhere else would skip what is still to be flushed and closed.
  {
    names: /\bDeno\.exit\b/g,
    in: ["core", "commands", "main.ts"],
    except: ["main.ts"],
  },
];

/** A command line flag, as a word of its own. */
const FLAG = /(?<![\w-])--[a-z][\w-]*/g;

/** The innermost room that `file` lies in. */
export function roomOf(file: string): string | undefined {
  const rooms = Object.keys(MAY_IMPORT).filter((room) => liesIn(file, room));
  return rooms.toSorted((a, b) => b.length - a.length)[0];
}

/** Imports that the table does not allow, files without a room, and cycles. */
export function faultsOf(modules: readonly Module[]): string[] {
  const files = new Map(modules.map(({ file, imports }) => [file, imports]));
  return [
    ...modules.flatMap(importFaultsOf),
    ...cyclesOf(roomsOf(files)).map((cycle) => `rooms in a cycle: ${cycle}`),
    ...cyclesOf(files).map((cycle) => `files in a cycle: ${cycle}`),
  ];
}

function importFaultsOf({ file, imports }: Module): string[] {
  const room = roomOf(file);
  if (room === undefined) return [`${file} lies in no room`];
  const allowed = MAY_IMPORT[room] ?? [];
  return imports.flatMap((target) => {
    const targetRoom = roomOf(target);
    // A target without a room has its own line.
    if (targetRoom === undefined || targetRoom === room) return [];
    if (allowed.includes(targetRoom)) return [];
    const law = allowed.length === 0 ? "no other room" : allowed.join(", ");
    return [`${file} imports ${target}: "${room}" may import ${law}`];
  });
}

function roomsOf(files: Graph): Graph {
  const rooms = new Map<string, string[]>();
  for (const [file, imports] of files) {
    const room = roomOf(file) ?? file;
    const targets = imports.map((target) => roomOf(target) ?? target);
    const others = targets.filter((target) => target !== room);
    rooms.set(room, [...rooms.get(room) ?? [], ...others]);
  }
  return rooms;
}

/** One cycle of each knot in `graph`, as "a -> b -> a". */
function cyclesOf(graph: Graph): string[] {
  const left = new Map(graph);
  const cycles = [];
  for (;;) {
    removeLooseEnds(left);
    const [start] = left.keys();
    if (start === undefined) return cycles;
    const cycle = followFrom(start, left);
    cycles.push([...cycle, cycle[0]].join(" -> "));
    for (const node of cycle) left.delete(node);
  }
}

/** Removes every node from which no cycle can be reached. */
function removeLooseEnds(graph: Map<string, readonly string[]>): void {
  let before;
  do {
    before = graph.size;
    for (const [node, targets] of graph) {
      if (!targets.some((target) => graph.has(target))) graph.delete(node);
    }
  } while (graph.size < before);
}

/** Walks on until it meets its own path; every node must lead to another one. */
function followFrom(start: string, graph: Graph): string[] {
  const path: string[] = [];
  let node: string | undefined = start;
  while (node !== undefined && !path.includes(node)) {
    path.push(node);
    node = graph.get(node)?.find((target) => graph.has(target));
  }
  return path.slice(path.indexOf(node ?? start));
}

/** Uses of the platform's names that `file` may not make, and flags in the strings of core; comments may name both. */
export function sourceFaultsOf(file: string, source: string): string[] {
  const rules = PLATFORM_RULES.filter((rule) =>
    rule.in.some((room) => liesIn(file, room)) &&
    !rule.except.some((room) => liesIn(file, room))
  );
  const lines = blank(source, "comments").split("\n");
  const uses = rules.flatMap(({ names, except }) =>
    faultsInLines(
      lines,
      names,
      (line, name) => `${file}:${line} uses ${name}: only ${except.join(", ")} may`,
    )
  );
  if (!liesIn(file, "core")) return uses;
  const strings = blank(source, "all but strings").split("\n");
  const flags = faultsInLines(
    strings,
    FLAG,
    (line, flag) => `${file}:${line} names ${flag} in a string: flags belong to commands`,
  );
  return [...uses, ...flags];
}

function faultsInLines(
  lines: readonly string[],
  pattern: RegExp,
  faultOf: (line: number, match: string) => string,
): string[] {
  return lines.flatMap((line, index) =>
    (line.match(pattern) ?? []).map((match) => faultOf(index + 1, match))
  );
}

/** Strings are matched as well, so that "http://" in one does not begin a comment. */
const STRING_OR_COMMENT =
  /"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\[^]|[^`\\])*`|\/\/.*|\/\*[^]*?\*\//g;

/** Replaces a part of the source by spaces; every line stays where it was. */
function blank(source: string, part: "comments" | "all but strings"): string {
  const spaces = (text: string) => text.replace(/[^\n]/g, " ");
  let result = "";
  let end = 0;
  for (const { 0: text, index } of source.matchAll(STRING_OR_COMMENT)) {
    const code = source.slice(end, index);
    const isComment = text.startsWith("/");
    result += part === "comments" ? code : spaces(code);
    result += isComment ? spaces(text) : text;
    end = index + text.length;
  }
  const rest = source.slice(end);
  return result + (part === "comments" ? rest : spaces(rest));
}

function liesIn(file: string, room: string): boolean {
  return file === room || file.startsWith(`${room}/`);
}

/** The part of `deno info --json` that matters here. */
export interface ModuleInfo {
  readonly modules: readonly {
    readonly specifier: string;
    readonly error?: string;
    readonly dependencies?: readonly {
      readonly code?: { readonly specifier?: string };
      readonly type?: { readonly specifier?: string };
    }[];
  }[];
}

/**
 * The modules below the URL `root`; packages are left out.
 *
 * @throws {Error} If one cannot be read: what it imports would go unseen.
 */
export function modulesOf(info: ModuleInfo, root: string): Module[] {
  const ours = info.modules.filter(({ specifier }) => isOurs(specifier, root));
  return ours.map(({ specifier, error, dependencies = [] }) => {
    if (error !== undefined) throw new Error(`Cannot check imports: ${error}`);
    const targets = dependencies.flatMap(({ code, type }) => [
      code?.specifier ?? "",
      type?.specifier ?? "",
    ]);
    const imports = new Set(targets.filter((target) => isOurs(target, root)));
    return {
      file: specifier.slice(root.length),
      imports: [...imports].map((target) => target.slice(root.length)),
    };
  });
}

function isOurs(specifier: string, root: string): boolean {
  return specifier.startsWith(root) &&
    !specifier.startsWith(`${root}.npm-only/`);
}

async function moduleInfo(): Promise<ModuleInfo> {
  const { success, stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      "info",
      "--json",
      ...await depsFlags(),
      new URL("main.ts", ROOT).href,
    ],
    stderr: "inherit",
  }).output();
  if (!success) throw new Error("Cannot check imports: deno info failed");
  return JSON.parse(new TextDecoder().decode(stdout));
}

async function check(): Promise<string[]> {
  Deno.chdir(ROOT);
  const sources = ["core", "commands", "main.ts"]
    .flatMap((path) => [...filesBelow(path)])
    .filter((file) => file.endsWith(".ts"));
  return [
    ...faultsOf(modulesOf(await moduleInfo(), ROOT.href)),
    ...sources.flatMap((file) => sourceFaultsOf(file, Deno.readTextFileSync(file))),
  ];
}

if (import.meta.main) {
  const faults = await check();
  for (const fault of faults) console.log(fault);
  if (faults.length > 0) Deno.exit(1);
}
