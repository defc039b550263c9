/** The programs that p2p is compared with: which are there, in which version, and how to get the others. */

export interface Tool {
  readonly name: "aria2c" | "axel" | "curl" | "nginx";
  /** Of Debian and its descendants. */
  readonly package: string;
  readonly versionFlag: string;
}

export interface FoundTool {
  readonly path: string;
  readonly version: string;
}

const TOOLS: readonly Tool[] = [
  { name: "aria2c", package: "aria2", versionFlag: "--version" },
  { name: "axel", package: "axel", versionFlag: "--version" },
  { name: "curl", package: "curl", versionFlag: "--version" },
  { name: "nginx", package: "nginx", versionFlag: "-v" },
];

/** Without these nothing can be measured. */
const NEEDED = ["bash", "sha256sum"];

/** Where servers are installed; often not on the PATH of a user. */
const SERVER_FOLDERS = ["/usr/sbin", "/usr/local/sbin"];

export type ToolName = Tool["name"];
export type FoundTools = ReadonlyMap<ToolName, FoundTool>;

/** @throws {Error} if what nothing can be measured without is not there. */
export async function findTools(): Promise<FoundTools> {
  for (const name of NEEDED) {
    if (findOnPath(name) === undefined) {
      throw new Error(`Cannot measure anything: there is no "${name}" on the PATH`);
    }
  }
  const found = new Map<ToolName, FoundTool>();
  for (const { name, versionFlag } of TOOLS) {
    const path = findOnPath(name);
    if (path === undefined) continue;
    found.set(name, { path, version: versionIn(await outputOf(path, versionFlag)) });
  }
  return found;
}

/** What to tell about the programs that are not there, or undefined. */
export function adviceFor(found: FoundTools): string | undefined {
  const missing = TOOLS.filter(({ name }) => !found.has(name));
  if (missing.length === 0) return undefined;
  const names = missing.map(({ name }) => name).join(", ");
  const packages = missing.map((tool) => tool.package).join(" ");
  return `Not here, so its rows are left out: ${names}. To have them: apt-get install ${packages}`;
}

/** The first number with a dot in what a program says of itself. */
export function versionIn(text: string): string {
  return text.match(/\d+(?:\.\d+)+/)?.[0] ?? "unknown";
}

function findOnPath(name: string): string | undefined {
  const folders = [...(Deno.env.get("PATH") ?? "").split(":"), ...SERVER_FOLDERS];
  return folders.map((folder) => `${folder}/${name}`).find(isFile);
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** nginx tells its version on stderr. */
async function outputOf(path: string, flag: string): Promise<string> {
  const { stdout, stderr } = await new Deno.Command(path, { args: [flag], stdin: "null" }).output();
  return [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("\n");
}
