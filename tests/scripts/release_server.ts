/** Releases for the tests of the installers: made of any program, published on this machine. */
import { join } from "@std/path";
import { writeChecksums } from "../../scripts/checksums.ts";

/** What somebody who publishes, or who is on the way, may have done to a file. */
export type Mishap =
  /** The connection ends in the middle. */
  | "cut"
  /** One byte is another. */
  | "changed";

/** Serves releases on a free port of this machine; each is a folder below a page of releases. */
export class ReleaseServer implements AsyncDisposable {
  /** The address of the page. */
  readonly page: string;
  /** File name → what happens to it on the way. */
  readonly mishaps = new Map<string, Mishap>();
  readonly #folders = new Map<string, string>();
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor() {
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      (request) => this.#answer(new URL(request.url).pathname),
    );
    this.page = `http://127.0.0.1:${this.#server.addr.port}/releases`;
  }

  /** The newest is the one that was published last. */
  async publish(version: string, folder: string): Promise<void> {
    await writeChecksums(folder);
    this.#folders.set(`/releases/download/v${version}`, folder);
    this.#folders.set("/releases/latest/download", folder);
  }

  async #answer(path: string): Promise<Response> {
    const cut = path.lastIndexOf("/");
    const [folder, name] = [this.#folders.get(path.slice(0, cut)), path.slice(cut + 1)];
    const bytes = folder && await Deno.readFile(join(folder, name)).catch(() => undefined);
    if (!bytes) return new Response("there is no such file", { status: 404 });
    switch (this.mishaps.get(name)) {
      case undefined:
        return new Response(bytes);
      case "changed":
        bytes[bytes.length >> 1]! ^= 1;
        return new Response(bytes);
      case "cut":
        return halfOf(bytes);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

/** An answer that promises all of `bytes` and breaks off. */
function halfOf(bytes: Uint8Array<ArrayBuffer>): Response {
  let sent = false;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (sent) return controller.error(new Error("the line is cut"));
      sent = true;
      controller.enqueue(bytes.subarray(0, bytes.length >> 1));
    },
  });
  return new Response(body, { headers: { "content-length": String(bytes.length) } });
}
