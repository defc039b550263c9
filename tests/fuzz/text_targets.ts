/** The parsers of what people and disks hold: names, addresses, settings, journals. */
import { assert, assertEquals } from "@std/assert";
import { crc32 } from "node:zlib";
import { configSource } from "../../commands/config_file.ts";
import {
  DURATION,
  hex,
  InvalidValueError,
  NAME,
  RATE,
  SEED,
  SIZE,
  type ValueType,
} from "../../commands/value_types.ts";
import { resolveSettings } from "../../commands/load_settings.ts";
import { CommandError } from "../../commands/ui/hints.ts";
import { UsageError } from "../../core/base/errors.ts";
import { compareNames, invalidNameReason } from "../../core/base/names.ts";
import { isReservedName } from "../../core/store/paths.ts";
import { printable } from "../../core/base/text.ts";
import { isLink, parseLink } from "../../core/base/link.ts";
import {
  encodeSourceAddress,
  formatSourceAddress,
  isWebAddress,
  parseSourceAddress,
} from "../../core/base/source_address.ts";
import {
  encodeIdentity,
  encodeRecord,
  type JournalState,
  parseJournal,
} from "../../core/store/journal.ts";
import { anyTextOf, assertSame, attempt, bytesOf, type Target, textOf } from "./target.ts";
import { compareBytes, secondOpinionOn } from "./wire_targets.ts";

const names: Target = {
  name: "name",
  seeds: ["a", "dir/b.txt", "a|b", "é😀\uffff", "x.p2p-part/y", "..", "a/../b", "/a", "a\\b"]
    .map(bytesOf),
  run(input) {
    const name = anyTextOf(input);
    assertEquals(invalidNameReason(name) === undefined, secondOpinionOn(name));
    assertEquals(isReservedName(name), /\.p2p-(part|journal)($|\/)/i.test(name));
    if (!name.isWellFormed()) return;
    const other = name.slice(1) + name.slice(0, 1);
    if (other.isWellFormed()) {
      assertEquals(Math.sign(compareNames(name, other)), Math.sign(compareBytes(name, other)));
    }
  },
};

const shown: Target = {
  name: "printable",
  seeds: ["plain", "\x1b[31mred\x9b0m", "\u202egpj.exe", "\u2028\ufeff\ufffd", "\r\n\t"].map(
    bytesOf,
  ),
  run(input) {
    const text = printable(anyTextOf(input));
    assert(text.isWellFormed() && !/[\p{Cc}\p{Bidi_C}\u2028\u2029\ufeff]/u.test(text), text);
    assertEquals(printable(text), text);
  },
};

const addresses: Target = {
  name: "source-address",
  seeds: [
    "host",
    "Host:7270",
    "127.0.0.1:1",
    "[::1]:65535",
    "[fe80::1%eth0]",
    "tls://a.example:443",
    "p2p://A.example/",
    "http://a.example:80",
    "https://user:pass@a.example/b%20c/?sig=1",
    "s3://bucket/prefix/",
  ]
    .map(bytesOf),
  run(input) {
    const address = attempt(() => parseSourceAddress(anyTextOf(input)), UsageError);
    if (address instanceof Error) return;
    assertSame(parseSourceAddress(encodeSourceAddress(address)), address, "address");
    if (isWebAddress(address)) {
      const { username, password, search, pathname } = new URL(formatSourceAddress(address));
      assertEquals([username, password, search], ["", "", ""]);
      assert(pathname.endsWith("/"), pathname);
      return;
    }
    const { port } = address;
    assert(Number.isInteger(port) && port >= 1 && port <= 65_535);
  },
};

const links: Target = {
  name: "link",
  seeds: [
    "http://nas1:7270/models/a.bin#id=3e43403d73f45ea23adb8bdd94a93e0a",
    "https://user:pass@a.example/b%20c.iso?sig=1",
    "p2p://nas1,nas2:7271/a.iso",
    "tls://[::1]/a#sha256=00",
    "s3://bucket/key",
  ].map(bytesOf),
  run(input) {
    const text = anyTextOf(input);
    const link = attempt(() => parseLink(text), UsageError);
    if (link instanceof Error) return;
    assert(isLink(text), text);
    assertEquals(invalidNameReason(link.name), undefined);
    assert(link.seeds.length > 0);
  },
};

const KINDS: readonly ValueType<unknown>[] = [
  SIZE,
  RATE,
  DURATION,
  SEED,
  NAME,
  hex(1),
  hex(64),
] as ValueType<
  unknown
>[];

const values: Target = {
  name: "setting-value",
  seeds: ["512", "64KiB", "1.5GB", "none", "500ms", "0.25h", "host:1", "0aF", "dir/a"].map(bytesOf),
  run(input) {
    const text = anyTextOf(input);
    for (const kind of KINDS) {
      const value = attempt(() => kind.parse(text), InvalidValueError);
      if (value instanceof Error) continue;
      // Secrets in the address of a seed are not shown.
      const shown = kind.format(value);
      assertEquals(kind.format(kind.parse(shown)), shown, `${kind.placeholder} "${text}"`);
    }
  },
};

const configs: Target = {
  name: "config",
  seeds: [
    "",
    '{"seeds": ["a:1", "tls://b"], "max": 3, "limit": "10MiB", "require-verified": true}',
    '{\n  "stall": "5s",\n  "out": "dir",\n  "port": 0,\n  "chunk": 32768,\n  "log-level": "debug"\n}',
    '{"quiet": false, "task-limit": "none", "uploads": 32, "on-conflict": "skip", "hidden": true}',
  ].map(bytesOf),
  run(input) {
    attempt(() => {
      const place = configSource(anyTextOf(input), "/config.json");
      const { values } = resolveSettings([place]);
      assert(Object.values(values).every((value) => !Number.isNaN(value)));
    }, CommandError);
  },
};

const journals: Target = {
  name: "journal",
  seeds: [
    encodeIdentity({ id: null, size: 0, pieceSize: 1_048_576 }),
    encodeIdentity({ id: "ab".repeat(32), size: 5_000_000, pieceSize: 1_048_576 }) +
    encodeRecord({ run: { pid: 7, boot: 1.5, inode: 9 } }) + encodeRecord({ piece: 0 }) +
    encodeRecord({ piece: 4 }) + encodeRecord({ synced: true }) + encodeRecord({ piece: 1 }) +
    encodeRecord({ run: { pid: 8, boot: 2 } }) + encodeRecord({ piece: 0 }),
    encodeIdentity({ id: null, size: 5_000_000, pieceSize: 1_048_576 }) +
    encodeRecord({ run: { pid: 7, boot: 1, bootId: "a", inode: 9, mtime: 1 } }) +
    encodeRecord({ piece: 0, crc: 1 }) + encodeRecord({ syncing: true }) +
    encodeRecord({ part: [1, 10] }) + encodeRecord({ syncedBatch: true }) +
    encodeRecord({ lost: [0, 2] }) + encodeRecord({ doubt: true }),
  ].map(bytesOf),
  run(input) {
    const text = textOf(input);
    holdJournal(text);
    holdJournal(withRightSums(text));
  },
};

/** Each line with the checksum that fits it: else nothing but the sum would ever be found wrong. */
function withRightSums(text: string): string {
  return text.split("\n").map((line) => {
    const json = line.slice(9);
    return `${crc32(json).toString(16).padStart(8, "0")} ${json}`;
  }).slice(0, -1).join("\n") + "\n";
}

function holdJournal(text: string): void {
  const content = parseJournal(text);
  if (content === undefined) return;
  const { identity: { size, pieceSize }, claims, parts, length } = content;
  assert(length <= text.length && text[length - 1] === "\n", "it ends behind a line");
  for (const piece of [...claims.keys(), ...parts.keys()]) {
    assert(Number.isSafeInteger(piece) && piece >= 0 && piece * pieceSize < size, `piece ${piece}`);
  }
  assert(!Array.from(parts.keys()).some((piece) => claims.has(piece)), "stored or begun, not both");
  assertSame(flat(parseJournal(text.slice(0, length))), flat(content), "what counts of it");
}

function flat(journal: JournalState | undefined) {
  return journal && { ...journal, claims: [...journal.claims], parts: [...journal.parts] };
}

export const TEXT_TARGETS: readonly Target[] = [
  names,
  shown,
  addresses,
  links,
  values,
  configs,
  journals,
];
