import { assert, assertEquals } from "@std/assert";
import { renderOffer, renderSeeds } from "../../commands/ui/list.ts";
import { displayWidth } from "../../commands/ui/width.ts";
import type { OfferedFile, SeedHealth } from "../../core/mod.ts";

const MIB = 2 ** 20;

function fileOf(name: string, ids: readonly string[]): OfferedFile {
  const idOf = Object.fromEntries(ids.map((id, i) => [`nas${i + 1}:7270`, id]));
  return {
    name,
    size: 9 * MIB,
    modified: 0,
    seeds: Object.keys(idOf),
    ids: Array.from(new Set(ids)),
    idOf,
  };
}

const files = [
  fileOf("data/part-000000001-of-many.parquet", ["ab12cd34ef", "ab12cd34ef"]),
  fileOf("写真/日本語のとても長い名前-0001.jpg", ["00112233aa"]),
  fileOf("b.txt", ["ab12cd34ef", "5566778899"]),
];

const offers = [
  {
    width: 39,
    want: [
      "   SIZE  NAME",
      "9.0 MiB  data/part-00000…f-many.parquet",
      "9.0 MiB  写真/日本語のと…名前-0001.jpg",
      "9.0 MiB  b.txt",
      "",
      "3 files, 27 MiB",
      "b.txt differs: ab12cd34 at nas1:7270;",
      "55667788 at nas2:7270 (choose with p2p",
      "get --id)",
    ],
  },
  {
    width: 47,
    want: [
      "   SIZE  CONTENT     NAME",
      "9.0 MiB  same        data/part-000…many.parquet",
      "9.0 MiB  -           写真/日本語の…前-0001.jpg",
      "9.0 MiB  2 versions  b.txt",
      "",
      "3 files, 27 MiB",
      "b.txt differs: ab12cd34 at nas1:7270; 55667788",
      "at nas2:7270 (choose with p2p get --id)",
    ],
  },
  {
    width: Infinity,
    want: [
      "   SIZE  SEEDS  CONTENT     NAME",
      "9.0 MiB      2  same        data/part-000000001-of-many.parquet",
      "9.0 MiB      1  -           写真/日本語のとても長い名前-0001.jpg",
      "9.0 MiB      2  2 versions  b.txt",
      "",
      "3 files, 27 MiB",
      "b.txt differs: ab12cd34 at nas1:7270; 55667788 at nas2:7270 (choose with p2p get --id)",
    ],
  },
];
for (const { width, want } of offers) {
  Deno.test(`renderOffer() drops what does not fit on ${width} columns`, () => {
    assertEquals(renderOffer({ files, seeds: [] }, width), want);
  });
}

const healthy: SeedHealth = {
  seed: "nas1:7270",
  dialect: "session",
  ok: true,
  error: null,
  roundTripMs: 3,
  files: 12,
  bytes: 9 * MIB,
};
const away: SeedHealth = {
  seed: "nas2:7270",
  dialect: null,
  ok: false,
  error: "Cannot connect to nas2:7270: connection refused",
  roundTripMs: null,
  files: null,
  bytes: null,
};

Deno.test("renderSeeds() shows an error in its row if it fits, else below", () => {
  assertEquals(renderSeeds([healthy, away], 100), [
    "SEED       STATE   PROTOCOL  PING  FILES     SIZE  ERROR",
    "nas1:7270  ok      v2        3 ms     12  9.0 MiB",
    "nas2:7270  failed  -            -      -        -  connection refused",
  ]);
  assertEquals(renderSeeds([healthy, away], 39), [
    "SEED       STATE   PING  FILES     SIZE",
    "nas1:7270  ok      3 ms     12  9.0 MiB",
    "nas2:7270  failed     -      -        -",
    "Cannot connect to nas2:7270: connection",
    "refused",
  ]);
});

Deno.test("renderOffer() and renderSeeds() never exceed the width", () => {
  const seeds = [{ ...away, seed: "[2001:db8:0:0:1111:2222:3333:4444]:7270" }, healthy];
  for (let width = 2; width < 120; width++) {
    for (
      const line of [...renderOffer({ files, seeds: [] }, width), ...renderSeeds(seeds, width)]
    ) {
      assert(displayWidth(line) <= width, `${width}: ${line}`);
    }
  }
});
