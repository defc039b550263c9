import { assertThrows } from "@std/assert";
import { join } from "@std/path";
import { compareFolders } from "../../../scripts/bench/compare.ts";

/** Longer than what is compared at a time. */
const LONG = 3 * 1024 * 1024 + 5;

const cases = [
  { name: "accepts equal files", change: () => {}, want: undefined },
  {
    name: "finds one other byte near the end",
    change: (out: string) => {
      const bytes = Deno.readFileSync(join(out, "long"));
      bytes[LONG - 2]! ^= 1;
      Deno.writeFileSync(join(out, "long"), bytes);
    },
    want: "has other bytes",
  },
  {
    name: "finds a file that is too short",
    change: (out: string) => Deno.truncateSync(join(out, "long"), LONG - 5),
    want: "has other bytes",
  },
  {
    name: "finds a file that is too long",
    change: (out: string) => Deno.writeTextFileSync(join(out, "empty"), "x"),
    want: "has other bytes",
  },
  {
    name: "finds a missing file",
    change: (out: string) => Deno.removeSync(join(out, "empty")),
    want: '"empty" did not arrive',
  },
  {
    name: "finds a file that nobody asked for",
    change: (out: string) => Deno.writeTextFileSync(join(out, "long.part"), ""),
    want: '"long.part" was left behind',
  },
];

for (const { name, change, want } of cases) {
  Deno.test(`compareFolders() ${name}`, () => {
    const dir = Deno.makeTempDirSync({ prefix: "p2p-compare-" });
    try {
      const [source, out] = [join(dir, "source"), join(dir, "out")];
      for (const folder of [source, out]) {
        Deno.mkdirSync(folder);
        Deno.writeFileSync(join(folder, "long"), new Uint8Array(LONG).fill(7));
        Deno.writeFileSync(join(folder, "empty"), new Uint8Array());
      }
      change(out);
      const compare = () => compareFolders(source, out, ["long", "empty"]);
      if (want === undefined) compare();
      else assertThrows(compare, Error, want);
    } finally {
      Deno.removeSync(dir, { recursive: true });
    }
  });
}
