/**
 * Extracts denort from a program that `deno compile` made.
 *
 * This is the reverse of libsui 0.12.6, which Deno 2.7.11 uses to append a program's files: ELF
 * gets the data behind its end; PE gets an additional section with a resource; Mach-O gets an
 * additional segment (arm64) or the data behind its end (x64). Each function checks that the
 * program has exactly that form.
 */

import type { Bytes } from "./store.ts";

/**
 * @param target the platform of `program`, as `Deno.build.target` names it.
 * @throws {Error} if `program` does not have the form that `deno compile` gives it.
 */
export function cutDenort(program: Bytes, target: string): Bytes {
  if (target.endsWith("-linux-gnu")) return cutElf(program);
  if (target.endsWith("-windows-msvc")) return cutPe(program);
  if (target === "aarch64-apple-darwin") return cutMachOArm64(program);
  if (target === "x86_64-apple-darwin") return cutMachOX64(program);
  throw new Error(`Cannot extract denort for ${target}: its format of programs is unknown`);
}

/** The trailer of libsui in an ELF file: magic, hash of the data's name, length. */
const ELF_TRAILER_BYTES = 16;
const ELF_TRAILER_MAGIC = 0x501e;

function cutElf(program: Bytes): Bytes {
  const view = viewOf(program);
  const trailer = program.length - ELF_TRAILER_BYTES;
  check(trailer > 0 && view.getUint32(trailer, true) === ELF_TRAILER_MAGIC, "it has no trailer");
  // The length counts the data and the trailer.
  const appended = Number(view.getBigUint64(trailer + 8, true));
  check(appended <= program.length, "its trailer is wrong");
  const denort = program.slice(0, program.length - appended);
  check(denort.length === elfSectionsEnd(denort), "the section header table is not at its end");
  return denort;
}

/** The linker puts the section header table at the end of the file. */
function elfSectionsEnd(elf: Bytes): number {
  const view = viewOf(elf);
  return Number(view.getBigUint64(0x28, true)) +
    view.getUint16(0x3a, true) * view.getUint16(0x3c, true);
}

/** denort.exe has no resources, so all resources are in the section that was added at the end. */
function cutPe(program: Bytes): Bytes {
  const view = viewOf(program);
  const coffHeader = view.getUint32(0x3c, true) + 4;
  const sections = view.getUint16(coffHeader + 2, true);
  const optionalHeader = coffHeader + 20;
  const sizeOfImage = optionalHeader + 56;
  const resourceDirectory = optionalHeader + 112 + 2 * 8;
  const lastSection = optionalHeader + view.getUint16(coffHeader + 16, true) + (sections - 1) * 40;
  check(textAt(program, lastSection, 8) === ".pedata", "its last section is not the added one");
  const address = view.getUint32(lastSection + 12, true);
  const rawBytes = view.getUint32(lastSection + 16, true);
  const rawOffset = view.getUint32(lastSection + 20, true);
  check(view.getUint32(resourceDirectory, true) === address, "its resources are elsewhere");
  check(rawOffset + rawBytes === program.length, "the added section is not at its end");

  const denort = program.slice(0, rawOffset);
  const out = viewOf(denort);
  out.setUint16(coffHeader + 2, sections - 1, true);
  out.setUint32(sizeOfImage, view.getUint32(sizeOfImage, true) - rawBytes, true);
  denort.fill(0, resourceDirectory, resourceDirectory + 8);
  denort.fill(0, lastSection, lastSection + 40);
  return denort;
}

const MACHO_MAGIC = 0xfeedfacf;
const CPU_X64 = 0x01000007;
const CPU_ARM64 = 0x0100000c;
const HEADER_BYTES = 32;
const LC_SYMTAB = 0x2;
const LC_SEGMENT_64 = 0x19;
const LC_CODE_SIGNATURE = 0x1d;

/** Load command to the places of its file offsets into __LINKEDIT. */
const LINKEDIT_OFFSETS: ReadonlyMap<number, readonly number[]> = new Map([
  [LC_SYMTAB, [8, 16]],
  [0xb, [32, 40, 48, 56, 64, 72]], // LC_DYSYMTAB
  [0x80000022, [8, 16, 24, 32, 40]], // LC_DYLD_INFO_ONLY
  [LC_CODE_SIGNATURE, [8]],
  [0x26, [8]], // LC_FUNCTION_STARTS
  [0x29, [8]], // LC_DATA_IN_CODE
  [0x80000033, [8]], // LC_DYLD_EXPORTS_TRIE
  [0x80000034, [8]], // LC_DYLD_CHAINED_FIXUPS
]);

interface LoadCommand {
  readonly kind: number;
  readonly at: number;
  readonly bytes: number;
  /** The name of a segment; empty for other commands. */
  readonly segment: string;
}

/**
 * The added segment __SUI is in front of __LINKEDIT. Without it, everything in __LINKEDIT moves
 * back. The signature is removed, because `deno compile` signs its result anew.
 */
function cutMachOArm64(program: Bytes): Bytes {
  const view = viewOf(program);
  checkMachO(view, CPU_ARM64);
  const commands = loadCommands(program);
  const added = commands.find(({ segment }) => segment === "__SUI");
  const linkedit = commands.find(({ segment }) => segment === "__LINKEDIT");
  const signature = commands.find(({ kind }) => kind === LC_CODE_SIGNATURE);
  check(added && linkedit && signature, "a load command is missing");
  const begin = Number(view.getBigUint64(added.at + 40, true));
  const addedBytes = Number(view.getBigUint64(added.at + 48, true));
  const addedMemory = view.getBigUint64(added.at + 32, true);
  check(
    Number(view.getBigUint64(linkedit.at + 40, true)) === begin + addedBytes,
    "__SUI is not in front of __LINKEDIT",
  );
  const end = view.getUint32(signature.at + 8, true);
  const commandsEnd = HEADER_BYTES + view.getUint32(20, true);

  const denort = new Uint8Array(end - addedBytes);
  denort.set(program.subarray(0, begin));
  denort.set(program.subarray(begin + addedBytes, end), begin);
  denort.set(program.subarray(added.at + added.bytes, commandsEnd), added.at);
  denort.fill(0, commandsEnd - added.bytes, commandsEnd);
  const out = viewOf(denort);
  out.setUint32(16, view.getUint32(16, true) - 1, true);
  out.setUint32(20, view.getUint32(20, true) - added.bytes, true);
  for (const { kind, at, segment } of loadCommands(denort)) {
    if (segment === "__LINKEDIT") {
      out.setBigUint64(at + 24, out.getBigUint64(at + 24, true) - addedMemory, true);
      out.setBigUint64(at + 40, BigInt(begin), true);
      setLinkeditSize(out, at, denort.length - begin, 16 * 1024);
    }
    for (const place of LINKEDIT_OFFSETS.get(kind) ?? []) {
      const offset = out.getUint32(at + place, true);
      if (offset >= begin + addedBytes) out.setUint32(at + place, offset - addedBytes, true);
    }
    if (kind === LC_CODE_SIGNATURE) out.setUint32(at + 12, 0, true);
  }
  return denort;
}

/** The sentinel of libsui in front of data that is appended to a Mach-O file, and its length. */
const SENTINEL = Uint8Array.from([
  ...new TextEncoder().encode("<~sui-data~>"),
  0xef,
  0xbe,
  0xad,
  0xde,
]);

/** The data are behind the table of strings, which was enlarged to cover them. */
function cutMachOX64(program: Bytes): Bytes {
  const view = viewOf(program);
  checkMachO(view, CPU_X64);
  const end = lastIndexOf(program, SENTINEL);
  check(end >= 0, "it has no sentinel");
  const dataAt = end + SENTINEL.length + 8;
  const dataBytes = Number(view.getBigUint64(end + SENTINEL.length, true));
  check(dataAt + dataBytes === program.length, "its appended data are not at its end");
  const denort = program.slice(0, end);
  const out = viewOf(denort);
  for (const { kind, at, segment } of loadCommands(denort)) {
    check(kind !== LC_CODE_SIGNATURE, "it is signed");
    if (segment === "__LINKEDIT") {
      setLinkeditSize(out, at, end - Number(out.getBigUint64(at + 40, true)), 4 * 1024);
    }
    if (kind === LC_SYMTAB) out.setUint32(at + 20, end - out.getUint32(at + 16, true), true);
  }
  return denort;
}

/** Sets the size in the file, and that in memory, which is a multiple of the page size. */
function setLinkeditSize(out: DataView, at: number, bytes: number, pageBytes: number): void {
  out.setBigUint64(at + 48, BigInt(bytes), true);
  out.setBigUint64(at + 32, BigInt(Math.ceil(bytes / pageBytes) * pageBytes), true);
}

function checkMachO(view: DataView, cpu: number): void {
  check(
    view.getUint32(0, true) === MACHO_MAGIC && view.getUint32(4, true) === cpu,
    "it is not a Mach-O file for this processor",
  );
}

function loadCommands(file: Bytes): LoadCommand[] {
  const view = viewOf(file);
  const commands: LoadCommand[] = [];
  let at = HEADER_BYTES;
  for (let left = view.getUint32(16, true); left > 0; left--) {
    const kind = view.getUint32(at, true);
    const bytes = view.getUint32(at + 4, true);
    commands.push({
      kind,
      at,
      bytes,
      segment: kind === LC_SEGMENT_64 ? textAt(file, at + 8, 16) : "",
    });
    at += bytes;
  }
  return commands;
}

function lastIndexOf(bytes: Bytes, wanted: Uint8Array): number {
  let at = bytes.length - wanted.length;
  while (at >= 0) {
    at = bytes.lastIndexOf(wanted[0]!, at);
    if (at < 0 || wanted.every((byte, index) => bytes[at + index] === byte)) return at;
    at--;
  }
  return -1;
}

function textAt(bytes: Bytes, at: number, length: number): string {
  return new TextDecoder().decode(bytes.subarray(at, at + length)).replace(/\0.*$/s, "");
}

function viewOf(bytes: Bytes): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function check(holds: unknown, problem: string): asserts holds {
  if (!holds) throw new Error(`Cannot extract denort from this program: ${problem}`);
}
