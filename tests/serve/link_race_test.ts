/** A link is swapped while files are opened: nothing outside the folder is ever opened. */
import { assertEquals } from "@std/assert";
import { FileResolver } from "../../core/serve/files/file_resolver.ts";
import { openRoot } from "../../core/serve/files/root.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { test } from "../support/test.ts";
import { symlink } from "../support/platform.ts";

/** Makes `link` lead to one target and the other in turn, as fast as it can, until it is stopped. */
const SWAPPER = `
  self.onmessage = ({ data: { link, targets, stop } }) => {
    const flag = new Int32Array(stop);
    for (let i = 0; Atomics.load(flag, 0) === 0; i++) {
      const next = link + ".next";
      Deno.symlinkSync(targets[i % 2], next);
      Deno.renameSync(next, link);
      if (i === 2) self.postMessage("swapping");
    }
    self.postMessage("stopped");
  };
`;

class Swapper implements AsyncDisposable {
  readonly #worker = new Worker(
    `data:application/javascript,${encodeURIComponent(SWAPPER)}`,
    { type: "module" },
  );
  readonly #stop = new SharedArrayBuffer(4);

  async start(link: string, targets: [string, string]): Promise<void> {
    this.#worker.postMessage({ link, targets, stop: this.#stop });
    await this.#message();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const stopped = this.#message();
    Atomics.store(new Int32Array(this.#stop), 0, 1);
    await stopped;
    this.#worker.terminate();
  }

  #message(): Promise<void> {
    return new Promise((resolve) => this.#worker.onmessage = () => resolve());
  }
}

const swaps = [
  { what: "a file", link: "served/name", inside: "real/name", outside: "../secret/name" },
  { what: "a folder", link: "served/sub", inside: "real", outside: "../secret" },
];

for (const reuses of [false, true]) {
  for (const { what, link, inside, outside } of swaps) {
    const by = reuses ? "FileResolver" : "A new FileResolver";
    test(`${by} never opens what is outside when a link to ${what} is swapped meanwhile`, async () => {
      if (Deno.build.os === "windows") return;
      using fixture = new TempFolder();
      for (const path of ["secret/name", "served/real/name"]) {
        fixture.write(path, path.startsWith("secret") ? "secret" : "public");
        fixture.age(path);
      }
      symlink(inside, fixture.pathOf(link));
      const root = openRoot(fixture.pathOf("served"), false);
      const reused = new FileResolver(root);
      const name = what === "a file" ? "name" : "sub/name";
      await using swapper = new Swapper();
      await swapper.start(fixture.pathOf(link), [outside, inside]);
      for (let i = 0; i < 3000; i++) {
        try {
          const resolver = reuses ? reused : new FileResolver(root);
          using file = resolver.open(resolver.find(name));
          const bytes = new Uint8Array(file.version.size);
          file.read(bytes, 0);
          assertEquals(new TextDecoder().decode(bytes), "public");
        } catch (error) {
          // An error reply or a changed file: both are right.
          if (error instanceof Error && error.name === "AssertionError") throw error;
        }
      }
    });
  }
}
