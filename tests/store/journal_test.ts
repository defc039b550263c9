import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  type Claim,
  encodeIdentity,
  encodeRecord,
  type JournalIdentity,
  type JournalRecord,
  type JournalState,
  parseJournal,
} from "../../core/store/journal.ts";
import { anyText, property } from "../base/property.ts";

const ID = "0123456789abcdef".repeat(4);
const IDENTITY: JournalIdentity = { id: ID, size: 1000, pieceSize: 100 };
const BOOT = 1_700_000_000_000;
const RECORDS: JournalRecord[] = [
  { run: { pid: 1, boot: BOOT, bootId: "a" } },
  { piece: 3 },
  { piece: 0 },
  { synced: true },
  { piece: 7 },
  { run: { pid: 2, boot: BOOT + 9999, bootId: "b", inode: 12, mtime: 34 } },
  { piece: 9, crc: 56 },
];

function textOf(records: readonly JournalRecord[], identity = IDENTITY): string {
  return encodeIdentity(identity) + records.map(encodeRecord).join("");
}

function piecesOf(journal: JournalState | undefined): number[] {
  return Array.from(journal?.claims.keys() ?? []).sort((a, b) => a - b);
}

/** "3 synced" or "7 unsynced in a", in the order of the journal. */
function claimsOf(journal: JournalState | undefined): string[] {
  return Array.from(journal?.claims ?? [], ([piece, { state, bootId }]) => {
    return `${piece} ${state}${bootId && state === "unsynced" ? ` in ${bootId}` : ""}`;
  });
}

Deno.test("parseJournal() returns the state that the records describe", () => {
  const text = textOf(RECORDS);
  assertEquals(parseJournal(text), {
    identity: IDENTITY,
    claims: new Map<number, Claim>([
      [3, { state: "synced", bootId: "a", crc: undefined }],
      [0, { state: "synced", bootId: "a", crc: undefined }],
      [7, { state: "unsynced", bootId: "a", crc: undefined }],
      [9, { state: "unsynced", bootId: "b", crc: 56 }],
    ]),
    parts: new Map(),
    run: { pid: 2, boot: BOOT + 9999, bootId: "b", inode: 12, mtime: 34 },
    length: text.length,
  });
});

Deno.test("encodeRecord() writes the CRC-32 that gzip computes", () => {
  // So that other tools can check a journal.
  assertEquals(encodeRecord({ piece: 7 }), '5963833e {"piece":7}\n');
});

Deno.test("parseJournal() returns an identity without a content id", () => {
  const identity = { ...IDENTITY, id: null };
  assertEquals(parseJournal(textOf([], identity))?.identity, identity);
});

/** The records that are complete in the first `bytes` of the text. */
function wholeIn(bytes: number): JournalRecord[] {
  const records = RECORDS.slice();
  while (records.length > 0 && textOf(records).length > bytes) records.pop();
  return records;
}

Deno.test("parseJournal() returns the complete records when the text is cut at any byte", () => {
  const text = textOf(RECORDS);
  const identityLength = encodeIdentity(IDENTITY).length;
  for (let cut = 0; cut <= text.length; cut++) {
    const want = cut < identityLength ? undefined : parseJournal(textOf(wholeIn(cut)));
    assertEquals(parseJournal(text.slice(0, cut)), want, `torn at byte ${cut}`);
  }
});

Deno.test("parseJournal() returns the complete records when zeroes follow a torn one", () => {
  const text = textOf(RECORDS);
  for (let cut = encodeIdentity(IDENTITY).length; cut < text.length; cut++) {
    const torn = text.slice(0, cut) + "\0".repeat(64);
    assertEquals(parseJournal(torn), parseJournal(textOf(wholeIn(cut))), `torn at byte ${cut}`);
  }
});

Deno.test("parseJournal() stops at the record in which any single bit is flipped", () => {
  const text = textOf(RECORDS);
  const bytes = new TextEncoder().encode(text);
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = bytes.slice();
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    const parsed = parseJournal(new TextDecoder().decode(flipped));
    const before = wholeIn(bit >> 3);
    // Only the records from the flipped one on are ignored.
    const want = parsed === undefined ? undefined : parseJournal(textOf(before));
    assertEquals(parsed, want, `bit ${bit}`);
    assertEquals(parsed === undefined, bit >> 3 < encodeIdentity(IDENTITY).length, `bit ${bit}`);
  }
});

Deno.test("parseJournal() stops at a piece beyond the end of the file", () => {
  const content = parseJournal(textOf([{ piece: 1 }, { piece: 10 }, { piece: 2 }]));
  assertEquals(piecesOf(content), [1]);
});

Deno.test("parseJournal() returns a piece as unsynced when it was written again after a sync", () => {
  const content = parseJournal(
    textOf([{ piece: 1 }, { piece: 2 }, { synced: true }, { piece: 2 }]),
  );
  assertEquals(claimsOf(content), ["1 synced", "2 unsynced"]);
});

Deno.test("parseJournal() returns the beginning of a piece until the piece is stored", () => {
  const records: JournalRecord[] = [
    { piece: 3 },
    { part: [1, 40] },
    { part: [1, 70] },
    { part: [2, 100] },
    { piece: 2 },
    { part: [3, 5] },
  ];
  const content = parseJournal(textOf(records));
  assertEquals(piecesOf(content), [2]);
  assertEquals(content?.parts, new Map([[1, 70], [3, 5]]));
});

Deno.test("parseJournal() returns all pieces before a doubt as doubted", () => {
  const records: JournalRecord[] = [
    { run: { pid: 1, boot: BOOT, bootId: "a" } },
    { piece: 0 },
    { synced: true },
    { piece: 1 },
    { piece: 2 },
    { doubt: true },
    { synced: true },
    { piece: 2 },
    { lost: [1] },
  ];
  const content = parseJournal(textOf(records));
  assertEquals(claimsOf(content), ["0 doubted", "2 unsynced in a"]);
});

Deno.test("parseJournal() returns pieces as synced that were written before a completed sync began", () => {
  const records: JournalRecord[] = [
    { piece: 0 },
    { piece: 1 },
    { piece: 2 },
    { syncing: true },
    { piece: 3 },
    { piece: 1 },
    { lost: [2] },
    { syncedBatch: true },
    { syncing: true },
    { piece: 4 },
  ];
  const content = parseJournal(textOf(records));
  assertEquals(claimsOf(content), ["0 synced", "3 unsynced", "1 unsynced", "4 unsynced"]);
});

for (const part of [[1], [1, 0], [1, 101], [10, 1], [-1, 5], ["1", 5]]) {
  Deno.test(`parseJournal() stops at the invalid beginning ${JSON.stringify(part)}`, () => {
    const content = parseJournal(
      textOf([{ piece: 0 }, { part } as unknown as JournalRecord, { piece: 2 }]),
    );
    assertEquals(piecesOf(content), [0]);
  });
}

const noIdentities = [
  { name: "the text is empty", line: "" },
  { name: "the version is another one", line: { "p2p-journal": 2, id: ID, size: 1, pieceSize: 1 } },
  { name: "the size is missing", line: { "p2p-journal": 1, id: ID, pieceSize: 1 } },
  { name: "the size is negative", line: { "p2p-journal": 1, id: ID, size: -1, pieceSize: 1 } },
  { name: "the piece size is 0", line: { "p2p-journal": 1, id: ID, size: 1, pieceSize: 0 } },
  { name: "the id is a path", line: { "p2p-journal": 1, id: "../../x", size: 1, pieceSize: 1 } },
  { name: "the id is a number", line: { "p2p-journal": 1, id: 7, size: 1, pieceSize: 1 } },
  { name: "it is null", line: null },
  { name: "the first record is a piece", line: { piece: 0 } },
];
for (const { name, line } of noIdentities) {
  Deno.test(`parseJournal() returns undefined when ${name}`, () => {
    // encodeRecord puts the right checksum before whatever it is given.
    const text = line === "" ? "" : encodeRecord(line as unknown as JournalRecord);
    assertEquals(parseJournal(text + encodeRecord({ piece: 0 })), undefined);
  });
}

const record: fc.Arbitrary<JournalRecord> = fc.oneof(
  { arbitrary: fc.record({ piece: fc.nat(9) }), weight: 5 },
  fc.constant<JournalRecord>({ synced: true }),
  fc.constantFrom<JournalRecord>({ doubt: true }, { syncing: true }, { syncedBatch: true }),
  fc.record({ run: fc.record({ pid: fc.nat(99999), boot: fc.integer() }) }),
);
const recordList = fc.array(record, { maxLength: 20 });

property("parseJournal() returns each piece once for random records", recordList, (records) => {
  const content = parseJournal(textOf(records))!;
  const want = new Set(records.flatMap((record) => "piece" in record ? [record.piece] : []));
  assertEquals(piecesOf(content), [...want].sort((a, b) => a - b));
  assertEquals(content.length, textOf(records).length);
});

/** Replaces some characters of a journal by any text. */
const damage = fc.record({ records: recordList, at: fc.nat(2000), gone: fc.nat(80), put: anyText });

property(
  "parseJournal() returns no piece that was not recorded when the text is damaged",
  damage,
  (d) => {
    const text = textOf(d.records);
    const damaged = text.slice(0, d.at) + d.put + text.slice(d.at + d.gone);
    const content = parseJournal(damaged);
    const written = new Set(piecesOf(parseJournal(text)));
    assert(piecesOf(content).every((piece) => written.has(piece)), "claims what was never written");
    assert((content?.length ?? 0) <= damaged.length, "is longer than the text");
  },
);

property("parseJournal() does not throw for any text", anyText, (text) => {
  assertEquals(parseJournal(text), undefined);
});
