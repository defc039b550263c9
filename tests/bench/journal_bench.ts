/** What noting a piece costs: the text alone, with the system call, and reading all of it again. */
import { join } from "@std/path";
import { realDisk } from "../../core/store/disk.ts";
import { encodeIdentity, encodeRecord, Journal, parseJournal } from "../../core/store/journal.ts";

const MIB = 1024 * 1024;
const PIECES = 10_000;
const IDENTITY = { id: "ab".repeat(32), size: PIECES * MIB, pieceSize: MIB };
const RUN = { pid: 4711, boot: 1_700_000_000_000 };
const WHOLE = encodeIdentity(IDENTITY) + encodeRecord({ run: RUN }) +
  Array.from({ length: PIECES }, (_, piece) => encodeRecord({ piece })).join("");

Deno.bench("encode a piece's record", { group: "journal", baseline: true }, () => {
  encodeRecord({ piece: 4711 });
});

Deno.bench(`note 1000 pieces in a file`, { group: "journal" }, (bench) => {
  const dir = Deno.makeTempDirSync({ prefix: "p2p-journal-" });
  const journal = Journal.open(join(dir, "journal"), IDENTITY, undefined, [{ run: RUN }], realDisk);
  bench.start();
  for (let piece = 0; piece < 1000; piece++) journal.append({ piece });
  bench.end();
  journal[Symbol.dispose]();
  Deno.removeSync(dir, { recursive: true });
});

Deno.bench(`read a journal of ${PIECES} pieces`, { group: "journal" }, () => {
  parseJournal(WHOLE);
});
