/** The machine that was measured on: figures without it mean nothing. */
import { parseCpuModel, parseFilesystem, parseMemory } from "./proc.ts";
import { type FoundTools, versionIn } from "./tools.ts";

export interface Machine {
  readonly cores: number;
  readonly cpu: string;
  readonly memoryBytes: number;
  readonly system: string;
  /** What the files were written to. */
  readonly filesystem: string;
  /** Programs that wanted to run in the minute before; well above 0, other programs were at work. */
  readonly load: number;
  readonly versions: Readonly<Record<string, string>>;
}

/** @param folder where the files are written. @param program p2p itself. */
export async function describeMachine(
  folder: string,
  program: string,
  tools: FoundTools,
): Promise<Machine> {
  const { stdout } = await new Deno.Command(program, { args: ["--version"] }).output();
  const versions: Record<string, string> = {
    p2p: versionIn(new TextDecoder().decode(stdout)),
    deno: Deno.version.deno,
  };
  for (const [name, { version }] of tools) versions[name] = version;
  return {
    cores: navigator.hardwareConcurrency,
    cpu: parseCpuModel(read("/proc/cpuinfo")) ?? "unknown",
    memoryBytes: Deno.systemMemoryInfo().total,
    system: `${Deno.build.os} ${Deno.osRelease()} ${Deno.build.arch}`,
    filesystem: parseFilesystem(read("/proc/mounts"), folder) ?? "unknown",
    load: Deno.loadavg()[0]!,
    versions,
  };
}

/** Bytes that programs can still have. */
export function memoryToSpare(): number {
  return parseMemory(read("/proc/meminfo")).available || Deno.systemMemoryInfo().available;
}

function read(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}
