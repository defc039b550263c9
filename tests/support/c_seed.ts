/** Runs tests/support/old_seed.c: an original seed as C programs are. */
import { fromFileUrl, join } from "@std/path";

const SOURCE = fromFileUrl(new URL("old_seed.c", import.meta.url));

/** Why there can be no C seed here; undefined where there can. */
export const withoutCSeed: string | undefined = whyNot();

function whyNot(): string | undefined {
  if (Deno.build.os === "windows") return "it is for Unix";
  try {
    return new Deno.Command("cc", { args: ["--version"] }).outputSync().success
      ? undefined
      : "cc does not work";
  } catch {
    return "there is no cc";
  }
}

/** The compiled program, and a folder with the files that it serves. */
export class CSeedProgram implements Disposable {
  readonly #dir = Deno.makeTempDirSync({ prefix: "p2p-c-seed-" });
  readonly #folder = join(this.#dir, "files");
  readonly #program = join(this.#dir, "old_seed");

  constructor(files: Readonly<Record<string, Uint8Array>>) {
    Deno.mkdirSync(this.#folder);
    for (const [name, bytes] of Object.entries(files)) {
      Deno.writeFileSync(join(this.#folder, name), bytes);
    }
    const { success, stderr } = new Deno.Command("cc", { args: ["-o", this.#program, SOURCE] })
      .outputSync();
    if (!success) throw new Error(`Cannot compile ${SOURCE}: ${new TextDecoder().decode(stderr)}`);
  }

  async start(...habits: string[]): Promise<CSeed> {
    const process = new Deno.Command(this.#program, {
      args: [this.#folder, ...habits],
      stdin: "null",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const reader = process.stdout.getReader();
    const { value } = await reader.read();
    await reader.cancel();
    return new CSeed(process, Number(new TextDecoder().decode(value)));
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.#dir, { recursive: true });
  }
}

export class CSeed implements AsyncDisposable {
  readonly address: string;
  readonly port: number;
  readonly #process: Deno.ChildProcess;

  constructor(process: Deno.ChildProcess, port: number) {
    this.#process = process;
    this.port = port;
    this.address = `127.0.0.1:${port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#process.status;
  }
}
