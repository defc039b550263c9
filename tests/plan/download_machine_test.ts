import { assertEquals } from "@std/assert";
import { DownloadMachine, type DownloadOptions } from "../../core/plan/download_machine.ts";
import type { DownloadCommand, DownloadEvent } from "../../core/plan/messages.ts";
import type { SourceAnswer } from "../../core/plan/content_vote.ts";

const MIB = 1024 * 1024;
const PIECES = 6;
const SIZE = PIECES * MIB;

function manifest(id: string): SourceAnswer {
  return { kind: "manifest", id, size: SIZE, sha256: id };
}

/** A machine, driven event by event at one time. */
class MachineFixture {
  readonly machine: DownloadMachine;
  commands: DownloadCommand[];

  constructor(sources: string[], options: Partial<DownloadOptions> = {}) {
    this.machine = new DownloadMachine({
      sources: sources.map((id) => ({ id, troubled: false, known: true })),
      wanted: { id: undefined, sha256: undefined },
      requireVerified: false,
      giveUpMs: 60_000,
      stallMs: 5000,
      minBytesPerSecond: 128,
      random: () => 0.5,
      ...options,
    }, 0);
    this.commands = this.machine.start(0);
  }

  send(event: DownloadEvent): this {
    this.commands = this.machine.handle(event, 0);
    return this;
  }

  answers(source: string, id = "a"): this {
    return this.send({ kind: "answered", source, answer: manifest(id) });
  }

  appears(id: string): this {
    return this.send({ kind: "sourceAppeared", source: { id, troubled: false, known: false } });
  }

  opens(missing = Array.from({ length: PIECES }, (_, piece) => piece), windowPieces?: number) {
    return this.send({
      kind: "opened",
      layout: { size: SIZE, pieceSize: MIB, count: PIECES },
      missing,
      maxInFlight: 32,
      ...windowPieces === undefined ? {} : { windowPieces },
    });
  }

  /** Names of the commands, without timers. */
  get kinds(): string[] {
    return this.commands.map(({ kind }) => kind).filter((kind) => kind !== "setTimer");
  }

  get requests(): { source: string; piece: number }[] {
    return this.commands.flatMap((command) =>
      command.kind === "request" ? [{ source: command.source, piece: command.piece }] : []
    );
  }

  /** Stores what is requested until nothing is. @returns the source of each piece */
  completes(): Map<number, string> {
    const sources = new Map<number, string>();
    const queue = [...this.commands];
    for (let command; (command = queue.shift()) !== undefined;) {
      if (command.kind !== "request") continue;
      sources.set(command.piece, command.source);
      queue.push(...this.send({ kind: "stored", request: command.request }).commands);
    }
    return sources;
  }
}

Deno.test("DownloadMachine probes a source that appears while it resolves", () => {
  const fixture = new MachineFixture(["s"]).appears("t");
  assertEquals(fixture.kinds, ["probe"]);
  assertEquals(fixture.answers("t").answers("s").kinds, ["open"]);
});

Deno.test("DownloadMachine probes a source that appeared while the file was opened when the transfer begins", () => {
  const fixture = new MachineFixture(["s"]).answers("s").appears("t");
  assertEquals(fixture.kinds, []);
  assertEquals(fixture.opens().kinds.includes("probe"), true);
});

Deno.test("DownloadMachine requests pieces from a source that appears during the transfer", () => {
  const fixture = new MachineFixture(["s"]).answers("s").opens().appears("t");
  assertEquals(fixture.kinds, ["probe"]);
  fixture.answers("t");
  assertEquals(fixture.requests.every(({ source }) => source === "t"), true);
  assertEquals(fixture.requests.length > 0, true);
});

Deno.test("DownloadMachine ignores a source that appears twice, and one that appears when all is over", () => {
  assertEquals(new MachineFixture(["s"]).appears("s").kinds, []);
  const over = new MachineFixture(["s"]).send({
    kind: "answered",
    source: "s",
    answer: { kind: "lacks" },
  });
  assertEquals([over.kinds.at(-1), over.appears("t").kinds], ["fail", []]);
});

Deno.test("DownloadMachine admits a source whose answer comes while the file is being opened", () => {
  // The vote does not wait for a troubled source.
  const sources = ["s", "t"].map((id) => ({ id, troubled: id === "t", known: true }));
  const fixture = new MachineFixture([], { sources }).answers("s");
  assertEquals(fixture.kinds, ["open"]);
  assertEquals(fixture.answers("t").kinds, []);
  assertEquals(new Set(fixture.opens().requests.map(({ source }) => source)), new Set(["s", "t"]));
});

for (const order of ["in-order", "rarest-first"] as const) {
  Deno.test(`DownloadMachine completes ${order} from sources that have all pieces together, asking each only for its own`, () => {
    const fixture = new MachineFixture(["s", "t"], { order });
    fixture.send({ kind: "sourceHas", source: "s", pieces: new Set([0, 1, 4]) });
    fixture.send({ kind: "sourceHas", source: "t", pieces: new Set([2, 3, 5]) });
    const sources = fixture.answers("s").answers("t").opens().completes();
    for (const piece of [0, 1, 4]) assertEquals(sources.get(piece), "s");
    for (const piece of [2, 3, 5]) assertEquals(sources.get(piece), "t");
    assertEquals(fixture.kinds, ["finish"]);
  });

  Deno.test(`DownloadMachine requests ${order} the pieces that a source gains during the transfer`, () => {
    const fixture = new MachineFixture(["s"], { order });
    fixture.send({ kind: "sourceHas", source: "s", pieces: new Set([1]) });
    fixture.answers("s").opens([1, 2]);
    assertEquals(fixture.requests, [{ source: "s", piece: 1 }]);
    fixture.send({ kind: "sourceHas", source: "s", pieces: new Set([1, 2]) });
    assertEquals(fixture.requests, [{ source: "s", piece: 2 }]);
  });
}

Deno.test("DownloadMachine requests a stream in order and within its window", () => {
  const fixture = new MachineFixture(["s"], { order: "rarest-first" }).answers("s");
  fixture.opens(undefined, 2);
  const pieces = () => fixture.requests.map(({ piece }) => piece);
  assertEquals(pieces(), [0, 1]);
  fixture.send({ kind: "stored", request: 0 });
  assertEquals(pieces(), []);
  fixture.send({ kind: "consumed", piece: 0 });
  assertEquals(pieces(), [2]);
});

Deno.test("DownloadMachine transfers again the pieces that turned out wrong when the file was finished", () => {
  const fixture = new MachineFixture(["s"]).answers("s").opens();
  fixture.completes();
  assertEquals(fixture.kinds, ["finish"]);
  assertEquals(fixture.opens([3]).requests, [{ source: "s", piece: 3 }]);
  fixture.completes();
  assertEquals(fixture.kinds, ["finish"]);
});

Deno.test("DownloadMachine fails when the only content is rejected", () => {
  const fixture = new MachineFixture(["s"]).answers("s").send({
    kind: "rejected",
    why: "too-large",
  });
  assertEquals(fixture.kinds, ["setAside", "fail"]);
});

Deno.test("DownloadMachine resolves again without a content that was rejected", () => {
  const fixture = new MachineFixture(["s", "t"]).answers("s", "a").answers("t", "b");
  const [open] = fixture.commands.filter(({ kind }) => kind === "open");
  assertEquals(open?.kind === "open" && open.choice.content.id, "a");
  fixture.send({ kind: "rejected", why: "too-large" });
  assertEquals(fixture.kinds, ["setAside", "probe", "probe"]);
  fixture.answers("s", "a").answers("t", "b");
  const again = fixture.commands.find(({ kind }) => kind === "open");
  assertEquals(again?.kind === "open" && again.choice.content.id, "b");
});
