/**
 * Every download is interrupted at each of its disk operations: the next run ends with the right
 * bytes, trusts no wrong one, and fetches only the pieces that were in flight.
 */
import { assert, assertEquals } from "@std/assert";
import type { StoreOptions } from "../../core/store/stored_file.ts";
import { FrailDisk, type Mishap, PowerCut, type Survives } from "./frail_disk.ts";
import {
  AFTER_REBOOT,
  begin,
  type Download,
  OPTIONS,
  pieceOf,
  runDownload,
  unverified,
  verified,
} from "./support.ts";
import { MemoryFolder } from "../support/temp_folder.ts";

const TEXT = "piece 0,piece 1,piece 2,pie";
const OTHER = "PIECE 0,PIECE 1,PIECE 2,PIE";

interface World {
  readonly name: string;
  readonly text?: string;
  readonly verified?: false;
  /** Has neither a journal nor a manifest, so no piece can be resumed. */
  readonly forgets?: true;
  readonly policy?: Download["policy"];
  /** What a failing disk may leave: a part file that could not be adopted stays in quarantine. */
  readonly mayLeave?: RegExp;
  /** Prepares the folder before the interrupted run. */
  readonly before?: (target: string) => void | Promise<void>;
  readonly options?: StoreOptions;
}

const worlds: World[] = [
  { name: "a new file" },
  { name: "an unverified file", verified: false },
  { name: "a file of one piece", text: "tiny" },
  { name: "an unverified file of one piece", text: "tiny", verified: false, forgets: true },
  { name: "an empty file", text: "" },
  { name: "a resumed file", before: (target) => begin(target, TEXT, [2, 0]) },
  {
    name: "a file resumed after a reboot",
    before: (target) => begin(target, TEXT, [2, 0]),
    options: AFTER_REBOOT,
  },
  {
    name: "a verified file that was begun unverified",
    before: (target) => begin(target, TEXT, [2, 0], unverified(TEXT)),
  },
  {
    name: "a file beside the part file of other bytes",
    before: (target) => begin(target, OTHER, [1, 2], verified(OTHER)),
  },
  {
    name: "a new file that is synced in batches",
    options: { ...OPTIONS, syncEvery: 8 },
  },
  {
    name: "a file whose part has a second link",
    before: async (target) => {
      await begin(target, TEXT, [2, 0]);
      await Deno.link(`${target}.p2p-part`, `${target}.p2p-link`);
    },
  },
  {
    name: "a file whose part another process wrote to",
    before: async (target) => {
      await begin(target, TEXT, [2, 0]);
      await Deno.writeTextFile(`${target}.p2p-part`, "!", { append: true });
    },
  },
  {
    name: "a file whose part was quarantined for other bytes",
    mayLeave: /~[0-9a-f]{8}\.p2p-/,
    before: async (target) => {
      await begin(target, TEXT, [2, 0]);
      await begin(target, OTHER, [1], verified(OTHER));
    },
  },
  {
    name: "an unverified file after a reboot",
    verified: false,
    before: (target) => begin(target, TEXT, [2, 0], unverified(TEXT)),
    options: AFTER_REBOOT,
  },
  { name: "a file whose name is taken", before: (target) => Deno.writeTextFile(target, OTHER) },
  {
    name: "a file that replaces another",
    policy: "overwrite",
    before: (target) => Deno.writeTextFile(target, OTHER),
  },
  {
    name: "an unverified file that replaces the leftover of a finish",
    verified: false,
    forgets: true,
    policy: "overwrite",
    text: "tiny",
    before: async (target) => {
      await Deno.writeTextFile(target, "TINY");
      await Deno.link(target, `${target}.p2p-part`);
    },
  },
];

/** Prepares the world in `folder`. */
async function prepare(world: World, folder: MemoryFolder): Promise<Download> {
  const { text = TEXT, policy = "rename" } = world;
  const target = folder.pathOf("a.txt");
  await world.before?.(target);
  return {
    target,
    text,
    content: world.verified === false ? unverified(text) : verified(text),
    policy,
  };
}

/** The number of operations of an undisturbed run, and the names that it leaves. */
async function measure(world: World): Promise<{ operations: number; names: string[] }> {
  using folder = new MemoryFolder();
  const frail = new FrailDisk(0, "throws");
  await runDownload(await prepare(world, folder), {
    ...world.options ?? OPTIONS,
    disk: frail.disk,
  });
  return { operations: frail.operations, names: folder.names() };
}

/** Every file with a final name is complete: with the old bytes or the new ones. */
function requireWholeNames(folder: MemoryFolder, { text }: Download, before: string, at: string) {
  for (const name of folder.names()) {
    if (name.includes(".p2p-")) continue;
    const bytes = folder.read(name);
    assert(
      bytes === text || (name === "a.txt" && bytes === before),
      `${at}: ${name} is "${bytes}"`,
    );
  }
}

function beforeOf(folder: MemoryFolder): string {
  return folder.names().includes("a.txt") ? folder.read("a.txt") : "(nothing)";
}

/** Only these files are left. */
function requireNames(folder: MemoryFolder, names: string[], at: string, mayLeave?: RegExp): void {
  const left = folder.names().filter((name) => names.includes(name) || !mayLeave?.test(name));
  assertEquals(left, names, at);
}

for (const world of worlds) {
  for (const mishap of ["throws", "dies", "tears"] as const) {
    Deno.test(`the store resumes ${world.name} when the run before it ${mishap} at any operation`, async () => {
      const { operations, names } = await measure(world);
      assert(operations > 3, "counts nothing");
      for (let at = 1; at <= operations; at++) await interrupt(world, mishap, at, names);
    });
  }
}

async function interrupt(world: World, mishap: Mishap, k: number, names: string[]): Promise<void> {
  const at = `operation ${k}`;
  using folder = new MemoryFolder();
  const download = await prepare(world, folder);
  const before = beforeOf(folder);
  const stored: number[] = [];
  const { disk } = new FrailDisk(k, mishap);
  const options = world.options ?? OPTIONS;
  const outcome = await runDownload(download, { ...options, disk }, { stored }).catch(() =>
    "failed"
  );
  if (mishap !== "throws") assertDied(outcome, k);
  requireWholeNames(folder, download, before, at);

  const fetched: number[] = [];
  const placed = await runDownload(download, { ...options, pid: 1 }, { fetched });
  assertEquals(Deno.readTextFileSync(placed.path), download.text, at);
  const again = fetched.filter((piece) => stored.includes(piece));
  if (!world.forgets) assertEquals(again, [], `${at}: fetches again`);
  requireNames(folder, names, at, mishap === "throws" ? world.mayLeave : undefined);
}

/** A run may succeed only if the operations behind the rename fail. */
function assertDied(outcome: unknown, k: number): void {
  if (outcome === "failed") return;
  assertEquals((outcome as { how: string }).how, "downloaded", `operation ${k}`);
}

const twice = worlds.filter(({ name }) => /a new|resumed file|were begun|replaces an/.test(name));
for (const world of twice) {
  Deno.test(`the store resumes ${world.name} when two runs before it die`, async () => {
    const { operations, names } = await measure(world);
    for (let first = 1; first <= operations; first += 4) {
      for (let second = 1; second <= operations; second += 3) {
        await interruptTwice(world, [first, second], names);
      }
    }
  });
}

async function interruptTwice(world: World, ks: number[], names: string[]): Promise<void> {
  const at = `operations ${ks.join(" and ")}`;
  using folder = new MemoryFolder();
  const download = await prepare(world, folder);
  const before = beforeOf(folder);
  const stored: number[] = [];
  for (const k of ks) {
    const { disk } = new FrailDisk(k, "tears");
    await runDownload(download, { ...OPTIONS, disk }, { stored }).catch(() => {});
    requireWholeNames(folder, download, before, at);
  }
  const fetched: number[] = [];
  const placed = await runDownload(download, OPTIONS, { fetched });
  assertEquals(Deno.readTextFileSync(placed.path), download.text, at);
  assertEquals(fetched.filter((piece) => stored.includes(piece)), [], `${at}: fetches again`);
  requireNames(folder, names, at);
}

/** Bits that look random and are the same each time. */
function bits(seed: number): () => boolean {
  let state = seed + 1;
  return () => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9 | 0;
    return ((state ^ (state >>> 13)) & 1) === 1;
  };
}

/** The worst case: all claims survive and none of their bytes. */
const onlyClaims: Survives = (what, path) => what === "length" || path.endsWith("journal");

const losses: { name: string; survives: (k: number) => Survives }[] = [
  { name: "every byte but no claim", survives: () => onlyClaims },
  { name: "all that was not synced", survives: () => () => false },
  { name: "nothing", survives: () => () => true },
  { name: "some of what was not synced", survives: bits },
  { name: "some other of it", survives: (k: number) => bits(k + 1000) },
];
for (const world of worlds) {
  for (const { name, survives } of losses) {
    Deno.test(`the store resumes ${world.name} when the power fails at any operation and ${name} is lost`, async () => {
      const { operations } = await measure(world);
      for (let at = 1; at <= operations; at++) await cutPower(world, at, survives(at));
    });
  }
}

const SECOND_REBOOT: StoreOptions = {
  ...OPTIONS,
  pid: 3,
  boot: AFTER_REBOOT.boot + 60_000,
  bootId: "third",
};

async function cutPower(world: World, k: number, survives: Survives): Promise<void> {
  const at = `operation ${k}`;
  using folder = new MemoryFolder();
  const download = await prepare(world, folder);
  const before = beforeOf(folder);
  const cut = new PowerCut(folder, k);
  const options = { ...world.options ?? OPTIONS, disk: cut.frail.disk };
  await runDownload(download, options).catch(() => {});
  cut.strike(survives);
  requireWholeNames(folder, download, before, at);
  const placed = await runDownload(download, SECOND_REBOOT);
  assertEquals(Deno.readTextFileSync(placed.path), download.text, at);
  requireWholeNames(folder, download, before, at);
}

Deno.test("the store fetches only the lost pieces when the power fails and the journal survives", async () => {
  using folder = new MemoryFolder();
  const download = await prepare({ name: "a resumed file" }, folder);
  const cut = new PowerCut(folder, 0);
  await begin(
    download.target,
    TEXT,
    [0, 1, 2],
    download.content,
    {
      ...OPTIONS,
      disk: cut.frail.disk,
    } as typeof OPTIONS,
  );
  const journal = folder.read("a.txt.p2p-journal");
  cut.strike(() => false);
  // Every claim survived, and of the bytes only piece 1.
  folder.write("a.txt.p2p-journal", journal);
  using part = Deno.openSync(folder.pathOf("a.txt.p2p-part"), { write: true });
  part.truncateSync(TEXT.length);
  part.seekSync(8, Deno.SeekMode.Start);
  part.writeSync(pieceOf(TEXT, 1));
  const fetched: number[] = [];
  await runDownload(download, SECOND_REBOOT, { fetched });
  assertEquals([fetched, folder.read("a.txt")], [[0, 2, 3], TEXT]);
});
