/** What a request and its reply cost before anything is read or sent. */
import { ReadBuffer } from "../../core/protocol/read_buffer.ts";
import { encodeOk, parseReply } from "../../core/protocol/replies.ts";
import {
  encodeSessionRequest,
  parseOneShotRequest,
  parseSessionRequest,
} from "../../core/protocol/requests.ts";

const MIB = 1024 * 1024;
const NAME = "films/2024/a film with a name of usual length.mkv";
const RANGE = { start: 700 * MIB, end: 701 * MIB };
const DOWNLOAD = encodeSessionRequest({ verb: "DOWNLOAD", name: NAME, range: RANGE });
const OLD_DOWNLOAD = `DOWNLOAD ${NAME}|734003200`;
const OK = encodeOk(MIB).trimEnd();

Deno.bench("parse a DOWNLOAD", { group: "request", baseline: true }, () => {
  parseSessionRequest(DOWNLOAD);
});

Deno.bench("parse a DOWNLOAD of the old dialect", { group: "request" }, () => {
  parseOneShotRequest(OLD_DOWNLOAD);
});

Deno.bench("encode a DOWNLOAD", { group: "request" }, () => {
  encodeSessionRequest({ verb: "DOWNLOAD", name: NAME, range: RANGE });
});

Deno.bench("parse a reply", { group: "request" }, () => {
  parseReply(OK);
});

const inbox = new ReadBuffer();
const lines = new TextEncoder().encode(`${DOWNLOAD}\n`.repeat(8));
Deno.bench("take 8 lines out of the inbox", { group: "request" }, () => {
  inbox.space().set(lines);
  inbox.filled(lines.length);
  while (inbox.takeLine() !== undefined);
});
