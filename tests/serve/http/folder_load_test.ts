/** The work for clients that request folders again and again, and read nothing. */
import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { TaskGroup } from "../../../core/base/task_group.ts";
import { ClientConnection } from "../../../core/serve/accept/client_connection.ts";
import { handleConnection } from "../../../core/serve/accept/handshake.ts";
import { PageBytes } from "../../../core/serve/http/page_bytes.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { memoryPair } from "../../support/memory_stream.ts";
import { RawClient } from "../../support/raw_client.ts";
import { TempFolder } from "../../support/temp_folder.ts";
import { test } from "../../support/test.ts";
import { contextOf } from "../support.ts";
import { readReply, request } from "./support.ts";

const CLIENTS = 40;
const FILES = 600;

/** Counts the characters that texts of some size have, which are encoded while it lives. */
class EncodingCount implements Disposable {
  readonly #encode = TextEncoder.prototype.encode;
  readonly #from = Object.getOwnPropertyDescriptor(TextEncoder.prototype, "encode")!;
  characters = 0;

  constructor() {
    const encode = this.#encode;
    const note = (length: number) => this.characters += length;
    TextEncoder.prototype.encode = function (text) {
      // Heads and requests are shorter.
      if (text !== undefined && text.length > 10_000) note(text.length);
      return encode.call(this, text);
    };
  }

  [Symbol.dispose](): void {
    Object.defineProperty(TextEncoder.prototype, "encode", this.#from);
  }
}

/** Many clients that send `target` ten times each and read nothing, and then one that reads the response. */
async function workFor(target: string): Promise<{ characters: number; length: number }> {
  using folder = new TempFolder();
  for (let i = 0; i < FILES; i++) folder.write(`many/a file with a long name ${i}.txt`, "");
  const clock = new ManualClock(1_000_000);
  const jobs = new TaskGroup(new AbortController().signal);
  const seed = contextOf(folder.path, jobs, { clock });
  const visits: Promise<void>[] = [];
  const open: RawClient[] = [];
  const connect = (address: string) => {
    const [theirs, ours] = memoryPair(["10.0.0.1", address]);
    const [here, there] = theirs.peer === address ? [theirs, ours] : [ours, theirs];
    visits.push(handleConnection(new ClientConnection(here, clock), seed, jobs.signal));
    const client = new RawClient(there);
    open.push(client);
    return client;
  };
  using count = new EncodingCount();
  for (let i = 0; i < CLIENTS; i++) {
    await connect(`10.0.1.${i}`).send(request(target).repeat(10));
  }
  const reader = connect("10.0.0.9");
  await reader.send(request(target));
  const reading = readReply(reader);
  let isRead = false;
  reading.then(() => isRead = true, () => isRead = true);
  while (!isRead) await clock.advance(300);
  const { status, body } = await reading;
  assertEquals(status, 200);
  for (const client of open) client.close();
  jobs.abort();
  await Promise.all(visits);
  await jobs[Symbol.asyncDispose]();
  return { characters: count.characters, length: body.length };
}

for (const target of ["/many/", "/many/?json"]) {
  test(`serve() encodes ${target} once for clients that never read it`, async () => {
    const { characters, length } = await workFor(target);
    assert(characters > 0, "the count sees what is encoded");
    // Some are made again: a page is valid for a second.
    assert(characters <= 3 * length, `${characters} characters for ${length} bytes`);
  });
}

test("PageBytes shares the bytes of one host, and puts another one in its place", () => {
  const page = new PageBytes("<\u25b2 HOST/\u{1f600} HOST>", "HOST");
  const text = (host: string) => new TextDecoder().decode(page.withHost(host));
  assertEquals(text("nas1:7270"), "<\u25b2 nas1:7270/\u{1f600} nas1:7270>");
  assertStrictEquals(page.withHost("nas1:7270"), page.withHost("nas1:7270"));
  assertEquals(text("[::1]"), "<\u25b2 [::1]/\u{1f600} [::1]>");
  const plain = new PageBytes("no host", undefined);
  assertEquals(new TextDecoder().decode(plain.withHost()), "no host");
});
