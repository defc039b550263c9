import { assertEquals } from "@std/assert";
import { TaskGroup } from "../../../core/base/task_group.ts";
import type { ByteStream } from "../../../core/source/transport.ts";
import { sendBytes } from "../../../core/serve/protocol/send_body.ts";
import { ClientConnection } from "../../../core/serve/accept/client_connection.ts";
import { contextOf } from "../support.ts";
import { patternOf } from "../../support/bytes.ts";
import { ManualClock, YEAR_2033 } from "../../support/manual_clock.ts";
import { TempFolder } from "../../support/temp_folder.ts";
import { test } from "../../support/test.ts";

/** Takes everything, and keeps apart what came in each write. */
class Sink implements ByteStream {
  readonly peer = "127.0.0.1";
  readonly released = Promise.resolve();
  readonly writes: Uint8Array[] = [];

  read(): Promise<null> {
    return Promise.resolve(null);
  }

  write(bytes: Uint8Array): Promise<void> {
    this.writes.push(bytes.slice());
    return Promise.resolve();
  }

  endWriting(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {}

  [Symbol.dispose](): void {}
}

const SMALL = 16 * 1024;

for (
  const { size, writes } of [
    { size: 0, writes: 1 },
    { size: 1, writes: 1 },
    { size: SMALL, writes: 1 },
    { size: 3 * SMALL, writes: 2 },
  ]
) {
  test(`sendBytes() sends ${size} bytes and their line in ${writes} writes`, async () => {
    using folder = new TempFolder();
    await using jobs = new TaskGroup(new AbortController().signal);
    const sink = new Sink();
    const link = new ClientConnection(sink, new ManualClock(YEAR_2033));
    using turn = contextOf(folder.path, jobs).scheduler.open(link.client, jobs.signal);
    const bytes = patternOf(size);
    const head = `OK ${size}\n`;
    await sendBytes(link, turn, bytes, head);
    assertEquals(sink.writes.length, writes);
    const sent = new Uint8Array(await new Blob(sink.writes.map((it) => it.slice())).arrayBuffer());
    assertEquals(new TextDecoder().decode(sent.subarray(0, head.length)), head);
    assertEquals(sent.subarray(head.length), bytes);
  });
}
