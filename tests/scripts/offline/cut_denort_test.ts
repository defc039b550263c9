import { assertEquals, assertThrows } from "@std/assert";
import { cutDenort } from "../../../scripts/offline/cut_denort.ts";
import { denortDigest, storedDenort } from "../../../scripts/offline/denort.ts";
import { hex } from "../../../scripts/offline/tarball.ts";
import { compile } from "../../../scripts/compile.ts";
import { PROGRAM } from "../../../scripts/p2p.ts";
import { TARGETS } from "../../../scripts/release/targets.ts";
import { TempFolder } from "../../support/temp_folder.ts";
import { testUnless } from "../release/support.ts";

// The smallest files that have all the fields which appending data changes.

const DATA = Uint8Array.from({ length: 100 }, (_, index) => index);

function concat(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(parts.flatMap((part) => [...part]));
}

/** A file of `length` bytes whose fields are set by `fill`. The rest is a pattern, so that moved bytes show. */
function file(length: number, fill: (view: DataView, bytes: Uint8Array) => void) {
  const bytes = Uint8Array.from({ length }, (_, index) => index % 251);
  fill(new DataView(bytes.buffer), bytes);
  return bytes;
}

function setText(bytes: Uint8Array, at: number, text: string, length: number): void {
  bytes.fill(0, at, at + length);
  bytes.set(new TextEncoder().encode(text), at);
}

function uint64(...values: readonly number[]): Uint8Array {
  return new Uint8Array(BigUint64Array.from(values, BigInt).buffer);
}

/** An ELF file of 200 bytes that ends with a table of two sections of 40 bytes. */
const ELF = file(200, (view) => {
  view.setBigUint64(0x28, 120n, true);
  view.setUint16(0x3a, 40, true);
  view.setUint16(0x3c, 2, true);
});

function appendToElf(elf: Uint8Array): Uint8Array<ArrayBuffer> {
  const trailer = new Uint8Array(16);
  const view = new DataView(trailer.buffer);
  view.setUint32(0, 0x501e, true);
  view.setUint32(4, 0x2a7, true);
  view.setBigUint64(8, BigInt(DATA.length + 16), true);
  return concat(elf, DATA, trailer);
}

const PE_COFF = 0x84;
const PE_OPTIONAL = PE_COFF + 20;
const PE_SECTIONS = PE_OPTIONAL + 240;

/** A PE file with one section and room for the header of another one. */
const PE = file(1024, (view, bytes) => {
  view.setUint32(0x3c, PE_COFF - 4, true);
  view.setUint16(PE_COFF + 2, 1, true);
  view.setUint16(PE_COFF + 16, 240, true);
  view.setUint32(PE_OPTIONAL + 56, 0x3000, true);
  bytes.fill(0, PE_OPTIONAL + 128, PE_OPTIONAL + 136);
  setText(bytes, PE_SECTIONS, ".text", 8);
  bytes.fill(0, PE_SECTIONS + 40, PE_SECTIONS + 80);
});

function appendToPe(pe: Uint8Array): Uint8Array<ArrayBuffer> {
  const program = concat(pe, DATA);
  const view = new DataView(program.buffer);
  const section = PE_SECTIONS + 40;
  view.setUint16(PE_COFF + 2, 2, true);
  view.setUint32(PE_OPTIONAL + 56, 0x3000 + DATA.length, true);
  view.setUint32(PE_OPTIONAL + 128, 0x3000, true);
  view.setUint32(PE_OPTIONAL + 132, DATA.length, true);
  setText(program, section, ".pedata", 8);
  view.setUint32(section + 12, 0x3000, true);
  view.setUint32(section + 16, DATA.length, true);
  view.setUint32(section + 20, pe.length, true);
  return program;
}

interface MachOLayout {
  readonly cpu: number;
  /** Memory is a multiple of this. */
  readonly pageBytes: number;
  readonly signed: boolean;
  /** The content of the segment that is put in front of __LINKEDIT, and its size in memory. */
  readonly added?: { readonly bytes: Uint8Array; readonly memoryBytes: number };
  /** What follows the table of strings and belongs to it. */
  readonly tail?: Uint8Array;
}

/** A Mach-O file: 1,024 bytes of header, the added segment, and __LINKEDIT of 300 bytes. */
function machO({ cpu, pageBytes, signed, added, tail }: MachOLayout): Uint8Array<ArrayBuffer> {
  const start = 1024 + (added?.bytes.length ?? 0);
  const header = file(1024, (view, bytes) => {
    view.setUint32(0, 0xfeedfacf, true);
    view.setUint32(4, cpu, true);
    bytes.fill(0, 32, 700);
    let at = 32;
    let commands = 0;
    const command = (kind: number, size: number, fill: (at: number) => void) => {
      view.setUint32(at, kind, true);
      view.setUint32(at + 4, size, true);
      fill(at);
      at += size;
      commands++;
    };
    const segment = (name: string, fileOffset: number, fileBytes: number, memory: number) =>
      command(0x19, name === "__SUI" ? 152 : 72, (at) => {
        setText(bytes, at + 8, name, 16);
        const address = name === "__LINKEDIT" ? 0x8000 + (added?.memoryBytes ?? 0) : 0x8000;
        view.setBigUint64(at + 24, BigInt(address), true);
        view.setBigUint64(at + 32, BigInt(memory), true);
        view.setBigUint64(at + 40, BigInt(fileOffset), true);
        view.setBigUint64(at + 48, BigInt(fileBytes), true);
      });
    if (added) segment("__SUI", 1024, added.bytes.length, added.memoryBytes);
    const linkeditBytes = 300 + (tail?.length ?? 0);
    const memory = Math.ceil(linkeditBytes / pageBytes) * pageBytes;
    segment("__LINKEDIT", start, linkeditBytes, memory);
    command(0x2, 24, (at) => {
      view.setUint32(at + 8, start + 10, true);
      view.setUint32(at + 16, start + 100, true);
      view.setUint32(at + 20, linkeditBytes - 100, true);
    });
    if (signed) {
      command(0x1d, 16, (at) => {
        view.setUint32(at + 8, start + 300, true);
      });
    }
    view.setUint32(16, commands, true);
    view.setUint32(20, at - 32, true);
  });
  const linkedit = Uint8Array.from({ length: 300 }, (_, index) => 255 - index % 251);
  return concat(header, added?.bytes ?? new Uint8Array(), linkedit, tail ?? new Uint8Array());
}

const ARM64 = { cpu: 0x0100000c, pageBytes: 16 * 1024, signed: true };
const X64 = { cpu: 0x01000007, pageBytes: 4 * 1024, signed: false };
const SENTINEL = [...new TextEncoder().encode("<~sui-data~>"), 0xef, 0xbe, 0xad, 0xde];

function appendToArm64(): Uint8Array<ArrayBuffer> {
  const program = machO({ ...ARM64, added: { bytes: DATA, memoryBytes: 0x4000 } });
  // A signature follows, which the result of extraction does not have.
  return concat(program, new Uint8Array(50));
}

const FORMS = [
  { target: "x86_64-unknown-linux-gnu", denort: ELF, program: appendToElf(ELF) },
  { target: "x86_64-pc-windows-msvc", denort: PE, program: appendToPe(PE) },
  {
    target: "x86_64-apple-darwin",
    denort: machO(X64),
    program: machO({
      ...X64,
      tail: concat(Uint8Array.from(SENTINEL), uint64(DATA.length), DATA),
    }),
  },
  { target: "aarch64-apple-darwin", denort: machO(ARM64), program: appendToArm64() },
];

for (const { target, denort, program } of FORMS) {
  Deno.test(`cutDenort() restores every byte of a small program for ${target}`, () => {
    assertEquals(cutDenort(program, target), denort);
  });

  Deno.test(`cutDenort() refuses a program for ${target} of another form`, () => {
    for (const other of FORMS.filter((form) => form.target !== target)) {
      assertThrows(() => cutDenort(other.program, target), Error);
    }
  });

  Deno.test(`cutDenort() refuses what is not a compiled program for ${target}`, () => {
    assertThrows(() => cutDenort(denort, target), Error, "Cannot extract denort");
  });
}

Deno.test("cutDenort() of the program for this platform gives the denort that it was made with", async () => {
  const denort = cutDenort(await Deno.readFile(PROGRAM), Deno.build.target);
  assertEquals(await hex("SHA-256", denort), denortDigest(Deno.build.target));
});

for (const { name, triple } of TARGETS.filter(({ triple }) => triple !== Deno.build.target)) {
  const stored = await storedDenort(triple);
  testUnless(
    stored === undefined ? "deno task release has not fetched its denort from npm" : undefined,
    `cutDenort() of a program for ${name} gives the denort that it was made with`,
    async () => {
      using folder = new TempFolder();
      const output = `${folder.path}/${name.startsWith("windows") ? "p2p.exe" : "p2p"}`;
      await compile({ output, commit: undefined, target: triple });
      assertEquals(
        await hex("SHA-256", cutDenort(await Deno.readFile(output), triple)),
        denortDigest(triple),
      );
    },
  );
}
