/** Seeds that announce themselves, and clients that look for them, on a network in memory. */
import { assertEquals, assertRejects } from "@std/assert";
import { announce } from "../../core/discovery/announce.ts";
import { browse, type NearbySeed } from "../../core/discovery/browse.ts";
import {
  decodeAnnouncement,
  encodeAnnouncement,
  encodeQuery,
} from "../../core/discovery/dns_sd.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { FakeNetwork, localAddress } from "./support.ts";

const never = new AbortController().signal;
const SEED = { id: "0011223344556677", port: 7270, tls: false, token: false };
const CLIENT = localAddress("192.168.1.2");
const CLIENT_V6 = localAddress("fe80::2");

class DiscoveryFixture implements AsyncDisposable {
  readonly network = new FakeNetwork();
  readonly clock = new ManualClock();
  readonly #stop = new AbortController();
  readonly #announcing: Promise<void>[] = [];

  announce(address = "192.168.1.10", seed = SEED): void {
    const multicast = this.network.machine(localAddress(address));
    this.#announcing.push(announce(seed, { multicast, clock: this.clock }, this.#stop.signal));
  }

  async browse(ms = 300): Promise<NearbySeed[]> {
    const multicast = this.network.machine(CLIENT);
    const found = browse(ms, { multicast, clock: this.clock }, never);
    for (let i = 0; i < ms; i += 100) await this.clock.advance(100);
    return await found;
  }

  async leave(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#announcing);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.leave();
    assertEquals([this.network.size, this.clock.pending], [0, 0]);
  }
}

Deno.test("browse() finds each seed once, by the address from which it answered", async () => {
  await using fixture = new DiscoveryFixture();
  fixture.announce("192.168.1.11", { ...SEED, id: "aaaaaaaaaaaaaaaa", port: 9000 });
  fixture.announce("192.168.1.10");
  const rest = { tls: false, token: false };
  assertEquals(await fixture.browse(), [
    { host: "192.168.1.10", port: 7270, ...rest },
    { host: "192.168.1.11", port: 9000, ...rest },
  ]);
});

Deno.test("browse() finds nothing where there is no seed, after its time", async () => {
  await using fixture = new DiscoveryFixture();
  assertEquals(await fixture.browse(), []);
});

Deno.test("browse() asks again, because packets are lost", async () => {
  await using fixture = new DiscoveryFixture();
  fixture.announce();
  fixture.network.lost = 1;
  assertEquals((await fixture.browse()).length, 1);
});

Deno.test("browse() prefers the IPv4 address of a seed that answers on several networks", async () => {
  for (const addresses of [["fe80::1", "192.168.1.10"], ["192.168.1.10", "fe80::1"]]) {
    await using fixture = new DiscoveryFixture();
    const found = browse(
      100,
      { multicast: fixture.network.machine(CLIENT, CLIENT_V6), clock: fixture.clock },
      never,
    );
    for (const address of addresses) {
      const receiver = address.includes(":")
        ? { address: CLIENT_V6.address, port: 40_001 }
        : { address: CLIENT.address, port: 40_000 };
      const [socket] = await fixture.network.machine(localAddress(address)).open(
        "responder",
        () => {},
      );
      socket!.sendTo(encodeAnnouncement(SEED, []), receiver);
      socket![Symbol.dispose]();
    }
    await fixture.clock.advance(100);
    assertEquals((await found).map(({ host }) => host), ["192.168.1.10"]);
  }
});

Deno.test("browse() names the interface of an address that is valid on one link only", async () => {
  await using fixture = new DiscoveryFixture();
  const found = browse(
    100,
    { multicast: fixture.network.machine(CLIENT_V6), clock: fixture.clock },
    never,
  );
  const [socket] = await fixture.network.machine(localAddress("fe80::1")).open(
    "responder",
    () => {},
  );
  socket!.sendTo(encodeAnnouncement(SEED, []), { address: CLIENT_V6.address, port: 40_000 });
  socket![Symbol.dispose]();
  await fixture.clock.advance(100);
  assertEquals((await found).map(({ host }) => host), ["fe80::1%eth0"]);
});

for (
  const { senders, want } of [{ senders: 1, want: 16 }, { senders: 40, want: 256 }]
) {
  Deno.test(`browse() remembers at most ${want} seeds of ${senders} machines`, async () => {
    await using fixture = new DiscoveryFixture();
    const { clock, network } = fixture;
    const found = browse(100, { multicast: network.machine(CLIENT), clock }, never);
    for (let sender = 0; sender < senders; sender++) {
      const machine = network.machine(localAddress(`192.168.1.${100 + sender}`));
      const [socket] = await machine.open("responder", () => {});
      for (let i = 0; i < 30; i++) {
        const seed = { ...SEED, id: (sender * 1000 + i).toString(16).padStart(16, "0") };
        socket!.sendTo(encodeAnnouncement(seed, []), { address: CLIENT.address, port: 40_000 });
      }
      socket![Symbol.dispose]();
    }
    await clock.advance(100);
    assertEquals((await found).length, want);
  });
}

Deno.test("browse() ends when its signal aborts", async () => {
  await using fixture = new DiscoveryFixture();
  const stop = new AbortController();
  const { clock, network } = fixture;
  const found = browse(300, { multicast: network.machine(CLIENT), clock }, stop.signal);
  await Promise.resolve();
  stop.abort(new Error("enough"));
  await assertRejects(() => found, Error, "enough");
});

Deno.test("announce() announces twice without being asked, and says that it leaves", async () => {
  await using fixture = new DiscoveryFixture();
  fixture.announce();
  await fixture.clock.advance(1000);
  assertEquals(fixture.network.sent.map((packet) => decodeAnnouncement(packet)), [SEED, SEED]);
  await fixture.leave();
  assertEquals(fixture.network.sent.length, 3);
  assertEquals(decodeAnnouncement(fixture.network.sent[2]!), undefined);
});

Deno.test("announce() does not answer a sender of another network", async () => {
  await using fixture = new DiscoveryFixture();
  fixture.announce();
  let answers = 0;
  const multicast = fixture.network.machine(localAddress("10.0.0.1"));
  const [socket] = await multicast.open("browser", () => answers++);
  socket!.sendToGroup(encodeQuery());
  socket![Symbol.dispose]();
  assertEquals(answers, 0);
});

Deno.test("announce() answers at most 20 questions a second", async () => {
  await using fixture = new DiscoveryFixture();
  fixture.announce();
  let answers = 0;
  const [socket] = await fixture.network.machine(CLIENT).open("browser", () => answers++);
  const flood = () => {
    for (let i = 0; i < 500; i++) socket!.sendToGroup(encodeQuery());
  };
  flood();
  assertEquals(answers, 20);
  await fixture.clock.advance(1000);
  flood();
  assertEquals(answers, 40);
  socket![Symbol.dispose]();
});

Deno.test("announce() answers a member of the group by multicast", async () => {
  await using fixture = new DiscoveryFixture();
  fixture.announce();
  await fixture.clock.advance(1000);
  const before = fixture.network.sent.length;
  const [socket] = await fixture.network.machine(CLIENT).open("responder", () => {});
  socket!.sendToGroup(encodeQuery());
  socket![Symbol.dispose]();
  assertEquals(fixture.network.sent.length, before + 2);
});

Deno.test("announce() announces the seed on a network that the machine joins later", async () => {
  await using fixture = new DiscoveryFixture();
  const addresses: ReturnType<typeof localAddress>[] = [];
  const joined = { ...fixture.network.machine(), addresses: () => addresses };
  const multicast = {
    ...joined,
    open: (...args: Parameters<typeof joined.open>) =>
      fixture.network.machine(...addresses).open(...args),
  };
  const stop = new AbortController();
  const announcing = announce(SEED, { multicast, clock: fixture.clock }, stop.signal);
  await fixture.clock.advance(2000);
  assertEquals(fixture.network.sent.length, 0);
  addresses.push(localAddress("192.168.1.10"));
  await fixture.clock.advance(6000);
  assertEquals((await fixture.browse()).map(({ host }) => host), ["192.168.1.10"]);
  stop.abort();
  await announcing;
});

Deno.test("browse() ignores answers from another network", async () => {
  await using fixture = new DiscoveryFixture();
  const found = fixture.browse();
  const [stranger] = await fixture.network.machine(localAddress("10.0.0.5")).open(
    "responder",
    () => {},
  );
  const port = 40_000;
  stranger!.sendTo(encodeAnnouncement(SEED, ["10.0.0.5"]), { address: "192.168.1.2", port });
  stranger![Symbol.dispose]();
  assertEquals(await found, []);
});
