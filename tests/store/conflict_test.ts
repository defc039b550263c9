import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { basename } from "@std/path";
import { sha256 } from "../../core/base/digest.ts";
import { ConflictError } from "../../core/base/errors.ts";
import type { ConflictPolicy } from "../../core/config.ts";
import { type Bytes, resolveConflict } from "../../core/store/conflict.ts";
import { manifestFor, never, TestAbort } from "./support.ts";
import { bytesOf } from "../support/bytes.ts";
import { MemoryFolder } from "../support/temp_folder.ts";
import { symlink } from "../support/platform.ts";

const RIGHT = "the right bytes, of several pieces";
const OTHER = RIGHT.toUpperCase();
const MANIFEST = manifestFor(RIGHT);
const SHA256 = sha256(bytesOf(RIGHT)).toHex();
const WAYS: { by: string; bytes: Bytes; mark: string }[] = [
  { by: "a manifest", bytes: { manifest: MANIFEST }, mark: MANIFEST.id.slice(0, 8) },
  { by: "a digest", bytes: { sha256: SHA256 }, mark: SHA256.slice(0, 8) },
];

interface Situation {
  readonly name: string;
  /** What is at "a.txt", and at its renamed target. */
  readonly there?: string | "folder" | "link";
  readonly twin?: string | "folder" | "link";
  /** The resolution by policy, with "~" for the renamed target. */
  readonly want: Record<ConflictPolicy, string>;
}

const same = { rename: "same", skip: "same", fail: "same", overwrite: "same" };
const conflict = "conflict";
const situations: Situation[] = [
  {
    name: "nothing is at the path",
    want: { rename: "free", skip: "free", fail: "free", overwrite: "free" },
  },
  { name: "the same bytes exist", there: RIGHT, want: same },
  {
    name: "other bytes of the same length exist",
    there: OTHER,
    want: { rename: "free ~", skip: "skip", fail: conflict, overwrite: "replace" },
  },
  {
    name: "an empty file exists",
    there: "",
    want: { rename: "free ~", skip: "skip", fail: conflict, overwrite: "replace" },
  },
  {
    name: "a folder exists",
    there: "folder",
    want: { rename: conflict, skip: conflict, fail: conflict, overwrite: conflict },
  },
  {
    name: "a link to the same bytes exists",
    there: "link",
    want: { rename: "free ~", skip: "skip", fail: conflict, overwrite: "replace" },
  },
  {
    name: "the twin has the same bytes",
    there: OTHER,
    twin: RIGHT,
    want: { rename: "same ~", skip: "skip", fail: conflict, overwrite: "replace" },
  },
  {
    name: "the twin has other bytes, too",
    there: OTHER,
    twin: OTHER,
    want: { rename: conflict, skip: "skip", fail: conflict, overwrite: "replace" },
  },
  {
    name: "the twin is a folder",
    there: OTHER,
    twin: "folder",
    want: { rename: conflict, skip: "skip", fail: conflict, overwrite: "replace" },
  },
  {
    name: "the twin is a link",
    there: OTHER,
    twin: "link",
    want: { rename: conflict, skip: "skip", fail: conflict, overwrite: "replace" },
  },
];

function put(folder: MemoryFolder, name: string, what: string | undefined): void {
  if (what === undefined) return;
  if (what === "folder") return Deno.mkdirSync(folder.pathOf(name));
  if (what !== "link") return void folder.write(name, what);
  folder.write(`${name}.elsewhere`, RIGHT);
  symlink(folder.pathOf(`${name}.elsewhere`), folder.pathOf(name));
}

for (const { name, there, twin, want } of situations) {
  for (const policy of Object.keys(want) as ConflictPolicy[]) {
    for (const { by, bytes, mark } of WAYS) {
      Deno.test(`resolveConflict() returns ${want[policy]} by ${by} when ${name} and the policy is ${policy}`, async () => {
        using folder = new MemoryFolder();
        put(folder, "a.txt", there);
        put(folder, `a~${mark}.txt`, twin);
        const path = folder.pathOf("a.txt");
        const got = await resolveConflict(path, bytes, policy, never).then(
          (place) => place.kind + (place.path === path ? "" : " ~"),
          (error) => {
            assertInstanceOf(error, ConflictError);
            return conflict;
          },
        );
        assertEquals(got, want[policy]);
      });
    }
  }
}

const bySize = [
  { name: "a file of the same size exists", there: OTHER, want: "free free skip free" },
  { name: "a file of another size exists", there: "", want: "free conflict skip free" },
  { name: "a link exists", there: "link", want: "free conflict skip free" },
  { name: "a folder exists", there: "folder", want: "conflict conflict skip conflict" },
  { name: "nothing is at the path", there: undefined, want: "free free free free" },
];
for (const { name, there, want } of bySize) {
  Deno.test(`resolveConflict() returns ${want} by size when ${name}`, async () => {
    using folder = new MemoryFolder();
    put(folder, "a.txt", there);
    const path = folder.pathOf("a.txt");
    const got = [];
    for (const policy of ["rename", "fail", "skip", "overwrite"] as const) {
      const resolution = resolveConflict(path, { size: RIGHT.length }, policy, never);
      got.push(await resolution.then(({ kind }) => kind, () => "conflict"));
    }
    assertEquals(got.join(" "), want);
  });
}

Deno.test("resolveConflict() puts the content's mark before the extension when it renames", async () => {
  using folder = new MemoryFolder();
  const mark = MANIFEST.id.slice(0, 8);
  const names = [
    ["a.tar.gz", `a.tar~${mark}.gz`],
    ["noext", `noext~${mark}`],
    [".hidden", `.hidden~${mark}`],
  ];
  for (const [name, want] of names) {
    const path = folder.write(name!, OTHER);
    const place = await resolveConflict(path, { manifest: MANIFEST }, "rename", never);
    assertEquals(place.path, folder.pathOf(want!));
  }
});

for (const extension of ["", ".txt", "." + "é".repeat(20)]) {
  Deno.test(`resolveConflict() shortens a name of 255 bytes that ends with "${extension}"`, async () => {
    using folder = new MemoryFolder();
    const stem = "é".repeat(Math.floor((255 - bytesOf(extension).length) / 2));
    const path = folder.write(stem + extension, OTHER);
    const place = await resolveConflict(path, { manifest: MANIFEST }, "rename", never);
    assertEquals(place.kind, "free");
    assert(bytesOf(basename(place.path)).length <= 255, "fits");
    assert(place.path.endsWith(`~${MANIFEST.id.slice(0, 8)}${extension}`), place.path);
    // The disk agrees.
    Deno.writeTextFileSync(place.path, "");
  });
}

Deno.test("resolveConflict() throws the signal's reason when it aborts", async () => {
  using folder = new MemoryFolder();
  const path = folder.write("a", RIGHT);
  const reason = new TestAbort("enough");
  await assertRejects(
    () => resolveConflict(path, { manifest: MANIFEST }, "rename", AbortSignal.abort(reason)),
    TestAbort,
  );
});
